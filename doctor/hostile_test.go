package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/wsman/wsmanclient"
	"go.uber.org/goleak"
)

// listen serves each connection with f, on a port of loopback.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// examine asks about an endpoint of loopback over WinRM, with a short limit.
func examine(t *testing.T, endpoint string, limit time.Duration, more ...func(*Target, *Options)) *Report {
	t.Helper()
	target := Target{Name: "127.0.0.1", Endpoint: endpoint, Transports: []string{"winrm"}}
	o := Options{Credentials: auth.Credentials{Username: "joe", Password: "secret-4711"}, Limit: limit}
	for _, f := range more {
		f(&target, &o)
	}
	r := Examine(t.Context(), target, o)
	text := show(t, r)
	if strings.Contains(text, "secret-4711") {
		t.Error("the password is in the report")
	}
	validReport(t, r)
	return r
}

// wantCause compares what fails first and what is said to be the cause.
func wantCause(t *testing.T, r *Report, failing, code, cause string) {
	t.Helper()
	c := result(t, r, failing)
	if c.Outcome != Fail || c.Code != code {
		t.Errorf("%s: %s %s %q, want fail %s", failing, c.Outcome, c.Code, c.Detail, code)
	}
	switch {
	case r.Cause == nil:
		t.Errorf("no cause, want %q", cause)
	case !strings.Contains(r.Cause.Title, cause):
		t.Errorf("the cause is %q, want %q", r.Cause.Title, cause)
	case len(r.Remedies) == 0:
		t.Error("nothing is advised")
	}
	for _, c := range r.Checks {
		if c.Outcome == Crash {
			t.Errorf("%s crashed", c.ID)
		}
	}
}

// What stands at the port is not WinRM, in every way that there is.
func TestHostileServers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	answer := func(head, body string) func(net.Conn) {
		return func(c net.Conn) {
			io.ReadAtLeast(c, make([]byte, 4096), 1)
			fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", head, len(body), body)
		}
	}
	forever := func(head, piece string) func(net.Conn) {
		return func(c net.Conn) {
			io.ReadAtLeast(c, make([]byte, 4096), 1)
			if _, err := io.WriteString(c, head); err != nil {
				return
			}
			for {
				if _, err := io.WriteString(c, piece); err != nil {
					return
				}
			}
		}
	}
	// The group ends with the last of its tests.
	t.Run("servers", func(t *testing.T) { hostileServers(t, answer, forever) })
}

func hostileServers(t *testing.T, answer, forever func(a, b string) func(net.Conn)) {
	for _, c := range []struct {
		name        string
		serve       func(net.Conn)
		code, cause string
	}{
		{"SSH", func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n"); io.ReadAll(c) }, "0x80338170", "SSH"},
		{"SMTP", func(c net.Conn) { io.WriteString(c, "220 mail.example ESMTP\r\n"); io.ReadAll(c) }, "0x80338170", "SMTP"},
		{"garbage", func(c net.Conn) { c.Write([]byte{0xde, 0xad, 0xbe, 0xef, 0, 1, 2, '\n'}); io.ReadAll(c) }, "0x80338170", "something other than WinRM"},
		{"silent", func(c net.Conn) { io.Copy(io.Discard, c) }, "0x80338126", "never answers"},
		{"closed at once", func(net.Conn) {}, "0x80338012", "ends it at once"},
		{"closed when asked", func(c net.Conn) { io.ReadAtLeast(c, make([]byte, 4096), 1) }, "0x80338012", "ends it at once"},
		{"a page", answer("200 OK\r\nContent-Type: text/html", "<html><script>alert(1)</script></html>"), "0x80338173", "web server"},
		{"JSON", answer("200 OK\r\nContent-Type: application/json", "{}"), "0x80338170", "another HTTP service"},
		{"404", answer("404 Not Found\r\nContent-Type: text/plain", "no"), "0x80338113", "no WinRM at this path"},
		{"http.sys", answer("404 Not Found\r\nServer: Microsoft-HTTPAPI/2.0\r\nContent-Type: text/html", "<html>"), "0x80338113", "WinRM is not behind it"},
		{"a redirect to an option", answer("302 Found\r\nLocation: --fix", ""), "0x80338110", "sends elsewhere"},
		{"redirect", answer("302 Found\r\nLocation: http://evil.example/'; rm -rf /", ""), "0x80338110", "sends elsewhere"},
		{"503", answer("503 Service Unavailable", ""), "0x80338112", "cannot answer now"},
		{"403", answer("403 Forbidden", ""), "0x80070005", "refuses this machine's address"},
		{"proxy", answer("502 Bad Gateway\r\nVia: 1.1 squid", ""), "0x80338112", "a proxy stands between"},
		{"endless headers", forever("HTTP/1.1 200 OK\r\n", "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"), "0x80338170", ""},
		{"an endless body", forever("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n", "400\r\n"+strings.Repeat("x", 1024)+"\r\n"), "0x80338173", "web server"},
		{"broken SOAP", answer("200 OK\r\nContent-Type: application/soap+xml", "<s:Envelope"), "0x80338043", ""},
		{"an https listener", nil, "0x803381BA", "listener of https"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := ""
			if c.serve == nil {
				s := httptest.NewTLSServer(http.NotFoundHandler())
				defer s.Close()
				address = s.Listener.Addr().String()
			} else {
				address = listen(t, c.serve)
			}
			limit := 30 * time.Second
			if c.name == "silent" {
				limit = 500 * time.Millisecond
			}
			r := examine(t, "http://"+address, limit)
			if c.cause == "" { // nothing here explains it, and that is said
				if f := result(t, r, "http"); f.Outcome != Fail || f.Code != c.code || r.Cause != nil || r.Verdict != Unknown {
					t.Errorf("%+v, cause %+v, verdict %s", f, r.Cause, r.Verdict)
				}
				return
			}
			wantCause(t, r, "http", c.code, c.cause)
			for _, m := range r.Remedies {
				for _, line := range m.Commands {
					if strings.Contains(line, " '--fix") {
						t.Errorf("what the server named is an option: %s", line)
					}
					if strings.Contains(line, "; rm") && !strings.Contains(line, `'\''; rm -rf /'`) {
						t.Errorf("what the server named would run: %s", line)
					}
				}
			}
		})
	}
}

