package doctor

import (
	"context"
	"fmt"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
)

// The host makes the object that logs in to WMI: machine limit and application
// grant launch and activation, and the level is high enough (KB5004442).
func init() {
	register(check{id: "dcom.activate", layer: LayerDCOM, title: "Activation is allowed", transport: "dcom", needs: []string{"rpc.auth"}, run: dcomActivate})
}

func dcomActivate(ctx context.Context, x *examination) found {
	p, err := x.activate(ctx, x.dcom.blanket)
	if err == nil {
		x.dcom.login = p
		return found{detail: fmt.Sprintf("granted at level %d", x.level())}
	}
	if deniedByDCOM(hresultOf(err)) && x.level() < dcerpc.LevelIntegrity {
		b := x.dcom.blanket
		b.Level, b.Exactly = dcerpc.LevelIntegrity, true
		_, higher := x.activate(ctx, b)
		x.dcom.raised = higher == nil
		if x.dcom.raised {
			return failure(err, fmt.Sprintf("refused at RemoteCreateInstance at level %d (%s), granted at level 5 (pktIntegrity)", x.level(), x.options.level()))
		}
	}
	return failure(err, "refused at RemoteCreateInstance")
}

// activate makes the object.
func (x *examination) activate(ctx context.Context, b dcom.Blanket) (*dcom.Proxy, error) {
	c := x.objects(b)
	x.atEnd(func() { c.Close() }) //nolint:errcheck // what is not given back ends without pings
	list, err := c.Activate(ctx, x.target.dcomHost(), wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// level is that of calls.
func (x *examination) level() dcerpc.Level { return dcerpc.Level(x.options.level()) }
