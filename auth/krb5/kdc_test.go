package krb5

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"go.uber.org/goleak"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/kdctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen accepts connections and says nothing.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// fakeKDC answers every request with answer's bytes, whose length field may lie.
func fakeKDC(t testing.TB, answer func(request []byte) []byte) *Client {
	t.Helper()
	l := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var head [4]byte
			if _, err := io.ReadFull(conn, head[:]); err == nil {
				request := make([]byte, binary.BigEndian.Uint32(head[:]))
				_, _ = io.ReadFull(conn, request)
				_, _ = conn.Write(answer(request))
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return newClient(t, ClientOptions{
		Credentials: auth.Credentials{Username: "alice@" + realm, Password: "x"}, Config: "/dev/null", Timeout: 2 * time.Second,
		KDCs: map[string][]string{realm: {l.Addr().String()}},
	})
}

func krbError(t testing.TB, code int32, data []byte) []byte {
	t.Helper()
	e := messages.NewKRBError(types.PrincipalName{NameType: 2, NameString: []string{"krbtgt", realm}}, realm, code, "text")
	e.STime = time.Now().UTC().Add(-7 * time.Minute)
	e.EData = data
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return appendData(nil, b)
}

// etypeInfo is a PA-ETYPE-INFO2 with one entry, inside METHOD-DATA.
func etypeInfo(t testing.TB, etype int64, params []byte, entries int) []byte {
	t.Helper()
	var info, b cryptobyte.Builder
	info.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for range entries {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addInt(b, 0, etype)
				b.AddASN1(tagged(1), func(b *cryptobyte.Builder) { addString(b, "salt") })
				addOctets(b, 2, params)
			})
		}
	})
	value, err := info.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addInt(b, 1, 19)
			addOctets(b, 2, value)
		})
	})
	return b.BytesOrPanic()
}

// What stands between us and the KDC can refuse, and nothing else: no memory, no time, no panic.
func TestHostileKDC(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer []byte
		code   Code
		says   string
	}{
		{"four gigabytes", []byte{0xFF, 0xFF, 0xFF, 0xFF, 1}, NoAuthenticatingAuthority, "4294967295 bytes"},
		{"nothing", []byte{0, 0, 0, 0}, NoAuthenticatingAuthority, "0 bytes"},
		{"cut", []byte{0, 0, 1, 0, 0x6b}, NoAuthenticatingAuthority, "EOF"},
		{"nonsense", appendData(nil, []byte("nonsense")), NoAuthenticatingAuthority, "malformed"},
		{"unavailable", krbError(t, 29, nil), NoAuthenticatingAuthority, "unavailable"},
		{"skew", krbError(t, 37, nil), TimeSkew, "behind ours"},
		{"no method", krbError(t, 25, nil), InvalidToken, "pre-authenticate"},
		{"empty list of types", krbError(t, 25, etypeInfo(t, 18, nil, 0)), EtypeNotSupported, "no encryption type in common"},
		{"RC4 alone", krbError(t, 25, etypeInfo(t, 23, nil, 1)), EtypeNotSupported, "no encryption type in common"},
		{"DES alone", krbError(t, 25, etypeInfo(t, 3, nil, 1)), EtypeNotSupported, "no encryption type in common"},
		{"iterations", krbError(t, 25, etypeInfo(t, 18, []byte{0x7F, 0xFF, 0xFF, 0xFF}, 1)), InvalidToken, "2147483647 iterations"},
		{"the same question again", krbError(t, 25, etypeInfo(t, 18, []byte{0, 0, 0, 1}, 1)), InvalidToken, "error 25"},
		{"locked", krbError(t, 18, nil), LogonDenied, "locked"},
		{"expired password", krbError(t, 23, nil), LogonDenied, "expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeKDC(t, func([]byte) []byte { return tt.answer })
			_, err := c.ticket(t.Context(), service)
			var e *Error
			if !errors.As(err, &e) || e.Code != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Error(err)
			}
		})
	}
}

// renaming is a connection to a KDC on which somebody changes for which service an AS-REQ asks; nothing in the request is signed.
type renaming struct {
	net.Conn
	to types.PrincipalName
}

