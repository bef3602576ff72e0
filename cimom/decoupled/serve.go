package decoupled

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// ServeOptions are the options of Serve and ServeStream.
type ServeOptions struct {
	// Provider answers the operations that it implements. Required. Its
	// Classes tell how instances are to be read.
	Provider cimom.Provider
	// Name is the name of the provider's __Win32Provider. Required.
	Name string
	// Namespace is where that instance is. Default: root\cimv2.
	Namespace string
	// Dial opens a connection to the service. Required by Serve.
	Dial func(context.Context) (io.ReadWriteCloser, error)
	// Connections bounds the operations at once. Default: 8.
	Connections int
	// Caller makes the caller of a request of what the service tells: account
	// and SID. Default: a token of that SID without groups.
	Caller func(account string, sid security.SID, remote bool) cim.Caller
}

func (o *ServeOptions) fill() {
	if o.Namespace == "" {
		o.Namespace = `root\cimv2`
	}
	if o.Connections == 0 {
		o.Connections = 8
	}
	if o.Caller == nil {
		o.Caller = func(account string, sid security.SID, remote bool) cim.Caller {
			return cim.Caller{Token: &security.Token{User: sid, UserName: account}, Remote: remote}
		}
	}
}

// Serve offers a provider to a service and answers its operations until ctx
// ends, or until the service refuses the provider or cannot be reached. It
// keeps one connection free for the next operation, up to Connections.
func Serve(ctx context.Context, o ServeOptions) error {
	o.fill()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	free, all := 0, 0
	var more func()
	busy := func(change int) {
		mu.Lock()
		free -= change
		mu.Unlock()
		if change > 0 {
			more()
		}
	}
	more = func() {
		mu.Lock()
		defer mu.Unlock()
		if free > 0 || all >= o.Connections || ctx.Err() != nil {
			return
		}
		free++
		all++
		wg.Go(func() {
			for again := true; again; {
				stream, err := o.Dial(ctx)
				welcome := false
				if err == nil {
					welcome, err = serveStream(ctx, stream, o, busy)
				}
				if !welcome {
					cancel(err)
				}
				// A connection that the service cut has done its work.
				mu.Lock()
				if again = ctx.Err() == nil && free == 1; !again {
					free--
					all--
				}
				mu.Unlock()
			}
		})
	}
	more()
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("serve the provider %s: %w", o.Name, err)
	}
	return nil
}

// ServeStream serves one operation after the other over a stream that is
// there already, as a provider host does over its standard input and output,
// until the stream or ctx ends.
func ServeStream(ctx context.Context, stream io.ReadWriteCloser, o ServeOptions) error {
	o.fill()
	_, err := serveStream(ctx, stream, o, func(int) {})
	return err
}

// serveStream tells too whether the service took the provider. busy hears of
// the begin and the end of each operation.
func serveStream(ctx context.Context, stream io.ReadWriteCloser, o ServeOptions, busy func(change int)) (welcome bool, err error) {
	c := newConn(stream)
	defer c.close()
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	line, err := json.Marshal(hello{Register: o.Name, Namespace: o.Namespace, Protocol: Protocol})
	if err != nil {
		return welcome, err
	}
	if err := c.send(ctx, line); err != nil {
		return welcome, err
	}
	if line, err = c.next(ctx); err != nil {
		return welcome, err
	}
	var h hello
	if err := decode(line, &h); err != nil {
		return welcome, err
	}
	if h.Error != nil {
		return false, h.Error.err()
	}
	welcome = true
	a := &answerer{ServeOptions: o, conn: c, classes: map[string]*cim.Class{}}
	for _, class := range o.Provider.Classes() {
		a.classes[cim.Fold(class.Name)] = class
	}
	for {
		line, err := c.next(ctx)
		if err != nil {
			return welcome, err
		}
		busy(1)
		err = a.answer(ctx, line)
		busy(-1)
		if err != nil {
			return welcome, err
		}
	}
}

// answerer answers the requests of one connection.
type answerer struct {
	ServeOptions
	conn    *conn
	classes map[string]*cim.Class
	buffer  []byte
}

// flushAt is how much of an answer is gathered before it is written.
const flushAt = 32 << 10

func (a *answerer) flush(ctx context.Context) error {
	if len(a.buffer) == 0 {
		return nil
	}
	stop := context.AfterFunc(ctx, a.conn.close)
	defer stop()
	_, err := a.conn.stream.Write(a.buffer)
	a.buffer = a.buffer[:0]
	return err
}

