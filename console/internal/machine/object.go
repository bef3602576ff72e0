package machine

import (
	"context"
	"sort"
	"strings"

	"github.com/casementhq/casement/cim"
)

const (
	maxAssociated = 200
	maxValues     = 2000
)

// Object is an instance as people read it.
type Object struct {
	Path       string  `json:"path"`
	Class      string  `json:"class"`
	Superclass string  `json:"superclass,omitempty"`
	Values     []Value `json:"values"`
	// Methods are those of its class; nil where the server gave no class.
	Methods []Method `json:"methods,omitempty"`
}

// Value is a property of an object.
type Value struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Key   bool    `json:"key,omitempty"`
	Value *string `json:"value"` // nil is NULL
}

// Link is an object that is associated with another.
type Link struct {
	Path  string `json:"path"`
	Class string `json:"class"`
}

// ObjectOf reads an instance and the methods of its class.
func ObjectOf(ctx context.Context, s cim.Session, path cim.ObjectPath) (*Object, error) {
	i, err := s.Get(ctx, path, cim.GetOptions{})
	if err != nil {
		return nil, err
	}
	o := &Object{Path: bounded(path.Relative()), Class: bounded(i.Class().Name)}
	key := map[string]bool{}
	types := map[string]string{}
	// What an instance brings along knows less of its class than the class does.
	if c, err := s.GetClass(ctx, i.Class().Name, cim.GetOptions{Amended: true}); err == nil {
		o.Superclass = bounded(c.Superclass)
		for n := range c.Properties {
			key[c.Properties[n].Name], types[c.Properties[n].Name] = c.Properties[n].Key, c.Properties[n].CIMType()
		}
		o.Methods = methods(c)
	} else if ctx.Err() != nil {
		return nil, err
	}
	for n := range i.Class().Properties[:min(len(i.Class().Properties), maxValues)] {
		p := &i.Class().Properties[n]
		v := Value{Name: bounded(p.Name), Type: types[p.Name], Key: p.Key || key[p.Name]}
		if v.Type == "" {
			v.Type = p.CIMType()
		}
		if at := i.At(n); !at.IsNull() {
			text := bounded(at.String())
			v.Value = &text
		}
		o.Values = append(o.Values, v)
	}
	return o, nil
}

// Associated lists the objects that are associated with one. cut tells that there are
// more.
func Associated(ctx context.Context, s cim.Session, path cim.ObjectPath) (list []Link, cut bool, err error) {
	e, err := s.Associators(ctx, path, cim.AssociatorOptions{KeysOnly: true})
	if err != nil {
		return nil, false, err
	}
	err = cim.Each(ctx, e, func(i *cim.Instance) error {
		if len(list) == maxAssociated {
			return errEnough{}
		}
		if p, whole := i.Path(); whole {
			list = append(list, Link{Path: bounded(p.Relative()), Class: bounded(i.Class().Name)})
		}
		return nil
	})
	if _, enough := err.(errEnough); enough { //nolint:errorlint // it is ours, as it is
		cut, err = true, nil
	}
	sort.SliceStable(list, func(i, j int) bool { return strings.ToLower(list[i].Path) < strings.ToLower(list[j].Path) })
	return list, cut, err
}
