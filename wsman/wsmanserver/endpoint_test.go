package wsmanserver

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/settings"
)

func listener(address, transport string, port uint32) settings.Listener {
	return settings.Listener{Address: address, Transport: transport, Port: port, Enabled: true, URLPrefix: "wsman", CertificateThumbprint: "AA"}
}

// Sections 3.3, 3.5 and 5.9: where listeners listen.
func TestPlan(t *testing.T) {
	host := settings.Host{Name: "host", Interfaces: []settings.Interface{
		{Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}},
		{Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}},
	}, Certificates: []settings.Certificate{{Thumbprint: strings.Repeat("B", 40), Names: []string{"host"}, ServerAuth: true}}}
	off := listener("IP:192.0.2.1", "HTTP", 1)
	off.Enabled = false
	named := listener("IP:192.0.2.1", "HTTP", 5985)
	named.Hostname = "other"
	for name, c := range map[string]struct {
		listeners []settings.Listener
		set       func(*settings.Service)
		binds     []string
		problems  int
	}{
		"all addresses":      {[]settings.Listener{listener("*", "HTTP", 5985)}, nil, []string{":5985"}, 0},
		"one address":        {[]settings.Listener{listener("IP:192.0.2.1", "HTTP", 5985)}, nil, []string{"192.0.2.1:5985"}, 0},
		"an IPv6 address":    {[]settings.Listener{listener("IP:2001:db8::1", "HTTPS", 5986)}, nil, []string{"[2001:db8::1]:5986"}, 0},
		"not enabled":        {[]settings.Listener{off}, nil, nil, 0},
		"an IPv4 filter":     {[]settings.Listener{listener("*", "HTTP", 5985)}, func(s *settings.Service) { s.IPv4Filter, s.IPv6Filter = "192.0.2.0-192.0.2.255", "" }, []string{"192.0.2.1:5985"}, 0},
		"blank filters":      {[]settings.Listener{listener("*", "HTTP", 5985)}, func(s *settings.Service) { s.IPv4Filter, s.IPv6Filter = "", "" }, nil, 0},
		"a damaged filter":   {[]settings.Listener{listener("IP:192.0.2.1", "HTTP", 5985)}, func(s *settings.Service) { s.IPv4Filter = "nonsense" }, nil, 0},
		"prefixes collide":   {[]settings.Listener{listener("IP:127.0.0.1", "HTTP", 5985), listener("IP:192.0.2.1", "HTTP", 5985)}, nil, []string{"127.0.0.1:5985"}, 1},
		"host names differ":  {[]settings.Listener{listener("IP:127.0.0.1", "HTTP", 5985), named}, nil, []string{"127.0.0.1:5985", "192.0.2.1:5985"}, 0},
		"a socket for two":   {[]settings.Listener{listener("*", "HTTP", 5985), listener("IP:127.0.0.1", "HTTPS", 5985)}, nil, []string{":5985"}, 1},
		"compatibility HTTP": {nil, func(s *settings.Service) { s.EnableCompatibilityHTTPListener = true }, []string{":80"}, 0},
		"compatibility both": {nil, func(s *settings.Service) {
			s.EnableCompatibilityHTTPListener, s.EnableCompatibilityHTTPSListener = true, true
		}, []string{":443", ":80"}, 0},
	} {
		w := &settings.WinRM{Service: settings.Service{IPv4Filter: "*", IPv6Filter: "*"}}
		if c.set != nil {
			c.set(&w.Service)
		}
		endpoints, problems := plan(&settings.Snapshot{WinRM: w, Listeners: c.listeners}, host)
		var binds []string
		for _, e := range endpoints {
			binds = append(binds, e.bind)
			if e.secure != (strings.HasSuffix(e.bind, "443") || strings.HasSuffix(e.bind, "5986")) {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if !slices.Equal(binds, c.binds) || len(problems) != c.problems {
			t.Errorf("%s: %v %q, want %v and %d problems", name, binds, problems, c.binds, c.problems)
		}
	}
}

func TestHostMatches(t *testing.T) {
	for _, c := range []struct {
		listener, header string
		want             bool
	}{
		{"", "anything:5985", true}, {"*", "x", true}, {"+", "x", true},
		{"srv.example", "SRV.example:5985", true}, {"srv.example", "srv.example", true}, {"srv.example", "other", false},
		{"192.0.2.1", "192.0.2.1:80", true}, {"::1", "[::1]:5985", true}, {"[::1]", "[0:0:0:0:0:0:0:1]", true}, {"::1", "[::2]", false},
	} {
		if got := (endpoint{hostname: c.listener}).hostMatches(c.header); got != c.want {
			t.Errorf("listener %q, Host %q: %v", c.listener, c.header, got)
		}
	}
}
