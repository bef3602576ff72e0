package privilege

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
)

// Listen listens on a TCP address (a literal, or nothing for all) with a
// numeric port. It tries by itself first and asks the helper where the kernel
// says no: for a port below 1024.
func (c *Client) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, network, address)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return ln, err
	}
	return c.ListenPrivileged(ctx, network, address)
}

// ListenPrivileged has the helper listen. A refusal is a *RefusedError.
func (c *Client) ListenPrivileged(ctx context.Context, network, address string) (net.Listener, error) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("privilege: listen on %q: %w", address, err)
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("privilege: listen on %q: the port is not a number", address)
	}
	if host != "" {
		if _, err := netip.ParseAddr(host); err != nil {
			return nil, fmt.Errorf("privilege: listen on %q: %w", address, err)
		}
	}
	_, files, err := c.do(ctx, request{Op: opListen, Listen: &listenRequest{Network: network, Address: host, Port: uint16(port)}}, nil)
	if err != nil {
		return nil, fmt.Errorf("privilege: listen on %s: %w", address, err)
	}
	defer closeFiles(files)
	if len(files) != 1 {
		return nil, fmt.Errorf("privilege: listen on %s: the helper sent %d descriptors", address, len(files))
	}
	return net.FileListener(files[0])
}
