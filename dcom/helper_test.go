package dcom_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

const password = "Casement-1"

// users may sign in, all with the same password.
var users = []string{"bob", "eve"}

func acceptor(dcerpc.AuthType, net.Addr) (auth.Acceptor, error) {
	return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "HOST", DNSName: "host.example", AllowAnonymous: true, Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
		for _, u := range users {
			if strings.EqualFold(user, u) {
				return ntlm.NTHash(password), nil
			}
		}
		return [16]byte{}, auth.ErrLogonFailure
	}}), nil
}

// as gives the blanket of a user.
func as(user string) dcom.Blanket {
	return dcom.Blanket{AuthType: dcerpc.AuthNTLM, Initiator: func(_, _ string) (auth.Initiator, error) {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: user, Password: password}}), nil
	}}
}

// Counters have ICounter, whose method 3 adds a number and answers the sum, method 4 makes another counter, method 5 tells about the call,
// method 6 fails with more about the error, method 7 takes as many minutes as it is told; and IOther, which has no methods.
var (
	clsidCounter = id(0xc0)
	iidCounter   = id(0xc1)
	iidOther     = id(0xc2)
	iidMissing   = id(0xc3)
)

func id(b byte) security.GUID { return security.GUID{0: b, 4: 0x7e, 15: b} }

type counter struct {
	world *world
	sum   atomic.Uint32
}

type number struct{ n uint32 }

func (a *number) MarshalNDR(e *ndr.Encoder)   { e.Uint32(a.n) }
func (a *number) UnmarshalNDR(d *ndr.Decoder) { a.n = d.Uint32() }

type sum struct{ n, result uint32 }

func (a *sum) MarshalNDR(e *ndr.Encoder)   { e.Uint32(a.n); e.Uint32(a.result) }
func (a *sum) UnmarshalNDR(d *ndr.Decoder) { a.n, a.result = d.Uint32(), d.Uint32() }

type object struct {
	ref    *dcom.ObjRef
	result uint32
}

func (a *object) MarshalNDR(e *ndr.Encoder) {
	if e.Pointer(a.ref != nil) {
		a.ref.MarshalNDR(e)
	}
	e.Uint32(a.result)
}

func (a *object) UnmarshalNDR(d *ndr.Decoder) {
	if d.Pointer() {
		a.ref = new(dcom.ObjRef)
		a.ref.UnmarshalNDR(d)
	}
	a.result = d.Uint32()
}

type facts struct {
	user   string
	level  uint32
	cid    security.GUID
	result uint32
}

func (a *facts) MarshalNDR(e *ndr.Encoder) {
	e.ConformantWideString(a.user)
	e.Uint32(a.level)
	e.GUID(a.cid)
	e.Uint32(a.result)
}

func (a *facts) UnmarshalNDR(d *ndr.Decoder) {
	a.user, a.level, a.cid, a.result = d.ConformantWideString(100), d.Uint32(), d.GUID(), d.Uint32()
}

type failing struct {
	dcom.ResultResponse
	info []byte
}

func (f *failing) ErrorInfo() []byte     { return f.info }
func (f *failing) SetErrorInfo(b []byte) { f.info = b }

func (c *counter) Interface(iid security.GUID) dcom.Handler {
	switch iid {
	case iidCounter:
		return c.serve
	case iidOther:
		return func(context.Context, *dcom.Call) (ndr.Marshaler, error) {
			return nil, errors.New("a secret of the inside")
		}
	}
	return nil
}

func (c *counter) Released() {
	c.world.released.Add(1)
	if c.world.clumsy.Load() {
		panic("a bug of the object")
	}
}

