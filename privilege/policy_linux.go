package privilege

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func openRootOwned(path string) (*os.File, error) {
	if !filepath.IsAbs(path) {
		return nil, errors.New("the path is not absolute")
	}
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := rootOnly(dir, unix.S_IFDIR); err != nil {
		return nil, fmt.Errorf("its directory: %w", err)
	}
	fd, err := unix.Openat(int(dir.Fd()), filepath.Base(path), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	if err := rootOnly(f, unix.S_IFREG); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func rootOnly(f *os.File, kind uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != kind {
		return errors.New("it is of the wrong kind")
	}
	if st.Uid != 0 || st.Mode&0o022 != 0 {
		return fmt.Errorf("it must belong to root and be writable by nobody else (owner %d, mode %04o)", st.Uid, st.Mode&0o7777)
	}
	return nil
}

// loadPolicy reads the policy for a request. Where there is none, root has
// permitted nobody but the service's own user. A damaged one permits nothing:
// the caller must not take it for a missing program.
func (h *helper) loadPolicy() (Policy, error) {
	p, err := LoadPolicy(h.policy)
	if errors.Is(err, fs.ErrNotExist) {
		own, err := ServiceUser()
		return Policy{Users: []string{own.UnixUser}}, err
	}
	if err != nil {
		return p, refusef("the policy cannot be read, so nothing is permitted: %v", err)
	}
	return p, nil
}