func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	r := examine(t, "http://"+address, 30*time.Second)
	wantCause(t, r, winrmPort, "0x80338112", "nothing listens")
	if r.Verdict != Blocked || r.Transports["winrm"] != ReachBlocked || result(t, r, "http").Outcome != Skip {
		t.Errorf("verdict %s, %+v", r.Verdict, r.Transports)
	}
	// Silence, told from silence of all by what else answers.
	silent := func(others map[string]error) func(*Target, *Options) {
		return func(target *Target, o *Options) {
			target.Name, target.Endpoint = "srv04", ""
			o.DialContext = dialTable(others)
		}
	}
	r = examine(t, "", 300*time.Millisecond, silent(map[string]error{"135": nil, "445": nil}))
	wantCause(t, r, "tcp.5985", "0x80338126", "closed by a firewall")
	if r.Cause.Confidence != Certain {
		t.Errorf("%s, though other ports answer", r.Cause.Confidence)
	}
	r = examine(t, "", 300*time.Millisecond, silent(nil))
	wantCause(t, r, "tcp.5985", "0x80338126", "does not answer at all")
	r = examine(t, "", 300*time.Millisecond, silent(map[string]error{"5985": syscall.EHOSTUNREACH}))
	wantCause(t, r, "tcp.5985", "0x80338012", "does not answer at all")
	// Over both ways it is one cause: the other is its echo.
	r = examine(t, "", 300*time.Millisecond, silent(nil), func(target *Target, _ *Options) { target.Transports = nil })
	wantCause(t, r, "tcp.5985", "0x80338126", "does not answer at all")
	if len(r.Also) > 0 || r.Verdict != Blocked || r.Transports["dcom"] != ReachBlocked {
		t.Errorf("also %+v, %+v", r.Also, r.Transports)
	}
	r = examine(t, "", 300*time.Millisecond, silent(map[string]error{"5985": errRefused, "5986": nil}))
	wantCause(t, r, "tcp.5985", "0x80338112", "port 5986 answers: its listener was changed")
}

// certificate makes one that is signed by itself, and a TLS listener with it.
func certificate(t *testing.T, change func(*x509.Certificate)) (string, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "srv04"}, DNSNames: []string{"srv04.corp.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	address := listen(t, func(raw net.Conn) {
		c := tls.Server(raw, config)
		if c.HandshakeContext(t.Context()) == nil {
			io.ReadAtLeast(c, make([]byte, 4096), 1)
			io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		}
	})
	return "https://" + address, leaf
}

// What a certificate names is what its maker wanted: it steers no terminal, and
// nothing of it stands in a command that somebody copies.
func TestHostileCertificate(t *testing.T) {
	for _, names := range [][]string{{"x$(id)"}, {"--fix"}, {"a b"}, {"x;id"}, {"\x1b]0;owned\a\x1b[2J"}, {"x\nDo: 1. rm"}} {
		endpoint, leaf := certificate(t, func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = names, nil
			c.Subject.CommonName = "\x1b[2J"
			c.Issuer = c.Subject
		})
		pool := x509.NewCertPool()
		pool.AddCert(leaf)
		r := examine(t, endpoint, 30*time.Second, func(_ *Target, o *Options) { o.TLS.Config = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} })
		if r.Cause == nil || !strings.Contains(r.Cause.Title, "the certificate is for") {
			t.Errorf("%q: the cause is %+v", names, r.Cause)
		}
		for _, m := range r.Remedies {
			for _, line := range append(m.Commands, m.Verify) {
				if strings.Contains(line, names[0]) {
					t.Errorf("what a certificate names would run: %q", line)
				}
			}
		}
		if text := show(t, r); strings.ContainsAny(text, "\x1b\a") || strings.Contains(text, "\nDo: 1") {
			t.Errorf("%q steers the terminal: %q", names, text)
		}
	}
}

