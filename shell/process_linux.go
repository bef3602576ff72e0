package shell

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// jobMark is the environment variable by which processes of a job are found
// where there is no control group.
const jobMark = "CASEMENT_JOB"

// Process is a job's processes on this machine: the command as leader of its
// own session, and whatever it started, daemons included. They are held
// together by a cgroup v2 where one can be made, else by session, descent and
// a mark in the environment.
type Process struct {
	proc *os.Process
	cg   *cgroup // nil: tracked
	tr   tracker

	limits Limits
	limit  atomic.Pointer[string] // the limit that ended the job
	ended  chan struct{}          // the command was reaped
	exit   Exit
	err    error

	mu     sync.Mutex // guards reaped and the signals that rely on it
	reaped bool

	stop      chan struct{}
	closeOnce sync.Once
	closeErr  error
	wg        sync.WaitGroup
}

// StartProcess runs s with child as its descriptors 0, 1 and 2 and no others,
// in a session of its own, as s.Identity. The caller keeps child.
func StartProcess(s Spec, child [3]*os.File, o ProcessOptions) (*Process, error) {
	cred, err := credential(s.Identity)
	if err != nil {
		return nil, err
	}
	program, args, env, dir, err := prepare(s)
	if err != nil {
		return nil, err
	}
	// Descriptors that this process inherited must not pass on.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) {
		return nil, os.NewSyscallError("close_range", err)
	}
	mark := newMark()
	attr := &os.ProcAttr{
		Dir: dir, Env: append(env[:len(env):len(env)], jobMark+"="+mark), Files: child[:],
		Sys: &syscall.SysProcAttr{Setsid: true, Credential: cred},
	}
	if o.DieWithParent {
		attr.Sys.Pdeathsig = syscall.SIGKILL
	}
	p := &Process{limits: s.Limits, ended: make(chan struct{}), stop: make(chan struct{})}
	if !o.NoCgroup {
		p.cg = newCgroup(mark, s.Limits)
	}
	if p.proc, err = startIn(p.cg, program, args, attr); err != nil && p.cg != nil && cgroupTrouble(err) {
		p.cg.remove()
		p.cg = nil
		p.proc, err = startIn(nil, program, args, attr)
	}
	if err != nil {
		if p.cg != nil {
			p.cg.remove()
		}
		return nil, startError(s, program, dir, err)
	}
	p.tr.begin(p.proc.Pid, mark)
	p.wg.Go(p.reap)
	if p.cg == nil || s.Limits != (Limits{}) {
		p.wg.Go(p.watch)
	}
	return p, nil
}

func startIn(cg *cgroup, program string, args []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = false, 0
	if cg != nil {
		d, err := os.Open(cg.dir)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(d.Fd())
	}
	return os.StartProcess(program, args, attr)
}

// cgroupTrouble reports an error that may come from clone into a cgroup.
func cgroupTrouble(err error) bool {
	return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM)
}

// credential returns the ids to take on. An ordinary user can only be itself.
func credential(id Identity) (*syscall.Credential, error) {
	if id.UnixUser == "" {
		return nil, errors.New("shell: no identity was given; nothing is started as nobody in particular")
	}
	euid := uint32(os.Geteuid())
	if euid != 0 {
		if id.UID != euid {
			return nil, fmt.Errorf("shell: start as user %s (uid %d) by uid %d: %w; run the service as root with its privilege helper",
				id.UnixUser, id.UID, euid, fs.ErrPermission)
		}
		return nil, nil
	}
	return &syscall.Credential{Uid: id.UID, Gid: id.GID, Groups: append([]uint32{}, id.Groups...)}, nil
}

func newMark() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// PID implements Controller.
func (p *Process) PID() int { return p.proc.Pid }

func (p *Process) reap() {
	defer close(p.ended)
	st, err := p.wait()
	if err != nil {
		p.err = fmt.Errorf("shell: wait for process %d: %w", p.proc.Pid, err)
		return
	}
	ws, _ := st.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		p.exit.Code = 128 + uint32(ws.Signal())
	} else {
		p.exit.Code = uint32(ws.ExitStatus())
	}
	if p.cg != nil && p.cg.oomKilled() {
		p.limit.CompareAndSwap(nil, new(LimitMemory))
	}
	if l := p.limit.Load(); l != nil {
		p.exit.Limit = *l
	}
}

// wait blocks until the command is a zombie and reaps it under the lock, so
// that no signal goes to a group whose number is free again.
func (p *Process) wait() (*os.ProcessState, error) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, p.proc.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil || !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	st, err := p.proc.Wait()
	p.reaped = true
	return st, err
}

// Wait implements Controller.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	case <-p.ended:
		return p.exit, p.err
	}
}

var signals = map[Signal]syscall.Signal{
	Interrupt: syscall.SIGINT, Break: syscall.SIGQUIT, Terminate: syscall.SIGTERM,
}

// Signal implements Controller.
func (p *Process) Signal(s Signal) error {
	if s == Kill {
		p.killAll()
		return nil
	}
	n, ok := signals[s]
	if !ok {
		return fmt.Errorf("shell: %v is not a signal of a remote shell", s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return nil
	}
	if err := syscall.Kill(-p.proc.Pid, n); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("shell: signal %v to process group %d: %w", s, p.proc.Pid, err)
	}
	return nil
}

// Usage implements Controller.
func (p *Process) Usage() (Usage, error) {
	ms := p.members()
	u := Usage{Processes: len(ms)}
	for _, m := range ms {
		u.MemoryBytes += m.ResidentBytes
	}
	return u, nil
}

// watch follows the processes: to know daemons when they leave the session,
// and to end the job when it goes over its limits. It outlives the command,
// since what the command left behind counts as well.
func (p *Process) watch() {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
		}
		u, _ := p.Usage()
		if over := overLimit(p.limits, u); over != "" {
			p.limit.CompareAndSwap(nil, &over)
			p.killAll()
		}
	}
}

// watchEvery is how often limits are checked; what happens between two checks
// is bounded by the cgroup where the kernel offers its controllers.
const watchEvery = 250 * time.Millisecond

func overLimit(l Limits, u Usage) string {
	if l.MaxProcesses > 0 && u.Processes > int(l.MaxProcesses) {
		return LimitProcesses
	}
	if l.MaxMemoryMB > 0 && u.MemoryBytes > uint64(l.MaxMemoryMB)<<20 {
		return LimitMemory
	}
	return ""
}

// Close implements Controller.
func (p *Process) Close() error {
	p.closeOnce.Do(func() {
		deadline := time.Now().Add(closeWait)
		for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
			left := p.killAll()
			if left == 0 {
				break
			}
			if time.Now().After(deadline) {
				p.closeErr = fmt.Errorf("shell: %d processes of job %d did not end within %v of SIGKILL", left, p.proc.Pid, closeWait)
				break
			}
			time.Sleep(pause)
		}
		close(p.stop)
		p.wg.Wait()
		if p.cg != nil {
			p.cg.remove()
		}
	})
	return p.closeErr
}

// closeWait is how long Close waits for killed processes to go. One in
// uninterruptible sleep can outlast it.
const closeWait = 5 * time.Second
