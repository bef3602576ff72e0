package dcerpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/security"
)

var none security.GUID

func TestCall(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, nil))
	for _, size := range []int{0, 1, 15, 16, 17, 5800, 5808, 5809, 5816, 5817, 40000} {
		for _, narrow := range []bool{false, true} {
			c := dial(t, addr, dcerpc.Options{OnlyNDR20: narrow})
			ctx := timeout(t)
			b, err := c.Bind(ctx, echoID, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[bool]dcerpc.SyntaxID{false: dcerpc.NDR64, true: dcerpc.NDR20}[narrow]; b.Transfer() != want {
				t.Errorf("transfer syntax %v", b.Transfer())
			}
			in, out := bytesArg{bytes.Repeat([]byte{7}, size)}, bytesArg{}
			if err := b.Call(ctx, 0, none, &in, &out); err != nil || !bytes.Equal(in.b, out.b) {
				t.Errorf("%d octets: %v, %d come back", size, err, len(out.b))
			}
		}
	}
}

func TestSecurity(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelConnect, nil))
	for _, kind := range []dcerpc.AuthType{dcerpc.AuthNTLM, dcerpc.AuthSPNEGO} {
		for _, level := range []dcerpc.Level{dcerpc.LevelConnect, dcerpc.LevelCall, dcerpc.LevelPacket, dcerpc.LevelIntegrity, dcerpc.LevelPrivacy} {
			t.Run(fmt.Sprintf("%v %v", kind, level), func(t *testing.T) {
				c := dial(t, addr, dcerpc.Options{})
				ctx := timeout(t)
				b, err := c.Bind(ctx, echoID, c.NewSecurity(kind, level, initiator(kind, `HOST\bob`, password)))
				if err != nil {
					t.Fatal(err)
				}
				for _, size := range []int{0, 1, 16, 5000, 5791, 5792, 5793, 40000} {
					in, out := bytesArg{bytes.Repeat([]byte{7}, size)}, bytesArg{}
					if err := b.Call(ctx, 0, none, &in, &out); err != nil || !bytes.Equal(in.b, out.b) {
						t.Fatalf("%d octets: %v, %d come back", size, err, len(out.b))
					}
				}
				var who bytesArg
				want := `HOST\bob at ` + strings.Replace(level.String(), "call", "packet", 1)
				if err := b.Call(ctx, 2, none, nil, &who); err != nil || string(who.b) != want {
					t.Errorf("%v, the server says %q", err, who.b)
				}
			})
		}
	}
}

func TestFaultEndsTheCallOnly(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, nil))
	c := dial(t, addr, dcerpc.Options{})
	ctx := timeout(t)
	b, err := c.Bind(ctx, echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	for opnum, want := range map[uint16]dcerpc.Status{3: dcerpc.StatusCallFailed, 4: dcerpc.StatusCallFailed, 99: dcerpc.StatusOpRange, 0: dcerpc.StatusBadStubData} {
		err := b.Call(ctx, opnum, none, nil, nil)
		var f *dcerpc.Fault
		if !errors.As(err, &f) || f.Status != want || f.DidNotExecute != (want == dcerpc.StatusOpRange) {
			t.Errorf("operation %d: %v", opnum, err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the inside is told: %v", err)
		}
	}
	if err := b.Call(ctx, 0, none, &bytesArg{}, nil); err != nil {
		t.Errorf("after faults: %v", err)
	}
}

func TestLevelTooLow(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(0, nil)) // the default demands Packet
	c := dial(t, addr, dcerpc.Options{})
	ctx := timeout(t)
	for _, sec := range []*dcerpc.Security{nil, c.NewSecurity(dcerpc.AuthNTLM, dcerpc.LevelConnect, initiator(dcerpc.AuthNTLM, "bob", password))} {
		b, err := c.Bind(ctx, echoID, sec)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Call(ctx, 2, none, nil, nil); !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusAccessDenied}) {
			t.Errorf("level %v: %v", sec.Level(), err)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(0, nil))
	for _, kind := range []dcerpc.AuthType{dcerpc.AuthNTLM, dcerpc.AuthSPNEGO} {
		c := dial(t, addr, dcerpc.Options{})
		ctx := timeout(t)
		b, err := c.Bind(ctx, echoID, c.NewSecurity(kind, dcerpc.LevelIntegrity, initiator(kind, "bob", "wrong")))
		if err == nil { // NTLM's last leg is not answered
			err = b.Call(ctx, 2, none, nil, nil)
		}
		var f *dcerpc.Fault
		if !errors.As(err, &f) || f.Status != dcerpc.StatusAccessDenied || f.Unconfirmed != (kind == dcerpc.AuthNTLM) {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

func TestSeveralIdentities(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, nil))
	c := dial(t, addr, dcerpc.Options{})
	ctx := timeout(t)
	var bindings []*dcerpc.Binding
	secs := []*dcerpc.Security{
		nil,
		c.NewSecurity(dcerpc.AuthNTLM, dcerpc.LevelPrivacy, initiator(dcerpc.AuthNTLM, "bob", password)),
		c.NewSecurity(dcerpc.AuthSPNEGO, dcerpc.LevelIntegrity, initiator(dcerpc.AuthSPNEGO, `HOST\bob`, password)),
		c.NewSecurity(dcerpc.AuthNTLM, dcerpc.LevelConnect, initiator(dcerpc.AuthNTLM, `A\bob`, password)),
		c.NewSecurity(dcerpc.AuthNTLM, dcerpc.LevelConnect, initiator(dcerpc.AuthNTLM, `B\bob`, password)),
	}
	for _, sec := range secs {
		b, err := c.Bind(ctx, echoID, sec)
		if err != nil {
			t.Fatal(err)
		}
		bindings = append(bindings, b)
	}
	for range 3 {
		for i, want := range []string{
			`B\bob at connect`, "bob at privacy", `HOST\bob at integrity`, `A\bob at connect`, `B\bob at connect`, // without identity: the last at level Connect
		} {
			var who bytesArg
			if err := bindings[i].Call(ctx, 2, none, nil, &who); err != nil || string(who.b) != want {
				t.Errorf("%v, the server says %q, want %q", err, who.b, want)
			}
		}
	}
}

