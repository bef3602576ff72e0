package wmiserver

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// Options are the options of New; the zero value of each is the documented default.
type Options struct {
	// Opener opens the namespaces that clients ask for. It must be given.
	Opener cim.Opener
	// Caller tells who makes a call: with the token of the proven identity, the protection of this call and the address of the peer. An
	// error refuses the call. It must be given.
	Caller func(ctx context.Context, call *dcerpc.Call) (cim.Caller, error)
	// ServerName is the name of this host in objects whose class names none. Default: none.
	ServerName string
	// Repository backs up and restores what is stored. Default: none, and the interfaces for it answer WBEM_E_NOT_SUPPORTED.
	Repository Repository
	// Callbacks says how sinks of clients are called.
	Callbacks Callbacks
	// Limits bound what clients may have under way.
	Limits Limits
	// Logger receives why an asynchronous operation could not be delivered, and what clients say about themselves. Default: nothing.
	Logger *slog.Logger
}

// Server is the WMI service. It is safe for use by several goroutines.
type Server struct {
	o      Options
	log    *slog.Logger
	codec  wmio.Codec
	ledger *ledger
	calls  asyncTable
	// What the service has from package dcom, and a test from elsewhere.
	objects func(c *call, o object, iid security.GUID) (*dcom.ObjRef, error)
	again   func(c *call, oid uint64, iid security.GUID) (*dcom.ObjRef, error)
	dial    func(ctx context.Context, sink *dcom.ObjRef, host string, m manner) (proxy, error)
	paused  pause

	restoring  atomic.Bool
	refreshers refreshers

	base   context.Context // ends with Close; operations that outlive their call run in it
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup // goroutines of operations
}

// New makes a server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.withDefaults()
	s := &Server{o: o, log: o.Logger, ledger: newLedger(o.Limits)}
	s.refreshers.ledger = s.ledger
	s.codec.Server = o.ServerName
	s.codec.SpellDefaults, s.codec.EmptySignatures = true, true // for clients that do not read the other form
	s.objects, s.again, s.dial = exportAt, referTo, s.dialSink
	s.base, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the operations that are under way: those that go to sinks tell them so, within two seconds. Objects that clients have answer
// WBEM_E_SHUTTING_DOWN until their exporter is closed. It may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	_ = s.paused.end(nil) // if there is a pause
	s.wg.Wait()
}

// spawn runs f on a goroutine of the server, unless that is closed.
func (s *Server) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(f)
	}
	return !s.closed
}

// errClosed is what calls fail with after Close.
var errClosed = refuse(cim.ErrShuttingDown, "the service is being closed")

// export makes an object callable for the caller; if that fails it is released.
func (s *Server) export(c *call, o object, iid security.GUID) (*dcom.ObjRef, error) {
	ref, err := s.objects(c, o, iid)
	if err != nil {
		o.released()
		return nil, err
	}
	return ref, nil
}
