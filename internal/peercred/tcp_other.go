//go:build !linux

package peercred

import (
	"errors"
	"net"
)

// ErrNotHere is that the other end of a connection is no process of this machine.
var ErrNotHere = errors.New("the other end is not on this machine")

// TCPUID cannot tell on this system: errors.ErrUnsupported.
func TCPUID(net.Conn) (uint32, error) { return 0, errors.ErrUnsupported }

// Owner cannot tell on this system.
func Owner(string) (uid uint32, ok bool) { return 0, false }
