package dcerpc_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
)

// legs is a mechanism of the shape of Kerberos in DCE style: three legs, of which the initiator sends the last, and signatures whose length depends
// on whether the message is encrypted.
type legs struct {
	initiator bool
	step      int
	done      bool
}

func (l *legs) Step(_ context.Context, in []byte) ([]byte, bool, error) {
	l.step++
	want := [][]byte{nil, []byte("AP-REP")}
	say := [][]byte{bytes.Repeat([]byte("ticket "), 1500), []byte("AP-REP of DCE")}
	if !l.initiator {
		want, say = say, [][]byte{[]byte("AP-REP"), nil}
	}
	if l.step > 2 || !bytes.Equal(in, want[l.step-1]) {
		return nil, false, auth.ErrBadToken
	}
	l.done = l.step == 2
	return say[l.step-1], l.done, nil
}

func (l *legs) Context() auth.Context {
	if !l.done {
		return nil
	}
	return &shaped{}
}

// shaped signs with 28 octets and seals with 60, as AES does, and encrypts by complement.
type shaped struct{ in, out byte }

func (s *shaped) Identity() auth.Identity {
	return auth.Identity{User: "bob@REALM", Mechanism: auth.Kerberos, Protected: true}
}
func (s *shaped) SessionKey() []byte               { return nil }
func (s *shaped) SignatureSize() int               { return 60 }
func (s *shaped) SignatureSizes() (sign, seal int) { return 28, 60 }
func (s *shaped) sum(bufs []auth.Buffer, size int, n byte) []byte {
	h := hmac.New(sha256.New, []byte{n, byte(len(bufs))})
	for _, b := range bufs {
		h.Write(b.Data)
	}
	return append(h.Sum(nil), make([]byte, 60)...)[:size]
}

func flip(bufs []auth.Buffer) {
	for _, b := range bufs {
		for i := range b.Data {
			if !b.SignOnly {
				b.Data[i] ^= 0xff
			}
		}
	}
}

func (s *shaped) Seal(bufs []auth.Buffer) ([]byte, error) {
	s.out++
	sig := s.sum(bufs, 60, s.out)
	flip(bufs)
	return sig, nil
}

func (s *shaped) Sign(bufs []auth.Buffer) ([]byte, error) {
	s.out++
	return s.sum(bufs, 28, s.out), nil
}

func (s *shaped) Unseal(bufs []auth.Buffer, sig []byte) error {
	flip(bufs)
	return s.check(bufs, sig, 60)
}

func (s *shaped) Verify(bufs []auth.Buffer, sig []byte) error { return s.check(bufs, sig, 28) }

func (s *shaped) check(bufs []auth.Buffer, sig []byte, size int) error {
	s.in++
	if !bytes.Equal(sig, s.sum(bufs, size, s.in)) {
		return auth.ErrMessageAltered
	}
	return nil
}

func TestKerberosShape(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{Acceptor: func(k dcerpc.AuthType, _ net.Addr) (auth.Acceptor, error) {
		if k != dcerpc.AuthKerberos {
			return nil, errors.New("not known")
		}
		return &legs{}, nil
	}}, echo(0, nil))
	for _, level := range []dcerpc.Level{4, 5, 6} {
		c := dial(t, addr, dcerpc.Options{})
		b, err := c.Bind(timeout(t), echoID, c.NewSecurity(dcerpc.AuthKerberos, level, &legs{initiator: true}))
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 10, 5748, 5752, 40000} {
			in, out := bytesArg{bytes.Repeat([]byte{3}, size)}, bytesArg{}
			if err := b.Call(timeout(t), 0, none, &in, &out); err != nil || !bytes.Equal(in.b, out.b) {
				t.Fatalf("%v, %d octets: %v", level, size, err)
			}
		}
		var who bytesArg
		if err := b.Call(timeout(t), 2, none, nil, &who); err != nil || string(who.b) != "bob@REALM at "+level.String() {
			t.Errorf("%v, %q", err, who.b)
		}
	}
}

func TestTrace(t *testing.T) {
	addr := serve(t, dcerpc.ServerOptions{}, echo(0, nil))
	var events []string
	add := func(s string) { events = append(events, s) }
	c := dial(t, addr, dcerpc.Options{Trace: &dcerpc.Trace{
		Connected: func(address string, err error) { add("connected " + address) },
		Bound:     func(id, transfer dcerpc.SyntaxID, err error) { add("bound " + transfer.String()) },
		Authenticated: func(k dcerpc.AuthType, l dcerpc.Level, id auth.Identity, err error) {
			add(id.String() + " " + l.String())
		},
		Request:  func(_ dcerpc.SyntaxID, opnum uint16, stub []byte) { add("request " + string(stub[8:])) },
		Response: func(_ dcerpc.SyntaxID, opnum uint16, stub []byte, err error) { add("response " + string(stub[8:])) },
		Closed:   func(err error) { add(err.Error()) },
	}})
	b, err := c.Bind(timeout(t), echoID, c.NewSecurity(dcerpc.AuthNTLM, 6, initiator(dcerpc.AuthNTLM, "bob", password)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Call(timeout(t), 0, none, &bytesArg{[]byte("hello")}, &bytesArg{}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	want := []string{"connected " + addr, "bob privacy", "bound " + dcerpc.NDR64.String(), "request hello", "response hello", dcerpc.ErrClosed.Error()}
	for i, w := range want {
		if i >= len(events) || events[i] != w {
			t.Fatalf("events %q, want %q", events, want)
		}
	}
}
