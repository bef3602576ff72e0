package cli

import (
	"fmt"
	"runtime"
	"syscall"
)

// withFileRights calls f on a thread whose rights to files are those of another
// user, so that root neither follows that user's links nor leaves files of its
// own in the user's home.
func withFileRights(uid, gid int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := syscall.Setfsgid(gid)
		if err == nil {
			err = syscall.Setfsuid(uid)
		}
		// The calls cannot report a failure; the kernel tells who it is now.
		if now, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, ^uintptr(0), 0, 0); err == nil && int(now) != uid {
			err = fmt.Errorf("the file rights of user %d cannot be taken", uid)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
