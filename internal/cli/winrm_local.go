package cli

import (
	"context"
	"net"
	"path/filepath"

	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Local opens a session with the service of the state folder by its socket,
// where the caller is known by the credentials of the connection.
func (c connector) Local(context.Context) (*wsmanclient.Client, error) {
	path := filepath.Join(c.state, "local.sock")
	return wsmanclient.New("http://localhost", wsmanclient.Options{
		Local: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
		Settings: func() *settings.Client {
			set := c.Client()
			return &set
		},
	})
}
