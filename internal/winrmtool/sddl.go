package winrmtool

import (
	"context"

	"github.com/casementhq/casement/wsman/wsmanclient"
)

func (t *Tool) configSDDL(ctx context.Context, c *Command, client *wsmanclient.Client) error {
	return usage("x")
}
