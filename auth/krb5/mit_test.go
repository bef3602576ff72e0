package krb5

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/kdctest"
)

const (
	realm    = "KRB5.TEST"
	service  = "HTTP/host.krb5.test"
	password = "pass wörd 漢字"
)

// newRealm is a KDC with a user and a service.
func newRealm(t testing.TB, opts kdctest.Options) *kdctest.KDC {
	t.Helper()
	k := kdctest.StartWith(t, realm, opts)
	k.AddPrincipal("alice", password)
	k.AddPrincipal(service, "")
	return k
}

func newClient(t testing.TB, opts ClientOptions) *Client {
	t.Helper()
	c, err := NewClient(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// converse steps both ends until they are done.
func converse(t testing.TB, i auth.Initiator, a auth.Acceptor) error {
	t.Helper()
	var token []byte
	for range 4 {
		out, idone, err := i.Step(t.Context(), token)
		if err != nil {
			return err
		}
		if len(out) == 0 {
			if !idone || a.Context() == nil {
				t.Fatal("the initiator is silent before its end")
			}
			return nil
		}
		var adone bool
		if token, adone, err = a.Step(t.Context(), out); err != nil {
			return err
		}
		if adone && idone {
			return nil
		}
	}
	t.Fatal("the exchange does not end")
	return nil
}

func keytab(t testing.TB, path string) *Keytab {
	t.Helper()
	k, err := LoadKeytab(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Tickets of a real KDC by password, keytab and credential cache, presented to our acceptor. See [RFC4120] 3.1 and 3.3.
func TestTickets(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	services, users := keytab(t, k.Keytab(service)), keytab(t, k.Keytab("alice"))
	for name, opts := range map[string]ClientOptions{
		"password":         {Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config},
		"user@realm":       {Credentials: auth.Credentials{Username: "alice@krb5.test", Password: password}, Config: k.Config},
		"DOMAIN\\user":     {Credentials: auth.Credentials{Username: `KRB5\alice`, Password: password}, Config: k.Config},
		"keytab":           {Keytab: users, Config: k.Config},
		"credential cache": {CCache: "FILE:" + k.CCache("alice", password), Config: k.Config},
		"given addresses":  {Credentials: auth.Credentials{Username: "alice", Password: password}, KDCs: map[string][]string{realm: {k.Address}}, Config: "/dev/null"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, opts)
			replays := NewReplays()
			for range 2 {
				i := NewInitiator(InitiatorOptions{Client: c, SPN: service})
				a := NewAcceptor(AcceptorOptions{Keytab: services, Replays: replays})
				if err := converse(t, i, a); err != nil {
					t.Fatal(err)
				}
				if id := a.Context().Identity(); id.User != "alice@"+realm || id.Account == nil || id.Account.Realm != realm || !id.Account.SID.IsZero() || !id.Protected {
					t.Errorf("%+v", id)
				}
			}
		})
	}
}

// What a person reads when it goes wrong, and the code beside it.
func TestTicketErrors(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	good := auth.Credentials{Username: "alice", Password: password}
	for _, tt := range []struct {
		name, spn string
		opts      ClientOptions
		code      Code
		says      string
	}{
		{"unknown SPN", "HTTP/other.krb5.test", ClientOptions{Credentials: good}, TargetUnknown, "HTTP/other.krb5.test"},
		{"wrong password", service, ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: "x"}}, LogonDenied, "alice@" + realm},
		{"unknown account", service, ClientOptions{Credentials: auth.Credentials{Username: "bob", Password: "x"}}, LogonDenied, "bob@" + realm},
		{"no KDC", service, ClientOptions{Credentials: good, KDCs: map[string][]string{realm: {"127.0.0.1:1"}}}, NoAuthenticatingAuthority, "127.0.0.1:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Config = k.Config
			_, _, err := NewInitiator(InitiatorOptions{Client: newClient(t, tt.opts), SPN: tt.spn}).Step(t.Context(), nil)
			var e *Error
			if !errors.As(err, &e) || e.Code != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
			if errors.Is(err, auth.ErrLogonFailure) != (tt.code == LogonDenied) {
				t.Errorf("%v is or is not a logon failure", err)
			}
		})
	}
}

