//go:build !linux

package privilege

import (
	"context"
	"log/slog"
	"net"
	"os"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/shell"
)

// Client talks to the helper; there is none on this system.
type Client struct{}

// HelperOptions say how to run the helper.
type HelperOptions struct {
	Argv   []string
	Stderr *os.File
}

// ServeOptions are for the helper process.
type ServeOptions struct {
	PolicyPath string
	Log        *slog.Logger
	PeerPID    int
}

// StartHelper fails with ErrUnsupported.
func StartHelper(context.Context, HelperOptions) (*Client, error) { return nil, ErrUnsupported }

// ServeInherited fails with ErrUnsupported.
func ServeInherited(context.Context, ServeOptions) error { return ErrUnsupported }

// Drop fails with ErrUnsupported.
func Drop(shell.Identity) error { return ErrUnsupported }

// Start fails with ErrUnsupported.
func (*Client) Start(context.Context, shell.Spec) (*shell.Job, error) { return nil, ErrUnsupported }

// Listen fails with ErrUnsupported.
func (*Client) Listen(context.Context, string, string) (net.Listener, error) {
	return nil, ErrUnsupported
}

// Firewall fails with ErrUnsupported.
func (*Client) Firewall(context.Context, []firewall.KernelPort) error { return ErrUnsupported }

// Close does nothing.
func (*Client) Close() error { return nil }

// Done is never closed.
func (*Client) Done() <-chan struct{} { return nil }

func openRootOwned(path string) (*os.File, error) { return nil, ErrUnsupported }
