package cli

import (
	"context"
	"net"
	"path/filepath"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// here reaches this machine where no service runs: its classes are served in this
// process. A service that runs is reached by its socket instead.
func (d *dialer) here(ctx context.Context, o *casement.Options) error {
	probe, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(o.StateDir, "local.sock"))
	if err == nil {
		return probe.Close()
	}
	dial, closeAll, err := service.Local(ctx, o.StateDir, nil)
	if err != nil {
		return err
	}
	d.closers = append(d.closers, closeAll)
	client, err := wsmanclient.New("http://localhost", wsmanclient.Options{Local: true, OperationTimeout: o.OperationTimeout, Trace: o.Trace,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }})
	if err != nil {
		return err
	}
	d.closers = append(d.closers, client.Close)
	o.Opener = clientOpener{client}
	return nil
}

// clientOpener opens the sessions of a client.
type clientOpener struct{ client *wsmanclient.Client }

// Open implements cim.Opener.
func (o clientOpener) Open(_ context.Context, _ cim.Caller, namespace string, _ cim.OpenOptions) (cim.Session, error) {
	return o.client.Session(namespace), nil
}
