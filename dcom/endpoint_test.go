package dcom

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestBindingsOfAnEndpoint(t *testing.T) {
	at := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	for name, c := range map[string]struct {
		endpoint    Endpoint
		local, peer net.Addr
		want        []string
	}{
		"the address that the peer came to is first": {
			Endpoint{Addr: netip.MustParseAddrPort("192.0.2.1:49152"), HostName: "h"}, at("192.0.2.7:49152"), at("192.0.2.9:5"),
			[]string{"192.0.2.7[49152]", "h[49152]", "192.0.2.1[49152]"},
		},
		"once each": {
			Endpoint{Addr: netip.MustParseAddrPort("192.0.2.1:49152")}, at("[::ffff:192.0.2.1]:49152"), at("192.0.2.9:5"),
			[]string{"192.0.2.1[49152]"},
		},
		"the port of resolvers is implied": {
			Endpoint{Addr: netip.MustParseAddrPort("[2001:db8::1]:135"), HostName: "h"}, at("[2001:db8::1]:135"), at("[2001:db8::2]:5"),
			[]string{"2001:db8::1", "h"},
		},
		"no loopback for another machine": {
			Endpoint{Addr: netip.MustParseAddrPort("127.0.0.1:135"), HostName: "h"}, at("127.0.0.1:135"), at("192.0.2.9:5"),
			[]string{"h"},
		},
		"loopback for this machine": {
			Endpoint{Addr: netip.MustParseAddrPort("127.0.0.1:11135")}, at("127.0.0.2:11135"), at("127.0.0.1:5"),
			[]string{"127.0.0.2[11135]", "127.0.0.1[11135]"},
		},
		"a configured list is all": {
			Endpoint{Addr: netip.MustParseAddrPort("10.0.0.1:49152"), HostName: "h", Advertise: []string{"outer.example", "198.51.100.1[2000]", "no[port"}}, at("10.0.0.1:49152"), at("192.0.2.9:5"),
			[]string{"outer.example[49152]", "198.51.100.1[2000]"},
		},
		"link-local addresses lose their zone": {
			Endpoint{Addr: netip.MustParseAddrPort("[fe80::1]:135"), HostName: "h"}, at("[fe80::1%eth0]:135"), at("[fe80::2%eth0]:5"),
			[]string{"fe80::1", "h"},
		},
	} {
		var got []string
		for _, b := range (&advertiser{Endpoint: c.endpoint}).bindings(c.local, c.peer, resolverPort) {
			got = append(got, b.Address)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	// All addresses of this machine: a remote peer is told none of the loopback, a local one is.
	everywhere := &advertiser{Endpoint: Endpoint{Addr: netip.MustParseAddrPort("[::]:135")}}
	for _, b := range everywhere.bindings(at("192.0.2.7:135"), at("192.0.2.9:5"), resolverPort) {
		if a, err := netip.ParseAddr(b.Address); err == nil && (a.IsLoopback() || a.IsLinkLocalUnicast()) {
			t.Errorf("a peer on another machine is told %s", a)
		}
	}
	local := everywhere.bindings(at("127.0.0.1:135"), at("127.0.0.1:5"), resolverPort)
	if len(local) == 0 || local[0].Address != "127.0.0.1" {
		t.Errorf("a peer on this machine is told %v", local)
	}
}
