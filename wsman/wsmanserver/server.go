package wsmanserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/audit"
	"github.com/casementhq/casement/quota"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/shell"
	"github.com/casementhq/casement/wsman/internal/httpauth"
	"github.com/casementhq/casement/wsman/wsmanserver/internal/shellhost"
)

// Configuration is the machine's configuration, which the server follows and
// which winrm/config changes.
type Configuration interface {
	// Snapshot is the configuration as it stands now.
	Snapshot() *settings.Snapshot
	// Update applies a change, all of it or nothing.
	Update(func(*registry.Tx) error) error
	// Subscribe tells of changes until cancel is called.
	Subscribe() (changes <-chan struct{}, cancel func())
	// Host are the facts of this machine that listeners depend on.
	Host() settings.Host
	// Certificate finds a certificate with its key by thumbprint.
	Certificate(thumbprint string) (*tls.Certificate, error)
}

// Peer is who is at the other end of a connection.
type Peer struct {
	Remote   net.Addr
	Bindings *auth.ChannelBindings // of the TLS connection, nil without one
}

// Options make a Server.
type Options struct {
	Configuration Configuration
	// Opener opens CIM sessions; nil serves no CIM resource.
	Opener cim.Opener
	// Negotiate makes the service's side of an exchange under Negotiate.
	Negotiate func(Peer) auth.Acceptor
	// CredSSP makes the service's side of an exchange under CredSSP; nil offers none.
	CredSSP func(Peer) (auth.Acceptor, error)
	// Kerberos makes the service's side of an exchange under Kerberos, while
	// KerberosReady says that there is a key for it. nil does not offer it.
	Kerberos      func(Peer) auth.Acceptor
	KerberosReady func() bool
	// CheckBasic verifies a password.
	CheckBasic func(ctx context.Context, user, password string, remote net.Addr) (auth.Identity, error)
	// Token makes the token of a proven identity: gate 4.
	Token func(ctx context.Context, id auth.Identity) (*security.Token, error)
	// LocalToken makes the token of a local caller, by its Unix user id. nil
	// serves no local session.
	LocalToken func(uid uint32) (*security.Token, error)
	// Starter starts the commands of shells; nil serves none.
	Starter shell.Starter
	// UnixIdentity is the Unix user as whom a caller's commands run.
	UnixIdentity func(cim.Caller) (shell.Identity, error)
	// RemoteWMIUsers is the group whose members may use the WMI plug-in; zero
	// for none.
	RemoteWMIUsers security.SID
	// Listen opens a listening socket. Default: net.Listen.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Admit says whether an address may reach a listener: gate 1. A connection that
	// may not is reset. Default: yes.
	Admit func(local, remote net.Addr) bool
	// CertMappings maps client certificates to accounts; nil serves none.
	CertMappings CertMappings
	// OSVersion is the version that an authenticated Identify tells, "0.0.0".
	OSVersion string
	// Vendor and Product are what an authenticated Identify tells in place of our
	// own, where a simulated host has them: "Microsoft Corporation" and "OS:
	// 6.1.7601 SP: 1.0 Stack: 2.0".
	Vendor, Product string
	// SOAPTrace takes every envelope that comes after authentication and every
	// answer to one, as they are inside of encryption, with secrets blanked as
	// [wsman.BlankSecrets] does. Default: nowhere.
	SOAPTrace io.Writer
	// Observer is told what the server does. Default: nobody.
	Observer Observer
	Logger   *slog.Logger
}

// Server is a WinRM service.
type Server struct {
	o      Options
	log    *slog.Logger
	audit  *audit.Log
	trace  *soapTrace
	ledger *quota.Ledger
	shells *shellhost.Host
	enums  enumerations
	cim    cimResource
	sddl   sddlCache

	base   context.Context // ends with Close
	cancel context.CancelFunc
	mu     sync.Mutex
	open   map[endpoint]*listening
	locals []*http.Server
	closed bool
	warned string              // the collisions that the log knows of
	failed map[endpoint]string // the listeners that cannot be opened, and why; of Serve
	wg     sync.WaitGroup

	refusing chan struct{} // one token for each refused connection that gets an answer
}

