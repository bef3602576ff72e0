package krb5

import (
	"errors"
	"strings"
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