// Three realms in a row: the KDC of the first knows the second, that one the third, and each refers us to the next. Where a KDC does not,
// our configuration may name the realm. See [RFC4120] 1.2 and [RFC6806] 8.
func TestReferrals(t *testing.T) {
	path := kdctest.Options{Config: "[capaths]\n A.TEST = {\n  C.TEST = B.TEST\n }\n[domain_realm]\n .c.test = C.TEST\n"}
	a, b, c := kdctest.StartWith(t, "A.TEST", path), kdctest.StartWith(t, "B.TEST", path), kdctest.StartWith(t, "C.TEST", path)
	a.AddPrincipal("alice", password)
	c.AddPrincipal("HTTP/host.c.test", "")
	b.AddPrincipal("HTTP/host.b.test", "")
	for _, k := range []*kdctest.KDC{a, b} {
		k.AddPrincipal("krbtgt/B.TEST@A.TEST", "between A and B")
	}
	for _, k := range []*kdctest.KDC{b, c} {
		k.AddPrincipal("krbtgt/C.TEST@B.TEST", "between B and C")
	}
	kdcs := map[string][]string{"A.TEST": {a.Address}, "B.TEST": {b.Address}, "C.TEST": {c.Address}}
	config := filepath.Join(t.TempDir(), "krb5.conf")
	text := "[libdefaults]\n default_realm = A.TEST\n[domain_realm]\n .b.test = B.TEST\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: password}, Config: config, KDCs: kdcs})
	for spn, keys := range map[string]string{"HTTP/host.b.test": b.Keytab("HTTP/host.b.test"), "HTTP/host.c.test": c.Keytab("HTTP/host.c.test")} {
		acceptor := NewAcceptor(AcceptorOptions{Keytab: keytab(t, keys), Replays: NewReplays()})
		if err := converse(t, NewInitiator(InitiatorOptions{Client: client, SPN: spn}), acceptor); err != nil {
			t.Errorf("%s: %v", spn, err)
			continue
		}
		if id := acceptor.Context().Identity(); id.User != "alice@A.TEST" || id.Account.Realm != "A.TEST" {
			t.Errorf("%+v", id)
		}
	}
	_, err := client.ticket(t.Context(), "HTTP/nobody.c.test")
	var e *Error
	if !errors.As(err, &e) || e.Code != TargetUnknown {
		t.Error(err)
	}
}

// Many at once share one sign-in.
func TestConcurrentTickets(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	client := newClient(t, ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config})
	var dials atomic.Int32
	dial := client.opts.Dial
	client.opts.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, address)
	}
	keys, replays := keytab(t, k.Keytab(service)), NewReplays()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := converse(t, NewInitiator(InitiatorOptions{Client: client, SPN: service}), NewAcceptor(AcceptorOptions{Keytab: keys, Replays: replays})); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := dials.Load(); n > 2+20 { // two for the sign-in, at most one a ticket
		t.Error(n, "connections")
	}
}

// A forwarded ticket goes from our client through our service to a third host, in both styles; the first service has to be trusted for it.
func TestDelegatedSecondHop(t *testing.T) {
	k := newRealm(t, kdctest.Options{})
	k.AddPrincipal("HTTP/second.krb5.test", "")
	k.Admin("modprinc +ok_as_delegate " + service)
	client := newClient(t, ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: password}, Config: k.Config})
	first, second, replays := keytab(t, k.Keytab(service)), keytab(t, k.Keytab("HTTP/second.krb5.test")), NewReplays()
	for _, dce := range []bool{false, true} {
		a := NewAcceptor(AcceptorOptions{Keytab: first, Replays: replays, DCE: dce})
		if err := converse(t, NewInitiator(InitiatorOptions{Client: client, SPN: service, DCE: dce, Delegate: true}), a); err != nil {
			t.Fatal(err)
		}
		d := a.Context().(auth.Delegator).Delegated()
		if d == nil {
			t.Fatal("nothing was delegated")
		}
		cache := filepath.Join(t.TempDir(), "ccache")
		if err := os.WriteFile(cache, d.CCache, 0o600); err != nil {
			t.Fatal(err)
		}
		d.Wipe()
		hop := newClient(t, ClientOptions{CCache: "FILE:" + cache, Config: k.Config})
		end := NewAcceptor(AcceptorOptions{Keytab: second, Replays: replays})
		if err := converse(t, NewInitiator(InitiatorOptions{Client: hop, SPN: "HTTP/second.krb5.test"}), end); err != nil || end.Context().Identity().User != "alice@"+realm {
			t.Error(err)
		}
	}
	a := NewAcceptor(AcceptorOptions{Keytab: first, Replays: replays})
	if err := converse(t, NewInitiator(InitiatorOptions{Client: client, SPN: service}), a); err != nil || a.Context().(auth.Delegator).Delegated() != nil {
		t.Error("delegated without being asked to:", err)
	}
}
