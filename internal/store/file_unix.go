//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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
		err = keepOwner(f, "")
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

// keepOwner gives the new file f the owner and mode of the file that it will
// replace, or the owner of its folder where there is none: a tool that runs as
// root leaves the files of a service to the service's user. A process that is
// not root can only make files of its own.
func keepOwner(f *os.File, old string) error {
	fi, err := os.Stat(filepath.Dir(f.Name()))
	if old != "" {
		if o, e := os.Lstat(old); e == nil && o.Mode().IsRegular() {
			fi = o
			if err := f.Chmod(o.Mode().Perm()); err != nil {
				return err
			}
		}
	}
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

// syncDir makes a rename durable. The change is in force already, so that an
// error (some file systems cannot) is no failure.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
