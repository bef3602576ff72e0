package wmiclient

import (
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// projection makes instances of other classes with the same properties: what a caller asked for of what the host gave.
type projection struct {
	to      func(*cim.Class) *cim.Class
	path    bool // the path stays, in the class that is projected to
	classes map[*cim.Class]*projected
}

type projected struct {
	class *cim.Class
	from  []int // the property that each property comes from, -1 for none
}

// newProjection is one to the named properties, nil for nil.
func newProjection(names []string) *projection {
	if names == nil {
		return nil
	}
	return &projection{to: func(c *cim.Class) *cim.Class { return c.Project(names, false) }}
}

// keysProjection is one to the keys, with the path.
func keysProjection() *projection {
	return &projection{to: func(c *cim.Class) *cim.Class { return c.Project(nil, true) }, path: true}
}

// selectProjection is one to what a query with a list of properties gave: the class is as partial as the host made it, which does not show on the
// wire. It is nil for every other query, and for what only the host can read.
func selectProjection(query string) *projection {
	if q, err := wql.Parse(query); err != nil || q.Select == nil {
		return nil
	}
	return &projection{path: true, to: func(c *cim.Class) *cim.Class {
		names := make([]string, len(c.Properties))
		for n := range c.Properties {
			names[n] = c.Properties[n].Name
		}
		return c.Project(names, false)
	}}
}

// baseProjection is one to a base class, or to those of its properties that are named.
func baseProjection(base *cim.Class, names []string) *projection {
	if names != nil {
		base = base.Project(names, false)
	}
	return &projection{to: func(*cim.Class) *cim.Class { return base }, path: names == nil}
}

func (p *projection) apply(i *cim.Instance) *cim.Instance {
	if i.IsClass() {
		return i
	}
	k := p.classes[i.Class()]
	if k == nil {
		k = &projected{class: p.to(i.Class())}
		for n := range k.class.Properties {
			k.from = append(k.from, i.Class().PropertyIndex(k.class.Properties[n].Name))
		}
		if p.classes == nil || len(p.classes) >= maxClasses {
			p.classes = map[*cim.Class]*projected{}
		}
		p.classes[i.Class()] = k
	}
	values := make([]cim.Value, len(k.from))
	for n, from := range k.from {
		if values[n] = cim.Null(k.class.Properties[n].Type); from >= 0 {
			values[n] = i.At(from)
		}
	}
	out := cim.MakeInstance(k.class, values)
	if path, whole := i.Path(); whole && p.path {
		path.Class = k.class.Name
		out.SetPath(path)
	}
	return out
}
