package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// Query runs a WQL data query. A class whose instances cannot be results is
// not asked; one whose keys are all fixed is asked for one instance. See
// [MS-WMI] 3.1.4.3.18 and spec/wmi.md 3.2.
func (s *session) Query(ctx context.Context, query string, o cim.QueryOptions) (cim.Enumerator, error) {
	const operation = "Query"
	if err := s.begin(ctx, rightEnable); err != nil {
		return nil, s.fail(err, operation, query)
	}
	if query == "" {
		return nil, s.fail(&cim.Error{Status: cim.ErrInvalidParameter, Detail: "the query is empty"}, operation, "")
	}
	if o.Language != "" && !cim.EqualFold(o.Language, "WQL") {
		return nil, s.fail(&cim.Error{Status: cim.ErrInvalidQueryType, Detail: "the only query language is WQL"}, operation, query)
	}
	switch {
	case wql.IsAssociators(query):
		return s.queryAssociators(ctx, query, o)
	case wql.IsSchema(query):
		return s.querySchema(query, o)
	case o.Prototype:
		return s.prototype(query, o)
	}
	targets, err := s.plan(query, o)
	if err != nil {
		return nil, s.fail(err, operation, query)
	}
	return s.stream(operation, query, o.OperationOptions, func(ctx context.Context, e *stream) error {
		return s.listAll(ctx, e, targets, o.OperationOptions)
	})
}

// plan makes the targets of a query: the class and those below it, each with
// the query bound to it.
func (s *session) plan(query string, o cim.QueryOptions) ([]*target, error) {
	q, err := wql.Parse(query)
	if err != nil {
		return nil, err
	}
	base, err := s.class(q.Class)
	if err != nil {
		return nil, err
	}
	if _, err := wql.Bind(q, base.class); err != nil {
		return nil, err
	}
	all, err := s.listable(base, s.ns.lineage(base))
	if err != nil {
		return nil, err
	}
	var targets []*target
	for _, t := range all {
		b, err := wql.Bind(q, t.entry.class)
		if err != nil {
			return nil, err
		}
		if b.Never {
			continue
		}
		t.shape = shapeOf(t.entry.class, t.entry.class, b.Properties, o.KeysOnly)
		t.constraints, t.orders = b.Constraints, b.Orders
		if b.Filters() {
			t.match = b.Match
			t.more = [][]int{b.Uses}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// queryAssociators runs ASSOCIATORS OF and REFERENCES OF. See spec/wmi.md 3.4.
func (s *session) queryAssociators(ctx context.Context, query string, o cim.QueryOptions) (cim.Enumerator, error) {
	const operation = "Query"
	a, err := wql.ParseAssociators(query)
	if err != nil {
		return nil, s.fail(err, operation, query)
	}
	options := cim.AssociatorOptions{
		OperationOptions: o.OperationOptions, AssocClass: a.AssocClass, ResultClass: a.ResultClass, Role: a.Role,
		ResultRole: a.ResultRole, KeysOnly: a.KeysOnly || o.KeysOnly, Batch: o.Batch,
	}
	need := required{a.RequiredAssocQualifier, a.RequiredQualifier}
	if a.SchemaOnly {
		return s.traverseSchema(query, a.Source, options, need, a.References)
	}
	v := (*walk).associator
	if a.References {
		v = (*walk).reference
	}
	return s.traverse(ctx, operation, a.Source, options, need, v, a.ClassDefsOnly)
}