// answer answers one request; its error ends the connection. The operation's
// context ends with the connection, so that a service that gives up is heard.
func (a *answerer) answer(ctx context.Context, line []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-a.conn.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	var q request
	err := decode(line, &q)
	if err == nil {
		err = a.run(ctx, &q)
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f, merr := json.Marshal(struct {
			Error *fault `json:"error"`
		}{faultOf(err)})
		if merr != nil {
			return merr
		}
		a.buffer = append(append(a.buffer, f...), '\n')
	}
	return a.flush(ctx)
}

// run runs the operation and gathers its answer.
func (a *answerer) run(ctx context.Context, q *request) error {
	class := a.classes[cim.Fold(q.Class)]
	if class == nil {
		return &cim.Error{Status: cim.ErrInvalidClass, Detail: "the provider does not know the class"}
	}
	r, err := a.request(q, class)
	if err != nil {
		return err
	}
	switch q.Op {
	case opEnumerate:
		if p, ok := a.Provider.(cimom.InstanceLister); ok {
			return a.finish(p.List(ctx, r, func(i *cim.Instance) error { return a.emit(ctx, r, i) }))
		}
	case opAssociators:
		source, err := cim.ParsePath(q.Source)
		if err != nil {
			return err
		}
		if p, ok := a.Provider.(cimom.AssociationWalker); ok {
			return a.finish(p.Walk(ctx, r, source, q.Role, func(i *cim.Instance) error { return a.emit(ctx, r, i) }))
		}
	case opEvents:
		if p, ok := a.Provider.(cimom.EventSource); ok {
			var mu sync.Mutex // events come from several goroutines
			return a.finish(p.Events(ctx, r, func(i *cim.Instance) error {
				mu.Lock()
				defer mu.Unlock()
				if err := a.emit(ctx, r, i); err != nil {
					return err
				}
				return a.flush(ctx)
			}))
		}
	case opGet:
		return a.get(ctx, q, r)
	case opCreate, opPut, opDelete:
		return a.write(ctx, q, r)
	case opInvoke:
		return a.invoke(ctx, q, r)
	case opConsume:
		return a.consume(ctx, q, r)
	}
	return &cim.Error{Status: cim.ErrProviderNotCapable, Detail: "the provider does not have this operation"}
}

// finish appends the end of a good answer.
func (a *answerer) finish(err error) error {
	if err == nil {
		a.buffer = append(a.buffer, `{"done":true}`+"\n"...)
	}
	return err
}

func (a *answerer) emit(ctx context.Context, r *cimom.Request, i *cim.Instance) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.buffer = append(a.buffer, `{"instance":`...)
	a.buffer = appendInstance(a.buffer, i, r.WantsAt)
	a.buffer = append(a.buffer, '}', '\n')
	if len(a.buffer) < flushAt {
		return nil
	}
	return a.flush(ctx)
}

// request makes the request that the provider gets.
func (a *answerer) request(q *request, class *cim.Class) (*cimom.Request, error) {
	sid, err := security.ParseSID(q.Caller.SID)
	if err != nil && q.Caller.SID != "" {
		return nil, broken("the caller's SID: %v", err)
	}
	r := &cimom.Request{
		Caller: a.Caller(q.Caller.Account, sid, q.Caller.Remote), Locales: q.Locales, Namespace: q.Namespace, Class: class,
	}
	if q.Properties != nil {
		r.Want(q.Properties)
	}
	for name, raw := range q.Where {
		n := class.PropertyIndex(name)
		if n < 0 {
			return nil, broken("the class has no property %.64q", name)
		}
		v, err := a.value(raw, class.Properties[n].Type, class.Properties[n].RefClass)
		if err != nil {
			return nil, err
		}
		r.Constraints = append(r.Constraints, wql.Constraint{Property: n, Value: v})
	}
	for name, raw := range q.Context {
		var any any
		if err := decode(raw, &any); err != nil {
			return nil, err
		}
		if s, ok := any.(string); ok {
			r.Context = append(r.Context, cim.NamedValue{Name: name, Value: cim.Str(s)})
			continue
		}
		r.Context = append(r.Context, cim.NamedValue{Name: name, Value: cim.Text(string(raw))})
	}
	return r, nil
}

func (a *answerer) value(raw json.RawMessage, t cim.Type, refClass string) (cim.Value, error) {
	var x any
	if err := decode(raw, &x); err != nil {
		return cim.Value{}, err
	}
	return value(x, t, refClass, a.find, 0)
}

