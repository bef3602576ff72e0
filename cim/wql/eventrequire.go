package wql

import (
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
)

// targetOf is the folded name of a property, with "target" for "previous":
// both are the same object at two times.
func targetOf(property string) string {
	name := cim.Fold(property)
	if rest, ok := strings.CutPrefix(name, "previous"); ok {
		return "target" + rest
	}
	return name
}

// isTarget tells whether a name is that of the instance that an event is
// about.
func isTarget(n Name) bool {
	return len(n.Parts) == 1 && targetOf(n.Parts[0]) == "targetinstance"
}

// require finds out of which classes the embedded objects have to be, and
// makes the polls.
func (b *BoundEvent) require(where Expr, lookup func(string) *cim.Class) {
	seen := map[string]*cim.Class{}
	r := requirer{lookup: func(name string) *cim.Class {
		c, ok := seen[cim.Fold(name)]
		if !ok {
			c = lookup(name)
			seen[cim.Fold(name)] = c
		}
		return c
	}}
	b.required = map[string][]string{}
	for i := range b.Class.Properties {
		p := &b.Class.Properties[i]
		if r.property = targetOf(p.Name); p.Type != cim.Object || b.required[r.property] != nil {
			continue
		}
		names, every := r.classes(where)
		if every {
			continue
		}
		names = r.widest(names)
		b.required[r.property] = names
		b.Never = b.Never || len(names) == 0
	}
	r.property = "targetinstance"
	for _, name := range b.required[r.property] {
		if class := r.lookup(name); class != nil {
			b.polls = append(b.polls, &Query{Class: class.Name, Where: r.part(where, class, false)})
		}
	}
}

// requirer looks at what a condition asks of one embedded object.
type requirer struct {
	property string // as targetOf names it
	lookup   func(string) *cim.Class
}

// classes are those of which, or derived from which, the object must be for
// the condition to be met; every is true where it may be of every class.
func (r *requirer) classes(e Expr) (names []string, every bool) {
	switch x := e.(type) {
	case *And:
		every = true
		for _, one := range x.List {
			list, all := r.classes(one)
			switch {
			case all:
			case every:
				names, every = list, false
			default:
				names = r.both(names, list)
			}
		}
		return names, every
	case *Or:
		for _, one := range x.List {
			list, all := r.classes(one)
			if all {
				return nil, true
			}
			names = append(names, list...)
		}
		return names, false
	case *IsA:
		if len(x.Name.Parts) == 1 && targetOf(x.Name.Parts[0]) == r.property {
			return []string{x.Class}, false
		}
	case *Compare:
		n := x.Name.Parts
		if len(n) == 2 && x.Op == Equal && targetOf(n[0]) == r.property && systemOf(n[1]) == sysClass {
			return []string{x.Value.String()}, false
		}
	}
	return nil, true
}

// both are the classes of objects that are of one class of a and of one of b:
// where one derives from the other it is that one, as a class has one
// superclass. A class that is not known may be derived from any.
func (r *requirer) both(a, b []string) []string {
	names := []string{}
	for _, x := range a {
		if r.lookup(x) == nil || slices.ContainsFunc(b, func(y string) bool { return r.lookup(y) == nil || r.isA(x, y) }) {
			names = append(names, x)
		}
	}
	for _, y := range b {
		if slices.ContainsFunc(a, func(x string) bool { return !cim.EqualFold(x, y) && r.isA(y, x) }) {
			names = append(names, y)
		}
	}
	return names
}

// widest leaves out what is derived from another one in the list.
func (r *requirer) widest(names []string) []string {
	out := names[:0:0]
	for i, x := range names {
		covered := slices.ContainsFunc(out, func(y string) bool { return r.isA(x, y) }) ||
			slices.ContainsFunc(names[i+1:], func(y string) bool { return !cim.EqualFold(x, y) && r.isA(x, y) })
		if !covered {
			out = append(out, x)
		}
	}
	return out
}

func (r *requirer) isA(name, of string) bool {
	c := r.lookup(name)
	return cim.EqualFold(name, of) || c != nil && c.IsA(of)
}

// part is what a condition says of the keys and the class of the object, nil
// for nothing. With whole set it is the whole condition or nil.
func (r *requirer) part(e Expr, class *cim.Class, whole bool) Expr {
	switch x := e.(type) {
	case *And:
		var list []Expr
		for _, one := range x.List {
			switch p := r.part(one, class, whole); {
			case p != nil:
				list = append(list, p)
			case whole:
				return nil
			}
		}
		if len(list) > 1 {
			return &And{list}
		}
		return first(list)
	case *Or:
		var list []Expr
		for _, one := range x.List {
			p := r.part(one, class, whole)
			if p == nil {
				return nil
			}
			list = append(list, p)
		}
		return &Or{list}
	case *Not:
		if p := r.part(x.X, class, true); p != nil {
			return &Not{p}
		}
	case *Compare:
		if n, ok := r.inside(x.Name, class); ok {
			return fitting(class, &Compare{Name: n, Op: x.Op, Value: x.Value, At: x.At})
		}
	case *IsNull:
		if n, ok := r.inside(x.Name, class); ok {
			return &IsNull{n}
		}
	case *Like:
		if n, ok := r.inside(x.Name, class); ok {
			return fitting(class, &Like{Name: n, Pattern: x.Pattern, At: x.At})
		}
	}
	return nil
}

// fitting is a condition that a query for the class may have: a constant may
// be meant for another class.
func fitting(class *cim.Class, e Expr) Expr {
	if _, err := (&compiler{class: class}).compile(e); err != nil {
		return nil
	}
	return e
}

// inside is a name as it is inside of the object, if it is one of a key or of
// the class.
func (r *requirer) inside(n Name, class *cim.Class) (Name, bool) {
	if len(n.Parts) != 2 || targetOf(n.Parts[0]) != r.property {
		return n, false
	}
	switch systemOf(n.Parts[1]) {
	case sysClass, sysSuperclass, sysDynasty:
	case notSystem:
		if p := class.Property(n.Parts[1]); p == nil || !p.Key {
			return n, false
		}
	default:
		return n, false
	}
	return Name{Parts: n.Parts[1:], At: n.At}, true
}
