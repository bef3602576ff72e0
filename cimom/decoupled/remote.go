package decoupled

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// remote is a provider that is somewhere else: each operation goes over a
// connection of its own, which goes back when it ended well. What a provider
// does wrong costs it that connection.
type remote struct {
	classes []*cim.Class
	// acquire waits for a connection that is free; release gives it back, or
	// drops it.
	acquire func(ctx context.Context, caller cim.Caller) (c *conn, release func(ok bool), err error)
	lookup  func(namespace string) Lookup
}

var (
	_ cimom.InstanceLister    = (*remote)(nil)
	_ cimom.InstanceGetter    = (*remote)(nil)
	_ cimom.InstanceWriter    = (*remote)(nil)
	_ cimom.MethodInvoker     = (*remote)(nil)
	_ cimom.AssociationWalker = (*remote)(nil)
	_ cimom.EventSource       = (*remote)(nil)
	_ cimom.EventPublisher    = (*remote)(nil)
	_ cimom.EventConsumer     = (*remote)(nil)
)

// Classes are the classes that the provider brings, none for a decoupled one:
// those are stored.
func (p *remote) Classes() []*cim.Class { return p.classes }

// ask makes what is common to every request.
func ask(op string, r *cimom.Request) *request {
	q := &request{Op: op, Namespace: r.Namespace, Class: r.Class.Name, Locales: r.Locales, Context: named(r.Context)}
	q.Caller.Remote = r.Caller.Remote
	if t := r.Caller.Token; t != nil {
		q.Caller.Account, q.Caller.SID = t.Domain+`\`+t.UserName, t.User.String()
	}
	for n := range r.Class.Properties {
		if r.WantsAt(n) {
			q.Properties = append(q.Properties, r.Class.Properties[n].Name)
		}
	}
	if len(q.Properties) == len(r.Class.Properties) {
		q.Properties = nil
	}
	for _, c := range r.Constraints {
		if q.Where == nil {
			q.Where = map[string]json.RawMessage{}
		}
		q.Where[r.Class.Properties[c.Property].Name] = appendValue(nil, c.Value)
	}
	return q
}

func keysOf(path cim.ObjectPath) map[string]json.RawMessage {
	o := map[string]json.RawMessage{}
	for _, k := range path.Keys {
		o[k.Name] = appendValue(nil, k.Value)
	}
	return o
}

// do runs one operation; each gets the instances.
func (p *remote) do(ctx context.Context, r *cimom.Request, q *request, each func(*cim.Instance) error) (reply, error) {
	line, err := json.Marshal(q)
	if err != nil {
		return reply{}, err
	}
	c, release, err := p.acquire(ctx, r.Caller)
	if err != nil {
		return reply{}, err
	}
	c.count(q)
	end, keep, err := p.exchange(ctx, c, r, line, each)
	release(keep)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		err = &cim.Error{Status: cim.ErrProviderFailure, Detail: "the provider's process ended the connection", Err: err}
	}
	return end, err
}

// exchange sends the request and reads until its end; keep tells whether the
// connection can serve another.
func (p *remote) exchange(ctx context.Context, c *conn, r *cimom.Request, line []byte, each func(*cim.Instance) error) (end reply, keep bool, err error) {
	if err := c.send(ctx, line); err != nil {
		return end, false, err
	}
	for {
		line, err := c.next(ctx)
		if err != nil {
			return end, false, err
		}
		end = reply{}
		if err := decode(line, &end); err != nil {
			return end, false, err
		}
		switch {
		case end.Error != nil:
			return end, true, end.Error.err()
		case end.Instance != nil:
			if each == nil {
				return end, false, broken("an instance that was not asked for")
			}
			i, err := instance(end.Instance, r.Class, p.lookup(r.Namespace), 0)
			if err != nil {
				return end, false, err
			}
			if err := each(i); err != nil {
				return end, false, err
			}
		case !end.Done:
			return end, false, broken("a line that is no instance, no end and no error")
		}
		if end.Done {
			return end, true, nil
		}
	}
}

// List asks for all instances.
func (p *remote) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	_, err := p.do(ctx, r, ask(opEnumerate, r), yield)
	return err
}

// Get asks for one instance, and looks for it in the list where the provider
// cannot do better.
func (p *remote) Get(ctx context.Context, r *cimom.Request, path cim.ObjectPath) (*cim.Instance, error) {
	var hit *cim.Instance
	q := ask(opGet, r)
	q.Path = keysOf(path)
	_, err := p.do(ctx, r, q, func(i *cim.Instance) error {
		hit = i
		return nil
	})
	if errors.Is(err, cim.ErrProviderNotCapable) {
		hit, err = nil, p.List(ctx, r, func(i *cim.Instance) error {
			for _, c := range r.Constraints {
				if !c.Holds(i) {
					return nil
				}
			}
			hit = i
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	if hit == nil {
		return nil, cim.ErrNotFound
	}
	return hit, nil
}

// Create makes an instance; the provider may answer with it, its keys set.
func (p *remote) Create(ctx context.Context, r *cimom.Request, i *cim.Instance) error {
	q := ask(opCreate, r)
	q.Instance = appendInstance(nil, i, nil)
	_, err := p.do(ctx, r, q, func(made *cim.Instance) error {
		for _, k := range i.Class().Keys() {
			if v := made.Get(i.Class().Properties[k].Name); !v.IsNull() {
				if err := i.SetAt(k, v); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return err
}

// Put changes the wanted properties of an instance. NULLs are sent: they are
// what the property becomes.
func (p *remote) Put(ctx context.Context, r *cimom.Request, i *cim.Instance) error {
	q := ask(opPut, r)
	q.Instance = appendInstance(nil, i, nil)
	if q.Properties == nil {
		for n := range r.Class.Properties {
			q.Properties = append(q.Properties, r.Class.Properties[n].Name)
		}
	}
	_, err := p.do(ctx, r, q, nil)
	return err
}

// Delete removes an instance.
func (p *remote) Delete(ctx context.Context, r *cimom.Request, path cim.ObjectPath) error {
	q := ask(opDelete, r)
	q.Path = keysOf(path)
	_, err := p.do(ctx, r, q, nil)
	return err
}

// Invoke runs a method.
func (p *remote) Invoke(ctx context.Context, r *cimom.Request, path cim.ObjectPath, method string, in cim.Arguments) (cim.Result, error) {
	q := ask(opInvoke, r)
	q.Properties = nil
	q.Method, q.In = method, named(in)
	if !path.IsClass() {
		q.Path = keysOf(path)
	}
	end, err := p.do(ctx, r, q, nil)
	if err != nil {
		return cim.Result{}, err
	}
	m := r.Class.Method(method)
	if m == nil {
		return cim.Result{}, cim.ErrInvalidMethod
	}
	var out cim.Result
	if m.Return != cim.Untyped {
		if out.ReturnValue, err = value(end.Return, m.Return, "", p.lookup(r.Namespace), 0); err != nil {
			return cim.Result{}, err
		}
	}
	for i := range m.Out {
		o := &m.Out[i]
		raw, ok := end.Out[o.Name]
		if !ok {
			continue
		}
		v, err := value(raw, o.Type, o.RefClass, p.lookup(r.Namespace), 0)
		if err != nil {
			return cim.Result{}, err
		}
		out.Out = append(out.Out, cim.NamedValue{Name: o.Name, Value: v})
	}
	return out, nil
}

// Walk asks for the associations of one object, or for all where the provider
// cannot do better.
func (p *remote) Walk(ctx context.Context, r *cimom.Request, source cim.ObjectPath, role string, yield func(*cim.Instance) error) error {
	q := ask(opAssociators, r)
	q.Source, q.Role = source.String(), role
	_, err := p.do(ctx, r, q, yield)
	if errors.Is(err, cim.ErrProviderNotCapable) {
		return p.List(ctx, r, yield)
	}
	return err
}

// Events holds a connection until ctx ends.
func (p *remote) Events(ctx context.Context, r *cimom.Request, emit func(*cim.Instance) error) error {
	_, err := p.do(ctx, r, ask(opEvents, r), emit)
	return err
}

// anybody is who publishes what a provider of its own process emits: its
// connections may be of several Unix users, none of which has an account here.
var anybody = &security.Token{Groups: []security.GroupEntry{{SID: security.SIDEveryone}}}

// Publisher is anybody: filters that admit some publishers only do not admit
// it.
func (p *remote) Publisher(*cimom.Request) *security.Token { return anybody }

// Consume hands events over. They are of any class, so that the provider gets
// each as an object that names its own.
func (p *remote) Consume(ctx context.Context, r *cimom.Request, consumer *cim.Instance, events []*cim.Instance) error {
	q := ask(opConsume, r)
	q.Instance = appendInstance(nil, consumer, nil)
	for _, e := range events {
		q.Events = append(q.Events, appendInstance(nil, e, nil))
	}
	_, err := p.do(ctx, r, q, nil)
	return err
}
