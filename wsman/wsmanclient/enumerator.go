package wsmanclient

import (
	"context"
	"errors"
	"io"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// enumerator is a stream of instances: one batch of them at a time.
type enumerator struct {
	s               *Session
	p               *pager
	dec             *decoder
	operation, path string
	keysOnly        bool
	project         *projection
	missing         cim.Status

	batch []*cim.Instance
	end   error
}

// enumerate opens an enumeration of instances.
func (s *Session) enumerate(ctx context.Context, target wsman.EPR, o EnumerateOptions, e *enumerator) (cim.Enumerator, error) {
	if e.dec == nil {
		e.dec = s.decoder(ctx)
	}
	if e.keysOnly {
		o.Mode = wsman.EnumerateEPR
	}
	var first *wsman.Message
	err := s.stream(e, func() (p *pager, err error) {
		p, first, err = s.c.open(ctx, target, o)
		return p, err
	})
	if err != nil {
		return nil, err
	}
	if err := e.read(ctx, first); err != nil {
		e.end = s.fail(e.operation, e.path, err, e.missing)
	}
	return e, nil
}

// stream makes e, whose pager open gives, one of the session's streams.
func (s *Session) stream(e *enumerator, open func() (*pager, error)) error {
	if err := s.usable(e.operation); err != nil {
		return err
	}
	e.s = s
	p, err := open()
	if err != nil {
		return s.fail(e.operation, e.path, err, e.missing)
	}
	e.p = p
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		p.close() //nolint:errcheck // the session is gone
		return s.usable(e.operation)
	}
	s.open[e] = struct{}{}
	s.mu.Unlock()
	return nil
}

// Next implements cim.Enumerator.
func (e *enumerator) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	for len(e.batch) == 0 {
		if e.end != nil {
			return nil, e.end
		}
		m, err := e.p.next(ctx)
		if err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			return nil, &cim.Error{Status: cim.ErrCallCancelled, Operation: e.operation, Namespace: e.s.namespace, Path: e.path, Err: err}
		}
		if err == nil {
			err = e.read(ctx, m)
		}
		switch {
		case err == io.EOF: //nolint:errorlint // the pager's own
			e.end = io.EOF
		case err != nil:
			e.end = e.s.fail(e.operation, e.path, err, e.missing)
		}
	}
	n := len(e.batch)
	if limit > 0 {
		n = min(n, limit)
	}
	out := e.batch[:n:n]
	e.batch = e.batch[n:]
	return out, nil
}

// read takes the instances out of an answer. What came before an error stays.
func (e *enumerator) read(ctx context.Context, m *wsman.Message) error {
	e.batch = nil
	e.dec.SetCapacity(DefaultBatch)
	return e.p.read(m, func(r *soap.Reader) error {
		i, err := e.item(ctx, r)
		if err != nil {
			return err
		}
		if e.project != nil {
			i = e.project.apply(i)
		}
		e.batch = append(e.batch, i)
		return nil
	})
}

func (e *enumerator) item(ctx context.Context, r *soap.Reader) (*cim.Instance, error) {
	if !r.Is(soap.Addressing, "EndpointReference") {
		return e.dec.instance(r)
	}
	p, err := e.dec.EPR(r)
	if err != nil {
		return nil, err
	}
	return e.s.keys(ctx, p), nil
}

// keys is an instance of which the keys alone are known.
func (s *Session) keys(ctx context.Context, p cim.ObjectPath) *cim.Instance {
	class := s.c.class(ctx, p.Namespace, p.Class)
	if class == nil {
		class = &cim.Class{Name: p.Class, Namespace: p.Namespace, Partial: true}
		for _, k := range p.Keys {
			class.Properties = append(class.Properties, cim.Property{Name: k.Name, Key: true})
		}
		class.Seal()
	} else {
		p.Singleton = len(p.Keys) == 0 && class.IsSingleton()
	}
	i := cim.NewInstance(class)
	for _, k := range p.Keys {
		i.Set(k.Name, k.Value) //nolint:errcheck // the path has it in any case
	}
	i.SetPath(p)
	return i
}

// Close implements cim.Enumerator.
func (e *enumerator) Close() error {
	e.s.mu.Lock()
	delete(e.s.open, e)
	e.s.mu.Unlock()
	if err := e.p.close(); err != nil {
		return e.s.fail(e.operation, e.path, err, 0)
	}
	return nil
}

// projection makes instances with some of the properties.
type projection struct {
	names   []string
	keys    bool // keys that were not named come along
	classes map[*cim.Class]*projected
}

type projected struct {
	class *cim.Class
	from  []int
}

func newProjection(names []string, keys bool) *projection {
	if names == nil {
		return nil
	}
	return &projection{names: names, keys: keys, classes: map[*cim.Class]*projected{}}
}

func (p *projection) apply(i *cim.Instance) *cim.Instance {
	k := p.classes[i.Class()]
	if k == nil {
		k = &projected{class: i.Class().Project(p.names, p.keys)}
		for n := range k.class.Properties {
			k.from = append(k.from, i.Class().PropertyIndex(k.class.Properties[n].Name))
		}
		if len(p.classes) < 1024 {
			p.classes[i.Class()] = k
		}
	}
	values := make([]cim.Value, len(k.from))
	for n, from := range k.from {
		values[n] = i.At(from)
	}
	out := cim.MakeInstance(k.class, values)
	if path, whole := i.Path(); whole && p.keys {
		out.SetPath(path)
	}
	return out
}
