package wmiclient_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
	"github.com/casementhq/casement/wmi/wmiclient"
)

const password = "Casement-1"

// method serves one method of a fake object.
type method func(ctx context.Context, call *dcom.Call) ndr.Marshaler

// object is a fake object: its interfaces and their methods.
type object struct {
	h       *host
	name    string
	methods map[security.GUID]map[uint16]method
}

func (o *object) Interface(iid security.GUID) dcom.Handler {
	methods, ok := o.methods[iid]
	if !ok {
		return nil
	}
	return func(ctx context.Context, call *dcom.Call) (ndr.Marshaler, error) {
		m := methods[call.Opnum]
		if m == nil {
			return nil, &dcerpc.Fault{Status: dcerpc.StatusOpRange}
		}
		o.h.mu.Lock()
		o.h.levels[call.Security.Level()] = true
		o.h.mu.Unlock()
		return m(ctx, call), nil
	}
}

func (o *object) Released() {
	o.h.note("released " + o.name)
}

// host is a machine whose WMI does what a test says. What it does is noted.
type host struct {
	t        *testing.T
	port     uint16
	exporter *dcom.Exporter
	codec    wmio.Codec
	login    *object
	services *object

	mu     sync.Mutex
	notes  []string
	levels map[dcerpc.Level]bool
	oids   map[string]uint64 // of the last object of a name
}

func (h *host) note(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, s)
}

// noted takes the notes.
func (h *host) noted() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := strings.Join(h.notes, ", ")
	h.notes = nil
	return s
}

func (h *host) object(name string) *object {
	return &object{h: h, name: name, methods: map[security.GUID]map[uint16]method{}}
}

// request is what a method has as its arguments.
type request[R any] interface {
	*R
	ndr.Unmarshaler
}

// on makes o serve a method.
func on[R any, P request[R]](o *object, iid security.GUID, opnum uint16, f func(ctx context.Context, call *dcom.Call, r P) ndr.Marshaler) {
	if o.methods[iid] == nil {
		o.methods[iid] = map[uint16]method{}
	}
	o.methods[iid][opnum] = func(ctx context.Context, call *dcom.Call) ndr.Marshaler {
		r := P(new(R))
		if r.UnmarshalNDR(call.In); call.In.Err() != nil || call.In.Left() > 3 { // a verification trailer stands at a multiple of four
			o.h.t.Errorf("method %d of %s: %v, %d octets left", opnum, o.name, call.In.Err(), call.In.Left())
		}
		return f(ctx, call, r)
	}
}

// export makes an object for the caller.
func (h *host) export(call *dcom.Call, o *object, iid security.GUID) *dcom.ObjRef {
	ref, err := call.Exporter.Export(o, dcom.ExportOptions{IID: iid, Call: call})
	if err != nil {
		h.t.Error(err)
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.oids[o.name] = ref.Std.OID
	return ref
}

func (h *host) oid(name string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.oids[name]
}

// newHost begins a host whose login gives its services, which do nothing yet.
func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, levels: map[dcerpc.Level]bool{}, oids: map[string]uint64{}}
	h.login, h.services = h.object("login"), h.object("services")
	on(h.login, wmi.IIDLevel1Login, iwbem.OpEstablishPosition, func(_ context.Context, _ *dcom.Call, _ *iwbem.EstablishPositionRequest) ndr.Marshaler {
		h.note("EstablishPosition")
		return &iwbem.EstablishPositionResponse{Result: dcom.E_NOTIMPL}
	})
	on(h.login, wmi.IIDLevel1Login, iwbem.OpNTLMLogin, func(_ context.Context, call *dcom.Call, r *iwbem.NTLMLoginRequest) ndr.Marshaler {
		h.note("NTLMLogin " + r.NetworkResource.Text + " " + r.PreferredLocale.Text)
		if strings.Contains(r.NetworkResource.Text, "missing") {
			return &iwbem.NTLMLoginResponse{Result: uint32(cim.ErrInvalidNamespace)}
		}
		return &iwbem.NTLMLoginResponse{Ref: h.export(call, h.services, wmi.IIDServices)}
	})
	h.services.methods[wmi.IIDServices] = map[uint16]method{}

	acceptor := func(kind dcerpc.AuthType, _ net.Addr) (auth.Acceptor, error) {
		proof := func() auth.Acceptor {
			return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "HOST", Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
				if !strings.EqualFold(user, "bob") {
					return [16]byte{}, auth.ErrLogonFailure
				}
				return ntlm.NTHash(password), nil
			}})
		}
		if kind == dcerpc.AuthNTLM {
			return proof(), nil
		}
		return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: proof}), nil
	}
	var listeners [2]net.Listener
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = l
	}
	at := netip.MustParseAddrPort(listeners[0].Addr().String())
	h.port = at.Port()
	resolver := dcom.NewResolver(dcom.ResolverOptions{Endpoint: dcom.Endpoint{Addr: at}, Security: func() []dcom.SecurityBinding { return []dcom.SecurityBinding{{AuthnSvc: 10}} }})
	h.exporter = resolver.NewExporter(dcom.ExporterOptions{Endpoint: dcom.Endpoint{Addr: netip.MustParseAddrPort(listeners[1].Addr().String())}})
	activator := dcom.NewActivator(dcom.ActivatorOptions{})
	activator.Register(wmi.CLSIDLevel1Login, dcom.Class{Name: "WMI", Exporter: h.exporter, New: func(context.Context, dcom.Activation) (dcom.Object, error) {
		return h.login, nil
	}})
	scm := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor})
	scm.Register(resolver.Interface())
	for _, i := range activator.Interfaces() {
		scm.Register(i)
	}
	for i, s := range []*dcerpc.Server{scm, dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor, Lookup: h.exporter.Lookup})} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Serve(listeners[i]) //nolint:errcheck // it ends with Close
		}()
		t.Cleanup(func() {
			s.Close()
			<-done
		})
	}
	t.Cleanup(func() {
		h.exporter.Close()
		resolver.Close()
	})
	return h
}

func (h *host) options() wmiclient.Options {
	return wmiclient.Options{Credentials: auth.Credentials{Username: "bob", Password: password}, Port: h.port, MachineName: "CLIENT"}
}

// open opens root\test.
func (h *host) open(t *testing.T, o wmiclient.Options) cim.Session {
	t.Helper()
	c, err := wmiclient.New("127.0.0.1", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := c.Open(within(t), cim.Caller{}, "root/test", cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unit is an object as it travels.
func (h *host) unit(i *cim.Instance) iwbem.ClassObject {
	b, err := h.codec.AppendUnit(nil, i)
	if err != nil {
		h.t.Error(err)
	}
	return b
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func statusOf(t *testing.T, err error) cim.Status {
	t.Helper()
	var e *cim.Error
	if !errors.As(err, &e) {
		t.Errorf("%v is no *cim.Error", err)
		return 0
	}
	return e.Status
}

var thing = cim.NewClass("Thing", nil).Key("Number", cim.Uint32).Property("Name", cim.String).Build(`root\test`)

func things(n int) []*cim.Instance {
	list := make([]*cim.Instance, n)
	for i := range list {
		list[i] = cim.MakeInstance(thing, []cim.Value{cim.U32(uint32(i)), cim.Str("thing")})
	}
	return list
}
