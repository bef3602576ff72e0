package privilege

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/shell"
)

func (h *helper) start(r *request, files []*os.File) error {
	policy, err := h.loadPolicy()
	if err != nil {
		return err
	}
	if err := policy.permitsUser(r.Start.User, 1); err != nil { // before any look-up
		return err
	}
	id, err := shell.LookupIdentity(r.Start.User)
	if err != nil {
		return &RefusedError{Code: CodeNotExist, Text: err.Error()}
	}
	if err := policy.permitsUser(r.Start.User, id.UID); err != nil {
		return err
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return refusef("whether %s is a user of this machine cannot be seen: %v", r.Start.User, err)
	}
	if err := policy.permitsFound(id, string(passwd)); err != nil {
		return err
	}
	if err := h.reserve(policy.maxJobs()); err != nil {
		return err
	}
	p, err := startAs(id, r.Start, files)
	return h.started(r, p, err)
}

// startAs hands the three pipes to the user and starts the process.
func startAs(id shell.Identity, s *startRequest, files []*os.File) (*shell.Process, error) {
	for i, f := range files {
		if err := takePipe(f, i, id); err != nil {
			return nil, err
		}
	}
	spec := shell.Spec{
		Command: s.Command, Args: s.Args, SkipShell: s.SkipShell, Env: s.Env, Dir: s.Dir, Identity: id,
		Limits: shell.Limits{MaxProcesses: s.MaxProcesses, MaxMemoryMB: s.MaxMemoryMB},
	}
	return shell.StartProcess(spec, [3]*os.File(files), shell.ProcessOptions{DieWithParent: true})
}

// takePipe makes the user owner of an anonymous pipe, so that the process can
// reopen its streams by name. Anything else than such a pipe is refused: root
// must not change the owner of what the service can merely open.
func takePipe(f *os.File, n int, id shell.Identity) error {
	return control(f, func(fd int) error {
		var st unix.Stat_t
		var sfs unix.Statfs_t
		if err := errors.Join(unix.Fstat(fd, &st), unix.Fstatfs(fd, &sfs)); err != nil {
			return fmt.Errorf("descriptor %d: %w", n, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFIFO || sfs.Type != unix.PIPEFS_MAGIC {
			return &RefusedError{Code: CodeInvalid, Text: fmt.Sprintf("descriptor %d is not an anonymous pipe", n)}
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		want := unix.O_WRONLY
		if n == 0 {
			want = unix.O_RDONLY
		}
		if flags&unix.O_ACCMODE != want {
			return &RefusedError{Code: CodeInvalid, Text: fmt.Sprintf("descriptor %d is the wrong end of its pipe", n)}
		}
		return os.NewSyscallError("fchown", unix.Fchown(fd, int(id.UID), int(id.GID)))
	})
}

// reserve takes room for one job.
func (h *helper) reserve(most int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	if n := len(h.jobs) + h.starts; n >= most {
		return refusef("the helper holds %d jobs already", n)
	}
	h.starts++
	return nil
}

// started enters the job and answers, then reports its end when it comes.
func (h *helper) started(r *request, p *shell.Process, err error) error {
	h.mu.Lock()
	h.starts--
	closed := h.closed
	var job uint64
	if err == nil && !closed {
		h.last++
		job = h.last
		h.jobs[job] = p
	}
	h.mu.Unlock()
	if err != nil {
		return err
	}
	if closed {
		_ = p.Close()
		return ErrClosed
	}
	h.log.Info("privilege: started", "user", r.Start.User, "pid", p.PID(), "job", job)
	h.answer(reply{ID: r.ID, Job: job, PID: p.PID()})
	h.wg.Go(func() {
		exit, err := p.Wait(context.Background())
		a := reply{Job: job, Exited: true, Exit: exit.Code, Limit: exit.Limit}
		if err != nil {
			a.Code, a.Text = codeOf(err)
		}
		h.answer(a)
	})
	return nil
}

// onJob does what is asked of a job that this helper started.
func (h *helper) onJob(r *request) (reply, error) {
	h.mu.Lock()
	p := h.jobs[r.Job]
	h.mu.Unlock()
	if p == nil {
		return reply{}, &RefusedError{Code: CodeNotExist, Text: fmt.Sprintf("there is no job %d", r.Job)}
	}
	switch r.Op {
	case opSignal:
		return reply{}, p.Signal(r.Signal)
	case opUsage:
		u, err := p.Usage()
		return reply{Processes: u.Processes, MemoryBytes: u.MemoryBytes}, err
	}
	err := p.Close()
	h.mu.Lock()
	delete(h.jobs, r.Job)
	h.mu.Unlock()
	return reply{}, err
}