func TestCertificates(t *testing.T) {
	trust := func(c *x509.Certificate) func(*Target, *Options) {
		return func(_ *Target, o *Options) {
			pool := x509.NewCertPool()
			pool.AddCert(c)
			o.TLS.Config = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
	}
	for _, c := range []struct {
		name, cause string
		change      func(*x509.Certificate)
	}{
		{"the name", "is for srv04.corp.example and not for 127.0.0.1", func(c *x509.Certificate) { c.IPAddresses = nil }},
		{"expiry", "the certificate ended on", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
		}},
		{"not yet", "begins on", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(24 * time.Hour) }},
		{"the usage", "Server Authentication is missing", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			endpoint, leaf := certificate(t, c.change)
			wantCause(t, examine(t, endpoint, 30*time.Second, trust(leaf)), "tls", "0x803381BA", c.cause)
		})
	}
	endpoint, leaf := certificate(t, nil)
	wantCause(t, examine(t, endpoint, 30*time.Second), "tls", "0x803381BA", "signed by itself")
	// Trusted, it is passed, and what answers over it is looked at.
	r := examine(t, endpoint, 30*time.Second, trust(leaf))
	if c := result(t, r, "tls"); c.Outcome != Pass {
		t.Errorf("a good certificate: %+v", c)
	}
	wantCause(t, r, "http", "0x80338113", "no WinRM at this path")
	// Pinned, nothing else matters; another pin is refused.
	r = examine(t, endpoint, 30*time.Second, func(target *Target, _ *Options) { target.Thumbprint = strings.Repeat("ab", 32) })
	wantCause(t, r, "tls", "0x803381BA", "another than the one that was pinned")
	r = examine(t, endpoint, 30*time.Second, func(_ *Target, o *Options) { o.TLS.SkipCA, o.TLS.SkipCN = true, true })
	if c := result(t, r, "tls"); c.Outcome != Warn {
		t.Errorf("skipped checks: %+v", c)
	}
	// An http listener behind https.
	plain := listen(t, func(c net.Conn) {
		io.ReadAtLeast(c, make([]byte, 16), 1)
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
	})
	wantCause(t, examine(t, "https://"+plain, 30*time.Second), "tls", "0x803381BA", "does not speak TLS")
	hung := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	wantCause(t, examine(t, "https://"+hung, 300*time.Millisecond), "tls", "0x80338126", "never answers")
	shut := listen(t, func(c net.Conn) { io.ReadAtLeast(c, make([]byte, 16), 1) })
	wantCause(t, examine(t, "https://"+shut, 30*time.Second), "tls", "0x803381BA", "ends it at once")
}

// The sign-in, as this machine's own rules and the offers of the host have it.
func TestSchemes(t *testing.T) {
	r := examine(t, "http://"+listen(t, offering("Basic realm=\"WSMAN\"")), 30*time.Second)
	wantCause(t, r, "auth.offer", "", "Negotiate is switched off in the service")
	r = examine(t, "http://"+listen(t, offering("Negotiate")), 30*time.Second, func(target *Target, _ *Options) { target.Scheme = wsmanclient.Basic })
	wantCause(t, r, "auth.offer", "", "Basic is switched off in the service")
	r = examine(t, "http://"+listen(t, offering("Negotiate")), 30*time.Second, func(_ *Target, o *Options) { o.Credentials = auth.Credentials{} })
	wantCause(t, r, "auth.client", "0x803380E5", "nobody was named")
	r = examine(t, "http://"+listen(t, offering("Kerberos")), 30*time.Second, func(target *Target, _ *Options) { target.Scheme = wsmanclient.Kerberos })
	wantCause(t, r, "auth.client", "0x8033810E", "Kerberos needs the host's name")
	// A host of TrustedHosts is obeyed to the letter, where that is asked for.
	r = examine(t, "", 30*time.Second, func(target *Target, o *Options) {
		target.Name, target.Endpoint, o.Strict = "srv04", "", true
		address := listen(t, offering("Negotiate", "Kerberos"))
		o.DialContext = dialTable(map[string]error{}, address)
	})
	wantCause(t, r, "auth.client", "0x803380E4", "TrustedHosts do not have srv04")
	if got := r.Remedies[1].Commands[0]; got != `winrm set winrm/config/client @{TrustedHosts="srv04"}` {
		t.Errorf("the line is %s", got)
	}
}

// offering asks for a sign-in with these schemes.
func offering(schemes ...string) func(net.Conn) {
	return func(c net.Conn) {
		io.ReadAtLeast(c, make([]byte, 4096), 1)
		fmt.Fprintf(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: %s\r\nConnection: close\r\n\r\n", strings.Join(schemes, "\r\nWWW-Authenticate: "))
	}
}
