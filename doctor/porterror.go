package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
)

// stateOf is what an error of a connection tells of the port.
func stateOf(err error) portState {
	var n net.Error
	switch {
	case isErrno(err, syscall.ECONNREFUSED, 10061):
		return portRefused
	case isErrno(err, syscall.EACCES, 10013), isErrno(err, syscall.EPERM, 10013):
		return portProhibited
	case isErrno(err, syscall.ECONNRESET, 10054):
		return portReset
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &n) && n.Timeout(), isErrno(err, syscall.ETIMEDOUT, 10060):
		return portSilent
	}
	return portUnreachable
}

// isErrno compares with a number of this system, and with that of Windows for the
// same.
func isErrno(err error, e syscall.Errno, windows uintptr) bool {
	var got syscall.Errno
	return errors.As(err, &got) && (got == e || uintptr(got) == windows)
}

// endedAtOnce tells whether the other end closed the connection.
func endedAtOnce(err error) bool {
	return strings.HasSuffix(err.Error(), "the server closed the RPC connection")
}
