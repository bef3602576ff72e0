package wsmanserver_test

import (
	"crypto/sha1" // #nosec G505 -- thumbprints of Windows
	"crypto/tls"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Section 3.5: a listener for one address is not reached by another one of the
// same machine, an IPv6 address serves too, and IPv6Filter narrows it live.
func TestOneAddressOnly(t *testing.T) {
	s, w := serve(t)
	address := addressOf(s)
	_, port, _ := net.SplitHostPort(address)
	if got := knock(t, address, "/wsman", "x"); got != http.StatusUnauthorized {
		t.Fatalf("%s answers %d", address, got)
	}
	if got := knock(t, net.JoinHostPort("127.0.0.2", port), "/wsman", "x"); got != 0 {
		t.Errorf("the listener for 127.0.0.1 answers 127.0.0.2 with %d", got)
	}
	free, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6 loopback")
	}
	six := free.Addr().String()
	free.Close()
	_, port, _ = net.SplitHostPort(six)
	if port == strings.TrimPrefix(address, "127.0.0.1:") {
		t.Skip("both listeners would have one port")
	}
	w.ok(request{action: create, uri: nsConfig + "/listener", selectors: map[string]string{"Address": "IP:::1", "Transport": "HTTP"},
		body: `<x:Listener xmlns:x="` + nsConfig + `/listener"><x:Port>` + port + `</x:Port></x:Listener>`})
	until := func(what string, want int) {
		t.Helper()
		eventually(t, what, func() bool { return knock(t, six, "/wsman", "x") == want })
	}
	until("the IPv6 listener", http.StatusUnauthorized)
	if got := knock(t, net.JoinHostPort("127.0.0.1", port), "/wsman", "x"); got != 0 {
		t.Errorf("the listener for ::1 answers 127.0.0.1 with %d", got)
	}
	s.Set("Service/IPv6Filter", "2001:db8::1-2001:db8::9")
	until("the filter leaves it out", 0)
	s.Set("Service/IPv6Filter", "[::1]-[::1]")
	until("the filter lets it in", http.StatusUnauthorized)
	s.Set("Service/IPv6Filter", "")
	until("a blank filter is none", 0)
	if got := knock(t, address, "/wsman", "x"); got != http.StatusUnauthorized {
		t.Errorf("IPv6Filter closed an IPv4 listener: %d", got)
	}
}

// Section 3.5: TLS shows the certificate that the listener names.
func TestListenerShowsItsCertificate(t *testing.T) {
	s, w := serve(t)
	a := w.ok(request{action: get, uri: nsConfig + "/listener", selectors: map[string]string{"Address": "IP:127.0.0.1", "Transport": "HTTPS"}})
	c, err := tls.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.HTTPS, "https://"), "/wsman"), &tls.Config{InsecureSkipVerify: true}) // #nosec G402 -- the certificate is what is looked at
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sum := sha1.Sum(c.ConnectionState().PeerCertificates[0].Raw) // #nosec G401 -- as Windows does
	if got, want := a.text("CertificateThumbprint"), hex.EncodeToString(sum[:]); !strings.EqualFold(got, want) {
		t.Errorf("the listener has %q, TLS shows %s", got, want)
	}
}
