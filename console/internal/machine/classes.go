package machine

import (
	"context"
	"sort"
	"strings"

	"github.com/casementhq/casement/cim"
)

const (
	maxNamespaces = 2000
	maxClasses    = 20000
	maxQualifiers = 200
)

// Namespaces lists the namespaces below one, with their full names.
func Namespaces(ctx context.Context, s cim.Session) (list []string, err error) {
	_, err = rows(ctx, s, "SELECT Name FROM __NAMESPACE", maxNamespaces, func(r row) {
		if name := r.text("Name"); name != "" {
			list = append(list, s.Namespace()+`\`+name)
		}
	})
	sort.Slice(list, func(i, j int) bool { return strings.ToLower(list[i]) < strings.ToLower(list[j]) })
	return list, err
}

// Classes lists the names of the classes of a namespace.
func Classes(ctx context.Context, s cim.Session) (names []string, err error) {
	classes, err := s.EnumerateClasses(ctx, "", true)
	for _, c := range classes[:min(len(classes), maxClasses)] {
		names = append(names, bounded(c.Name))
	}
	sort.Slice(names, func(i, j int) bool { return strings.ToLower(names[i]) < strings.ToLower(names[j]) })
	return names, err
}

// Class is a class as people read it.
type Class struct {
	Name       string      `json:"name"`
	Superclass string      `json:"superclass,omitempty"`
	Qualifiers []Qualifier `json:"qualifiers,omitempty"`
	Properties []Property  `json:"properties,omitempty"`
	Methods    []Method    `json:"methods,omitempty"`
}

// Qualifier is a qualifier with its value as MOF writes it.
type Qualifier struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Property is a property of a class.
type Property struct {
	Name       string      `json:"name"`
	Type       string      `json:"type"`
	Key        bool        `json:"key"`
	Origin     string      `json:"origin,omitempty"`
	Qualifiers []Qualifier `json:"qualifiers,omitempty"`
}

// Method is a method of a class.
type Method struct {
	Name       string      `json:"name"`
	Static     bool        `json:"static"`
	In         []Parameter `json:"in,omitempty"`
	Out        []Parameter `json:"out,omitempty"`
	Qualifiers []Qualifier `json:"qualifiers,omitempty"`
}

// Parameter is a parameter of a method.
type Parameter struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// ClassOf reads a class with its qualifiers, those with texts for people
// included.
func ClassOf(ctx context.Context, s cim.Session, name string) (*Class, error) {
	c, err := s.GetClass(ctx, name, cim.GetOptions{Amended: true})
	if err != nil {
		return nil, err
	}
	d := &Class{Name: bounded(c.Name), Superclass: bounded(c.Superclass), Qualifiers: qualifiers(c.Qualifiers)}
	for n := range c.Properties {
		p := &c.Properties[n]
		d.Properties = append(d.Properties, Property{Name: bounded(p.Name), Type: p.CIMType(), Key: p.Key, Origin: bounded(p.Origin), Qualifiers: qualifiers(p.Qualifiers)})
	}
	d.Methods = methods(c)
	return d, nil
}

func methods(c *cim.Class) (out []Method) {
	for n := range c.Methods {
		m := &c.Methods[n]
		out = append(out, Method{Name: bounded(m.Name), Static: m.Static, In: parameters(m.In), Out: parameters(m.Out), Qualifiers: qualifiers(m.Qualifiers)})
	}
	return out
}

func parameters(list []cim.Parameter) (out []Parameter) {
	for n := range list {
		out = append(out, Parameter{Name: bounded(list[n].Name), Type: parameterType(list[n])})
	}
	return out
}

// parameterType is the type of a parameter as CIM writes it.
func parameterType(p cim.Parameter) string {
	return (&cim.Property{Type: p.Type, RefClass: p.RefClass}).CIMType()
}

func qualifiers(list cim.Qualifiers) (out []Qualifier) {
	for _, q := range list[:min(len(list), maxQualifiers)] {
		out = append(out, Qualifier{Name: bounded(q.Name), Value: bounded(q.Value.String())})
	}
	return out
}