// New makes a server that does not listen yet.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Listen == nil {
		o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
			var lc net.ListenConfig
			return lc.Listen(ctx, network, address)
		}
	}
	if o.OSVersion == "" {
		o.OSVersion = "0.0.0"
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	s := &Server{o: o, log: o.Logger, audit: audit.New(o.Logger), trace: newSOAPTrace(o.SOAPTrace), open: map[endpoint]*listening{}, refusing: make(chan struct{}, maxRefusing)}
	s.cim.dmtf.DMTF = true
	s.base, s.cancel = context.WithCancel(context.Background())
	s.ledger = quota.New(quota.Options{Limits: s.limits, Plugin: s.pluginLimits})
	s.shells = shellhost.New(shellhost.Options{Starter: o.Starter, Ledger: s.ledger, Limits: s.shellLimits})
	s.enums.byID = map[string]*enumeration{}
	return s
}

func (s *Server) snapshot() *settings.Snapshot { return s.o.Configuration.Snapshot() }

func (s *Server) limits() quota.Limits {
	w := s.snapshot().WinRM
	return quota.Limits{
		MaxConnections:                 w.Service.MaxConnections,
		MaxConcurrentOperationsPerUser: w.Service.MaxConcurrentOperationsPerUser,
		MaxConcurrentUsers:             w.Winrs.MaxConcurrentUsers,
		MaxShellsPerUser:               w.Winrs.MaxShellsPerUser,
		MaxProcessesPerShell:           w.Winrs.MaxProcessesPerShell,
		MaxMemoryPerShellMB:            w.Winrs.MaxMemoryPerShellMB,
	}
}

func (s *Server) pluginLimits(name string) quota.PluginLimits {
	for _, p := range s.snapshot().Plugins {
		if p.Name == name {
			q := p.EffectiveQuotas()
			return quota.PluginLimits{
				MaxConcurrentOperations: q.MaxConcurrentOperations, MaxConcurrentOperationsPerUser: q.MaxConcurrentOperationsPerUser,
				MaxConcurrentUsers: q.MaxConcurrentUsers, MaxShells: q.MaxShells, MaxShellsPerUser: q.MaxShellsPerUser,
				MaxConcurrentCommandsPerShell: q.MaxConcurrentCommandsPerShell,
			}
		}
	}
	return quota.PluginLimits{}
}

func (s *Server) shellLimits() shellhost.Limits {
	w := s.snapshot().WinRM.Winrs
	return shellhost.Limits{IdleTimeout: w.EffectiveIdleTimeout(), MaxProcesses: w.MaxProcessesPerShell, MaxMemoryMB: w.MaxMemoryPerShellMB}
}

// interfacesEvery is how often listeners look for new addresses of the host.
const interfacesEvery = 30 * time.Second

// Serve listens as the configuration says and follows it until ctx ends. ready
// is called once the first listeners are open; it may be nil. A listener that
// cannot be opened is logged and tried again with every change.
func (s *Server) Serve(ctx context.Context, ready func()) error {
	changes, cancel := s.o.Configuration.Subscribe()
	defer cancel()
	tick := time.NewTicker(interfacesEvery)
	defer tick.Stop()
	all := s.reconcile(ctx)
	if ready != nil {
		ready()
	}
	for {
		var again <-chan time.Time
		if !all { // a port that is taken may be free soon
			again = time.After(retryEvery)
		}
		select {
		case <-changes:
		case <-tick.C:
		case <-again:
		case <-s.base.Done():
			return nil
		case <-ctx.Done():
			s.Close()
			return nil
		}
		all = s.reconcile(ctx)
	}
}

// retryEvery is how soon a listener that could not be opened is tried again.
const retryEvery = 2 * time.Second

// Listening lists the addresses on which the server listens, for a status and
// for tests that chose port 0.
func (s *Server) Listening() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, l := range s.open {
		list = append(list, l.net.Addr().String())
	}
	return list
}

// Close closes every listener, ends every shell and enumeration, and then the
// requests that are under way, which have five seconds.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	servers := s.locals
	for e, l := range s.open {
		servers = append(servers, l.http)
		delete(s.open, e)
	}
	s.locals = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), drainWait)
	defer cancel()
	var closing sync.WaitGroup
	for _, h := range servers {
		closing.Go(func() { s.shutdown(ctx, h) })
	}
	s.shells.Close()
	s.enums.closeAll()
	closing.Wait()
	s.cancel()
	s.wg.Wait()
}

