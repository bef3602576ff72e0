package httpauth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

// What servers do to a client of Digest besides letting it in; that is shown with servers of other projects.
func TestDigestServers(t *testing.T) {
	const offer = `Digest realm="r", qop="auth", nonce="n%d"`
	for _, row := range []struct {
		what   string
		serve  func(n int, w http.ResponseWriter, r *http.Request)
		status int
		err    error
		bodies int // messages that the server got
	}{
		{"closes with its challenge", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n > 0 {
				return
			}
			w.Header().Set("Connection", "close")
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(offer, n))
			w.WriteHeader(401)
		}, 200, nil, 1},
		{"finds the first nonce too old and closes", func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				if !strings.Contains(r.Header.Get("Authorization"), `nonce="n1", nc=00000001`) {
					w.WriteHeader(400)
				}
				return
			}
			w.Header().Set("Connection", "close")
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(offer, n)+", stale=true")
			w.WriteHeader(401)
		}, 200, nil, 2},
		{"finds every nonce too old", func(n int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(offer, n)+", stale=true")
			w.WriteHeader(401)
		}, 0, auth.ErrBadToken, maxStale},
		{"refuses", func(n int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(offer, n))
			w.WriteHeader(401)
		}, 0, auth.ErrLogonFailure, 1},
		{"has no Digest", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(401)
		}, 0, auth.ErrUnsupported, 0},
		{"asks for no proof", func(int, http.ResponseWriter, *http.Request) {}, 0, auth.ErrUnsupported, 0},
		{"has no such page", func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, nil, 0},
		{"proves nothing that is right", func(n int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Authentication-Info", `rspauth="00", cnonce="x", nc=00000001`)
			if n == 0 {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(offer, n))
				w.WriteHeader(401)
			}
		}, 0, auth.ErrMessageAltered, 1},
	} {
		n, bodies := 0, 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if b, _ := io.ReadAll(r.Body); len(b) > 0 {
				bodies++
			}
			row.serve(n, w, r)
			n++
		}))
		at, err := url.Parse(server.URL + "/wsman")
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewClientConn(ClientOptions{URL: at, Scheme: Digest, Plain: true, Credentials: auth.Credentials{Username: "u", Password: "p"}})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(t.Context(), &Message{Body: []byte("secret")})
		if !errors.Is(err, row.err) || err == nil && (row.err != nil || resp.Status != row.status) || bodies != row.bodies {
			t.Errorf("%s: %v %v, %d messages came", row.what, resp, err, bodies)
		}
		c.Close()
		server.Close()
	}
	if _, err := NewClientConn(ClientOptions{URL: &url.URL{Scheme: "http", Host: "x"}, Scheme: Digest}); err == nil {
		t.Error("Digest in the clear without permission")
	}
}
