package static

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"

	"github.com/casementhq/casement/cim"
)

// maxFile bounds a file that Load reads.
const maxFile = 64 << 20

// file is a JSON file; the package documentation has its form.
type file struct {
	Namespace string         `json:"namespace"`
	Classes   []fileClass    `json:"classes"`
	Instances []fileInstance `json:"instances"`
}

type fileClass struct {
	Name        string         `json:"name"`
	Superclass  string         `json:"superclass"`
	Abstract    bool           `json:"abstract"`
	Singleton   bool           `json:"singleton"`
	Association bool           `json:"association"`
	Qualifiers  map[string]any `json:"qualifiers"`
	Properties  []fileProperty `json:"properties"`
	Methods     []fileMethod   `json:"methods"`
}

type fileProperty struct {
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Class      string          `json:"class"`
	Key        bool            `json:"key"`
	Write      bool            `json:"write"`
	Default    json.RawMessage `json:"default"`
	Qualifiers map[string]any  `json:"qualifiers"`
}

type fileMethod struct {
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Static     bool            `json:"static"`
	Parameters []fileParameter `json:"parameters"`
}

type fileParameter struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	In       bool   `json:"in"`
	Out      bool   `json:"out"`
	Optional bool   `json:"optional"`
}

type fileInstance struct {
	Class      string                     `json:"class"`
	Properties map[string]json.RawMessage `json:"properties"`
}

// Load makes a provider of the JSON files that match the patterns, in the order
// of the patterns; the package documentation has their form. A
// class may stand in an earlier file than its subclasses and instances. An
// unknown field, type, class or property is an error that names the file.
func Load(fsys fs.FS, patterns ...string) (*Provider, error) {
	l := &loader{classes: map[string]*cim.Class{}}
	for _, pattern := range patterns {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("load %s: %w", pattern, fs.ErrNotExist)
		}
		for _, name := range names {
			if err := l.read(fsys, name); err != nil {
				return nil, fmt.Errorf("load %s: %w", name, err)
			}
		}
	}
	p := New(l.order...)
	return p, p.Add(l.instances...)
}

type loader struct {
	classes   map[string]*cim.Class
	order     []*cim.Class
	instances []*cim.Instance
}

func (l *loader) read(fsys fs.FS, name string) error {
	r, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return err
	}
	if len(data) > maxFile {
		return errors.New("the file is larger than 64 MiB")
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		return err
	}
	if f.Namespace == "" {
		return errors.New("the namespace is missing")
	}
	for i := range f.Classes {
		if err := l.class(f.Namespace, &f.Classes[i]); err != nil {
			return fmt.Errorf("class %s: %w", f.Classes[i].Name, err)
		}
	}
	for i := range f.Instances {
		made, err := l.instance(f.Namespace, &f.Instances[i], 0)
		if err != nil {
			return fmt.Errorf("instance %d of %s: %w", i, f.Instances[i].Class, err)
		}
		l.instances = append(l.instances, made)
	}
	return nil
}

func (l *loader) find(namespace, class string) (*cim.Class, error) {
	if c := l.classes[tableKey(namespace, class)]; c != nil {
		return c, nil
	}
	return nil, &cim.Error{Status: cim.ErrInvalidClass, Path: class}
}

func (l *loader) class(namespace string, f *fileClass) error {
	var super *cim.Class
	if f.Superclass != "" {
		var err error
		if super, err = l.find(namespace, f.Superclass); err != nil {
			return err
		}
	}
	if f.Name == "" || l.classes[tableKey(namespace, f.Name)] != nil {
		return errors.New("the name is missing or taken")
	}
	b := cim.NewClass(f.Name, super)
	if f.Abstract {
		b.Abstract()
	} else {
		b.Dynamic()
	}
	if f.Singleton {
		b.Singleton()
	}
	if f.Association {
		b.Association()
	}
	list, err := qualifiers(f.Qualifiers)
	if err != nil {
		return err
	}
	for _, q := range list {
		b.Qualifier(q)
	}
	for i := range f.Properties {
		if err := l.property(b, namespace, &f.Properties[i]); err != nil {
			return fmt.Errorf("property %s: %w", f.Properties[i].Name, err)
		}
	}
	for i := range f.Methods {
		if err := method(b, &f.Methods[i]); err != nil {
			return fmt.Errorf("method %s: %w", f.Methods[i].Name, err)
		}
	}
	c := b.Build(namespace)
	l.classes[tableKey(namespace, f.Name)] = c
	l.order = append(l.order, c)
	return nil
}

