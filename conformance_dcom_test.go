package casement_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/casementhq/casement/wmi/wmiserver"
)

// dcomHost serves an object manager by WMI over DCOM on loopback, to bob, who may do everything. It gives the port of the resolver.
func dcomHost(t *testing.T, o cim.Opener) uint16 {
	t.Helper()
	acceptor := func(dcerpc.AuthType, net.Addr) (auth.Acceptor, error) {
		return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: func() auth.Acceptor {
			return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "HOST", Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
				if !strings.EqualFold(user, "bob") {
					return [16]byte{}, auth.ErrLogonFailure
				}
				return ntlm.NTHash("Casement-1"), nil
			}})
		}}), nil
	}
	var listeners [2]net.Listener
	var at [2]netip.AddrPort
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], at[i] = l, netip.MustParseAddrPort(l.Addr().String())
	}
	groups := []security.GroupEntry{{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone}}
	server := wmiserver.New(wmiserver.Options{Opener: o, Caller: func(_ context.Context, call *dcerpc.Call) (cim.Caller, error) {
		return cim.Caller{
			Token: &security.Token{User: security.SIDLocalSystem, Groups: groups}, Remote: true, Protection: cim.Protection(call.Security.Level()),
			Impersonation: cim.ImpersonationImpersonate, Address: call.Peer.String(),
		}, nil
	}})
	resolver := dcom.NewResolver(dcom.ResolverOptions{Endpoint: dcom.Endpoint{Addr: at[0]}, Security: []dcom.SecurityBinding{{AuthnSvc: 9}}})
	exporter := resolver.NewExporter(dcom.ExporterOptions{Endpoint: dcom.Endpoint{Addr: at[1]}})
	activator := dcom.NewActivator(dcom.ActivatorOptions{})
	for clsid, class := range server.Classes(exporter) {
		activator.Register(clsid, class)
	}
	scm := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor})
	scm.Register(resolver.Interface())
	for _, i := range activator.Interfaces() {
		scm.Register(i)
	}
	for i, s := range []*dcerpc.Server{scm, dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor, Lookup: exporter.Lookup})} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := s.Serve(listeners[i]); !errors.Is(err, dcerpc.ErrServerClosed) {
				t.Errorf("Serve returns %v", err)
			}
		}()
		t.Cleanup(func() {
			s.Close()
			<-done
		})
	}
	t.Cleanup(func() {
		exporter.Close()
		resolver.Close()
		server.Close()
	})
	return at[0].Port()
}

// TestConformanceOverDCOM runs the suite of cim.Session over WMI over DCOM, and compares the answers with those of the object manager itself.
// They are equal but for what cimtest.LostByDCOM lists.
func TestConformanceOverDCOM(t *testing.T) {
	m := manager(t)
	want := cimtest.Transcript(t.Context(), session(t, dial(t, ".", casement.Options{Opener: system{m}})))
	c, err := wmiclient.New("127.0.0.1", wmiclient.Options{Credentials: auth.Credentials{Username: "bob", Password: "Casement-1"}, Port: dcomHost(t, m)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	open := func(t *testing.T) cim.Session {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s, err := c.Open(ctx, cim.Caller{}, cimtest.Namespace, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cimtest.Run(t, cimtest.Harness{Lost: cimtest.LostByDCOM, Open: open})
	s := open(t)
	defer s.Close()
	for _, diff := range cimtest.Compare(want, cimtest.Transcript(t.Context(), s), cimtest.LostByDCOM) {
		t.Error(diff)
	}
}
