package procs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// tick is one unit of USER_HZ, which the kernel fixes at 100 for everything in /proc.
const tick = time.Second / 100

var pageSize = uint64(os.Getpagesize())

// Table reads one mounted proc file system.
type Table struct {
	dir  string
	fs   procfs.FS
	boot func() (time.Time, error)
}

// Open reads the proc file system that is mounted at dir; "" is /proc.
func Open(dir string) (*Table, error) {
	if dir == "" {
		dir = procfs.DefaultMountPoint
	}
	pfs, err := procfs.NewFS(dir)
	if err != nil {
		return nil, err
	}
	t := &Table{dir: dir, fs: pfs}
	t.boot = sync.OnceValues(func() (time.Time, error) {
		st, err := pfs.Stat()
		if err != nil {
			return time.Time{}, err
		}
		return time.Unix(int64(st.BootTime), 0), nil
	})
	return t, nil
}

var local = sync.OnceValues(func() (*Table, error) { return Open("") })

// BootTime returns when the host started. It is read once: a clock that is
// set later must not move the start times of running processes.
func (t *Table) BootTime() (time.Time, error) { return t.boot() }

// PIDs is [Table.PIDs] of this host.
func PIDs() ([]int, error) {
	t, err := local()
	if err != nil {
		return nil, err
	}
	return t.PIDs()
}

// List is [Table.List] of this host.
func List(ctx context.Context, want Fields) ([]Process, error) {
	t, err := local()
	if err != nil {
		return nil, err
	}
	return t.List(ctx, want)
}

// One is [Table.One] of this host.
func One(pid int, want Fields) (Process, error) {
	t, err := local()
	if err != nil {
		return Process{}, err
	}
	return t.One(pid, want)
}

// PIDs returns the process ids in the order of the listing.
func (t *Table) PIDs() ([]int, error) {
	d, err := os.Open(t.dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(names))
	for _, n := range names {
		if n[0] < '0' || n[0] > '9' {
			continue
		}
		if pid, err := strconv.Atoi(n); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// List returns all processes. One that ends meanwhile is left out.
func (t *Table) List(ctx context.Context, want Fields) ([]Process, error) {
	var out []Process
	err := t.Each(ctx, want, func(p *Process) error {
		out = append(out, *p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Each calls f with every process, reading one at a time. One that ends
// meanwhile is left out, and so is one that this user may not see at all. p is
// valid only during its call.
func (t *Table) Each(ctx context.Context, want Fields, f func(p *Process) error) error {
	pids, err := t.PIDs()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := t.One(pid, want)
		if errors.Is(err, ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f(&p); err != nil {
			return err
		}
	}
	return nil
}

// One returns one process without listing the others. It fails with
// ErrNotExist where there is none.
func (t *Table) One(pid int, want Fields) (Process, error) {
	if pid <= 0 {
		return Process{}, ErrNotExist
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.open(t.dir, pid)
	b, err := s.read("stat")
	if err != nil {
		return Process{}, gone(err)
	}
	p := Process{PID: pid}
	start, err := p.parseStat(b)
	if err != nil {
		return Process{}, err
	}
	if boot, err := t.BootTime(); err == nil && start <= math.MaxInt64/uint64(tick) {
		p.StartTime = boot.Add(time.Duration(start) * tick)
	}
	p.fillRest(s, want)
	return p, nil
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return ErrNotExist
	}
	return err
}

// fillRest reads what else is wanted. What may not be read is left out.
func (p *Process) fillRest(s *scratch, want Fields) {
	if want&Status != 0 {
		if b, err := s.read("status"); err == nil && p.parseStatus(b) {
			p.Known |= Status
		}
	}
	if want&Cmdline != 0 {
		if b, err := s.cmdline(p); err == nil {
			p.Cmdline, p.Known = parseCmdline(b), p.Known|Cmdline
		}
	}
	if want&Exe != 0 {
		if n, err := syscall.Readlink(s.path("exe"), s.data); err == nil && n > 0 && n < len(s.data) {
			p.Exe, p.Known = string(s.data[:n]), p.Known|Exe
		}
	}
	if want&IO != 0 {
		if b, err := s.read("io"); err == nil && p.parseIO(b) {
			p.Known |= IO
		}
	}
	if want&Session != 0 {
		if b, err := s.read("sessionid"); err == nil {
			if n, _, ok := nextInt(b); ok {
				p.LoginSession, p.Known = uint32(n), p.Known|Session
			}
		}
	}
	if want&FDs != 0 {
		if n, err := countFDs(s); err == nil {
			p.FDs, p.Known = n, p.Known|FDs
		}
	}
}

// A program that is just being loaded has memory and no arguments yet: execve writes them after it has taken the place
// of the program before, whose parent may have been told of its success by then.
const (
	loadingWait = time.Second           // for the arguments of a program that is being loaded
	unknownWait = 50 * time.Millisecond // where the kernel does not tell this user whether it is
	unknownAge  = 5 * time.Second       // and of younger processes alone
)

// cmdline reads the arguments of p. They are empty for kernel threads and zombies, which have no memory, and for who
// erased its own.
func (s *scratch) cmdline(p *Process) ([]byte, error) {
	b, err := s.read("cmdline")
	if err != nil || len(b) > 0 || p.VirtualBytes == 0 {
		return b, err
	}
	before := ""
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		stat, err := s.read("stat")
		if err != nil {
			return nil, err
		}
		code := startCode(stat)
		if b, err = s.read("cmdline"); err != nil || len(b) > 0 {
			return b, err
		}
		waited := time.Since(began)
		switch {
		case code == codeLoading && waited < loadingWait:
		case code == codeHidden && waited < unknownWait && time.Since(p.StartTime) < unknownAge:
		case code > codeHidden && code != before && waited < loadingWait: // perhaps the next program was just begun
		default:
			return b, nil
		}
		before = code
	}
}

// What the place of a program's code is until execve is done, and for who may not know it.
const (
	codeLoading = "0"
	codeHidden  = "1"
)

// startCode is field 26 of proc_pid_stat(5).
func startCode(stat []byte) string {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from field 3 on
	if len(fields) <= 26-3 {
		return codeHidden
	}
	return string(fields[26-3])
}

// countFDs is the number of open descriptors. Since Linux 6.2 it is the size of the folder.
func countFDs(s *scratch) (int, error) {
	path := s.path("fd")
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0, err
	}
	var fs syscall.Statfs_t
	if st.Size > 0 && syscall.Statfs(path, &fs) == nil && fs.Type == procSuperMagic {
		return int(st.Size), nil
	}
	d, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return len(names), err
}

const procSuperMagic = 0x9fa0
