package credssp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/internal/kdctest"
)

// Kerberos of a real realm inside: the key of the ticket binds the channel and seals the credentials, with each
// encryption type, alone and within SPNEGO, in each version.
func TestKerberos(t *testing.T) {
	const service, user = "WSMAN/host.krb5.test", "alice@KRB5.TEST"
	for _, enctype := range []string{kdctest.AES256SHA1, kdctest.AES128SHA2, kdctest.RC4} {
		k := kdctest.StartWith(t, "KRB5.TEST", kdctest.Options{Enctypes: []string{enctype}})
		k.AddPrincipal("alice", alice.Password)
		k.AddPrincipal(service, "")
		keys, err := krb5.LoadKeytab(k.Keytab(service))
		if err != nil {
			t.Fatal(err)
		}
		weak := enctype == kdctest.RC4
		credentials := auth.Credentials{Username: user, Password: alice.Password}
		client, err := krb5.NewClient(krb5.ClientOptions{Credentials: credentials, Config: k.Config, AllowRC4: weak})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		replays := krb5.NewReplays()
		initiator := func() auth.Initiator { return krb5.NewInitiator(krb5.InitiatorOptions{Client: client, SPN: service}) }
		acceptor := func() auth.Acceptor {
			return krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: keys, Replays: replays, AllowRC4: weak})
		}
		negotiation := func() auth.Initiator {
			return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: initiator})
		}
		for _, version := range []int{2, 5, 6} {
			for name, inner := range map[string]func() auth.Initiator{"alone": initiator, "within SPNEGO": negotiation} {
				t.Run(fmt.Sprintf("%s, version %d, %s", enctype, version, name), func(t *testing.T) {
					permitted := false
					i, a := ends(t, InitiatorOptions{Credentials: credentials, Inner: inner, Version: version, MinVersion: 2, TLS: tlsOnly(tls.VersionTLS13),
						Permit: func(id auth.Identity, _ []*x509.Certificate) error {
							permitted = id.Mechanism == auth.Kerberos
							return nil
						}},
						AcceptorOptions{Inner: func() auth.Acceptor {
							return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDKerberos, New: acceptor})
						}})
					if c, s := run(t, i, a, nil); c != nil || s != nil {
						t.Fatal(c, s)
					}
					id := a.Context().Identity()
					d := a.Context().(auth.Delegator).Delegated()
					if !permitted || id.User != user || id.Account == nil || id.Until.IsZero() || d.Credentials.Username != user || d.Credentials.Password != alice.Password {
						t.Errorf("identity %+v, delegated %v, permitted %t", id, d, permitted)
					}
					talk(t, i.Context(), a.Context())
				})
			}
		}
	}
}
