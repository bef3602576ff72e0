package cimtest

import (
	"context"

	"github.com/casementhq/casement/cim"
)

func query(text string) func(context.Context, *writer) {
	return func(ctx context.Context, w *writer) { w.paths(ctx)(w.s.Query(ctx, text, cim.QueryOptions{Batch: 2})) }
}

func queryQuestions() []question {
	return []question{
		{"query all", query(`SELECT * FROM CT_Part`), []string{`CT_Part.ID="C:\\x \"q\""`, `CT_Part.ID="p1"`, `CT_Part.ID="p2"`}},
		{"query a key", query(`SELECT * FROM CT_Part WHERE ID='P2'`), []string{`CT_Part.ID="p2"`}},
		{"query an escape", query(`SELECT * FROM CT_Part WHERE ID="C:\\x \"q\""`), []string{`CT_Part.ID="C:\\x \"q\""`}},
		{"query subclasses", query(`SELECT * FROM CT_Element WHERE Caption IS NOT NULL AND NOT Caption LIKE "part%"`), []string{
			`CT_Derived.ID="derived"`, `CT_Types.ID="full"`}},
		{"query one class", query(`SELECT * FROM CT_Element WHERE __CLASS = "CT_Item"`), []string{`CT_Item.ID="fixed"`}},
		{"query precedence", query(`SELECT * FROM CT_Number WHERE N=1 OR N<10 AND Even=TRUE AND Word LIKE '[^a-s]%'`), []string{
			`CT_Number.N=0`, `CT_Number.N=1`, `CT_Number.N=2`}},
		{"query constant first", query(`SELECT * FROM CT_Number WHERE 298 < N`), []string{`CT_Number.N=299`}},
		{"query embedded", query(`SELECT * FROM CT_Types WHERE Inner.Number = 7 AND Inner ISA "CT_Embedded"`), []string{`CT_Types.ID="full"`}},
		{"query datetime", query(`SELECT * FROM CT_Types WHERE Datetime = "20240229225959.123456+000"`), []string{`CT_Types.ID="full"`}},
		{"query uint64", query(`SELECT * FROM CT_Types WHERE Uint64 > 18446744073709551614`), []string{`CT_Types.ID="full"`}},
		{"query nothing", query(`SELECT * FROM CT_Part WHERE ID='none'`), nil},
		{"query a projection", func(ctx context.Context, w *writer) {
			w.objects(ctx)(w.s.Query(ctx, `SELECT Word, N FROM CT_Number WHERE N=7`, cim.QueryOptions{}))
		}, []string{`CT_Number.N=7`, `CT_Number.N=7 N uint32 7`, `CT_Number.N=7 Word string "seven"`}},
		{"query associators", query(`ASSOCIATORS OF {CT_Types.ID="full"} WHERE AssocClass=CT_ContainsMain KeysOnly`), []string{`CT_Part.ID="p1"`, `CT_Part.ID="p2"`}},
		{"query associators with AND", query(`ASSOCIATORS OF {CT_Types.ID="full"} WHERE Role=Whole AND ResultRole=Component`), []string{invalidQuery}},
		{"query associators by qualifier", query(`ASSOCIATORS OF {CT_Types.ID="full"} WHERE RequiredAssocQualifier=Singleton`), nil},
		{"query a missing class", query(`SELECT * FROM CT_Absent`), []string{invalidClass}},
		{"query a syntax error", query(`SELECT * FORM CT_Part`), []string{invalidQuery}},
		{"query two properties", query(`SELECT * FROM CT_Part WHERE ID=Caption`), []string{invalidQuery}},
		{"query another language", func(ctx context.Context, w *writer) {
			w.paths(ctx)(w.s.Query(ctx, `SELECT * FROM CT_Part`, cim.QueryOptions{Language: "SQL"}))
		}, []string{"0x80041018 WBEM_E_INVALID_QUERY_TYPE"}},
	}
}

func associators(source cim.ObjectPath, o cim.AssociatorOptions) func(context.Context, *writer) {
	return func(ctx context.Context, w *writer) { w.paths(ctx)(w.s.Associators(ctx, source, o)) }
}

func references(source cim.ObjectPath, o cim.AssociatorOptions) func(context.Context, *writer) {
	return func(ctx context.Context, w *writer) {
		e, err := w.s.References(ctx, source, o)
		w.each(ctx, e, err, func(i *cim.Instance) {
			w.add("object", "%s %s - %s", i.Class().Name, bare(i.Get("Whole")), bare(i.Get("Component")))
		})
	}
}

