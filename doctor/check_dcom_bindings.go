package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/dcom"
)

// The addresses by which the host says it is reached are such as this machine can
// reach. Casement believes only the port; other clients dial what is told.
func init() {
	register(check{id: "dcom.bindings", layer: LayerDCOM, title: "The host tells addresses that lead to it", transport: "dcom", needs: []string{"dcom.activate"}, run: dcomBindings})
}

// mostLookedUp bounds the names of bindings that are looked up, and lookupLimit
// how long all of them may take: the host chooses them.
const (
	mostLookedUp = 4
	lookupLimit  = 2 * time.Second
)

func dcomBindings(ctx context.Context, x *examination) found {
	info := x.dcom.login.Exporter()
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	f := found{}
	reached, names := []string(nil), 0
	for _, b := range info.Bindings.Strings {
		if b.Tower != dcom.TowerTCP {
			f.seen = append(f.seen, fmt.Sprintf("%s of protocol %d: not TCP", b.Address, b.Tower))
			continue
		}
		host, port, err := dcom.ParseStringBinding(b.Address)
		if err != nil || port == 0 {
			f.seen = append(f.seen, b.Address+": no address with a port")
			continue
		}
		if !slices.Contains(x.dcom.ports, port) {
			x.dcom.ports = append(x.dcom.ports, port)
		}
		here, why := x.leadsThere(ctx, host, &names)
		if here {
			reached = append(reached, b.Address)
		} else {
			x.dcom.foreign = append(x.dcom.foreign, b.Address)
		}
		f.seen = append(f.seen, b.Address+": "+why)
	}
	switch {
	case len(x.dcom.ports) == 0:
		f.outcome, f.code, f.name, f.detail = Fail, "0x800706BA", "RPC_S_SERVER_UNAVAILABLE", "the host tells no port where WMI answers"
	case len(reached) == 0:
		f.outcome = Warn
		f.detail = fmt.Sprintf("none of %s is the address that was dialled (%s)", strings.Join(x.dcom.foreign, ", "), x.dialled())
	default:
		f.detail, x.dcom.foreign = strings.Join(reached, ", "), nil
	}
	return f
}

// dialled are the addresses of the target.
func (x *examination) dialled() string {
	var list []string
	for _, a := range x.addresses {
		list = append(list, a.String())
	}
	return strings.Join(list, ", ")
}

// leadsThere tells whether the host of a binding is the machine that was named, as
// far as this machine can know without dialling it: nothing is sent to an address
// that only the host told.
func (x *examination) leadsThere(ctx context.Context, host string, names *int) (bool, string) {
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap().WithZone("")
		switch {
		case slices.Contains(x.addresses, a):
			return true, "the address that was dialled"
		case !routed(ctx, a):
			return false, "no route from here"
		}
		return false, "another address; a route exists, it is not dialled"
	}
	if strings.EqualFold(host, x.target.Name) {
		return true, "the name that was dialled"
	}
	if *names++; *names > mostLookedUp {
		return false, "a name; it is not looked up, there are so many"
	}
	found, err := x.options.resolver().LookupNetIP(ctx, "ip", host)
	if err != nil || len(found) == 0 {
		return false, "a name that this machine cannot look up"
	}
	for _, a := range found {
		if slices.Contains(x.addresses, a.Unmap()) {
			return true, "a name of the address that was dialled"
		}
	}
	return false, "a name of another address, " + found[0].Unmap().String()
}

// routed tells whether this machine knows a way to an address. Connecting a UDP
// socket asks the routing table and sends nothing.
func routed(ctx context.Context, a netip.Addr) bool {
	c, err := new(net.Dialer).DialContext(ctx, "udp", netip.AddrPortFrom(a, 9).String())
	if err != nil {
		return false
	}
	return c.Close() == nil
}
