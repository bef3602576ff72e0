//go:build !linux

package wsmanserver

import (
	"errors"
	"net"
)

// peerUID cannot tell who a local caller is on this system.
func peerUID(net.Conn) (uint32, error) {
	return 0, errors.New("peer credentials are not available on this system")
}
