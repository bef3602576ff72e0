package wsmanserver_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/internal/testlog"
)

// knock asks an address over plain HTTP: the status, 0 where nobody listens.
func knock(t testing.TB, address, path, host string) int {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0
	}
	defer c.Close()
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", path, host)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func addressOf(s *casementtest.Server) string {
	return strings.TrimSuffix(strings.TrimPrefix(s.HTTP, "http://"), "/wsman")
}

// Sections 3.5 and 5.9: a listener moves while the service runs, and other
// listeners keep their connections.
func TestListenerMoves(t *testing.T) {
	s, w := serve(t)
	address := addressOf(s)
	selectors := map[string]string{"Address": "IP:127.0.0.1", "Transport": "HTTP"}
	change := func(inner string) {
		t.Helper()
		w.ok(request{action: put, uri: nsConfig + "/listener", selectors: selectors,
			body: `<x:Listener xmlns:x="` + nsConfig + `/listener">` + inner + `</x:Listener>`})
	}
	until := func(what string, want int, address, path, host string) {
		t.Helper()
		eventually(t, what, func() bool { return knock(t, address, path, host) == want })
	}
	until("it listens", http.StatusUnauthorized, address, "/wsman", "x")

	change(`<x:URLPrefix>other/place</x:URLPrefix>`)
	until("the new prefix", http.StatusUnauthorized, address, "/other/place", "x")
	until("the old prefix", http.StatusNotFound, address, "/wsman", "x")
	change(`<x:URLPrefix>wsman</x:URLPrefix><x:Hostname>srv.example</x:Hostname>`)
	until("the right host", http.StatusUnauthorized, address, "/wsman", "srv.example:1")
	until("the wrong host", http.StatusBadRequest, address, "/wsman", "other")
	change(`<x:Hostname></x:Hostname><x:Enabled>false</x:Enabled>`)
	until("not enabled", 0, address, "/wsman", "x")
	change(`<x:Enabled>true</x:Enabled>`)
	until("enabled", http.StatusUnauthorized, address, "/wsman", "x")

	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(other)
	change(`<x:Port>` + port + `</x:Port>`)
	until("the new port", http.StatusUnauthorized, other, "/wsman", "x")
	until("the old port", 0, address, "/wsman", "x")

	s.Set("Service/IPv4Filter", "10.0.0.1-10.0.0.2")
	until("the filter leaves it out", 0, other, "/wsman", "x")
	s.Set("Service/IPv4Filter", "*")
	until("the filter lets it in", http.StatusUnauthorized, other, "/wsman", "x")
	w.ok(request{action: remove, uri: nsConfig + "/listener", selectors: selectors})
	until("deleted", 0, other, "/wsman", "x")
}

