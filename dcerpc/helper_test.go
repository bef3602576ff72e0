package dcerpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
)

// A made-up interface: operation 0 answers with its argument, 1 waits until it is cancelled, 2 tells who calls, 3 panics, 4 fails with a secret, 5
// answers with as many octets as it is asked for, 6 tells the object.
var echoID = dcerpc.Syntax("60a15ec5-4de8-11d7-a637-005056a20182", 1, 2)

type bytesArg struct{ b []byte }

func (a *bytesArg) MarshalNDR(e *ndr.Encoder)   { e.Bytes(a.b) }
func (a *bytesArg) UnmarshalNDR(d *ndr.Decoder) { a.b = d.Bytes(1 << 24) }

type numberArg struct{ n uint32 }

func (a *numberArg) MarshalNDR(e *ndr.Encoder)   { e.Uint32(a.n) }
func (a *numberArg) UnmarshalNDR(d *ndr.Decoder) { a.n = d.Uint32() }

// echo serves the interface; waits receives when operation 1 begins and when it ends.
func echo(min dcerpc.Level, waits chan<- string) *dcerpc.Interface {
	return &dcerpc.Interface{ID: echoID, Name: "echo", MinLevel: min, Serve: func(ctx context.Context, call *dcerpc.Call) error {
		switch call.Opnum {
		case 0:
			b := call.In.Bytes(1 << 24)
			if err := call.In.Err(); err != nil {
				return err
			}
			call.Out.Bytes(b)
		case 1:
			waits <- "begun"
			<-ctx.Done()
			waits <- "ended"
			return ctx.Err()
		case 2:
			call.Out.Bytes([]byte(fmt.Sprintf("%s at %s", call.Security.Identity(), call.Security.Level())))
		case 3:
			panic("secret")
		case 4:
			return errors.New("secret")
		case 5:
			n := call.In.Uint32()
			call.Out.Count(int(n))
			call.Out.Grow(int(n))
		case 6:
			call.Out.Bytes(call.Object[:])
		default:
			return &dcerpc.Fault{Status: dcerpc.StatusOpRange}
		}
		return nil
	}}
}

const password = "Casement-1"

func ntlmAcceptor() auth.Acceptor {
	return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "HOST", AllowAnonymous: true, Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
		if !strings.EqualFold(user, "bob") {
			return [16]byte{}, auth.ErrLogonFailure
		}
		return ntlm.NTHash(password), nil
	}})
}

func acceptor(t dcerpc.AuthType, _ net.Addr) (auth.Acceptor, error) {
	switch t {
	case dcerpc.AuthNTLM:
		return ntlmAcceptor(), nil
	case dcerpc.AuthSPNEGO:
		return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: ntlmAcceptor}), nil
	}
	return nil, auth.ErrUnsupported
}

func initiator(t dcerpc.AuthType, user, pass string) auth.Initiator {
	start := func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: user, Password: pass}})
	}
	if t == dcerpc.AuthSPNEGO {
		return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: start})
	}
	return start()
}

// serve listens on a free port until the test ends.
func serve(t testing.TB, opts dcerpc.ServerOptions, interfaces ...*dcerpc.Interface) string {
	t.Helper()
	if opts.Acceptor == nil {
		opts.Acceptor = acceptor
	}
	s := dcerpc.NewServer(opts)
	for _, i := range interfaces {
		s.Register(i)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, dcerpc.ErrServerClosed) {
			t.Errorf("Serve returns %v", err)
		}
	})
	return l.Addr().String()
}

func dial(t testing.TB, addr string, opts dcerpc.Options) *dcerpc.Conn {
	t.Helper()
	c, err := dcerpc.Dial(context.Background(), "tcp", addr, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