// drainWait is how long requests under way have when their listener closes.
const drainWait = 5 * time.Second

// shutdown closes one HTTP server.
func (s *Server) shutdown(ctx context.Context, h *http.Server) {
	if h.Shutdown(ctx) != nil {
		if s.isClosed() {
			s.cancel() // the requests that are left
		}
		h.Close()
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// ServeLocal serves local sessions on a listener of Unix sockets, or of
// in-process connections that are [LocalConn]s, until it is closed.
func (s *Server) ServeLocal(l net.Listener) error {
	h := s.httpServer(&listening{local: true})
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return l.Close()
	}
	s.locals = append(s.locals, h)
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	err := h.Serve(&trackedListener{Listener: l, server: s, local: make(chan struct{}, maxLocal)})
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// maxLocal bounds the connections of local sessions.
const maxLocal = 256

// idleWait is how long a connection may rest between two requests; it counts
// among MaxConnections that long. See [MS-WSMV] note 22.
const idleWait = 2 * time.Minute

// httpServer makes the HTTP/1.1 server of one endpoint.
func (s *Server) httpServer(l *listening) *http.Server {
	wait := time.Duration(s.snapshot().WinRM.Service.MaxPacketRetrievalTimeSeconds) * time.Second
	h := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serveHTTP(l, w, r) }),
		ReadHeaderTimeout: min(wait, time.Hour),
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return s.base },
		// HTTP/2 would break authentication that belongs to a connection.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	if l.local {
		h.ConnContext = localContext
		return h
	}
	l.auth = s.authenticator(l)
	h.ConnState = l.auth.ConnState
	h.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return withWire(l.auth.ConnContext(ctx, c), c)
	}
	return h
}

// authenticator is gate 3 of one endpoint: the schemes that the configuration
// offers at the moment of a request.
func (s *Server) authenticator(l *listening) *httpauth.Server {
	a := &httpauth.Server{
		Schemes: func(r *http.Request) []string {
			service := &s.snapshot().WinRM.Service
			var list []string
			if service.Auth.Negotiate && s.o.Negotiate != nil {
				list = append(list, httpauth.Negotiate)
			}
			if service.Auth.Kerberos && s.o.Kerberos != nil && s.o.KerberosReady() {
				list = append(list, httpauth.Kerberos)
			}
			if service.Auth.CredSSP && s.o.CredSSP != nil {
				list = append(list, httpauth.CredSSP)
			}
			// A password must not even be asked for where it would come in clear.
			if service.Auth.Basic && s.o.CheckBasic != nil && (r.TLS != nil || service.AllowUnencrypted) {
				list = append(list, httpauth.Basic)
			}
			if service.Auth.Certificate && r.TLS != nil {
				list = append(list, httpauth.Certificate)
			}
			return list
		},
		CheckCertificate: s.certificates(),
		Acceptors:        map[string]func(httpauth.ConnInfo) auth.Acceptor{},
		Logger:           s.log,
	}
	if s.o.Negotiate != nil {
		a.Acceptors[httpauth.Negotiate] = func(c httpauth.ConnInfo) auth.Acceptor {
			return s.o.Negotiate(Peer{Remote: c.Remote, Bindings: c.Bindings})
		}
	}
	if s.o.CredSSP != nil {
		a.Acceptors[httpauth.CredSSP] = func(c httpauth.ConnInfo) auth.Acceptor {
			return s.credSSP(Peer{Remote: c.Remote, Bindings: c.Bindings})
		}
	}
	if s.o.Kerberos != nil {
		a.Acceptors[httpauth.Kerberos] = func(c httpauth.ConnInfo) auth.Acceptor {
			return s.o.Kerberos(Peer{Remote: c.Remote, Bindings: c.Bindings})
		}
	}
	if s.o.CheckBasic != nil {
		a.CheckBasic = s.o.CheckBasic
	}
	if l.cert != nil {
		a.Bindings = func(net.Conn) *auth.ChannelBindings { return auth.TLSServerEndPoint(l.cert.Leaf) }
	}
	return a
}