func (r renaming) Write(b []byte) (int, error) {
	var req messages.ASReq
	if req.Unmarshal(b[4:]) != nil {
		return r.Conn.Write(b)
	}
	req.ReqBody.SName = r.to
	changed, err := req.Marshal()
	if err == nil {
		_, err = r.Conn.Write(appendData(nil, changed))
	}
	return len(b), err
}

// Who has the key of some service and stands between us and the KDC could have us sign in to that service, and then be the KDC himself,
// and every service: he would know the session key of what we take for our ticket-granting ticket.
func TestSignInIsForTheKDC(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	k.AddPrincipal("HTTP/evil.krb5.test", "evil")
	evil, _, err := parseSPN("HTTP/evil.krb5.test")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, ClientOptions{
		Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return renaming{conn, evil}, err
		},
	})
	var e *Error
	if got, err := c.tgt(t.Context()); !errors.As(err, &e) || e.Code != InvalidToken {
		t.Errorf("we sign in to somebody else: %v, %v", got, err)
	}
}

// The measured difference of clocks is named, in both directions. A KDC of MIT compares, we only shift our own clock.
func TestSkew(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	for shift, says := range map[time.Duration]string{-10 * time.Minute: "is 10m0s ahead of ours", 10 * time.Minute: "is 10m0s behind ours"} {
		c := newClient(t, ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config})
		c.now = func() time.Time { return time.Now().Add(shift) }
		_, err := c.ticket(t.Context(), service)
		var e *Error
		if !errors.As(err, &e) || e.Code != TimeSkew || (e.Skew+shift).Abs() > 2*time.Second {
			t.Error(err)
		} else if !strings.Contains(err.Error(), says) && !strings.Contains(err.Error(), "9m59s") && !strings.Contains(err.Error(), "10m1s") {
			t.Error(err)
		}
	}
}

// The next KDC is asked when one does not answer; tickets are kept; a service name may have a port, and is found in any spelling.
func TestTicketsAreKept(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	k.AddPrincipal("WSMAN/host.krb5.test:5985", "")
	dials := 0
	c := newClient(t, ClientOptions{
		Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config,
		KDCs: map[string][]string{realm: {"127.0.0.1:1", k.Address}},
	})
	dial := c.opts.Dial
	c.opts.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return dial(ctx, network, address)
	}
	first, err := c.ticket(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	if dials != 6 { // twice the ticket-granting ticket, once the ticket, each at a dead address first
		t.Error(dials, "connections")
	}
	if again, err := c.ticket(t.Context(), "http/HOST.krb5.test"); err != nil || again != first || dials != 6 {
		t.Error(err, dials)
	}
	if _, err := c.ticket(t.Context(), "WSMAN/host.krb5.test:5985"); err != nil || dials != 8 {
		t.Error(err, dials)
	}
	if _, err := c.ticket(t.Context(), service+"@"+realm); err != nil {
		t.Error(err)
	}
	for _, spn := range []string{"", "/", "HTTP/", "a/b/c/d"} {
		var e *Error
		if _, err := c.ticket(t.Context(), spn); !errors.As(err, &e) || e.Code != TargetUnknown {
			t.Errorf("%q: %v", spn, err)
		}
	}
	c.now = func() time.Time { return time.Now().Add(11 * time.Hour) }
	if c.cached(cacheKey(first.server.PrincipalName, "")) != nil {
		t.Error("an expired ticket is kept")
	}
}

