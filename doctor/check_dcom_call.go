package doctor

import (
	"context"

	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
)

// A call of the object is let through: machine limit and application grant access,
// and the proof of identity holds at this port too.
func init() {
	register(check{id: "dcom.call", layer: LayerDCOM, title: "Calls are allowed", transport: "dcom", needs: []string{"tcp.dynamic"}, run: dcomCall})
}

func dcomCall(ctx context.Context, x *examination) found {
	p, err := x.dcom.login.QueryInterface(ctx, wmi.IIDLoginClientID)
	switch {
	case err == nil:
		if err := p.Release(ctx); err != nil {
			return found{detail: "IWbemLevel1Login answers", seen: errorSeen(err)}
		}
	case hresultOf(err) != dcom.E_NOINTERFACE:
		return failure(err, "the first call of IWbemLevel1Login fails")
	}
	return found{detail: "IWbemLevel1Login answers"}
}
