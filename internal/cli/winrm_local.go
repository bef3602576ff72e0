package cli

import (
	"context"
	"errors"
	"net"

	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Local opens a session with this machine: with the service of the state
// folder, or with the folder itself where no service runs.
func (c *connector) Local(ctx context.Context) (*wsmanclient.Client, error) {
	dial, closeAll, err := service.Local(ctx, c.state, nil)
	if err != nil {
		return nil, err
	}
	c.closers = append(c.closers, closeAll)
	return wsmanclient.New("http://localhost", wsmanclient.Options{
		Local:       true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		Settings: func() *settings.Client {
			set := c.Client()
			return &set
		},
	})
}

// close gives back what the sessions needed.
func (c *connector) close() error {
	var err error
	for _, f := range c.closers {
		err = errors.Join(err, f())
	}
	return err
}
