//go:build unix

package bus

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// ownFolder refuses a folder of somebody else, or one that others may enter.
func ownFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("the pool's folder: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w %s belongs to the user with the number %d: run this as that user, or while a process of that user holds the pool", errForeign, dir, st.Uid)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the pool's folder %s is open to others (mode %#o): chmod 700 it", dir, info.Mode().Perm())
	}
	return nil
}

// listenPrivate opens a socket that only this user and root may connect to: the
// folder is closed to others before the socket's own mode is set.
func listenPrivate(name string) (net.Listener, error) {
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(name, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}
