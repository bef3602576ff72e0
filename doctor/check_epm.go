package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcerpc/epm"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/security"
)

// The endpoint mapper and the resolver of DCOM answer questions of anybody.
func init() {
	register(check{id: "epm", layer: LayerRPC, title: "The endpoint mapper knows DCOM", transport: "dcom", needs: []string{"tcp.135"}, run: endpointMapper})
}

// opServerAlive2 is the probe of [MS-DCOM] 3.1.2.5.1.6.
const opServerAlive2 = 5

func endpointMapper(ctx context.Context, x *examination) found {
	nc, err := x.dialDCOM(ctx, "tcp", hostPort(x.target.Name, x.target.resolverPort()))
	if err != nil {
		return failure(err, "port 135 answered before, and not now: "+err.Error())
	}
	c := dcerpc.NewConn(nc, dcerpc.Options{OnlyNDR20: true})
	defer c.Close() //nolint:errcheck // nothing is under way
	var seen []string
	mapped := askMapper(ctx, c)
	var nothing *dcerpc.Fault
	if errors.As(mapped, &nothing) && nothing.Is(epm.ErrNotRegistered) {
		// Windows serves the activator at this very port without an entry.
		seen = append(seen, "the endpoint mapper has no entry for the activator")
		mapped = nil
	}
	alive, err := askResolver(ctx, c, nil)
	switch {
	case err == nil:
		seen = append(seen, fmt.Sprintf("the resolver speaks DCOM %d.%d", alive.Version.Major, alive.Version.Minor))
		for _, b := range alive.Bindings.Strings {
			seen = append(seen, "it says it is at "+b.Address)
		}
		return found{detail: fmt.Sprintf("it answers, DCOM %d.%d", alive.Version.Major, alive.Version.Minor), seen: seen}
	case ctx.Err() != nil:
		return failure(ctx.Err(), "the resolver of DCOM does not answer")
	}
	var rejected *dcerpc.RejectedError
	if errors.As(err, &rejected) {
		return found{outcome: Fail, code: "0x800706D9", name: "EPT_S_NOT_REGISTERED", detail: "port 135 speaks RPC and has no DCOM", seen: append(seen, errorSeen(mapped, err)...)}
	}
	f := failure(err, "the resolver of DCOM refuses to answer: "+err.Error())
	f.seen = append(seen, errorSeen(mapped, err)...)
	return f
}

// askMapper asks where activations go.
func askMapper(ctx context.Context, c *dcerpc.Conn) error {
	b, err := c.Bind(ctx, epm.ID, nil)
	if err != nil {
		return err
	}
	_, err = epm.Map(ctx, b, dcerpc.SyntaxID{UUID: dcom.IIDRemoteSCMActivator}, security.GUID{})
	return err
}

// askResolver asks for version and addresses, as nobody or as somebody.
func askResolver(ctx context.Context, c *dcerpc.Conn, sec *dcerpc.Security) (*dcom.ServerAlive2Response, error) {
	b, err := c.Bind(ctx, dcerpc.SyntaxID{UUID: dcom.IIDObjectExporter}, sec)
	if err != nil {
		return nil, err
	}
	var out dcom.ServerAlive2Response
	if err := b.Call(ctx, opServerAlive2, security.GUID{}, nil, &out); err != nil {
		return nil, err
	}
	if out.Status != 0 {
		return nil, &dcom.Error{HRESULT: dcom.FromWin32(out.Status), Op: "ServerAlive2"}
	}
	return &out, nil
}
