package cli

import (
	"context"
	"errors"

	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Local opens a session with this machine.
func (c connector) Local(context.Context) (*wsmanclient.Client, error) {
	return nil, errors.New("a local session is not available; name a host with -remote")
}
