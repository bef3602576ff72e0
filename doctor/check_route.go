package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// There is a way to an address of the machine: this machine has an address of
// that family and a route. Nothing is sent.
func init() {
	register(check{id: "route", layer: LayerRoute, title: "There is a route to the address", needs: []string{"resolve"}, run: route})
}

func route(ctx context.Context, x *examination) found {
	if x.options.DialContext != nil || x.options.Proxy != "" {
		return found{outcome: Info, detail: "not looked at: connections go another way than this machine's own"}
	}
	var reached []netip.Addr
	var lost, seen []string
	families := map[bool]bool{}
	for _, a := range x.addresses {
		local, err := x.localAddress(ctx, a)
		if err != nil {
			lost = append(lost, a.String()+": "+routeError(a, err))
			continue
		}
		families[a.Is4()] = true
		reached = append(reached, a)
		seen = append(seen, a.String()+" from "+local)
	}
	if len(reached) == 0 {
		return found{outcome: Fail, code: "0x800706BA", name: "RPC_S_SERVER_UNAVAILABLE", detail: "no way leads to it: " + strings.Join(lost, "; "), seen: seen}
	}
	// Those that cannot be reached are not tried.
	x.addresses = slices.DeleteFunc(slices.Clone(x.addresses), func(a netip.Addr) bool { return !slices.Contains(reached, a) })
	f := found{seen: seen}
	if len(lost) > 0 {
		f.detail = "not to all: " + strings.Join(lost, "; ")
	}
	return f
}

// localAddress is the address that this machine would send from.
func (x *examination) localAddress(ctx context.Context, to netip.Addr) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", netip.AddrPortFrom(to, 5985).String())
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // nothing was sent
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	return host, err
}

func routeError(a netip.Addr, err error) string {
	switch {
	case isErrno(err, syscall.ENETUNREACH, 10051) && a.Is6():
		return "this machine has no IPv6 address that reaches so far"
	case isErrno(err, syscall.ENETUNREACH, 10051), isErrno(err, syscall.EHOSTUNREACH, 10065):
		return "no route"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
