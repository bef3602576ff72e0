package find

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// zone is a DNS: addresses of names and names of addresses.
type zone struct {
	forward, reverse map[string]string
	asked            atomic.Int32
	broken           bool
}

func (z *zone) lookup(in map[string]string, key string) ([]string, error) {
	z.asked.Add(1)
	if z.broken {
		return nil, &net.DNSError{Err: "server misbehaving", Name: key, IsTemporary: true}
	}
	v, ok := in[key]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: key, IsNotFound: true}
	}
	return strings.Fields(v), nil
}

func (z *zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	found, err := z.lookup(z.forward, host)
	var out []netip.Addr
	for _, f := range found {
		out = append(out, netip.MustParseAddr(f))
	}
	return out, err
}

func (z *zone) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return z.lookup(z.reverse, addr)
}

func TestInDNS(t *testing.T) {
	z := &zone{
		forward: map[string]string{"web01.corp.example": "10.0.4.1 fd00::1", "web03.corp.example": "::ffff:10.0.4.3", "liar.corp.example": "10.9.9.9"},
		reverse: map[string]string{"10.0.4.1": "web01.corp.example.", "10.0.4.3": "web03.corp.example.", "10.0.4.7": "liar.corp.example.", "10.0.4.8": "bad/name. -x.", "10.0.7.255": "gone.corp.example.", "fd00::1": "web01.corp.example."},
	}
	for _, c := range []struct {
		terms []string
		want  string
	}{
		{[]string{"web[01:04].corp.example"}, "web01.corp.example 10.0.4.1 fd00::1, web03.corp.example 10.0.4.3"},
		{[]string{"10.0.4.1", "fd00::1", "10.0.4.2"}, "web01.corp.example 10.0.4.1 fd00::1"},
		{[]string{"10.0.4."}, "web01.corp.example 10.0.4.1 fd00::1, web03.corp.example 10.0.4.3, ?liar.corp.example 10.9.9.9"},
		{[]string{"10.0.4.0/22"}, "web01.corp.example 10.0.4.1 fd00::1, web03.corp.example 10.0.4.3, ?liar.corp.example 10.9.9.9, ?gone.corp.example"},
		{[]string{"none.corp.example"}, ""},
		{nil, ""},
	} {
		hosts, err := InDNS(t.Context(), z, c.terms...)
		if err != nil {
			t.Errorf("%v: %v", c.terms, err)
		}
		var got []string
		for _, h := range hosts {
			words := []string{h.Name}
			if !h.Confirmed {
				words[0] = "?" + h.Name
			}
			for _, a := range h.Addresses {
				words = append(words, a.String())
			}
			got = append(got, strings.Join(words, " "))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%v:\ngot  %s\nwant %s", c.terms, strings.Join(got, ", "), c.want)
		}
	}
	before := z.asked.Load()
	for _, term := range []string{"10.0.0.0/21", "10.0.", "10.", "fd00::/64", "web[1:1025]", "a b", "web[", "*.corp.example"} {
		if _, err := InDNS(t.Context(), z, term); err == nil {
			t.Errorf("%s is searched", term)
		}
	}
	if _, err := InDNS(t.Context(), z, "10.0.0.0/22", "10.1.0.0"); err == nil {
		t.Error("1,025 addresses are searched")
	}
	if z.asked.Load() != before {
		t.Error("DNS was asked for what is too much")
	}
	z.broken = true
	if _, err := InDNS(t.Context(), z, "web01.corp.example"); err == nil || !strings.Contains(fmt.Sprint(err), "DNS does not answer for web01") {
		t.Errorf("a DNS that is broken: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := InDNS(ctx, z, "a.corp.example"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// FuzzExpand reads whatever somebody may look for: what DNS is asked for is bounded, and
// names and addresses alone.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"web[01:20].corp.example", "10.0.4.", "10.0.4.0/22", "fd00::/118", "[", "[a:z][a:z][a:z]", "0.0.0.0/0", "[1:99999999999999999999]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, term string) {
		list, err := expand(term)
		if err != nil {
			return
		}
		if len(list) > MostAddresses {
			t.Errorf("%q is %d", term, len(list))
		}
		for _, name := range list {
			if _, err := netip.ParseAddr(name); err != nil && strings.ContainsAny(name, " /;$`'\"") {
				t.Errorf("%q asks for %q", term, name)
			}
		}
	})
}
