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

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/internal/systemd"
	"github.com/casementhq/casement/providers/host"
	"github.com/casementhq/casement/providers/stdregprov"
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
	// Listen opens listening sockets. Default: net.Listen.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Opener stands in for this machine's object manager, for a gateway or a
	// test.
	Opener cim.Opener
	// SOAPTrace takes the envelopes of WinRM, secrets blanked. Default: nowhere.
	SOAPTrace io.Writer
	Logger    *slog.Logger
}

// Service is a running Casement machine.
type Service struct {
	State *State
	WinRM *wsmanserver.Server
	// CIM is the object manager, or what stands in for it.
	CIM     cim.Opener
	manager *cimom.Manager // CIM, where nothing stands in for it
	log     *slog.Logger
}

// New makes a service over an open state folder. It does not listen yet.
func New(state *State, o Options) (*Service, error) {
	if o.Logger == nil {
		o.Logger = state.Logger
	}
	if o.Starter == nil {
		o.Starter = shell.Direct{}
	}
	s := &Service{State: state, CIM: o.Opener, log: o.Logger}
	people := &people{store: state.Accounts, state: state}
	if s.CIM == nil {
		manager, err := newManager(o, people)
		if err != nil {
			return nil, err
		}
		s.CIM, s.manager = manager, manager
	}
	wmiUsers, err := state.Accounts.LookupGroup("WinRMRemoteWMIUsers__")
	if err != nil {
		return nil, fmt.Errorf("find the group WinRMRemoteWMIUsers__: %w", err)
	}
	s.WinRM = wsmanserver.New(wsmanserver.Options{
		Configuration:  configuration{state},
		Opener:         s.CIM,
		Negotiate:      people.negotiate,
		CheckBasic:     people.checkBasic,
		Token:          people.token,
		LocalToken:     people.localToken,
		Starter:        o.Starter,
		UnixIdentity:   people.unixIdentity,
		RemoteWMIUsers: wmiUsers.SID,
		Listen:         o.Listen,
		OSVersion:      osVersion(),
		SOAPTrace:      o.SOAPTrace,
		Logger:         o.Logger,
	})
	return s, nil
}

// newManager makes the object manager with the providers of this machine.
func newManager(o Options, p *people) (*cimom.Manager, error) {
	launcher := &launcher{starter: o.Starter, people: p, log: o.Logger}
	hostOptions := host.Options{Log: o.Logger, Start: launcher.start, Account: p.accountOf}
	hostOptions.Files = p.files
	if systemd.Available(systemd.Options{}) {
		hostOptions.Services = host.Systemd(systemd.Options{})
		hostOptions.Power = func(ctx context.Context, action systemd.PowerAction) error {
			return systemd.Power(ctx, systemd.Options{}, action)
		}
	}
	m := cimom.New(cimom.Options{CreatorCaller: p.creatorCaller, Logger: o.Logger})
	if err := m.Register(host.New(hostOptions)); err != nil {
		return nil, fmt.Errorf("register the classes of this host: %w", err)
	}
	reg, err := stdregprov.New(stdregprov.Options{Hive: p.state.Hive, Log: o.Logger})
	if err != nil {
		return nil, fmt.Errorf("open the registry provider: %w", err)
	}
	if err := m.Register(reg); err != nil {
		return nil, fmt.Errorf("register the classes of the registry: %w", err)
	}
	return m, registerConsumers(m, o, p)
}

// closeManager ends what the object manager does for this service.
func (s *Service) closeManager() error {
	if s.manager == nil {
		return nil
	}
	return s.manager.Close()
}

// Serve listens for remote and local sessions until ctx ends. ready is called
// once the listeners are open; it may be nil. A service serves once.
func (s *Service) Serve(ctx context.Context, ready func()) error {
	local, err := s.listenLocal()
	if err != nil {
		return err
	}
	if s.manager != nil {
		if err := s.manager.Start(ctx); err != nil {
			s.log.Error("permanent subscriptions cannot be read", "error", err)
		}
	}
	failed := make(chan error, 1)
	if local != nil {
		go func() { failed <- s.WinRM.ServeLocal(local) }()
	}
	err = s.WinRM.Serve(ctx, ready)
	if local != nil {
		local.Close()
		err = errors.Join(err, <-failed)
	}
	return errors.Join(err, s.closeManager())
}

// socketName is where local sessions enter.
const socketName = "local.sock"

// maxSocketPath is the longest path that a Unix socket can have on every
// system.
const maxSocketPath = 100

// listenLocal opens STATE/local.sock. The caller is known by the credentials
// of the connection, so everybody may connect.
func (s *Service) listenLocal() (net.Listener, error) {
	path := filepath.Join(s.State.Dir, socketName)
	if len(path) > maxSocketPath {
		s.log.Warn("the state folder's path is too long for local.sock: no local sessions", "path", path)
		return nil, nil
	}
	// This process holds the hive, so a socket that is there is a left-over.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open local.sock: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open local.sock: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil { // #nosec G302 -- who connects is known by its credentials
		l.Close()
		return nil, fmt.Errorf("open local.sock: %w", err)
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
