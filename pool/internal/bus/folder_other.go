//go:build !unix

package bus

import (
	"errors"
	"net"
)

// ownFolder leaves the rights of the folder to the system.
func ownFolder(string) error { return nil }

// listenPrivate has no socket whose peer could be checked.
func listenPrivate(string) (net.Listener, error) {
	return nil, errors.New("one process at a time can use the pool on this system")
}
