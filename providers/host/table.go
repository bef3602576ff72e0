package host

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// query is what a caller wants of a class.
type query struct {
	wants  func(property int) bool        // nil: all
	server string                         // the machine in the paths of references; may be empty
	equal  func(string) (cim.Value, bool) // the value that a property must have, where the caller fixed one
	orders []wql.Order                    // what must be less or greater, by position in the class
	caller cim.Caller
	hidden func() // is told where an instance is left out
	source walkSource
}

// ordersOf are the comparisons by order that a property of a class must meet.
func (q query) ordersOf(class, property string) (out []wql.Order) {
	at := classNamed(class).PropertyIndex(property)
	for _, o := range q.orders {
		if o.Property == at {
			out = append(out, o)
		}
	}
	return out
}

// walkSource is the object whose associations are wanted, and the reference that must name it; the zero value: all.
type walkSource struct {
	role string
	path cim.ObjectPath
}

// endpoint is the object that a reference property must name, where one is given.
func (q query) endpoint(role string) (cim.ObjectPath, bool) {
	if cim.EqualFold(q.source.role, role) {
		return q.source.path, true
	}
	text, ok := q.text(role)
	if !ok {
		return cim.ObjectPath{}, false
	}
	path, err := cim.ParsePath(text)
	return path, err == nil
}

// fixed is the value that the caller wants a property to have.
func (q query) fixed(property string) (cim.Value, bool) {
	if q.equal == nil {
		return cim.Value{}, false
	}
	return q.equal(property)
}

// text is [query.fixed] as text.
func (q query) text(property string) (string, bool) {
	v, ok := q.fixed(property)
	if !ok || v.IsNull() {
		return "", false
	}
	return string(v.AppendText(nil)), true
}

// column is how one property is made of a gathered T.
type column[T any] struct {
	name string
	need uint32 // what must have been gathered beyond the cheap part
	get  func(*T) cim.Value
}

// table is a class with its columns. gather calls f with each object that may match and returns what f returns; it
// reads what need asks for, and may use the constraints of q to read less.
type table[T any] struct {
	name    string
	columns []column[T]
	gather  func(ctx context.Context, p *Provider, need uint32, q query, f func(*T) error) error
}

// source is a table of any T.
type source interface {
	className() string
	columnNames() []string
	list(ctx context.Context, p *Provider, c *cim.Class, q query, yield func(*cim.Instance) error) error
}

func (t *table[T]) className() string { return t.name }

func (t *table[T]) columnNames() []string {
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = t.columns[i].name
	}
	return names
}

// list yields the instances of class c, which is the whole class; properties that were not asked for stay NULL. One
// instance is used again and again: it is valid only during its call of yield.
func (t *table[T]) list(ctx context.Context, p *Provider, c *cim.Class, q query, yield func(*cim.Instance) error) error {
	type cell struct {
		at  int
		get func(*T) cim.Value
	}
	var need uint32
	cells := make([]cell, 0, len(t.columns))
	for i := range t.columns {
		at := c.PropertyIndex(t.columns[i].name)
		if at >= 0 && (q.wants == nil || c.Properties[at].Key || q.wants(at)) {
			cells = append(cells, cell{at, t.columns[i].get})
			need |= t.columns[i].need
		}
	}
	values := make([]cim.Value, len(c.Properties))
	for i := range values {
		values[i] = cim.Null(c.Properties[i].Type)
	}
	var inst cim.Instance
	err := t.gather(ctx, p, need, q, func(row *T) error {
		for _, k := range cells {
			v := k.get(row)
			if v.IsNull() {
				v = cim.Null(c.Properties[k.at].Type)
			}
			values[k.at] = v
		}
		cim.ResetInstance(&inst, c, values)
		return yield(&inst)
	})
	return err
}
