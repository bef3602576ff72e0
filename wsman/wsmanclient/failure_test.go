package wsmanclient_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

var config = wsman.EPR{ResourceURI: wsman.ResourceConfig}

// wants checks code and text of a failure that the client found by itself.
func wants(t *testing.T, what string, err error, code wsman.Code, says string) {
	t.Helper()
	var f *wsman.Fault
	if !errors.As(err, &f) || f.Code != code || f.Remote || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v; want 0x%08X and %q", what, err, uint32(code), says)
	}
}

// TestHTTPFailures: the codes of spec section 5.9.
func TestHTTPFailures(t *testing.T) {
	for _, test := range []struct {
		status      int
		media, body string
		code        wsman.Code
		says        string
	}{
		{404, "text/plain", "no", 0x80338113, "URL prefix"},
		{413, "", "", 0x80338111, "send less"},
		{503, "", "", 0x80338112, "later"},
		{500, "", "", 0x80338170, "without saying why"},
		{400, "", "", 0x80338171, "did not understand"},
		{301, "", "", 0x80338110, "redirections"},
		{200, "text/html", "<html></html>", 0x80338173, "HTML"},
		{403, "", "", wsman.CodeAccessDenied, "refuses"},
		{401, "", "", wsman.CodeAccessDenied, "refused Basic for user u"},
		{400, "text/plain", "Client sent an HTTP request to an HTTPS server.\n", 0x803381BA, "use https://"},
		{200, "application/soap+xml", "<not-soap/>", wsman.CodeSchemaValidationError, ""},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", test.media)
			w.Header().Set("Location", "http://elsewhere/")
			w.WriteHeader(test.status)
			io.WriteString(w, test.body) //nolint:errcheck // the client notices
		})
		c := client(t, "http://h", serve(t, h))
		_, err := c.Get(t.Context(), config, nil)
		wants(t, fmt.Sprint(test.status, " ", test.media), err, test.code, test.says)
	}
}

func TestConnectionFailures(t *testing.T) {
	fail := func(err error) func(*wsmanclient.Options) {
		return func(o *wsmanclient.Options) {
			o.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, err }
		}
	}
	c := client(t, "http://nowhere", "", fail(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true}}))
	_, err := c.Get(t.Context(), config, nil)
	wants(t, "unknown name", err, 0x803381B9, "name nowhere cannot be resolved")
	c = client(t, "http://h:1", "", fail(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}))
	_, err = c.Get(t.Context(), config, nil)
	wants(t, "wrong port", err, 0x80338112, "nothing listens at h:1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c = client(t, "http://h", l.Addr().String())
	_, err = c.Get(t.Context(), config, nil)
	wants(t, "closed port", err, 0x80338112, "nothing listens")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(t.Context(), config, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// certificate makes a self-signed certificate.
func certificate(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func serveTLS(t *testing.T, cert tls.Certificate, h http.Handler) (address string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet()}
	over := make(chan struct{})
	go func() { defer close(over); s.Serve(l) }() //nolint:errcheck // closed below
	t.Cleanup(func() { s.Close(); <-over })
	return l.Addr().String()
}

// TestCertificates: what is checked of a certificate, and each check that can
// be left out. See spec section 5.4.
func TestCertificates(t *testing.T) {
	ok := &fake{t: t, answer: func(*wsman.Message) (wsman.Body, error) { return nil, nil }}
	good, old := certificate(t, "h", time.Now().Add(time.Hour)), certificate(t, "h", time.Now().Add(-time.Hour))
	other := certificate(t, "elsewhere", time.Now().Add(time.Hour))
	trusted := func(c tls.Certificate) *tls.Config {
		pool := x509.NewCertPool()
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		pool.AddCert(leaf)
		return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	pin := func(c tls.Certificate) string {
		sum := sha256.Sum256(c.Certificate[0])
		return hex.EncodeToString(sum[:])
	}
	for _, test := range []struct {
		name string
		cert tls.Certificate
		o    wsmanclient.TLSOptions
		says string // "" is success
	}{
		{"sound", good, wsmanclient.TLSOptions{Config: trusted(good)}, ""},
		{"unknown issuer", good, wsmanclient.TLSOptions{}, "does not trust"},
		{"unknown issuer skipped", good, wsmanclient.TLSOptions{SkipCA: true}, ""},
		{"wrong name", other, wsmanclient.TLSOptions{Config: trusted(other)}, "for other names (elsewhere)"},
		{"wrong name with the issuer skipped", other, wsmanclient.TLSOptions{SkipCA: true}, "for other names (elsewhere)"},
		{"wrong name skipped", other, wsmanclient.TLSOptions{SkipCN: true, Config: trusted(other)}, ""},
		{"wrong name skipped, unknown issuer", other, wsmanclient.TLSOptions{SkipCN: true}, "does not trust"},
		{"expired", old, wsmanclient.TLSOptions{Config: trusted(old)}, "is valid from"},
		{"expired with all skipped", old, wsmanclient.TLSOptions{SkipCA: true, SkipCN: true}, "is valid from"},
		{"pinned", other, wsmanclient.TLSOptions{SHA256: strings.ToUpper(pin(other))}, ""},
		{"another one pinned", other, wsmanclient.TLSOptions{SHA256: pin(good)}, "not the one that was pinned"},
		{"pinned differently, all skipped", other, wsmanclient.TLSOptions{SHA256: pin(good), SkipCA: true, SkipCN: true}, "not the one that was pinned"},
	} {
		address := serveTLS(t, test.cert, ok)
		c := client(t, "https://h", address, func(o *wsmanclient.Options) { o.TLS = test.o })
		err := c.Delete(t.Context(), config, nil)
		if test.says == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if test.says != "" {
			wants(t, test.name, err, 0x803381BA, test.says)
		}
	}
}

func TestWrongProtocol(t *testing.T) {
	ok := &fake{t: t, answer: func(*wsman.Message) (wsman.Body, error) { return nil, nil }}
	c := client(t, "https://h", serve(t, ok))
	_, err := c.Get(t.Context(), config, nil)
	wants(t, "https to an http port", err, 0x803381BA, "does not speak TLS")
	c = client(t, "http://h", serveTLS(t, certificate(t, "h", time.Now().Add(time.Hour)), ok))
	_, err = c.Get(t.Context(), config, nil)
	wants(t, "http to an https port", err, 0x803381BA, "use https://")
	// The same while an exchange of Negotiate begins: the answer is the server's, not a broken negotiation.
	negotiate := func(o *wsmanclient.Options) { o.Scheme, o.Lenient = wsmanclient.Negotiate, true }
	c = client(t, "http://h", serveTLS(t, certificate(t, "h", time.Now().Add(time.Hour)), ok), negotiate)
	_, err = c.Get(t.Context(), config, nil)
	wants(t, "Negotiate over http to an https port", err, 0x803381BA, "use https://")
	c = client(t, "http://h/other", answering(t, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), negotiate)
	_, err = c.Get(t.Context(), config, nil)
	wants(t, "Negotiate to a path where nothing is", err, 0x80338113, "404")
	// A host that answers a clear request with a TLS alert.
	c = client(t, "http://h", answering(t, "\x15\x03\x01\x00\x02\x02\x0a"))
	_, err = c.Get(t.Context(), config, nil)
	wants(t, "http to a TLS stack", err, 0x803381BA, "use https://")
}

// answering reads a request of each connection and sends bytes.
func answering(t *testing.T, bytes string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.Copy(io.Discard, r.Body) //nolint:errcheck // seen by the client
			}
			io.WriteString(c, bytes) //nolint:errcheck // seen by the client
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-over })
	return l.Addr().String()
}