func TestRejected(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{})
	c := dial(t, addr, dcerpc.Options{})
	ctx := timeout(t)
	_, err := c.Bind(ctx, echoID, nil)
	var r *dcerpc.RejectedError
	if !errors.As(err, &r) || r.Result != 2 || r.Reason != 1 {
		t.Errorf("an unknown interface: %v", err)
	}
	if _, err := c.Bind(ctx, dcerpc.MgmtID, nil); err != nil {
		t.Errorf("after a rejection: %v", err)
	}
	_, err = c.Bind(ctx, dcerpc.MgmtID, c.NewSecurity(dcerpc.AuthKerberos, dcerpc.LevelIntegrity, initiator(dcerpc.AuthNTLM, "bob", password)))
	if err == nil {
		t.Error("an unknown provider is accepted")
	}
	c = dial(t, addr, dcerpc.Options{})
	_, err = c.Bind(ctx, dcerpc.MgmtID, c.NewSecurity(dcerpc.AuthKerberos, dcerpc.LevelIntegrity, initiator(dcerpc.AuthNTLM, "bob", password)))
	var nak *dcerpc.BindError
	if !errors.As(err, &nak) || nak.Reason != dcerpc.ReasonAuthTypeUnknown || len(nak.Versions) != 1 || nak.Versions[0] != "5.0" {
		t.Errorf("an unknown provider: %v", err)
	}
}

func TestCancel(t *testing.T) {
	waits := make(chan string, 4)
	addr := serve(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, waits))
	c := dial(t, addr, dcerpc.Options{})
	ctx := timeout(t)
	b, err := c.Bind(ctx, echoID, nil)
	if err != nil {
		t.Fatal(err)
	}
	call, cancel := context.WithCancel(ctx)
	result := make(chan error, 1)
	go func() { result <- b.Call(call, 1, none, nil, nil) }()
	if got := <-waits; got != "begun" {
		t.Fatal(got)
	}
	// Another call goes on meanwhile.
	if err := b.Call(ctx, 0, none, &bytesArg{[]byte("x")}, nil); err != nil {
		t.Errorf("beside a call that waits: %v", err)
	}
	cancel()
	if got := <-waits; got != "ended" {
		t.Fatal(got)
	}
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled call returns %v", err)
	}
	if err := b.Call(ctx, 0, none, &bytesArg{[]byte("x")}, nil); err != nil {
		t.Errorf("after a cancelled call: %v", err)
	}
}

func TestObject(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, nil))
	c := dial(t, addr, dcerpc.Options{})
	ctx := timeout(t)
	for _, sec := range []*dcerpc.Security{nil, c.NewSecurity(dcerpc.AuthNTLM, dcerpc.LevelPrivacy, initiator(dcerpc.AuthNTLM, "bob", password))} {
		b, err := c.Bind(ctx, echoID, sec)
		if err != nil {
			t.Fatal(err)
		}
		var out bytesArg
		if err := b.Call(ctx, 6, echoID.UUID, nil, &out); err != nil || !bytes.Equal(out.b, echoID.UUID[:]) {
			t.Errorf("%v, the server was told object %x", err, out.b)
		}
	}
}
