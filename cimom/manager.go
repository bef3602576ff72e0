package cimom

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// Options are the options of New; the zero value is the documented default.
type Options struct {
	// Logger receives failures of providers. Default: nothing is logged.
	Logger *slog.Logger
	// Server is the name of this host in paths, __SERVER. Default: the host
	// name without its domain, in capitals.
	Server string
	// OperationTimeout bounds every operation in which a provider works, and
	// the options of an operation may shorten it. Default: no bound.
	OperationTimeout time.Duration
	// Namespaces are made beside the standard ones, or replace their settings.
	Namespaces []Namespace
}

// Manager is the object manager. It is safe for use by several goroutines.
type Manager struct {
	log     *slog.Logger
	server  string
	timeout time.Duration
	stop    chan struct{}

	mu         sync.RWMutex
	namespaces map[string]*namespace // by folded name
	everywhere []Provider            // serve classes of every namespace
	sessions   map[*shared]struct{}
	closed     bool
}

var _ cim.Opener = (*Manager)(nil)

// New makes a manager with the standard namespaces and no classes but the
// system's own.
func New(o Options) *Manager {
	m := &Manager{
		log: o.Logger, server: o.Server, timeout: o.OperationTimeout, stop: make(chan struct{}),
		namespaces: map[string]*namespace{}, sessions: map[*shared]struct{}{},
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.server == "" {
		host, _ := os.Hostname()
		host, _, _ = strings.Cut(host, ".")
		m.server = strings.ToUpper(host)
	}
	for _, name := range standardNamespaces {
		m.namespaces[cim.Fold(name)] = newNamespace(Namespace{Name: name})
	}
	for _, n := range o.Namespaces {
		n.Name = namespaceName(n.Name)
		m.namespaces[cim.Fold(n.Name)] = newNamespace(n)
	}
	if err := m.Register(&systemProvider{manager: m}); err != nil {
		panic(err) // the classes are constants of this package
	}
	return m
}

// Server is the name of this host in paths.
func (m *Manager) Server() string { return m.server }

// Open begins a session of caller in a namespace. It fails with
// ErrInvalidNamespace, or with ErrAccessDenied where the caller may not read
// there. See [MS-WMI] 3.1.4.1.4.
func (m *Manager) Open(ctx context.Context, caller cim.Caller, name string, o cim.OpenOptions) (cim.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ns := m.namespace(name)
	if ns == nil {
		return nil, &cim.Error{Status: cim.ErrInvalidNamespace, Operation: "Open", Namespace: name}
	}
	if err := ns.check(caller, rightEnable); err != nil {
		return nil, m.describe(err, "Open", ns.name, "")
	}
	s := &session{manager: m, ns: ns, caller: caller, options: o, shared: &shared{open: map[*stream]struct{}{}}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, &cim.Error{Status: cim.ErrShuttingDown, Operation: "Open", Namespace: ns.name}
	}
	m.sessions[s.shared] = struct{}{}
	return s, nil
}

// Close ends every session and enumeration, and gives up the calls that are
// under way: they fail with ErrShuttingDown. It may be called twice.
func (m *Manager) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	close(m.stop)
	sessions := m.sessions
	m.sessions = map[*shared]struct{}{}
	m.mu.Unlock()
	for s := range sessions {
		s.close()
	}
	return nil
}

func (m *Manager) namespace(name string) *namespace {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.namespaces[cim.Fold(namespaceName(name))]
}
