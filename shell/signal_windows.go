package shell

import (
	"os"
	"syscall"
)

func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

func exitOf(st *os.ProcessState) Exit { return Exit{Code: uint32(st.ExitCode())} }

// Signal implements Controller. Every signal ends the process: it has no
// console over which to receive another.
func (p *Process) Signal(Signal) error {
	select {
	case <-p.ended:
		return nil
	default:
		return p.proc.Kill()
	}
}
