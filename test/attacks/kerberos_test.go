package attacks

import (
	"context"
	"net/http"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/kdctest"
)

// member makes a realm, a service in it, and a user who is an administrator of the service's machine.
func member(t *testing.T) (*casementtest.Server, *krb5.Client) {
	t.Helper()
	kdc := kdctest.Start(t, "ATTACK.TEST")
	s := victim(t, casementtest.Options{})
	kdc.AddPrincipal("alice", "Domain-1-word")
	kdc.AddPrincipal("HTTP/other.attack.test", "") // another machine's
	services := []string{"HTTP/server.attack.test", "RPCSS/server.attack.test"}
	for _, name := range services {
		kdc.AddPrincipal(name, "")
	}
	if _, err := s.Service.State.AddKeytab(kdc.Keytab(services...)); err != nil {
		t.Fatal(err)
	}
	if err := s.Service.State.Accounts.AddMember("Administrators", "alice@ATTACK.TEST"); err != nil {
		t.Fatal(err)
	}
	c, err := krb5.NewClient(krb5.ClientOptions{Credentials: auth.Credentials{Username: "alice@ATTACK.TEST", Password: "Domain-1-word"}, Config: kdc.Config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return s, c
}

// ticket is alice's first token to a service.
func ticket(t *testing.T, c *krb5.Client, o krb5.InitiatorOptions) []byte {
	t.Helper()
	o.Client = c
	token, _, err := krb5.NewInitiator(o).Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// The attacker has recorded the one token with which alice signs in, and sends it again: on another connection, over TLS, after alice used it and before.
// Kerberos has no challenge of the service's: what stops the attacker is that the service remembers, and that without alice's key nothing can be sealed.
func TestReplayedTicket(t *testing.T) {
	s, alice := member(t)
	s.Set("Service/AllowUnencrypted", "true") // else nothing in the clear is served anyway
	token := ticket(t, alice, krb5.InitiatorOptions{SPN: "HTTP/server.attack.test"})
	if a := call(t, s.HTTP).post(token, soapType, getConfig); !a.served() {
		t.Fatalf("alice herself: HTTP %d", a.status)
	}
	refused(t, "the same token on another connection", call(t, s.HTTP).post(token, soapType, getConfig))
	refused(t, "the same token over TLS", call(t, s.HTTPS).post(token, soapType, getConfig))
	s.Set("Service/AllowUnencrypted", "false")
	stolen := ticket(t, alice, krb5.InitiatorOptions{SPN: "HTTP/server.attack.test"}) // and alice never came
	c := call(t, s.HTTP)
	if a := c.post(stolen, soapType, ""); a.status != http.StatusOK {
		t.Fatalf("a token that was kept back: HTTP %d", a.status)
	}
	refused(t, "a request in the clear behind it", c.post(nil, soapType, getConfig))
	refused(t, "a request sealed with another key", c.post(nil, sealedType, seal(t, noKey{}, getConfig)))
}

// The attacker owns a server of the domain, to which alice signs in, and hands her token on to the victim: the ticket is for another key. A token for the
// victim's own name, taken on the way through the attacker's TLS server, is bound to the attacker's certificate.
func TestRelayedTicket(t *testing.T) {
	s, alice := member(t)
	refused(t, "a ticket for another machine", call(t, s.HTTPS).post(ticket(t, alice, krb5.InitiatorOptions{SPN: "HTTP/other.attack.test"}), soapType, getConfig))
	lure := call(t, impostor(t))
	token := ticket(t, alice, krb5.InitiatorOptions{SPN: "HTTP/server.attack.test", Bindings: auth.TLSServerEndPoint(lure.cert)})
	refused(t, "a ticket by way of another TLS server", call(t, s.HTTPS).post(token, soapType, getConfig))
	own := call(t, s.HTTPS)
	if a := own.post(ticket(t, alice, krb5.InitiatorOptions{SPN: "HTTP/server.attack.test", Bindings: auth.TLSServerEndPoint(own.cert)}), soapType, getConfig); !a.served() {
		t.Errorf("alice herself: HTTP %d", a.status)
	}
	// and what was meant for HTTP, without her key, does nothing at port 135
	err := activate(t, s, dcom.Blanket{AuthType: dcerpc.AuthKerberos, Level: dcerpc.LevelIntegrity, Exactly: true, Initiator: func(string, string) (auth.Initiator, error) {
		return &handedOn{token: ticket(t, alice, krb5.InitiatorOptions{SPN: "RPCSS/server.attack.test", DCE: true})}, nil
	}})
	if err == nil {
		t.Error("a relayed ticket activates an object")
	}
}

// handedOn sends somebody else's token, and has nothing to go on with.
type handedOn struct {
	token []byte
	sent  bool
}

func (h *handedOn) Step(context.Context, []byte) ([]byte, bool, error) {
	if h.sent {
		return make([]byte, 60), true, nil // a third leg that is made up
	}
	h.sent = true
	return h.token, false, nil
}

func (h *handedOn) Context() auth.Context {
	if h.sent {
		return noKey{}
	}
	return nil
}

func (noKey) Identity() auth.Identity {
	return auth.Identity{Mechanism: auth.Kerberos, Protected: true}
}
func (noKey) SignatureSize() int { return 16 }
