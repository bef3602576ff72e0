package doctor

import (
	"context"

	"github.com/casementhq/casement/dcerpc/epm"
)

// Something that speaks RPC answers at the port of the endpoint mapper.
func init() {
	register(check{id: "tcp.135", layer: LayerPort, title: "Port 135 answers, and speaks RPC", transport: "dcom", needs: []string{"resolve", "route"}, run: tcp135})
}

func tcp135(ctx context.Context, x *examination) found {
	x.dcom.mapper = x.askPort(ctx, x.target.resolverPort(), epm.ID)
	if x.dcom.mapper.state != portOpen {
		return x.dcom.mapper.shut()
	}
	return found{detail: x.dcom.mapper.text()}
}
