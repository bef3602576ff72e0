package filelock

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// errSharing is ERROR_SHARING_VIOLATION.
const errSharing syscall.Errno = 32

// Take opens the file for this process alone, and makes it where there is none:
// ErrHeld. The lock is held until the file is closed.
func Take(name string) (*os.File, error) {
	text, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(text, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharing) {
		return nil, held(name)
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	return os.NewFile(uintptr(h), name), nil
}

// sole is true: no process here is more than the owner of the folder.
func sole(*os.File) bool { return true }