// TestRetry: a connection that ends before the answer is one thing for a Get,
// and another for what must not happen twice.
func TestRetry(t *testing.T) {
	var came atomic.Int32
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		if came.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		return nil, nil
	}
	shell := wsman.EPR{ResourceURI: wsman.ResourceCmd}
	for _, test := range []struct {
		name  string
		do    func(*wsmanclient.Client) error
		again bool
	}{
		{"Get", func(c *wsmanclient.Client) error { _, err := c.Get(t.Context(), config, nil); return err }, true},
		{"Put", func(c *wsmanclient.Client) error {
			_, err := c.Put(t.Context(), config, []byte("<x/>"), nil)
			return err
		}, false},
		{"Create", func(c *wsmanclient.Client) error { _, err := c.Create(t.Context(), shell, nil, nil); return err }, false},
		{"Delete", func(c *wsmanclient.Client) error { return c.Delete(t.Context(), shell, nil) }, false},
		{"Invoke", func(c *wsmanclient.Client) error { _, err := c.Invoke(t.Context(), shell, "M", nil, nil); return err }, false},
		{"Command", func(c *wsmanclient.Client) error {
			_, err := c.Invoke(t.Context(), shell, winrs.ActionCommand, nil, nil)
			return err
		}, false},
	} {
		came.Store(0)
		retried := 0
		c := client(t, "http://h", serve(t, f), func(o *wsmanclient.Options) {
			o.Trace = &wsmanclient.Trace{Retry: func(string, error) { retried++ }}
		})
		err := test.do(c)
		switch {
		case test.again && (err != nil || came.Load() != 2 || retried != 1):
			t.Errorf("%s: %v after %d messages, %d retries", test.name, err, came.Load(), retried)
		case !test.again && (came.Load() != 1 || retried != 0):
			t.Errorf("%s was sent %d times", test.name, came.Load())
		case !test.again:
			wants(t, test.name, err, 0x80338112, "not known whether")
		}
	}
}

// TestNetworkTimeout: a client waits for OperationTimeout and NetworkDelay, no
// more and no less. See spec section 3.2, NetworkDelayms.
func TestNetworkTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far) //nolint:errcheck // a host that never answers
		c, err := wsmanclient.New("http://h", wsmanclient.Options{Local: true, OperationTimeout: 20 * time.Second, NetworkDelay: 3 * time.Second,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil }})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_, err = c.Put(t.Context(), config, []byte("<x/>"), nil)
		wants(t, "silence", err, 0x80338126, "within 23s")
		if d := time.Since(begun); d != 23*time.Second {
			t.Errorf("the client waited %s", d)
		}
		if err := errors.Join(c.Close(), far.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestDeadlineOfTheCaller stays the caller's own error.
func TestDeadlineOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far) //nolint:errcheck // a host that never answers
		c, err := wsmanclient.New("http://h", wsmanclient.Options{Local: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Get(ctx, config, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if err := errors.Join(c.Close(), far.Close()); err != nil {
			t.Error(err)
		}
	})
}
