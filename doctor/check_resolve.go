package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"
)

// The name has an address. Whether this machine can reach one of its family is
// the matter of route. See spec/wmi.md 1.1 step 1.
func init() {
	register(check{id: "resolve", layer: LayerName, title: "The name has an address", run: resolve})
}

func resolve(ctx context.Context, x *examination) found {
	host := x.target.host()
	if a, err := netip.ParseAddr(host); err == nil {
		x.addresses = []netip.Addr{a.Unmap()}
		return x.pointer(ctx, a)
	}
	if x.options.DialContext != nil && x.options.Resolver == nil {
		return found{outcome: Info, detail: "not looked up: connections go another way than this machine's own"}
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

// pointer looks where the name of an address leads: Windows takes the name of
// the pointer record for an address that it is given, and a stale one leads
// elsewhere. See spec/wmi.md 1.1.
func (x *examination) pointer(ctx context.Context, a netip.Addr) found {
	const plain = "an address was given; Kerberos needs a name"
	if a.IsLoopback() || x.options.DialContext != nil {
		return found{detail: plain}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	names, err := x.options.resolver().LookupAddr(ctx, a.String())
	if err != nil || len(names) == 0 {
		return found{detail: plain}
	}
	back, err := x.options.resolver().LookupNetIP(ctx, "ip", names[0])
	if err != nil {
		return found{detail: plain, seen: []string{"the pointer record of " + a.String() + " is " + names[0] + ", which has no address"}}
	}
	for _, b := range back {
		if b.Unmap() == a.Unmap() {
			return found{detail: plain + ": " + strings.TrimSuffix(names[0], ".")}
		}
	}
	return found{outcome: Warn, detail: "the pointer record of " + a.String() + " is " + names[0] + ", which is another machine: Windows follows it; " +
		"write " + a.String() + ". with a dot, or mend the record"}
}
