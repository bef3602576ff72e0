package peercred

import (
	"errors"
	"net"
	"syscall"
)

// UID asks the system who is at the other end of a Unix socket.
func UID(c net.Conn) (uint32, error) {
	cred, err := credentials(c)
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

// PID asks the system which process made the connection at the other end of a
// Unix socket. It may have ended, and given the connection to another.
func PID(c net.Conn) (uint32, error) {
	cred, err := credentials(c)
	if err != nil {
		return 0, err
	}
	return uint32(max(cred.Pid, 0)), nil // #nosec G115 -- not negative; 0: of another namespace of processes
}

func credentials(c net.Conn) (*syscall.Ucred, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.New("not a Unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *syscall.Ucred
	var inner error
	err = raw.Control(func(fd uintptr) {
		cred, inner = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, inner); err != nil {
		return nil, err
	}
	return cred, nil
}
