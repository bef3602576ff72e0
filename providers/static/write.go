package static

import (
	"context"
	"slices"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// Create adds an instance.
func (p *Provider) Create(_ context.Context, r *cimom.Request, i *cim.Instance) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tables[tableKey(r.Namespace, r.Class.Name)]
	if t == nil {
		return cim.ErrInvalidClass
	}
	return t.add(t.own(i))
}

// own is a copy of i that is of the provider's class.
func (t *table) own(i *cim.Instance) *cim.Instance {
	c := i.Clone()
	values := make([]cim.Value, c.Len())
	for n := range values {
		values[n] = c.At(n)
	}
	return cim.MakeInstance(t.class, values)
}

// Put changes an instance. A property that changes must have the qualifier
// Write: ErrReadOnly.
func (p *Provider) Put(_ context.Context, r *cimom.Request, i *cim.Instance) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tables[tableKey(r.Namespace, r.Class.Name)]
	if t == nil {
		return cim.ErrNotFound
	}
	path, _ := i.Path()
	n, err := t.find(path)
	if err != nil {
		return err
	}
	from, changed := t.own(i), t.rows[n].Clone()
	for c := range t.class.Properties {
		prop := &t.class.Properties[c]
		if prop.Key || !r.WantsAt(c) || changed.At(c).Equal(from.At(c)) {
			continue
		}
		if !prop.Qualifiers.True("Write") {
			return &cim.Error{Status: cim.ErrReadOnly, Path: t.class.Name + "." + prop.Name, Detail: "the property cannot be written"}
		}
		if err := changed.SetAt(c, from.At(c)); err != nil {
			return err
		}
	}
	t.rows = slices.Clone(t.rows)
	t.rows[n] = changed
	return nil
}

// Delete removes an instance.
func (p *Provider) Delete(_ context.Context, r *cimom.Request, path cim.ObjectPath) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tables[tableKey(r.Namespace, r.Class.Name)]
	if t == nil {
		return cim.ErrNotFound
	}
	n, err := t.find(path)
	if err != nil {
		return err
	}
	t.rows = slices.Delete(slices.Clone(t.rows), n, n+1)
	clear(t.index)
	for n, i := range t.rows {
		if key, ok := t.keyOf(i); ok {
			t.index[key] = n
		}
	}
	return nil
}
