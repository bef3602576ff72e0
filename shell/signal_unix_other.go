//go:build !linux && !windows

package shell

import (
	"errors"
	"os"
	"syscall"
)

func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func exitOf(st *os.ProcessState) Exit {
	ws, _ := st.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return Exit{Code: 128 + uint32(ws.Signal())}
	}
	return Exit{Code: uint32(ws.ExitStatus())}
}

// Signal implements Controller; it reaches the process group.
func (p *Process) Signal(s Signal) error {
	n := map[Signal]syscall.Signal{
		Interrupt: syscall.SIGINT, Break: syscall.SIGQUIT, Terminate: syscall.SIGTERM, Kill: syscall.SIGKILL,
	}[s]
	if n == 0 {
		return errors.New("shell: not a signal of a remote shell")
	}
	select {
	case <-p.ended:
		if s != Kill {
			return nil
		}
	default:
	}
	if err := syscall.Kill(-p.proc.Pid, n); err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
		return err
	}
	return nil
}