func (c *counter) serve(ctx context.Context, call *dcom.Call) (ndr.Marshaler, error) {
	switch call.Opnum {
	case 3:
		var in number
		if in.UnmarshalNDR(call.In); call.In.Err() != nil {
			return nil, call.In.Err()
		}
		return &sum{n: c.sum.Add(in.n)}, nil
	case 4:
		ref, err := call.Exporter.Export(&counter{world: c.world}, dcom.ExportOptions{IID: iidCounter, Call: call})
		if err != nil {
			return &object{result: dcom.E_OUTOFMEMORY}, nil
		}
		return &object{ref: ref}, nil
	case 5:
		return &facts{user: call.Security.Identity().User, level: uint32(call.Security.Level()), cid: call.This.CID}, nil
	case 7:
		var in number
		in.UnmarshalNDR(call.In)
		time.Sleep(time.Duration(in.n) * time.Minute)
		return &dcom.ResultResponse{}, nil
	case 6:
		text := "because"
		return &failing{dcom.ResultResponse{Result: dcom.E_FAIL}, (&dcom.ErrorInfo{IID: iidCounter, Description: &text}).ObjRef().Append(nil)}, nil
	}
	return nil, &dcerpc.Fault{Status: dcerpc.StatusOpRange}
}

// world is a machine with counters: a resolver and activator at one port, an exporter at another.
type world struct {
	host      string // as a client names it
	resolver  *dcom.Resolver
	exporter  *dcom.Exporter
	activator *dcom.Activator
	servers   []*dcerpc.Server
	addrs     []string
	released  atomic.Int32
	clumsy    atomic.Bool // its objects panic when they are released
}

type worldOptions struct {
	acceptor  func(dcerpc.AuthType, net.Addr) (auth.Acceptor, error) // nil: NTLM
	resolver  dcom.ResolverOptions
	exporter  dcom.ExporterOptions
	activator dcom.ActivatorOptions
}

// listener is where a server of a world listens; tests with a network of their own replace it.
func tcp(t testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newWorld(t testing.TB, o worldOptions, listen func(testing.TB) net.Listener) *world {
	t.Helper()
	w := &world{}
	if o.acceptor == nil {
		o.acceptor = acceptor
	}
	at, calls := listen(t), listen(t)
	o.resolver.Endpoint.Addr = netip.MustParseAddrPort(at.Addr().String())
	o.exporter.Endpoint.Addr = netip.MustParseAddrPort(calls.Addr().String())
	o.resolver.Security = func() []dcom.SecurityBinding { return []dcom.SecurityBinding{{AuthnSvc: 10}} }
	w.host = dcom.FormatStringBinding("127.0.0.1", o.resolver.Endpoint.Addr.Port())
	w.resolver = dcom.NewResolver(o.resolver)
	w.exporter = w.resolver.NewExporter(o.exporter)
	w.activator = dcom.NewActivator(o.activator)
	w.activator.Register(clsidCounter, dcom.Class{Name: "Counter", Exporter: w.exporter, New: func(context.Context, dcom.Activation) (dcom.Object, error) {
		return &counter{world: w}, nil
	}})
	scm := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: o.acceptor})
	scm.Register(w.resolver.Interface())
	for _, i := range w.activator.Interfaces() {
		scm.Register(i)
	}
	objects := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: o.acceptor, Lookup: w.exporter.Lookup})
	w.servers = []*dcerpc.Server{scm, objects}
	for i, l := range []net.Listener{at, calls} {
		w.addrs = append(w.addrs, l.Addr().String())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := w.servers[i].Serve(l); !errors.Is(err, dcerpc.ErrServerClosed) {
				t.Errorf("Serve returns %v", err)
			}
		}()
		t.Cleanup(func() {
			w.servers[i].Close()
			<-done
		})
	}
	t.Cleanup(func() {
		w.exporter.Close()
		w.resolver.Close()
	})
	return w
}

func newClient(t testing.TB, o dcom.ClientOptions) *dcom.Client {
	c := dcom.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// activate makes a counter.
func activate(t testing.TB, c *dcom.Client, w *world) *dcom.Proxy {
	t.Helper()
	p, err := c.Activate(within(t), w.host, clsidCounter, iidCounter)
	if err != nil {
		t.Fatal(err)
	}
	return p[0]
}

// add calls method 3.
func add(t testing.TB, p *dcom.Proxy, n uint32) (uint32, error) {
	t.Helper()
	var out sum
	err := p.Call(within(t), 3, &number{n}, &out)
	return out.n, err
}

func isResult(err error, code uint32) bool { return errors.Is(codeOf(err), &dcom.Error{HRESULT: code}) }

// codeOf strips an error to its code.
func codeOf(err error) error {
	var e *dcom.Error
	if errors.As(err, &e) {
		return &dcom.Error{HRESULT: e.HRESULT}
	}
	return err
}
