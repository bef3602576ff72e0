package doctor

import (
	"context"
	"fmt"
	"net"
)

// The host reaches the port of the sink, too.
func init() {
	register(check{id: "callback.sink", layer: LayerCallback, title: "The host reaches the sink's port", transport: "dcom", needs: []string{"callback.in135"}, degrades: true,
		applies: hasSinks, limit: callbackLimit, run: callbackSink})
}

func callbackSink(ctx context.Context, x *examination) found {
	t := x.dcom.callback
	if t.ports.Resolver == 0 {
		return found{detail: fmt.Sprintf("port %d is both", t.ports.Objects)}
	}
	ok := t.waitProved(ctx, func() bool { return t.ended || t.came(t.ports.Objects) != nil || t.shutOut() != nil })
	t.mu.Lock()
	came, shut := t.came(t.ports.Objects), t.shutOut()
	t.mu.Unlock()
	switch {
	case came == nil && shut != nil:
		return found{outcome: Fail, detail: fmt.Sprintf("this machine's own firewall refuses %s: %v", shut.Peer, shut.Err), seen: t.seen()}
	case !ok && t.notVerified() != "":
		return found{outcome: Fail, detail: t.notVerified(), seen: t.seen()}
	case !ok:
		return found{outcome: Fail, detail: fmt.Sprintf("the host asked where the sink is; no connection came to %s", x.here(t.ports.Objects)), seen: t.seen()}
	}
	return found{detail: fmt.Sprintf("a connection came to port %d", t.ports.Objects), seen: t.seen()}
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
