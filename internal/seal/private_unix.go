//go:build unix

package seal

import (
	"fmt"
	"os"
	"syscall"
)

// openPrivate opens a file that is of this user alone, and no link.
func openPrivate(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW, 0) // #nosec G304 -- the name is the caller's to choose
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || st == nil || int(st.Uid) != os.Geteuid() && os.Geteuid() != 0 {
		f.Close()
		return nil, fmt.Errorf("%s may be read by others: it must be a file of this user with mode 0600", name)
	}
	return f, nil
}
