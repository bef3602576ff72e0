package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// The name has an address of a family that this machine has too.
func init() {
	register(check{id: "resolve", layer: LayerName, title: "The name has an address", run: resolve})
}

func resolve(ctx context.Context, x *examination) found {
	host := x.target.host()
	if a, err := netip.ParseAddr(host); err == nil {
		x.addresses = []netip.Addr{a.Unmap()}
		return found{detail: "an address was given; Kerberos needs a name"}
	}
	addresses, err := x.options.resolver().LookupNetIP(ctx, "ip", host)
	for _, a := range addresses {
		x.addresses = append(x.addresses, a.Unmap())
	}
	if len(x.addresses) == 0 {
		f := found{outcome: Fail, code: "0x800706BA", name: "RPC_S_SERVER_UNAVAILABLE", detail: "the name " + host + " has no address"}
		if dns := (*net.DNSError)(nil); errors.As(err, &dns) && !dns.IsNotFound {
			f.detail = "the name " + host + " could not be looked up: " + dns.Err
		}
		return f
	}
	var texts []string
	for _, a := range x.addresses {
		texts = append(texts, a.String())
	}
	return found{detail: strings.Join(texts, ", ")}
}
