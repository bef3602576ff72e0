package wsmanclient

import (
	"context"
	"regexp"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/cimxml"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// options are the options of a message for those of an operation: named values
// become wmi: options. See [MS-WSMV] 3.1.4.1.9.
func requestOptions(o cim.OperationOptions) RequestOptions {
	r := RequestOptions{Timeout: o.Timeout}
	for _, v := range o.Context {
		if v.Value.Type().IsArray() {
			for _, elem := range v.Value.Elems() {
				r.Options = append(r.Options, wsman.Option{Name: "wmiarray:" + v.Name, Value: text(elem)})
			}
			continue
		}
		r.Options = append(r.Options, wsman.Option{Name: "wmi:" + v.Name, Value: text(v.Value), Nil: v.Value.IsNull()})
	}
	return r
}

func text(v cim.Value) string {
	if s, ok := v.Str(); ok {
		return s
	}
	return string(v.AppendText(nil))
}

// Get implements cim.Session. See [MS-WSMV] 3.1.4.2.
func (s *Session) Get(ctx context.Context, path cim.ObjectPath, o cim.GetOptions) (*cim.Instance, error) {
	const op = "GetObject"
	i, err := s.get(ctx, op, path, o)
	if err != nil {
		return nil, s.missing(ctx, op, path, err)
	}
	if p := newProjection(o.Properties, false); p != nil {
		i = p.apply(i)
	}
	return i, nil
}

func (s *Session) get(ctx context.Context, op string, path cim.ObjectPath, o cim.GetOptions) (*cim.Instance, error) {
	if err := s.usable(op); err != nil {
		return nil, err
	}
	target, err := s.epr(ctx, path, 0)
	if err != nil {
		return nil, err
	}
	r := requestOptions(o.OperationOptions)
	m, err := s.c.send(ctx, &call{action: wsman.ActionGet, resource: target.ResourceURI, select_: target.Selectors, opts: &r, again: true})
	if err != nil {
		return nil, err
	}
	var i *cim.Instance
	err = m.Body(func(r *soap.Reader) (err error) {
		if i != nil {
			return r.Skip()
		}
		i, err = s.decoder(ctx).instance(r)
		return err
	})
	if err == nil && i == nil {
		err = &cim.Error{Status: cim.ErrNotFound, Detail: "the answer holds no instance", Remote: true}
	}
	if err == nil {
		if _, whole := i.Path(); !whole { // its class is not known
			if path.Namespace == "" {
				path.Namespace = s.namespace
			}
			i.SetPath(path)
		}
	}
	return i, err
}

// GetClass implements cim.Session. It fails with ErrNotSupported for a host
// that gives no class metadata. See [MS-WSMV] 3.1.4.1.38.
func (s *Session) GetClass(ctx context.Context, name string, _ cim.GetOptions) (*cim.Class, error) {
	const op = "GetClass"
	if err := s.usable(op); err != nil {
		return nil, err
	}
	c, err := s.c.freshClass(ctx, s.namespace, name)
	if err != nil {
		return nil, s.fail(op, name, err, cim.ErrNotFound)
	}
	return c, nil
}

// EnumerateClasses implements cim.Session, by the paths of the subclasses and a
// Get for each: GetSubClassesWithPath does not exist. See [MS-WSMV] 3.1.4.1.38.
func (s *Session) EnumerateClasses(ctx context.Context, superclass string, deep bool) ([]*cim.Class, error) {
	const op = "EnumerateClasses"
	if err := s.usable(op); err != nil {
		return nil, err
	}
	names, err := s.subclasses(ctx, superclass, deep)
	if err != nil {
		if noMetadata(err) {
			err = errNoMetadata
		}
		return nil, s.fail(op, superclass, err, cim.ErrInvalidClass)
	}
	list := make([]*cim.Class, 0, len(names))
	for _, name := range names {
		c, err := s.c.freshClass(ctx, s.namespace, name)
		if err != nil {
			return nil, s.fail(op, name, err, cim.ErrNotFound)
		}
		list = append(list, c)
	}
	return list, nil
}

func (s *Session) subclasses(ctx context.Context, superclass string, deep bool) ([]string, error) {
	o := EnumerateOptions{Mode: wsman.EnumerateEPR, Batch: 500,
		RequestOptions: RequestOptions{Options: cimxml.EnumerateOptions{IncludeSubClasses: deep, IncludePath: true, ExcludeClass: true}.OptionSet()}}
	target := wsman.EPR{ResourceURI: cimxml.ResourceURI, Selectors: cimxml.Selectors(s.namespace, superclass)}
	e, err := s.c.Enumerate(ctx, target, o)
	if err != nil {
		return nil, err
	}
	defer e.Close() //nolint:errcheck // the first error tells more
	var names []string
	err = e.each(ctx, func(it Item) {
		if it.EPR == nil {
			return
		}
		if _, class, ok := cimxml.ParsePath(it.EPR); ok {
			names = append(names, class)
		}
	})
	return names, err
}

// Enumerate implements cim.Session. See [MS-WSMV] 3.1.4.8.
func (s *Session) Enumerate(ctx context.Context, class string, o cim.EnumerateOptions) (cim.Enumerator, error) {
	ro := EnumerateOptions{RequestOptions: requestOptions(o.OperationOptions), Batch: batch(o.Batch)}
	switch o.Polymorphism {
	case cim.Shallow:
		ro.Polymorphism = wsman.PolymorphismNone
	case cim.DeepBasePropsOnly:
		ro.Polymorphism = wsman.ExcludeSubClass
	}
	return s.enumerate(ctx, wsman.EPR{ResourceURI: s.uri("", class)}, ro,
		&enumerator{operation: "CreateInstanceEnum", path: class, keysOnly: o.KeysOnly, project: newProjection(o.Properties, false), missing: cim.ErrInvalidClass})
}

func batch(n int) uint32 { return uint32(max(n, 0)) }

// keysOnlyQuery finds the queries that ask for paths by their text: those come
// as references, for the keys alone would not say of which class they are.
var keysOnlyQuery = regexp.MustCompile(`(?is)^\s*(associators|references)\s+of\b.*\bkeysonly\s*$`)

// Query implements cim.Session. See [MS-WSMV] 3.1.4.1.13.
func (s *Session) Query(ctx context.Context, query string, o cim.QueryOptions) (cim.Enumerator, error) {
	const op = "ExecQuery"
	if o.Language != "" && !strings.EqualFold(o.Language, "WQL") {
		return nil, s.fail(op, query, &cim.Error{Status: cim.ErrInvalidQueryType, Detail: "the language is " + clip(o.Language) + ", not WQL"}, 0)
	}
	e := &enumerator{operation: op, path: query, keysOnly: o.KeysOnly, dec: s.decoder(ctx), missing: cim.ErrInvalidClass}
	e.keysOnly = e.keysOnly || keysOnlyQuery.MatchString(query)
	if q, err := wql.Parse(query); err == nil && q.Select != nil {
		e.dec.Fallback = s.projected(ctx, q)
	}
	ro := EnumerateOptions{RequestOptions: requestOptions(o.OperationOptions), Batch: batch(o.Batch),
		Filter: &wsman.Filter{Dialect: wsman.DialectWQL, Text: query}}
	return s.enumerate(ctx, wsman.EPR{ResourceURI: s.uri("", "")}, ro, e)
}

// projected is the class of the results of a query that names its properties:
// they come without one. nil where the host does not give it.
func (s *Session) projected(ctx context.Context, q *wql.Query) *cim.Class {
	class := s.c.classNow(ctx, s.namespace, q.Class)
	if class == nil {
		return nil
	}
	var names []string
	for _, n := range q.Select {
		names = append(names, n.Parts[0])
	}
	return class.Project(names, false)
}

// Associators implements cim.Session. See [MS-WSMV] 3.1.4.1.13.
func (s *Session) Associators(ctx context.Context, source cim.ObjectPath, o cim.AssociatorOptions) (cim.Enumerator, error) {
	return s.associated(ctx, "ASSOCIATORS OF", source, o, &wsman.AssociationFilter{
		AssociationClass: o.AssocClass, ResultClass: o.ResultClass, Role: o.Role, ResultRole: o.ResultRole})
}

// References implements cim.Session. See [MS-WSMV] 3.1.4.1.13.
func (s *Session) References(ctx context.Context, source cim.ObjectPath, o cim.AssociatorOptions) (cim.Enumerator, error) {
	class := o.ResultClass
	if class == "" {
		class = o.AssocClass
	}
	return s.associated(ctx, "REFERENCES OF", source, o, &wsman.AssociationFilter{Associations: true, ResultClass: class, Role: o.Role})
}

func (s *Session) associated(ctx context.Context, op string, source cim.ObjectPath, o cim.AssociatorOptions, f *wsman.AssociationFilter) (cim.Enumerator, error) {
	var err error
	if f.Object, err = s.epr(ctx, source, 0); err != nil {
		return nil, s.fail(op, source.Relative(), err, 0)
	}
	ro := EnumerateOptions{RequestOptions: requestOptions(o.OperationOptions), Batch: batch(o.Batch),
		Filter: &wsman.Filter{Dialect: wsman.DialectAssociation, Association: f}}
	return s.enumerate(ctx, wsman.EPR{ResourceURI: s.uri(source.Namespace, "")}, ro,
		&enumerator{operation: op, path: source.Relative(), keysOnly: o.KeysOnly, project: newProjection(o.Properties, false), missing: cim.ErrNotFound})
}
