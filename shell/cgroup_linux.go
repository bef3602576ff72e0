package shell

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cgroup is a job's own control group, version 2.
type cgroup struct {
	dir      string
	killable bool // the kernel has cgroup.kill (5.14)
}

// cgroupParent is the group below which jobs get theirs: this process's own
// group in the version 2 hierarchy. Empty: there is none.
var cgroupParent = sync.OnceValue(func() string {
	mount := cgroup2Mount()
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil || mount == "" {
		return ""
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		own, ok := strings.CutPrefix(line, "0::/")
		if !ok || strings.HasPrefix(own, "..") {
			continue
		}
		dir := filepath.Join(mount, own)
		// Offered controllers pass on to jobs where the group's rules permit it
		// (a group that holds processes itself may not); the watcher does
		// without.
		for _, c := range []string{"+memory", "+pids"} {
			_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(c), 0)
		}
		return dir
	}
	return ""
})

func cgroup2Mount() string {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		head, tail, ok := strings.Cut(sc.Text(), " - ")
		fields := strings.Fields(head)
		if ok && strings.HasPrefix(tail, "cgroup2 ") && len(fields) >= 5 && fields[3] == "/" {
			return fields[4]
		}
	}
	return ""
}

// newCgroup makes a group for one job, or returns nil where that is not
// permitted here.
func newCgroup(name string, l Limits) *cgroup {
	parent := cgroupParent()
	if parent == "" {
		return nil
	}
	g := &cgroup{dir: filepath.Join(parent, "casement-job-"+name)}
	if os.Mkdir(g.dir, 0o755) != nil {
		return nil
	}
	_, err := os.Stat(g.file("cgroup.kill"))
	g.killable = err == nil
	if l.MaxMemoryMB > 0 {
		_ = os.WriteFile(g.file("memory.max"), strconv.AppendUint(nil, uint64(l.MaxMemoryMB)<<20, 10), 0)
	}
	if l.MaxProcesses > 0 {
		// The controller counts threads; this only stops a fork bomb between
		// two looks of the watcher.
		_ = os.WriteFile(g.file("pids.max"), strconv.AppendUint(nil, max(512, 64*uint64(l.MaxProcesses)), 10), 0)
	}
	return g
}

func (g *cgroup) file(name string) string { return filepath.Join(g.dir, name) }

// kill ends every process of the group and of groups below it.
func (g *cgroup) kill() {
	if g.killable {
		_ = os.WriteFile(g.file("cgroup.kill"), []byte("1"), 0)
	}
}

// pids returns the processes of the group and of groups below it.
func (g *cgroup) pids() []int {
	var out []int
	_ = filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return nil
		}
		for line := range bytes.Lines(b) {
			if pid, err := strconv.Atoi(string(bytes.TrimSpace(line))); err == nil && pid > 0 {
				out = append(out, pid)
			}
		}
		return nil
	})
	return out
}

// oomKilled reports whether the group's own memory limit killed something.
func (g *cgroup) oomKilled() bool {
	b, err := os.ReadFile(g.file("memory.events"))
	if err != nil {
		return false
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// remove deletes the empty group and those below it. Zombies keep a group for
// a moment.
func (g *cgroup) remove() {
	for pause := time.Millisecond; pause < 200*time.Millisecond; pause *= 2 {
		var dirs []string
		_ = filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			_ = os.Remove(dirs[i])
		}
		if _, err := os.Stat(g.dir); err != nil {
			return
		}
		time.Sleep(pause)
	}
}
