//go:build unix && !aix && !solaris

package filelock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/casementhq/casement/internal/fileowner"
)

// Take takes the lock of a file without waiting, and makes the file where there
// is none: ErrHeld. The lock is held until the file is closed. A symbolic link
// is refused.
func Take(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = fileowner.GiveLike(f, filepath.Dir(name))
	} else if errors.Is(err, fs.ErrExist) {
		// Whatever the name leads to, its owner is left alone.
		f, err = os.OpenFile(name, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, held(name)
	}
	return nil, fmt.Errorf("locking %s: %w", name, err)
}

// sole tells whether f is an ordinary file without a second name.
func sole(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 1
}
