//go:build unix

package consumers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// openFolder opens a folder. No part of the path may be a symbolic link, so
// that nobody who may write to a folder above can send the log elsewhere.
func openFolder(path string) (folder, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open("/", flags, 0)
	for _, part := range strings.Split(filepath.Clean(path), "/") {
		if err != nil {
			break
		}
		if part == "" {
			continue
		}
		above := fd
		fd, err = unix.Openat(above, part, flags, 0)
		unix.Close(above)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: linked(err)}
	}
	return &ownFolder{os.NewFile(uintptr(fd), path)}, nil
}

// linked turns what kernels say of a link that is not followed into a refusal.
func linked(err error) error {
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("a part of it is a symbolic link, which is not followed, or no folder: %w", fs.ErrPermission)
	}
	return err
}

type ownFolder struct{ dir *os.File }

func (o *ownFolder) Append(name string) (*os.File, error) {
	const flags = unix.O_RDWR | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	path := filepath.Join(o.dir.Name(), name)
	fd, err := unix.Openat(int(o.dir.Fd()), name, flags, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: linked(err)}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1) {
		err = fmt.Errorf("not an ordinary file with one name: %w", fs.ErrPermission)
	}
	if err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Move makes the new name before it takes the old one away: a rename would
// replace a file that has just come.
func (o *ownFolder) Move(from, to string) error {
	fd := int(o.dir.Fd())
	err := unix.Linkat(fd, from, fd, to, 0)
	if err == nil {
		err = unix.Unlinkat(fd, from, 0)
	}
	if err != nil {
		return &os.LinkError{Op: "move", Old: from, New: to, Err: err}
	}
	return nil
}

func (o *ownFolder) Names(f func(string)) error {
	if _, err := o.dir.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for {
		names, err := o.dir.Readdirnames(256)
		for _, n := range names {
			f(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (o *ownFolder) Close() error { return o.dir.Close() }
