package fleetsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanserver"
)

// shared is what the hosts have in common: accounts, and settings that stay as
// they are. It is the wsmanserver.Configuration of each.
type shared struct {
	accounts *accounts.Store
	snapshot *settings.Snapshot
	find     func(thumbprint string) (*tls.Certificate, error)
	users    security.SID // WinRMRemoteWMIUsers__
}

// newShared gives each host one listener on all of its addresses.
func newShared(state *service.State, secure bool) (shared, error) {
	snapshot := *state.Snapshot()
	transport := "HTTP"
	if secure {
		transport = "HTTPS"
	}
	at := slices.IndexFunc(snapshot.Listeners, func(l settings.Listener) bool { return l.Transport == transport })
	if at < 0 {
		return shared{}, errors.New("the state has no listener for " + transport)
	}
	listener := snapshot.Listeners[at]
	listener.Address = "*"
	snapshot.Listeners = []settings.Listener{listener}
	group, err := state.Accounts.LookupGroup("WinRMRemoteWMIUsers__")
	if err != nil {
		return shared{}, fmt.Errorf("find the group WinRMRemoteWMIUsers__: %w", err)
	}
	return shared{accounts: state.Accounts, snapshot: &snapshot, find: state.Certificates.Find, users: group.SID}, nil
}

func (s shared) Snapshot() *settings.Snapshot { return s.snapshot }

func (shared) Update(func(*registry.Tx) error) error {
	return &cim.Error{Status: cim.ErrReadOnly, Detail: "the settings of a simulated host stay as they are"}
}

func (shared) Subscribe() (changes <-chan struct{}, cancel func()) { return nil, func() {} }

func (shared) Host() settings.Host { return settings.Host{} }

func (s shared) Certificate(thumbprint string) (*tls.Certificate, error) { return s.find(thumbprint) }

// serve runs a WinRM server for one host.
func (f *Fleet) serve(ctx context.Context, n int, l net.Listener) error {
	h := f.Hosts[n]
	server := wsmanserver.New(wsmanserver.Options{
		Configuration: f.shared,
		Opener:        &opener{f.objects, h},
		Negotiate:     func(p wsmanserver.Peer) auth.Acceptor { return f.shared.negotiate(h.Name, p) },
		Token: func(_ context.Context, id auth.Identity) (*security.Token, error) {
			t, err := f.shared.accounts.Token(id.User, accounts.TokenOptions{})
			return &t, err
		},
		RemoteWMIUsers: f.shared.users,
		Listen:         func(context.Context, string, string) (net.Listener, error) { return l, nil },
		OSVersion:      osVersion,
		Logger:         f.o.Logger,
	})
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- server.Serve(ctx, func() { close(ready) }) }()
	f.onClose(n, func() {
		server.Close()
		<-done
		_ = l.Close()
	})
	<-ready
	if len(server.Listening()) != 1 {
		return errors.New("the listener did not open")
	}
	return nil
}

// negotiate is NTLM under SPNEGO against the shared accounts.
func (s shared) negotiate(name string, p wsmanserver.Peer) auth.Acceptor {
	o := ntlm.AcceptorOptions{ChannelBindings: p.Bindings, NetBIOSName: name, Services: []string{"HTTP", "WSMAN", "HOST"},
		Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
			hash, err := s.accounts.NTHash("", user)
			if err != nil {
				err = fmt.Errorf("%w: %w", auth.ErrLogonFailure, err)
			}
			return hash, err
		}}
	return spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDNTLM, New: func() auth.Acceptor { return ntlm.NewAcceptor(o) }})
}

// opener opens sessions with the shared objects and tells the provider which
// host is asked.
type opener struct {
	cim.Opener
	host Host
}

// The named values by which the provider knows the host.
const (
	contextHost = "FleetHost"
	contextKind = "FleetKind"
)

func (o *opener) Open(ctx context.Context, caller cim.Caller, namespace string, opts cim.OpenOptions) (cim.Session, error) {
	opts.Context = append(opts.Context, cim.NamedValue{Name: contextHost, Value: cim.Str(o.host.Name)},
		cim.NamedValue{Name: contextKind, Value: cim.Str(string(o.host.Kind))})
	return o.Opener.Open(ctx, caller, namespace, opts)
}
