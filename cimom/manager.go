package cimom

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/internal/audit"
	"github.com/casementhq/casement/security"
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
	// Repository holds what users store; the manager does not close it.
	// Default: one in memory.
	Repository *repository.Repository
	// Backups is the folder that the backups of the repository go to and come
	// from. Default: none, and there are no backups through CIM.
	Backups string
	// Providers gives the provider that the stored instance of __Win32Provider
	// with that name in that namespace declares, for the classes whose Provider
	// qualifier names it; nil where it is not at hand: ErrProviderLoadFailure.
	// What it may do there its registrations say; its Classes are not asked, as
	// they are in the repository. Default: only built-in providers.
	Providers func(namespace, name string) Provider
	// ProviderCalls bounds how many calls of one provider may be under way; the
	// next one fails with ErrServerTooBusy. Default: ThreadsPerHost, where
	// somebody stored a __ProviderHostQuotaConfiguration, else 4096.
	ProviderCalls int
	// CreatorCaller gives the caller that a creator of permanent subscriptions
	// stands for; it is asked each time that events are handled. Administrators
	// are asked for by the SID of their group. Default: administrators stand for
	// AdministratorsToken, and the subscriptions of others do not run.
	CreatorCaller func(sid security.SID) (cim.Caller, error)
	// CreatorStores is told who is about to store a part of a permanent subscription; after an error it is not stored. It
	// must not write here. Default: nobody is.
	CreatorStores func(*security.Token) error
	// CurrentCaller gives a caller who subscribed a while ago as he is now, or the
	// reason why he may not have more: ErrAccessDenied. It is asked each time that
	// events are delivered, and for each poll. Default: as he was.
	CurrentCaller func(cim.Caller) (cim.Caller, error)
	// ProvidersChanged is told when other accounts than before may be the
	// providers of a namespace, or may have any rights there: its security, or a
	// stored __Win32Provider of it, changed. It must not write here.
	ProvidersChanged func(namespace string)
	// ProviderProcesses are the processes other than this one in which providers
	// are loaded. Default: none.
	ProviderProcesses func() []ProviderProcess
	// Namespaces are made beside the standard ones, or replace their settings.
	Namespaces []Namespace
}

// Manager is the object manager. It is safe for use by several goroutines.
type Manager struct {
	log       *slog.Logger
	server    string
	timeout   time.Duration
	calls     int // of one provider at a time
	providers func(namespace, name string) Provider
	stop      chan struct{}
	changed   func(namespace string)
	processes func() []ProviderProcess
	storage   *source // of what is stored
	system    *source // of the system classes that the manager serves
	events    *events
	audit     auditor

	repository *repository.Repository
	owned      bool // the repository is in memory and the manager's own
	backups    string
	changing   sync.Mutex // serialises changes of namespaces and their security
	failed     error      // why nothing can be opened
	warn       sync.Once

	mu         sync.RWMutex
	namespaces map[string]*namespace // by folded name
	everywhere []*source             // serve classes of every namespace
	sources    []*source             // of built-in providers
	others     map[string]*source    // by namespace and name, without their providers
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
		providers: o.Providers, changed: o.ProvidersChanged, others: map[string]*source{}, processes: o.ProviderProcesses, backups: o.Backups,
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.changed == nil {
		m.changed = func(string) {}
	}
	m.audit = auditor{audit.New(m.log)}
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
	if m.repository = o.Repository; m.repository == nil {
		m.repository, m.owned = repository.Memory(), true
	}
	if m.failed = m.load(context.Background()); m.failed != nil {
		m.log.Error("the repository cannot be read: nothing is served", "error", m.failed)
	}
	if err := m.registerSystem(); err != nil {
		panic(err) // the classes are constants of this program
	}
	if m.calls = o.ProviderCalls; m.calls <= 0 {
		m.calls = m.storedCalls(context.Background())
	}
	m.events = newEvents(m, o)
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
	if m.failed != nil {
		return nil, &cim.Error{Status: cim.ErrInitializationFailure, Operation: "Open", Namespace: name, Detail: "the repository cannot be read", Err: m.failed}
	}
	m.warn.Do(func() {
		for _, p := range m.unserved() {
			m.log.Warn("a stored class cannot be served", "class", p.Object, "error", p.Detail)
		}
	})
	ns := m.namespace(name)
	if ns == nil {
		return nil, &cim.Error{Status: cim.ErrInvalidNamespace, Operation: "Open", Namespace: name}
	}
	if err := m.admit(ns, caller, rightEnable); err != nil {
		return nil, m.describe(err, "Open", ns.name, "")
	}
	s := &session{manager: m, ns: ns, caller: caller, options: o, shared: newShared()}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, &cim.Error{Status: cim.ErrShuttingDown, Operation: "Open", Namespace: ns.name}
	}
	m.sessions[s.shared] = struct{}{}
	return s, nil
}

// Close ends every session and enumeration, and gives up the calls that are
// under way: they fail with ErrShuttingDown. Then it closes the providers. It
// may be called twice.
func (m *Manager) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	close(m.stop)
	sessions, sources := m.sessions, m.sources
	m.sessions = map[*shared]struct{}{}
	m.mu.Unlock()
	for s := range sessions {
		s.close()
	}
	m.events.close()
	var err error
	for _, s := range sources {
		if c, ok := s.provider.(io.Closer); ok {
			err = errors.Join(err, c.Close())
		}
	}
	if m.owned {
		err = errors.Join(err, m.repository.Close())
	}
	return err
}

func (m *Manager) namespace(name string) *namespace {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.namespaces[cim.Fold(namespaceName(name))]
}