// With nothing to prove an identity there is a code and a reason.
func TestNoCredentials(t *testing.T) {
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none")
	for name, opts := range map[string]ClientOptions{
		"nothing":         {},
		"NT hash":         {Credentials: auth.Credentials{Username: "alice@X", NTHash: make([]byte, 16)}},
		"empty keytab":    {Keytab: &Keytab{}},
		"other cache":     {CCache: "KEYRING:persistent:0"},
		"folder as cache": {CCache: t.TempDir()},
	} {
		opts.Config = "/dev/null"
		_, err := NewClient(opts)
		var e *Error
		if !errors.As(err, &e) || e.Code != NoCredentials {
			t.Errorf("%s: %v", name, err)
		}
	}
	var e *Error
	for _, name := range []string{"alice", `CORP\alice`} {
		if _, err := NewClient(ClientOptions{Credentials: auth.Credentials{Username: name, Password: "x"}, Config: "/dev/null"}); !errors.As(err, &e) || e.Code != NoAuthenticatingAuthority {
			t.Error(name, err)
		}
	}
	if _, err := NewClient(ClientOptions{Config: t.TempDir() + "/missing.conf"}); !errors.As(err, &e) || e.Code != NoAuthenticatingAuthority {
		t.Error(err)
	}
}

// recorded is a connection whose answers are kept.
type recorded struct {
	net.Conn
	answers *[][]byte
}

func (r recorded) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	last := &(*r.answers)[len(*r.answers)-1]
	*last = append(*last, b[:n]...)
	return n, err
}

// A KDC's answer to another request is no answer, though it is for us and well encrypted. See [RFC4120] 3.1.5.
func TestReplayedAnswer(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	opts := ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config}
	var answers [][]byte
	opts.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		answers = append(answers, nil)
		return recorded{conn, &answers}, err
	}
	if _, err := newClient(t, opts).ticket(t.Context(), service); err != nil || len(answers) != 3 {
		t.Fatal(err, len(answers))
	}
	l, n := listen(t), 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1<<16))
			_, _ = conn.Write(answers[min(n, 1)])
			n++
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	opts.Dial, opts.KDCs = nil, map[string][]string{realm: {l.Addr().String()}}
	_, err := newClient(t, opts).ticket(t.Context(), service)
	var e *Error
	if !errors.As(err, &e) || e.Code != InvalidToken || !strings.Contains(err.Error(), "answers another request") {
		t.Error(err)
	}
}

// The files that distributions install can be read.
func TestConfigurations(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"Debian": "[libdefaults]\n\tdefault_realm = EXAMPLE.TEST\n\n# comment\n\tkdc_timesync = 1\n\tccache_type = 4\n\tforwardable = true\n\tproxiable = true\n\trdns = false\n\n\tfcc-mit-ticketflags = true\n\n[realms]\n\tEXAMPLE.TEST = {\n\t\tkdc = kdc.example.test\n\t\tadmin_server = kdc.example.test\n\t}\n",
		"Fedora": "includedir /etc/krb5.conf.d/\n\n[logging]\n default = FILE:/var/log/krb5libs.log\n\n[libdefaults]\n dns_lookup_realm = false\n ticket_lifetime = 24h\n renew_lifetime = 7d\n forwardable = true\n rdns = false\n pkinit_anchors = FILE:/etc/pki/tls/certs/ca-bundle.crt\n spake_preauth_groups = edwards25519\n default_realm = EXAMPLE.TEST\n default_ccache_name = KEYRING:persistent:%{uid}\n\n[realms]\n EXAMPLE.TEST = {\n  kdc = kdc.example.test\n }\n\n[domain_realm]\n .example.test = EXAMPLE.TEST\n",
		"Samba":  "[libdefaults]\n\tdefault_realm = EXAMPLE.TEST\n\tdns_lookup_realm = false\n\tdns_lookup_kdc = true\n\n[realms]\nEXAMPLE.TEST = {\n\tdefault_domain = example.test\n\tkdc = kdc.example.test:88\n}\n\n[domain_realm]\n\thost = EXAMPLE.TEST\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("KRB5_CONFIG", path+string(filepath.ListSeparator)+"/other")
		c := newClient(t, ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: "x"}})
		if c.Principal() != "alice@EXAMPLE.TEST" || c.Realm() != "EXAMPLE.TEST" {
			t.Error(name, c)
		}
		if got, err := c.kdcs(t.Context(), "EXAMPLE.TEST"); err != nil || len(got) != 1 || got[0] != "kdc.example.test:88" {
			t.Error(name, got, err)
		}
		if got := c.etypes(); !slices.Equal(got, strong) {
			t.Error(name, got)
		}
	}
}