func associatorQuestions() []question {
	full, p1 := byID("CT_Types", "full"), byID("CT_Part", "p1")
	return []question{
		// one result for each association, T-65 of the specification
		{"associators", associators(full, cim.AssociatorOptions{}), []string{
			`CT_Part.ID="C:\\x \"q\""`, `CT_Part.ID="p1"`, `CT_Part.ID="p1"`, `CT_Part.ID="p2"`}},
		{"associators backward", associators(p1, cim.AssociatorOptions{}), []string{
			`CT_Derived.ID="derived"`, `CT_Types.ID="full"`, `CT_Types.ID="full"`}},
		{"associators by class", associators(full, cim.AssociatorOptions{AssocClass: "CT_ContainsMain"}), []string{`CT_Part.ID="p1"`, `CT_Part.ID="p2"`}},
		{"associators by role", associators(full, cim.AssociatorOptions{Role: "Component"}), nil},
		{"associators by result role", associators(full, cim.AssociatorOptions{AssocClass: "ct_containsmain", Role: "whole", ResultRole: "component", ResultClass: "CT_Element"}),
			[]string{`CT_Part.ID="p1"`, `CT_Part.ID="p2"`}},
		{"associators by result class", associators(p1, cim.AssociatorOptions{ResultClass: "CT_Derived"}), []string{`CT_Derived.ID="derived"`}},
		{"references", references(full, cim.AssociatorOptions{}), []string{
			`CT_Contains CT_Types.ID="full" - CT_Part.ID="C:\\x \"q\""`, `CT_Contains CT_Types.ID="full" - CT_Part.ID="p1"`,
			`CT_ContainsMain CT_Types.ID="full" - CT_Part.ID="p1"`, `CT_ContainsMain CT_Types.ID="full" - CT_Part.ID="p2"`}},
		{"references by class", references(full, cim.AssociatorOptions{ResultClass: "CT_ContainsMain", Role: "Whole"}), []string{
			`CT_ContainsMain CT_Types.ID="full" - CT_Part.ID="p1"`, `CT_ContainsMain CT_Types.ID="full" - CT_Part.ID="p2"`}},
		{"references of a subclass", references(byID("CT_Derived", "derived"), cim.AssociatorOptions{}), []string{
			`CT_Contains CT_Types.ID="derived" - CT_Part.ID="p1"`}},
		{"associators of a missing instance", associators(byID("CT_Part", "none"), cim.AssociatorOptions{}), []string{notFound}},
	}
}

func invoke(p cim.ObjectPath, method string, in ...cim.NamedValue) func(context.Context, *writer) {
	return func(ctx context.Context, w *writer) { w.result(w.s.Invoke(ctx, p, method, in, cim.OperationOptions{})) }
}

func invokeQuestions() []question {
	var echo cim.Arguments
	want := []string{"ReturnValue uint32 4294967295"}
	for _, s := range scalars {
		array := cim.Array(s.typ, s.array)
		echo = append(echo, cim.NamedValue{Name: s.property(true), Value: array}, cim.NamedValue{Name: s.property(false), Value: s.value})
		want = append(want, s.property(false)+" "+render(s.value), s.property(true)+" "+render(array))
	}
	var nulls []string
	for _, s := range scalars {
		nulls = append(nulls, s.property(false)+" "+s.typ.String()+" NULL", s.property(true)+" "+s.typ.String()+"[] NULL")
	}
	embedded := cim.Obj(theFixture().make("CT_Embedded", "Number", cim.U32(3)))
	derived := byID("CT_Types", "derived")
	status := func(s cim.Status) cim.NamedValue { return cim.NamedValue{Name: "Status", Value: cim.U32(uint32(s))} }
	static := cim.ObjectPath{Class: "CT_Types"}
	return []question{
		{"invoke with every type", invoke(static, "Echo", echo...), want},
		{"invoke with NULLs", invoke(static, "Echo"), append(nulls, "ReturnValue uint32 4294967295")},
		{"invoke with an object", invoke(static, "Embed", cim.NamedValue{Name: "In", Value: embedded}), []string{
			`Out object CT_Embedded(Number=3, Text=NULL)`, `Path ref CT_Part.ID="p1"`}},
		{"invoke on an instance", invoke(derived, "describe", cim.NamedValue{Name: "prefix", Value: cim.Str("> ")}), []string{
			`ReturnValue sint32 -1`, `Text string "> CT_Derived derived"`}},
		{"invoke without an optional parameter", invoke(derived, "Describe"), []string{`ReturnValue sint32 -1`, `Text string "CT_Derived derived"`}},
		{"invoke on the singleton", invoke(cim.ObjectPath{Class: "CT_Only", Singleton: true}, "Touch"), []string{`ReturnValue uint32 0`}},
		{"invoke a failing method", invoke(derived, "Fail", status(cim.ErrNotAvailable)), []string{cim.ErrNotAvailable.Error()}},
		{"invoke a missing method", invoke(derived, "Nothing"), []string{"0x8004102E WBEM_E_INVALID_METHOD"}},
		{"invoke a method without a body", invoke(derived, "Absent"), []string{"0x80041055 WBEM_E_METHOD_NOT_IMPLEMENTED"}},
		{"invoke with a wrong parameter", invoke(derived, "Fail", cim.NamedValue{Name: "Other", Value: cim.U32(1)}), []string{
			"0x8004102F WBEM_E_INVALID_METHOD_PARAMETERS"}},
		{"invoke with a wrong type", invoke(derived, "Fail", cim.NamedValue{Name: "Status", Value: cim.Str("x")}), []string{
			"0x8004102F WBEM_E_INVALID_METHOD_PARAMETERS"}},
		{"invoke on a missing instance", invoke(byID("CT_Types", "none"), "Describe"), []string{notFound}},
	}
}