// Statements 6 to 11 and 33, and 44 for listeners: the table of listeners over
// the wire.
func TestListenerStatements(t *testing.T) {
	_, w := serve(t)
	uri := nsConfig + "/listener"
	listener := func(action, address, transport, inner string) reply {
		t.Helper()
		return w.do(request{action: action, uri: uri, selectors: map[string]string{"Address": address, "Transport": transport},
			body: `<x:Listener xmlns:x="` + uri + `">` + inner + `</x:Listener>`})
	}
	listener(create, "foo", "HTTP", "").wantFault("11", "w:InternalError", "", 0x80338089)
	listener(create, "IP:192.0.2.77", "HTTP", "").wantFault("9", "w:InternalError", "", 0)
	listener(create, "*", "HTTP", `<x:CertificateThumbprint>`+strings.Repeat("A", 40)+`</x:CertificateThumbprint>`).wantFault("8", "w:InternalError", "", 0x803380EB)
	listener(create, "*", "HTTPS", `<x:Hostname>no.such.example</x:Hostname>`).wantFault("7", "w:InternalError", "", 0)
	listener(create, "IP:127.0.0.1", "HTTP", "").wantFault("3.5 twice", "w:AlreadyExists", "", 0)
	listener(put, "IP:127.0.0.1", "HTTP", `<x:ListeningOn>127.0.0.1</x:ListeningOn>`).wantFault("10", "w:InternalError", "", 0x8033813F)
	listener(put, "IP:127.0.0.1", "HTTP", `<x:URLPrefix>/a</x:URLPrefix>`).wantFault("13", "w:SchemaValidationError", "", 0)
	listener(put, "IP:127.0.0.2", "HTTP", `<x:Port>1</x:Port>`).wantFault("unknown", "a:DestinationUnreachable", "", 0)
	a := listener(create, "*", "HTTP", `<x:Enabled>false</x:Enabled>`)
	if a.status != http.StatusOK || !strings.Contains(a.body, `Name="Transport">HTTP<`) {
		t.Errorf("3.5: Create: %s", a.body)
	}
	a = w.ok(request{action: get, uri: uri, selectors: map[string]string{"transport": "http", "ADDRESS": "*"}})
	if a.text("Port") != "5985" || a.text("URLPrefix") != "wsman" || a.text("Enabled") != "false" {
		t.Errorf("6: %s", a.body)
	}
	a = w.ok(request{action: enumerate, uri: uri, body: optimized(10, "")})
	if n := len(a.texts("Listener")); n != 3 {
		t.Errorf("3.5: %d listeners:\n%s", n, a.body)
	}
	if on := a.texts("ListeningOn"); len(on) < 2 || on[len(on)-1] != "127.0.0.1" {
		t.Errorf("3.5: ListeningOn is %v", on)
	}
	a = w.ok(request{action: enumerate, uri: uri, body: optimized(10, `<w:EnumerationMode>EnumerateEPR</w:EnumerationMode>`)})
	if n := len(a.texts("EndpointReference")); n != 3 || strings.Contains(a.body, "URLPrefix") {
		t.Errorf("44: %s", a.body)
	}
}

// A listener whose port is taken opens soon after the port is free, and the log tells of it once.
func TestListenerWaitsForItsPort(t *testing.T) {
	var mu sync.Mutex
	var log testlog.Text
	tried := map[string]int{}
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Log: &log, Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
		mu.Lock()
		tried[address]++
		n := tried[address]
		mu.Unlock()
		if n <= 2 && !strings.HasSuffix(address, ":0") {
			return nil, &net.OpError{Op: "listen", Net: network, Err: syscall.EADDRINUSE}
		}
		return new(net.ListenConfig).Listen(ctx, network, address)
	}})
	if status := knock(t, addressOf(s), "/wsman", "x"); status != http.StatusUnauthorized {
		t.Errorf("it does not receive: %d", status)
	}
	if n := strings.Count(log.String(), "cannot open a listener"); n != 2 { // one for each listener
		t.Errorf("%d lines of the log\n%s", n, log.String())
	}
}

// Section 3.5: of two listeners with one port and host name only the first
// receives, whatever their addresses, and the log says so; with a name of its
// own the second receives too.
func TestListenersCollide(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this host has no IPv6 loopback")
	}
	probe.Close()
	var log testlog.Text
	s := casementtest.New(t, casementtest.Options{Opener: machine(t), Settings: map[string]string{"Service/Auth/Basic": "true"}, Log: &log})
	w := newWire(t, s)
	_, port, _ := net.SplitHostPort(addressOf(s))
	uri := nsConfig + "/listener"
	second := request{action: create, uri: uri, selectors: map[string]string{"Address": "IP:::1", "Transport": "HTTP"},
		body: `<x:Listener xmlns:x="` + uri + `"><x:Port>` + port + `</x:Port></x:Listener>`}
	w.ok(second)
	eventually(t, "the log tells of the collision", func() bool { return strings.Contains(log.String(), "a listener does not receive") })
	if status := knock(t, "[::1]:"+port, "/wsman", "x"); status != 0 {
		t.Errorf("the second listener receives: %d", status)
	}
	if status := knock(t, addressOf(s), "/wsman", "x"); status != http.StatusUnauthorized {
		t.Errorf("the first listener does not receive: %d", status)
	}
	second.action, second.body = put, `<x:Listener xmlns:x="`+uri+`"><x:Hostname>other.example</x:Hostname></x:Listener>`
	w.ok(second)
	eventually(t, "with a name of its own it receives", func() bool {
		return knock(t, "[::1]:"+port, "/wsman", "other.example") == http.StatusUnauthorized
	})
}
