package wmiclient

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// Asynchronous operations: the host calls a sink of this client with the results. They need Options.Sinks, a way from the host to its ports, and a host
// that may call; a host that may not drops the operation without a word. The semisynchronous operations of cim.Session need none of that.

// Async is an asynchronous operation: its results, as they were pushed. Next gives them and then io.EOF or the failure.
type Async struct {
	s               *Session
	operation, path string
	services        *dcom.Proxy
	sink            *exported
	queue           *queue
	stop            context.CancelFunc // of watch
	watched         chan struct{}

	once sync.Once
	err  error // of Close
}

var _ cim.Enumerator = (*Async)(nil)

// errNoSinks is why an asynchronous operation does not begin.
var errNoSinks = &cim.Error{Status: cim.ErrAccessDenied, Detail: "nobody may call this client back (Options.Sinks); a semisynchronous operation needs no callback"}

var errNoAddress = &cim.Error{Status: cim.ErrTransportFailure, Detail: "the connection was lost before a sink could be made for its other end"}

// SubscribeAsync has the events of a query pushed. See [MS-WMI] 3.1.4.3.21.
func (s *Session) SubscribeAsync(ctx context.Context, query string, o cim.SubscribeOptions) (*Async, error) {
	return s.asyncQuery(ctx, "ExecNotificationQueryAsync", iwbem.OpExecNotificationQueryAsync, o.Language, query, 0, o.OperationOptions)
}

// QueryAsync has the rows of a query pushed; Batch and KeysOnly have no meaning. See [MS-WMI] 3.1.4.3.19.
func (s *Session) QueryAsync(ctx context.Context, query string, o cim.QueryOptions) (*Async, error) {
	flags := amended(o.Amended)
	if o.Prototype {
		flags |= wmi.FlagPrototype
	}
	return s.asyncQuery(ctx, "ExecQueryAsync", iwbem.OpExecQueryAsync, o.Language, query, flags, o.OperationOptions)
}

func (s *Session) asyncQuery(ctx context.Context, operation string, opnum uint16, language, query string, flags uint32, o cim.OperationOptions) (*Async, error) {
	if language == "" {
		language = "WQL"
	}
	return s.async(ctx, operation, query, "", opnum, o, func(values iwbem.Context, sink *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.QueryAsyncRequest{Language: iwbem.String{Text: language}, Query: iwbem.String{Text: query}, Flags: flags, Context: values, Sink: sink}
	})
}

// GetAsync has an instance or a class pushed. See [MS-WMI] 3.1.4.3.5.
func (s *Session) GetAsync(ctx context.Context, path cim.ObjectPath, o cim.GetOptions) (*Async, error) {
	o.Context = partialGet(o.Context, o.Properties, false)
	return s.asyncPath(ctx, "GetObjectAsync", iwbem.OpGetObjectAsync, path, amended(o.Amended), o.OperationOptions)
}

// EnumerateAsync has the instances of a class pushed, those of its subclasses too unless Polymorphism is cim.Shallow. See [MS-WMI] 3.1.4.3.17.
func (s *Session) EnumerateAsync(ctx context.Context, class string, o cim.EnumerateOptions) (*Async, error) {
	flags := uint32(0)
	if o.Polymorphism == cim.Shallow {
		flags = wmi.FlagShallow
	}
	o.Context = partialGet(o.Context, o.Properties, o.KeysOnly)
	return s.asyncPath(ctx, "CreateInstanceEnumAsync", iwbem.OpCreateInstanceEnumAsync, cim.ObjectPath{Class: class}, flags, o.OperationOptions)
}

// EnumerateClassesAsync has the subclasses of a class pushed, of none for "". See [MS-WMI] 3.1.4.3.11.
func (s *Session) EnumerateClassesAsync(ctx context.Context, superclass string, deep bool) (*Async, error) {
	flags := uint32(0)
	if !deep {
		flags = wmi.FlagShallow
	}
	return s.asyncPath(ctx, "CreateClassEnumAsync", iwbem.OpCreateClassEnumAsync, cim.ObjectPath{Class: superclass}, flags, cim.OperationOptions{})
}

func (s *Session) asyncPath(ctx context.Context, operation string, opnum uint16, path cim.ObjectPath, flags uint32, o cim.OperationOptions) (*Async, error) {
	text := path.Relative()
	return s.async(ctx, operation, text, path.Namespace, opnum, o, func(values iwbem.Context, sink *dcom.ObjRef) ndr.Marshaler {
		return &iwbem.PathAsyncRequest{Path: iwbem.String{Text: text}, Flags: flags, Context: values, Sink: sink}
	})
}

// async begins an operation with a sink of its own.
func (s *Session) async(ctx context.Context, operation, path, namespace string, opnum uint16, o cim.OperationOptions, in arguments) (*Async, error) {
	return s.asyncBy(ctx, s.do, operation, path, namespace, opnum, o, in)
}

// arguments are those of an operation, made with its context and the reference to its sink.
type arguments func(iwbem.Context, *dcom.ObjRef) ndr.Marshaler

