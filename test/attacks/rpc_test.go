package attacks

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
)

// keyless is the proof of somebody else, handed on: whoever relays it has no key of it.
type keyless struct{ auth.Initiator }

func (k keyless) Context() auth.Context {
	if c := k.Initiator.Context(); c != nil {
		return noKey{c}
	}
	return nil
}

type noKey struct{ auth.Context }

func (n noKey) SessionKey() []byte { return make([]byte, 16) }
func (n noKey) Seal([]auth.Buffer) ([]byte, error) {
	return append([]byte{1, 0, 0, 0}, make([]byte, 12)...), nil
}
func (n noKey) Sign(b []auth.Buffer) ([]byte, error) { return n.Seal(b) }
func (n noKey) Unseal([]auth.Buffer, []byte) error   { return nil }
func (n noKey) Verify([]auth.Buffer, []byte) error   { return nil }

func activate(t *testing.T, s *casementtest.Server, b dcom.Blanket) error {
	t.Helper()
	c := dcom.NewClient(dcom.ClientOptions{Blanket: b})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	host, port, _ := strings.Cut(s.DCOM, ":")
	_, err := c.Activate(ctx, host+"["+port+"]", wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
	return err
}

// The attacker has lured an administrator to a server of their own and hands the proof of NTLM on to port 135. RPC compares no name of a service and has
// no channel to bind to: what stops the attacker is that each activation must be signed with a key that a relay does not have.
func TestRelayToRPC(t *testing.T) {
	s := victim(t, casementtest.Options{})
	for _, level := range []dcerpc.Level{dcerpc.LevelConnect, dcerpc.LevelCall, dcerpc.LevelPacket, dcerpc.LevelIntegrity, dcerpc.LevelPrivacy} {
		err := activate(t, s, dcom.Blanket{AuthType: dcerpc.AuthNTLM, Level: level, Exactly: true, Initiator: func(string, string) (auth.Initiator, error) {
			return keyless{as(s.User, s.Password, nil)}, nil
		}})
		if err == nil {
			t.Errorf("at %v the activation succeeds", level)
		}
	}
	// and the same with the key is what the administrator does
	err := activate(t, s, dcom.Blanket{AuthType: dcerpc.AuthNTLM, Level: dcerpc.LevelIntegrity, Exactly: true, Initiator: func(string, string) (auth.Initiator, error) {
		return as(s.User, s.Password, nil), nil
	}})
	if err != nil {
		t.Errorf("the administrator: %v", err)
	}
}

// The attacker has an account of the machine and has learned the identifier of an interface that an administrator holds. It is an object of somebody else:
// the answer is that of one which does not exist.
func TestObjectOfSomebodyElse(t *testing.T) {
	s := victim(t, casementtest.Options{})
	s.AddUser("eve", "Attack-1-word", "Distributed COM Users")
	c := dcom.NewClient(dcom.ClientOptions{Blanket: dcom.Blanket{AuthType: dcerpc.AuthNTLM, Initiator: func(string, string) (auth.Initiator, error) {
		return as(s.User, s.Password, nil), nil
	}}})
	defer c.Close()
	host, port, _ := strings.Cut(s.DCOM, ":")
	list, err := c.Activate(t.Context(), host+"["+port+"]", wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list[0].QueryInterface(t.Context(), wmi.IIDLoginClientID); err != nil { // a first call of the object
		t.Fatal(err)
	}
	_, wmiPort := list[0].Addrs()
	ask := func(user, password string) error {
		t.Helper()
		conn, err := dcerpc.Dial(t.Context(), "tcp", wmiPort.String(), dcerpc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		b, err := conn.Bind(t.Context(), dcerpc.SyntaxID{UUID: wmi.IIDLevel1Login}, conn.NewSecurity(dcerpc.AuthNTLM, dcerpc.LevelPrivacy, as(user, password, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return b.Call(t.Context(), 3, list[0].IPID(), &dcom.ORPCThis{Version: dcom.Version}, nil)
	}
	var fault *dcerpc.Fault
	if err := ask("eve", "Attack-1-word"); !errors.As(err, &fault) || uint32(fault.Status) != dcom.RPC_E_DISCONNECTED {
		t.Errorf("eve: %v", err)
	}
	if err := ask(s.User, s.Password); errors.As(err, &fault) && uint32(fault.Status) == dcom.RPC_E_DISCONNECTED {
		t.Errorf("its owner on another connection: %v", err)
	}
}
