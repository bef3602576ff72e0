package wmiclient

import "github.com/casementhq/casement/cim"

// projection makes instances with some of the properties: what a caller asked for of what the host gave.
type projection struct {
	names   func(*cim.Class) []string
	path    bool // the path stays
	classes map[*cim.Class]*projected
}

type projected struct {
	class *cim.Class
	from  []int
}

// newProjection is one to the named properties, nil for nil; path keeps the path.
func newProjection(names []string, path bool) *projection {
	if names == nil {
		return nil
	}
	return &projection{names: func(*cim.Class) []string { return names }, path: path, classes: map[*cim.Class]*projected{}}
}

// keysProjection is one to the keys of each class, with the path.
func keysProjection() *projection {
	return &projection{names: func(c *cim.Class) []string {
		names := []string{}
		for _, n := range c.Keys() {
			names = append(names, c.Properties[n].Name)
		}
		return names
	}, path: true, classes: map[*cim.Class]*projected{}}
}

// baseProjection is one to the properties of a base class, or to those of them that are named.
func baseProjection(base *cim.Class, only []string) *projection {
	names := []string{}
	for _, p := range base.Properties {
		if only == nil || contains(only, p.Name) {
			names = append(names, p.Name)
		}
	}
	return newProjection(names, only == nil)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if cim.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (p *projection) apply(i *cim.Instance) *cim.Instance {
	if i.IsClass() {
		return i
	}
	k := p.classes[i.Class()]
	if k == nil {
		k = &projected{class: i.Class().Project(p.names(i.Class()), false)}
		for n := range k.class.Properties {
			k.from = append(k.from, i.Class().PropertyIndex(k.class.Properties[n].Name))
		}
		if len(p.classes) < maxClasses {
			p.classes[i.Class()] = k
		}
	}
	values := make([]cim.Value, len(k.from))
	for n, from := range k.from {
		values[n] = i.At(from)
	}
	out := cim.MakeInstance(k.class, values)
	if path, whole := i.Path(); whole && p.path {
		out.SetPath(path)
	}
	return out
}