func (l *loader) property(b *cim.ClassBuilder, namespace string, f *fileProperty) error {
	t, ok := cim.ParseType(f.Type)
	if !ok || f.Name == "" {
		return fmt.Errorf("the name is missing or type %q is unknown", f.Type)
	}
	p := cim.Property{Name: f.Name, Type: t, RefClass: f.Class, Key: f.Key}
	if f.Key {
		p.Qualifiers = append(p.Qualifiers, cim.Qualifier{Name: "Key", Value: cim.Bool(true), Flavor: cim.ToInstance | cim.ToSubClass | cim.NotOverridable})
	}
	if f.Write {
		p.Qualifiers = append(p.Qualifiers, cim.Writable())
	}
	list, err := qualifiers(f.Qualifiers)
	if err != nil {
		return err
	}
	p.Qualifiers = append(p.Qualifiers, list...)
	if f.Default != nil {
		if p.Default, err = l.value(namespace, t, f.Default, 0); err != nil {
			return err
		}
	}
	b.Add(p)
	return nil
}

func method(b *cim.ClassBuilder, f *fileMethod) error {
	ret := cim.Untyped
	if f.Type != "" && f.Type != "void" {
		var ok bool
		if ret, ok = cim.ParseType(f.Type); !ok {
			return fmt.Errorf("type %q is unknown", f.Type)
		}
	}
	var params []cim.Parameter
	for _, p := range f.Parameters {
		t, ok := cim.ParseType(p.Type)
		if !ok || p.Name == "" {
			return fmt.Errorf("parameter %q: the name is missing or type %q is unknown", p.Name, p.Type)
		}
		var q []cim.Qualifier
		if p.Optional {
			q = append(q, cim.IsOptional())
		}
		switch {
		case p.In && p.Out:
			params = append(params, cim.InOut(p.Name, t, q...))
		case p.Out:
			params = append(params, cim.Out(p.Name, t, q...))
		default:
			params = append(params, cim.In(p.Name, t, q...))
		}
	}
	if f.Static {
		b.StaticMethod(f.Name, ret, params...)
	} else {
		b.Method(f.Name, ret, params...)
	}
	return nil
}

// qualifiers are strings, booleans, whole numbers (sint32), other numbers
// (real64) and lists of strings, in the order of their names.
func qualifiers(from map[string]any) (list cim.Qualifiers, err error) {
	for _, name := range sorted(from) {
		q := cim.Qualifier{Name: name, Flavor: cim.ToInstance | cim.ToSubClass}
		switch v := from[name].(type) {
		case string:
			q.Value = cim.Str(v)
		case bool:
			q.Value = cim.Bool(v)
		case json.Number:
			if n, err := v.Int64(); err == nil && n >= math.MinInt32 && n <= math.MaxInt32 {
				q.Value = cim.S32(int32(n))
			} else if q.Value, err = cim.ParseValue(cim.Real64, v.String()); err != nil {
				return nil, err
			}
		case []any:
			var texts []string
			for _, e := range v {
				s, ok := e.(string)
				if !ok {
					return nil, errors.New("qualifier " + name + " is a list of other things than strings")
				}
				texts = append(texts, s)
			}
			q.Value = cim.Strs(texts)
		default:
			return nil, errors.New("qualifier " + strings.TrimSpace(name) + " has no value that a qualifier may have")
		}
		list = append(list, q)
	}
	return list, nil
}
