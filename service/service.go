package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/shell"
	"github.com/casementhq/casement/wsman/wsmanserver"
)

// Options make a Service.
type Options struct {
	// Starter starts the commands of remote callers. Default: as the user of
	// this process.
	Starter shell.Starter
	// Tools are programs that remote commands find beside those of the machine.
	Tools Tools
	// Listen opens listening sockets. Default: net.Listen.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// PacketFilter has the kernel drop new connections to ports that this process
	// listens on; it replaces what it was told before. Default: nobody can.
	PacketFilter func(ctx context.Context, ports []firewall.KernelPort) error
	// Opener stands in for this machine's object manager, for a gateway or a
	// test.
	Opener cim.Opener
	// DCOMPort is the port of the endpoint mapper and activator of WMI over DCOM.
	// Default (0): ResolverPort, the only one that other clients find; negative: a
	// free one.
	DCOMPort int
	// Vendor and Product stand in for our own in an authenticated Identify, for a
	// simulated host.
	Vendor, Product string
	// Now is the clock by which tickets of Kerberos are judged. Default: time.Now.
	Now func() time.Time
	// NoDCOM switches WMI over DCOM off, whatever the configuration says.
	NoDCOM bool
	// SOAPTrace takes the envelopes of WinRM, secrets blanked. Default: nowhere.
	SOAPTrace io.Writer
	// Observer is told what the service does. Default: nobody.
	Observer Observer
	Logger   *slog.Logger
}

// Service is a running Casement machine.
type Service struct {
	State *State
	WinRM *wsmanserver.Server
	// CIM is the object manager, or what stands in for it.
	CIM     cim.Opener
	objects *objects // nil where something stands in
	dcom    *dcomHost
	account *machineAccount
	gate    *firewall.Gate
	kernel  *kernel
	log     *slog.Logger
	watched Observer // nil: nobody
}

// New makes a service over an open state folder. It does not listen yet.
func New(state *State, o Options) (*Service, error) {
	if o.Logger == nil {
		o.Logger = state.Logger
	}
	if o.Starter == nil {
		o.Starter = shell.Direct{}
	}
	o.Starter = toolStarter{o.Starter, o.Tools, state.Dir}
	s := &Service{State: state, CIM: o.Opener, log: o.Logger, watched: o.Observer, account: newMachineAccount(state)}
	people := &people{store: state.Accounts, state: state, winbind: newWinbind(state.Accounts), replays: krb5.NewReplays(), now: o.Now}
	s.gate = newGate(state, o.Logger)
	s.kernel = &kernel{service: s, program: o.PacketFilter, log: o.Logger}
	s.dcom = newDCOMHost(state, o, func(p dcomPorts) (io.Closer, error) { return s.serveDCOM(p, people) })
	if s.CIM == nil {
		var err error
		if s.objects, err = newObjects(state, o, people); err != nil {
			return nil, err
		}
		s.CIM = s.objects
		if err := s.objects.Register(&wmiService{s.dcom}); err != nil {
			return nil, errors.Join(fmt.Errorf("register the class of the WMI service: %w", err), s.Close())
		}
	}
	wmiUsers, err := state.Accounts.LookupGroup("WinRMRemoteWMIUsers__")
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("find the group WinRMRemoteWMIUsers__: %w", err)
	}
	winrm := wsmanserver.Options{
		Configuration:  configuration{state},
		Opener:         s.CIM,
		Negotiate:      people.negotiate,
		CredSSP:        people.credSSP,
		Kerberos:       people.kerberos,
		KerberosReady:  people.kerberosReady,
		CheckBasic:     people.checkBasic,
		Token:          people.token,
		CertMappings:   newCertMappings(state),
		LocalToken:     people.localToken,
		Starter:        o.Starter,
		UnixIdentity:   people.unixIdentity,
		RemoteWMIUsers: wmiUsers.SID,
		Listen:         o.Listen,
		OSVersion:      osVersion(),
		Vendor:         o.Vendor,
		Product:        o.Product,
		SOAPTrace:      o.SOAPTrace,
		Logger:         o.Logger,
		Admit:          func(local, remote net.Addr) bool { return s.gate.Admit(firewall.WinRM(), local, remote) == nil },
	}
	observeWinRM(&winrm, o.Observer)
	s.WinRM = wsmanserver.New(winrm)
	return s, nil
}

