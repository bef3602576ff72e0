package httpauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

// certified is a server that offers certificates alone, and what it says to one request with an Authorization header.
func certified(header string, state *tls.ConnectionState, verify error) (*Exchange, *httptest.ResponseRecorder) {
	s := &Server{
		Schemes: func(*http.Request) []string { return []string{Certificate} },
		CheckCertificate: func([]*x509.Certificate) (Mapper, error) {
			return func(string) (auth.Identity, error) { return auth.Identity{User: "u"}, nil }, verify
		},
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	r := httptest.NewRequest(http.MethodPost, "/wsman", strings.NewReader("x")).WithContext(s.ConnContext(context.Background(), server))
	r.TLS = state
	if header != "" {
		r.Header["Authorization"] = []string{header}
	}
	w := httptest.NewRecorder()
	return s.Authenticate(w, r), w
}

// A certificate counts on a connection that showed one, with the one header of DSP0226 C.3.5, and where it is verified.
func TestCertificateHeader(t *testing.T) {
	shown := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	for _, row := range []struct {
		what, header string
		state        *tls.ConnectionState
		verify       error
		in           bool
	}{
		{"as it should be", Certificate, shown, nil, true},
		{"in capitals", strings.ToUpper(Certificate), shown, nil, true},
		{"without TLS", Certificate, nil, nil, false},
		{"nothing shown", Certificate, &tls.ConnectionState{}, nil, false},
		{"not verified", Certificate, shown, errors.New("a stranger"), false},
		{"http/mutual", strings.Replace(Certificate, "https/mutual", "http/mutual", 1), shown, nil, false},
		{"shown without the header", "", shown, nil, false},
	} {
		ex, w := certified(row.header, row.state, row.verify)
		if (ex != nil) != row.in || ex == nil && (w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "" || w.Body.Len() > 0) {
			t.Errorf("%s: %v, HTTP %d %v", row.what, ex, w.Code, w.Header())
		}
		if ex != nil && (ex.Mapper == nil || ex.Identity.User != "" || ex.Identity.Mechanism != auth.Certificate) {
			t.Errorf("%s: %+v", row.what, ex)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{Certificate, " " + Certificate + " x", "Negotiate oYG2", "Basic dTpw", "Digest realm=\"x\"", "http://", ""} {
		f.Add(s)
	}
	shown := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	f.Fuzz(func(t *testing.T, header string) {
		ex, w := certified(header, shown, nil)
		scheme, _, _ := strings.Cut(strings.TrimSpace(header), " ")
		if (ex != nil) != strings.EqualFold(scheme, Certificate) || ex == nil && w.Code != http.StatusUnauthorized {
			t.Fatalf("%q: %v, HTTP %d", header, ex, w.Code)
		}
		h := http.Header{"Www-Authenticate": {header}}
		if n := len(offers(h)); n > len(header) {
			t.Fatalf("%d offers in %q", n, header)
		}
		_, _ = answerToken(h, Negotiate)
	})
}
