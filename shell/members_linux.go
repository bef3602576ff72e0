package shell

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/casementhq/casement/internal/procs"
)

// member tells a process from a later one with the same number.
type member struct {
	pid   int
	start time.Time
}

// tracker knows the processes of a job without the help of a cgroup.
type tracker struct {
	leader int
	entry  []byte // jobMark=value
	start  time.Time

	mu    sync.Mutex
	known map[member]bool // true: belongs to the job; false: looked at, does not
}

func (t *tracker) begin(leader int, mark string) {
	t.leader, t.entry, t.known = leader, []byte(jobMark+"="+mark), map[member]bool{}
	if p, err := procs.One(leader, procs.Stat); err == nil {
		t.start = p.StartTime
	} else {
		t.start = time.Now().Add(-time.Second)
	}
}

// members returns the living processes of the job.
func (p *Process) members() []procs.Process {
	if p.cg == nil {
		return p.tr.members()
	}
	var out []procs.Process
	for _, pid := range p.cg.pids() {
		if q, err := procs.One(pid, procs.Stat); err == nil && q.State != 'Z' && q.State != 'X' {
			out = append(out, q)
		}
	}
	return out
}

// members scans the process table. Of a process not seen before it asks: is it
// in the leader's session, is its parent one of ours, does its environment
// hold the mark? A process that forks inherits the environment, so that a
// daemon is known by it even if nobody saw its parents.
func (t *tracker) members() []procs.Process {
	pids, err := procs.PIDs()
	if err != nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := make(map[member]bool, len(pids))
	ours := map[int]bool{}
	var out []procs.Process
	for _, pid := range pids {
		q, err := procs.One(pid, procs.Stat)
		if err != nil || q.StartTime.Before(t.start) {
			continue
		}
		m := member{pid, q.StartTime}
		mine, known := t.known[m]
		if !known {
			known = true
			if mine = q.Session == t.leader || pid == t.leader || ours[q.PPID]; !mine {
				mine, known = t.marked(pid)
			}
		}
		if known {
			seen[m] = mine
		}
		if !mine {
			continue
		}
		ours[pid] = true
		if q.State != 'Z' && q.State != 'X' {
			out = append(out, q)
		}
	}
	t.known = seen
	return out
}

// marked reports whether the environment of pid holds the mark, and whether
// that can be relied on: during exec there is no environment for a moment.
func (t *tracker) marked(pid int) (mine, certain bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false, true
	}
	for kv := range bytes.SplitSeq(b, []byte{0}) {
		if bytes.Equal(kv, t.entry) {
			return true, true
		}
	}
	return false, len(b) > 0
}

// killAll sends SIGKILL to every process of the job and returns how many there
// were. The command counts until it has been reaped.
func (p *Process) killAll() int {
	if p.cg != nil {
		p.cg.kill()
	}
	left := 0
	for _, m := range p.members() {
		left++
		if p.cg != nil && p.cg.killable {
			continue
		}
		killOne(m)
	}
	select {
	case <-p.ended:
	default:
		left++
	}
	return left
}

// killOne kills through a descriptor taken before the identity is checked, so
// that a number that was given anew is never hit.
func killOne(m procs.Process) {
	pr, err := os.FindProcess(m.PID)
	if err != nil {
		return
	}
	defer pr.Release()
	if q, err := procs.One(m.PID, procs.Stat); err != nil || !q.StartTime.Equal(m.StartTime) {
		return
	}
	_ = pr.Signal(syscall.SIGKILL)
}
