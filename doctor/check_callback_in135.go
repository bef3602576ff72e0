package doctor

import (
	"context"
	"fmt"
	"time"
)

// The host reaches this machine to ask where the sink is: port 135 where this
// process has it, else the sink's own.
func init() {
	register(check{id: "callback.in135", layer: LayerCallback, title: "The host reaches this machine", transport: "dcom", needs: []string{"wmi.namespace"}, degrades: true,
		after:   []string{"wmi.rights", "uac.filter", "wmi.quota", "wmi.subscriptions"},
		applies: hasSinks, limit: callbackLimit, run: callbackIn135})
}

func callbackIn135(ctx context.Context, x *examination) found {
	t := x.callBack(ctx)
	x.dcom.callback = t
	if t.denied != nil {
		t.sealed = x.demandsPrivacy(ctx)
		f := failure(t.denied, "the asynchronous call is refused at once, though others are not")
		if t.sealed {
			f.seen = append(f.seen, "a call that is signed and not sealed is refused: "+x.target.namespace()+" demands encryption")
		}
		return f
	}
	start := time.Now()
	known := func() bool { return t.ended || t.came(0) != nil || t.shutOut() != nil }
	quiet, cancel := context.WithTimeout(ctx, quietTime)
	ok := t.wait(quiet, known)
	cancel()
	if !ok {
		if t.dropped = x.gaveUp(ctx); t.dropped {
			return found{outcome: Fail, detail: fmt.Sprintf("the call was accepted; the host drops it without a connection to %s: it may show nobody an identity here", x.here(t.first())), seen: t.seen()}
		}
		ok = t.wait(ctx, known)
	}
	t.mu.Lock()
	came, shut := t.came(0), t.shutOut()
	t.mu.Unlock()
	switch {
	case came != nil:
		return found{detail: fmt.Sprintf("%s came after %s", came.Peer, took(time.Since(start))), seen: t.seen()}
	case shut != nil:
		return found{outcome: Fail, detail: fmt.Sprintf("this machine's own firewall refuses %s: %v", shut.Peer, shut.Err), seen: t.seen()}
	case ok:
		return found{detail: "the results came", seen: t.seen()}
	}
	return found{outcome: Fail, detail: fmt.Sprintf("the call was accepted; in %s no connection from %s to %s", took(time.Since(start)), x.dialled(), x.here(t.first())), seen: t.seen()}
}

// here is a port of this machine, with the address by which the host knows it.
func (x *examination) here(port uint16) string {
	if a := x.sinkAddress(); a != "" {
		return hostPort(a, port)
	}
	return fmt.Sprintf("port %d of this machine", port)
}

// sinkAddress is the address of this machine that the host sees.
func (x *examination) sinkAddress() string {
	local, _ := x.dcom.login.Addrs()
	if local == nil {
		return ""
	}
	return hostOf(local.String())
}
