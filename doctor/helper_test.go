package doctor

import (
	"context"
	"net"
	"syscall"
)

var errRefused error = syscall.ECONNREFUSED

// dialTable answers by port: nil takes the connection, an error refuses it, and
// what is not named is silent. Port 5985 leads to an address where one is given.
func dialTable(ports map[string]error, to ...string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		if port == defaultPort && len(to) > 0 {
			return (&net.Dialer{}).DialContext(ctx, network, to[0])
		}
		err, known := ports[port]
		switch {
		case known && err == nil:
			ours, theirs := net.Pipe()
			theirs.Close()
			return ours, nil
		case known:
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
}
