//go:build unix && !aix && !solaris

package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile takes an exclusive lock without waiting. The kernel releases it when the
// process ends, however it ends.
func lockFile(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		var dir fs.FileInfo
		if dir, err = os.Stat(filepath.Dir(path)); err == nil {
			err = giveTo(f, dir)
		}
	} else if errors.Is(err, fs.ErrExist) {
		// Whatever the name leads to, its owner is left alone.
		f, err = os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w (lock file %s)", ErrLocked, path)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}

// keepOwner gives f the owner and mode of the file it replaces, or of the folder when
// that file is new. A link is not followed. A process that is not root can only write
// files of its own.
func keepOwner(f *os.File, old string) error {
	fi, err := os.Lstat(old)
	if errors.Is(err, fs.ErrNotExist) {
		fi, err = os.Stat(filepath.Dir(old))
	} else if err == nil && fi.Mode().IsRegular() {
		if err := f.Chmod(fi.Mode().Perm()); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return giveTo(f, fi)
}

// giveTo gives f the owner of fi, if this process is root.
func giveTo(f *os.File, fi fs.FileInfo) error {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

// syncDir makes the rename durable. The change is in force already, so that an error
// (some file systems cannot) is no failure.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