// asyncBy is async through one of the ways to IWbemServices, do or change.
func (s *Session) asyncBy(ctx context.Context, by way, operation, path, namespace string, opnum uint16, o cim.OperationOptions, in arguments) (*Async, error) {
	a := &Async{s: s, operation: operation, path: path, watched: make(chan struct{})}
	if err := a.begin(ctx, by, namespace, opnum, o, in); err != nil {
		if a.sink != nil {
			a.sink.end()
		}
		return nil, s.fail(operation, path, err)
	}
	return a, nil
}

type way func(ctx context.Context, namespace string, f func(*Services) error) error

func (a *Async) begin(ctx context.Context, by way, namespace string, opnum uint16, o cim.OperationOptions, in arguments) error {
	s := a.s
	sinks := s.c.opts.Sinks
	if sinks == nil {
		return errNoSinks
	}
	values, err := iwbem.NewContext(o.Context)
	if err != nil {
		return err
	}
	a.queue = newQueue(s.c, sinks.queue())
	limited, stop := s.limit(ctx, o)
	defer stop()
	err = by(limited, namespace, func(v *Services) error {
		services := v.p
		if a.sink == nil {
			local, peer := services.Addrs()
			if peer == nil { // no call was made with this blanket
				p, err := services.QueryInterface(limited, wmi.IIDServices)
				if err != nil {
					return err
				}
				local, peer = p.Addrs()
				s.c.release(limited, p)
			}
			if peer == nil {
				return errNoAddress
			}
			if a.sink, err = sinks.host(limited, a.queue, local, peer, s.c.trace(ctx)); err != nil {
				return err
			}
		}
		a.services = services
		return s.c.call(limited, services, "IWbemServices::"+a.operation, opnum, in(values, a.sink.ref), &iwbem.StatusResponse{})
	})
	if err != nil {
		return err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = cancel
	s.mu.Lock()
	closed := s.closed
	if !closed {
		if s.others == nil {
			s.others = map[io.Closer]struct{}{}
		}
		s.others[a] = struct{}{}
	}
	s.mu.Unlock()
	go a.watch(life)
	if closed {
		a.Close() //nolint:errcheck // the session's end tells more
		return errClosed
	}
	return nil
}

// Ports tells where the host is to call.
func (a *Async) Ports() SinkPorts { return a.sink.ports }

// Reached is closed when the host has connected to this machine, which it does soon after the operation began, before there is anything to push.
func (a *Async) Reached() <-chan struct{} { return a.sink.reached }

// Next implements cim.Enumerator.
func (a *Async) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	objects, err := a.queue.next(ctx, limit)
	if errors.Is(err, io.EOF) {
		return objects, io.EOF
	}
	return objects, a.s.fail(a.operation, a.path, err)
}

// ErrNeverCalled is matched by the error of Async.Close where the host had dropped the operation before, without a word to the sink: it could not call it.
var ErrNeverCalled = errors.New("the host had dropped the operation: it could not call this machine, or was not permitted to")

// Close implements cim.Enumerator: it cancels the operation at the host, and ends the sink. Where the host had dropped it without telling the sink, that
// is the error; the host's own log has the reason.
func (a *Async) Close() error {
	a.once.Do(func() {
		a.s.mu.Lock()
		delete(a.s.others, a)
		a.s.mu.Unlock()
		a.stop()
		<-a.watched
		if !a.queue.ended() {
			a.err = a.cancel()
		}
		a.sink.end()
		a.queue.finish(&cim.Error{Status: cim.ErrCallCancelled, Detail: "the operation is closed"})
	})
	return a.err
}

// cancel is CancelAsyncCall, with a reference to the same object. See [MS-WMI] 3.1.4.3.2.
func (a *Async) cancel() error {
	ctx, stop := context.WithTimeout(context.Background(), releaseTimeout)
	defer stop()
	in := &iwbem.CancelAsyncCallRequest{Sink: a.sink.again()}
	err := a.s.c.call(ctx, a.services, "IWbemServices::CancelAsyncCall", iwbem.OpCancelAsyncCall, in, &iwbem.CancelAsyncCallResponse{})
	if err != nil && a.queue.ended() {
		return nil // it came to its end meanwhile
	}
	if cim.StatusOf(err) == cim.ErrNotFound {
		err = &cim.Error{Status: cim.ErrCallCancelled, Err: ErrNeverCalled, Remote: true}
	}
	return a.s.fail(a.operation, a.path, err)
}

// alive is how often the host is asked whether it still is there: one that is gone calls no sink any more.
const alive = 20 * time.Second

// watch ends the operation where the host is gone.
func (a *Async) watch(ctx context.Context) {
	defer close(a.watched)
	ticker := time.NewTicker(alive)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		limited, stop := context.WithTimeout(ctx, alive)
		p, err := a.services.QueryInterface(limited, wmi.IIDServices)
		stop()
		switch {
		case err == nil:
			a.s.c.release(ctx, p)
		case ctx.Err() != nil:
			return
		case isGone(err):
			a.s.c.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "an operation ends with its host", slog.String("host", a.s.c.host), slog.Any("error", err))
			a.queue.finish(&cim.Error{Status: cim.ErrTransportFailure, Detail: "the host's service has ended, and the operation with it", Err: err})
			return
		}
	}
}
