package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// emitClass hands a class definition to the reader.
func (e *stream) emitClass(ctx context.Context, c *cim.Class) error {
	return e.emit(ctx, cim.ClassObject(c), &shape{class: c})
}

// classes makes an enumeration of class definitions.
func (s *session) classes(query string, o cim.OperationOptions, list []*cim.Class) (cim.Enumerator, error) {
	return s.stream("Query", query, o, func(ctx context.Context, e *stream) error {
		for _, c := range list {
			if err := e.emitClass(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// querySchema runs a query over meta_class. See spec/wmi.md 3.3.
func (s *session) querySchema(query string, o cim.QueryOptions) (cim.Enumerator, error) {
	q, err := wql.ParseSchema(query)
	if err != nil {
		return nil, s.fail(err, "Query", query)
	}
	var list []*cim.Class
	for _, e := range s.scope(q.Scope) {
		if q.Match(e.class) {
			list = append(list, s.localized(e.class, o.Amended))
		}
	}
	return s.classes(query, o.OperationOptions, list)
}

// scope are the classes that can be results of a schema query.
func (s *session) scope(scope wql.Scope) []*entry {
	t := s.ns.table.Load()
	named := func(names ...string) (list []*entry) {
		seen := map[*entry]bool{}
		for _, name := range names {
			if e := t.classes[cim.Fold(name)]; e != nil && !seen[e] {
				seen[e] = true
				list = append(list, e)
			}
		}
		return list
	}
	switch {
	case scope.Names != nil:
		return named(scope.Names...)
	case scope.Below != "":
		list := named(scope.Below)
		for _, e := range list {
			list = t.appendBelow(list, e, true)
		}
		return list
	case scope.Children != "":
		var list []*entry
		for _, e := range named(scope.Children) {
			list = t.appendBelow(list, e, false)
		}
		return list
	}
	return t.order
}

// prototype gives the class that the results of a data query have and asks no
// provider. See [MS-WMI] 3.1.4.3.18, WBEM_FLAG_PROTOTYPE.
func (s *session) prototype(query string, o cim.QueryOptions) (cim.Enumerator, error) {
	q, err := wql.Parse(query)
	if err != nil {
		return nil, s.fail(err, "Query", query)
	}
	base, err := s.class(q.Class)
	if err != nil {
		return nil, s.fail(err, "Query", query)
	}
	b, err := wql.Bind(q, base.class)
	if err != nil {
		return nil, s.fail(err, "Query", query)
	}
	c := s.localized(shapeOf(base.class, base.class, b.Properties, false).class, o.Amended)
	return s.classes(query, o.OperationOptions, []*cim.Class{c})
}

// traverseSchema runs ASSOCIATORS OF and REFERENCES OF over the definitions: it
// gives the association classes that may refer to instances of a class, or the
// classes at their other ends. See spec/wmi.md 3.4.
func (s *session) traverseSchema(query string, source cim.ObjectPath, o cim.AssociatorOptions, need required, references bool) (cim.Enumerator, error) {
	base, err := s.located(source)
	if err == nil && !source.IsClass() {
		err = &cim.Error{Status: cim.ErrInvalidQuery, Detail: "SchemaOnly needs the path of a class"}
	}
	if err == nil {
		err = s.knownClasses(o.AssocClass, o.ResultClass)
	}
	if err != nil {
		return nil, s.fail(err, "Query", query)
	}
	w := &walk{session: s, options: o, entry: base, need: need}
	var list []*cim.Class
	seen := map[*cim.Class]bool{}
	add := func(c *cim.Class) {
		if !seen[c] && (o.ResultClass == "" || c.IsA(o.ResultClass)) && has(c, need.result) {
			seen[c] = true
			list = append(list, c)
		}
	}
	for _, assoc := range s.ns.all() {
		if !w.relevant(assoc.class) {
			continue
		}
		for _, role := range w.roles(assoc.class) {
			if references {
				add(assoc.class)
				continue
			}
			for n := range assoc.class.Properties {
				p := &assoc.class.Properties[n]
				if n == role || p.Type != cim.Reference || o.ResultRole != "" && !cim.EqualFold(p.Name, o.ResultRole) {
					continue
				}
				if end := s.ns.find(p.RefClass); end != nil {
					add(end.class)
				}
			}
		}
	}
	return s.classes(query, o.OperationOptions, list)
}
