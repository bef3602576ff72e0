//go:build !windows

package shell

import (
	"os"
	"syscall"
)

// pipe returns the reading and the writing end. Ours is pollable, so that
// Close wakes it; the other one blocks, as programs expect of their streams.
func pipe(weRead bool) (r, w *os.File, err error) {
	var fd [2]int
	syscall.ForkLock.RLock()
	err = syscall.Pipe(fd[:])
	if err == nil {
		syscall.CloseOnExec(fd[0])
		syscall.CloseOnExec(fd[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	ours := fd[1]
	if weRead {
		ours = fd[0]
	}
	if err := syscall.SetNonblock(ours, true); err != nil {
		_, _ = syscall.Close(fd[0]), syscall.Close(fd[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd[0]), "|0"), os.NewFile(uintptr(fd[1]), "|1"), nil
}
