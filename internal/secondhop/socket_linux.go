package secondhop

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"strings"
)

// prefix begins the names. A socket of an abstract name is in no folder: whoever runs the shell's commands
// reaches it whatever folders they see, and it is gone with the service.
const prefix = "@casement-delegation-"

func listen() (net.Listener, string, error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	name := prefix + hex.EncodeToString(b[:])
	l, err := net.Listen("unix", name)
	return l, name, err
}

func dial(ctx context.Context, name string) (net.Conn, error) {
	if !strings.HasPrefix(name, prefix) {
		return nil, errors.New(Variable + " does not name a socket of this service")
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", name)
}
