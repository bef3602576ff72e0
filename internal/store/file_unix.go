//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/casementhq/casement/internal/fileowner"
)

// mapped is how many addresses are set aside for the file: all that it can ever
// need, because a writer would have to wait for every reader to set aside more.
// Addresses cost nothing where there are enough of them.
const mapped = maxSize * int(^uint(0)>>63)

// noFollow refuses to open what is a symbolic link.
const noFollow = syscall.O_NOFOLLOW

// lockFile opens the lock file and locks it without waiting. The kernel
// releases it when the process ends, however it ends.
func lockFile(name string) (*os.File, error) {
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
		return nil, heldBy(name)
	}
	return nil, fmt.Errorf("locking %s: %w", name, err)
}

// syncDir makes a rename durable. The change is in force already, so that an
// error (some file systems cannot) is no failure.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