func (a *answerer) find(class string) *cim.Class { return a.classes[cim.Fold(class)] }

func (a *answerer) instance(raw json.RawMessage, class *cim.Class) (*cim.Instance, error) {
	var o map[string]any
	if err := decode(raw, &o); err != nil {
		return nil, err
	}
	return instance(o, class, a.find, 0)
}

// path makes a path of keys; without keys it names the class.
func (a *answerer) path(q *request, class *cim.Class) (cim.ObjectPath, error) {
	path := cim.ObjectPath{Namespace: q.Namespace, Class: class.Name, Singleton: class.IsSingleton() && q.Path != nil}
	for name, raw := range q.Path {
		p := class.Property(name)
		if p == nil {
			return path, broken("the class has no key %.64q", name)
		}
		v, err := a.value(raw, p.Type, p.RefClass)
		if err != nil {
			return path, err
		}
		path.Keys = append(path.Keys, cim.Key{Name: p.Name, Value: v})
	}
	return path, nil
}

func (a *answerer) get(ctx context.Context, q *request, r *cimom.Request) error {
	p, ok := a.Provider.(cimom.InstanceGetter)
	if !ok {
		return cim.ErrProviderNotCapable
	}
	path, err := a.path(q, r.Class)
	if err != nil {
		return err
	}
	i, err := p.Get(ctx, r, path)
	if err != nil {
		return err
	}
	return a.finish(a.emit(ctx, r, i))
}

func (a *answerer) write(ctx context.Context, q *request, r *cimom.Request) error {
	p, ok := a.Provider.(cimom.InstanceWriter)
	if !ok {
		return cim.ErrProviderNotCapable
	}
	if q.Op == opDelete {
		path, err := a.path(q, r.Class)
		if err != nil {
			return err
		}
		return a.finish(p.Delete(ctx, r, path))
	}
	i, err := a.instance(q.Instance, r.Class)
	if err != nil {
		return err
	}
	if q.Op == opPut {
		return a.finish(p.Put(ctx, r, i))
	}
	if err := p.Create(ctx, r, i); err != nil {
		return err
	}
	return a.finish(a.emit(ctx, r, i))
}

func (a *answerer) invoke(ctx context.Context, q *request, r *cimom.Request) error {
	p, ok := a.Provider.(cimom.MethodInvoker)
	m := r.Class.Method(q.Method)
	if !ok || m == nil {
		return cim.ErrInvalidMethod
	}
	path, err := a.path(q, r.Class)
	if err != nil {
		return err
	}
	var in cim.Arguments
	for n := range m.In {
		param := &m.In[n]
		v := cim.Null(param.Type)
		for name, raw := range q.In {
			if cim.EqualFold(name, param.Name) {
				if v, err = a.value(raw, param.Type, param.RefClass); err != nil {
					return err
				}
			}
		}
		in = append(in, cim.NamedValue{Name: param.Name, Value: v})
	}
	result, err := p.Invoke(ctx, r, path, m.Name, in)
	if err != nil {
		return err
	}
	a.buffer = append(a.buffer, `{"done":true,"return":`...)
	a.buffer = appendValue(a.buffer, result.ReturnValue)
	a.buffer = append(a.buffer, `,"out":{`...)
	for n, v := range result.Out {
		if n > 0 {
			a.buffer = append(a.buffer, ',')
		}
		a.buffer = appendString(a.buffer, v.Name)
		a.buffer = append(a.buffer, ':')
		a.buffer = appendValue(a.buffer, v.Value)
	}
	a.buffer = append(a.buffer, "}}\n"...)
	return nil
}

func (a *answerer) consume(ctx context.Context, q *request, r *cimom.Request) error {
	p, ok := a.Provider.(cimom.EventConsumer)
	if !ok {
		return cim.ErrProviderNotCapable
	}
	consumer, err := a.instance(q.Instance, r.Class)
	if err != nil {
		return err
	}
	var events []*cim.Instance
	for _, raw := range q.Events {
		var o map[string]any
		if err := decode(raw, &o); err != nil {
			return err
		}
		name, _ := o[className].(string)
		class := a.find(name)
		if class == nil {
			return &cim.Error{Status: cim.ErrInvalidClass, Detail: "the provider does not know the class of the event"}
		}
		e, err := instance(o, class, a.find, 0)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	return a.finish(p.Consume(ctx, r, consumer, events))
}
