//go:build !linux

package peercred

import (
	"errors"
	"net"
)

// UID cannot tell who a local caller is on this system.
func UID(net.Conn) (uint32, error) {
	return 0, errors.New("peer credentials are not available on this system")
}

// PID cannot tell either.
func PID(net.Conn) (uint32, error) {
	return 0, errors.New("peer credentials are not available on this system")
}
