package find

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/pool/lists"
)

// MostAddresses is how many addresses or names one search asks DNS for: a /22.
const MostAddresses = 1024

// Bounds of a search in DNS.
const (
	askers     = 16
	askTimeout = 5 * time.Second
)

// Resolver asks DNS, as net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
}

// Host is a name that DNS knows.
type Host struct {
	Name      string
	Addresses []netip.Addr
	// Asked is what was asked for: a name, or the address whose name this is.
	Asked string
	// Confirmed is false for the name of an address that does not lead back to it:
	// who keeps the reverse zone says so, and nobody else.
	Confirmed bool
}

// InDNS looks for each term: a name, names with ranges as web[01:20].corp.example, an
// address, the first octets of addresses as 10.0.4., or a network as 10.0.4.0/22. Of
// addresses it asks for the names. What DNS does not know is left out; that DNS does
// not answer is an error. A nil resolver is the machine's.
func InDNS(ctx context.Context, resolver Resolver, terms ...string) ([]Host, error) {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	var asked []string
	for _, term := range terms {
		more, err := expand(term)
		if err != nil {
			return nil, err
		}
		if asked = append(asked, more...); len(asked) > MostAddresses {
			return nil, fmt.Errorf("these are more than %d names and addresses; search for fewer at a time", MostAddresses)
		}
	}
	found := make([][]Host, len(asked))
	failed := make([]error, len(asked))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(askers, len(asked)) {
		wg.Go(func() {
			for i := range next {
				found[i], failed[i] = ask(ctx, resolver, asked[i])
			}
		})
	}
	for i := range asked {
		next <- i
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var hosts []Host
	for _, some := range found {
		for _, h := range some {
			if !slices.ContainsFunc(hosts, func(o Host) bool { return strings.EqualFold(o.Name, h.Name) }) {
				hosts = append(hosts, h)
			}
		}
	}
	for i, err := range failed {
		if err != nil {
			return hosts, fmt.Errorf("DNS does not answer for %s: %w", asked[i], err)
		}
	}
	return hosts, nil
}

// expand gives the names and addresses of a term.
func expand(term string) ([]string, error) {
	if p, ok := network(term); ok {
		if p.Addr().BitLen()-p.Bits() > 10 {
			return nil, fmt.Errorf("%s has more than %d addresses; search a /%d of it", term, MostAddresses, p.Addr().BitLen()-10)
		}
		var all []string
		for a := p.Masked().Addr(); a.IsValid() && p.Contains(a); a = a.Next() {
			all = append(all, a.String())
		}
		return all, nil
	}
	names, err := lists.Expand(term, MostAddresses)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if err := lists.CheckName(n); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// network reads 10.0.4.0/22, and 10.0.4. as the /24 that begins so.
func network(term string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(term); err == nil {
		return p, true
	}
	octets, ok := strings.CutSuffix(term, ".")
	parts := strings.Split(octets, ".")
	if !ok || len(parts) > 3 {
		return netip.Prefix{}, false
	}
	var a [4]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return netip.Prefix{}, false
		}
		a[i] = byte(n)
	}
	return netip.PrefixFrom(netip.AddrFrom4(a), 8*len(parts)), true
}

// ask asks for the addresses of a name or the names of an address.
func ask(ctx context.Context, r Resolver, what string) ([]Host, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	address, err := netip.ParseAddr(what)
	if err != nil {
		addresses, err := r.LookupNetIP(ctx, "ip", what)
		if err != nil || len(addresses) == 0 {
			return nil, unknown(err)
		}
		return []Host{{Name: what, Asked: what, Addresses: unmapped(addresses), Confirmed: true}}, nil
	}
	names, err := r.LookupAddr(ctx, what)
	if err != nil {
		return nil, unknown(err)
	}
	var hosts []Host
	for _, name := range names[:min(len(names), 8)] {
		name = strings.TrimSuffix(name, ".")
		if lists.CheckName(name) != nil {
			continue
		}
		addresses, _ := r.LookupNetIP(ctx, "ip", name) // without an answer it is not confirmed
		h := Host{Name: name, Asked: what, Addresses: unmapped(addresses)}
		h.Confirmed = slices.Contains(h.Addresses, address.Unmap())
		hosts = append(hosts, h)
	}
	return hosts, nil
}

func unmapped(addresses []netip.Addr) []netip.Addr {
	out := make([]netip.Addr, 0, len(addresses))
	for _, a := range addresses[:min(len(addresses), 64)] {
		out = append(out, a.Unmap())
	}
	return out
}

// unknown is nil where DNS says that there is no such thing.
func unknown(err error) error {
	if d := (*net.DNSError)(nil); errors.As(err, &d) && d.IsNotFound {
		return nil
	}
	return err
}