// Serve listens for remote and local sessions and for providers until ctx ends.
// ready is called once the listeners are open; it may be nil. The caller closes
// the service afterwards.
func (s *Service) Serve(ctx context.Context, ready func()) error {
	ends := map[net.Listener]func(net.Listener) error{}
	local, err := listenUnix(filepath.Join(s.State.Dir, socketName))
	if err != nil {
		return err
	}
	if local != nil {
		ends[local] = s.WinRM.ServeLocal
	}
	if s.objects != nil {
		if err := s.objects.Start(ctx); err != nil {
			s.log.Error("permanent subscriptions cannot be read", "error", err)
		}
		providers, err := s.objects.listen(s.State)
		if err != nil {
			return errors.Join(err, closeAll(ends))
		}
		if providers != nil {
			ends[providers] = s.objects.registrar.Serve
		}
	}
	if len(ends) == 0 {
		s.log.Warn("the state folder's path is too long for sockets: no local sessions and no decoupled providers", "path", s.State.Dir)
	}
	failed := make(chan error, len(ends))
	for l, serve := range ends {
		go func() { failed <- serve(l) }()
	}
	endDCOM, endKernel := s.dcom.serve(ctx), s.kernel.serve(ctx)
	err = errors.Join(s.WinRM.Serve(ctx, ready), endKernel(), endDCOM(), s.registrarClose(), closeAll(ends))
	for range ends {
		err = errors.Join(err, <-failed)
	}
	return err
}

func closeAll(ends map[net.Listener]func(net.Listener) error) error {
	var errs []error
	for l := range ends {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *Service) registrarClose() error {
	if s.objects == nil {
		return nil
	}
	return s.objects.registrar.Close()
}

// DCOM tells where WMI over DCOM is served now.
func (s *Service) DCOM() DCOMStatus { return s.dcom.status() }

// Close ends every session and closes the repository. The state folder stays
// open.
func (s *Service) Close() error {
	if s.objects == nil {
		return nil
	}
	return s.objects.Close()
}

// socketName is where local sessions enter.
const socketName = "local.sock"

// maxSocketPath is the longest path that a Unix socket can have on every
// system.
const maxSocketPath = 100

// listenUnix opens a socket of the state folder. Who connects is known by the
// credentials of the connection, so everybody who can enter the folder may.
// Where the path is too long for a socket there is none.
func listenUnix(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, nil
	}
	name := filepath.Base(path)
	// This process holds the hive, so a socket that is there is a left-over.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	if err := os.Chmod(path, 0o666); err != nil { // #nosec G302 -- who connects is known by its credentials
		l.Close()
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return l, nil
}

// configuration is the state folder as the WinRM server wants it.
type configuration struct{ *State }

func (c configuration) Update(f func(*registry.Tx) error) error { return c.Hive.Update(f) }

func (c configuration) Subscribe() (changes <-chan struct{}, cancel func()) {
	return c.Hive.Subscribe()
}

func (c configuration) Certificate(thumbprint string) (*tls.Certificate, error) {
	return c.Certificates.Find(thumbprint)
}

func (c configuration) Snapshot() *settings.Snapshot { return c.State.Snapshot() }

// osVersion is the kernel's version in the three numbers that Identify has
// room for.
func osVersion() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "0.0.0"
	}
	fields := strings.FieldsFunc(string(b), func(r rune) bool { return r < '0' || r > '9' })
	for len(fields) < 3 {
		fields = append(fields, "0")
	}
	return strings.Join(fields[:3], ".")
}
