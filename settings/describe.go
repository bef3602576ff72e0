package settings

import (
	"strings"

	"github.com/casementhq/casement/registry"
)

// Field is one element of a configuration resource, in schema order. An element with
// Children has no Value of its own.
type Field struct {
	Name     string
	Value    string
	Source   registry.Source // GPO is shown as the attribute Source="GPO"
	ReadOnly bool            // a write of another value is refused
	Children []Field
}

// Describe returns the elements of a configuration resource: URIConfig or one below it.
// Service Digest does not exist; the tables have their own functions. Errors are *Error.
func (w *WinRM) Describe(uri string) ([]Field, error) {
	elem, err := element(uri)
	if err != nil {
		return nil, err
	}
	var root Field
	for i := range schema {
		s := &schema[i]
		path, ok := below(elem, s.path())
		if !ok {
			continue
		}
		f := Field{Name: s.name, Value: s.get(w), Source: w.sources[i]}
		f.ReadOnly = s.rule != writable || f.Source == registry.SourceGPO
		root.add(path, f)
	}
	return root.Children, nil
}

// Source tells where the value of a setting comes from; path is like Service/Auth/Basic.
// An unknown path is SourceNone.
func (w *WinRM) Source(path string) registry.Source {
	for i := range schema {
		if schema[i].path() == path {
			return w.sources[i]
		}
	}
	return registry.SourceNone
}

func (f *Field) add(path string, leaf Field) {
	head, rest, nested := strings.Cut(path, "/")
	if !nested {
		f.Children = append(f.Children, leaf)
		return
	}
	for i := range f.Children {
		if f.Children[i].Name == head {
			f.Children[i].add(rest, leaf)
			return
		}
	}
	f.Children = append(f.Children, Field{Name: head})
	f.Children[len(f.Children)-1].add(rest, leaf)
}

// below returns path relative to an element.
func below(elem, path string) (string, bool) {
	if elem == "" {
		return path, true
	}
	rest, ok := strings.CutPrefix(path, elem)
	if !ok {
		return "", false
	}
	return strings.CutPrefix(rest, "/")
}
