package cimtest

import (
	"context"
	"strconv"

	"github.com/casementhq/casement/cim"
)

// question is one step of the transcript. want is the whole answer, sorted,
// without the aspects that only some paths know. A
// name that begins with "class: " says that the answer is of aspect "class".
type question struct {
	name string
	run  func(ctx context.Context, w *writer)
	want []string
}

func (q *question) ask(ctx context.Context, s cim.Session) []Line {
	w := &writer{s: s}
	q.run(ctx, w)
	return w.lines
}

func path(class string, pairs ...any) cim.ObjectPath {
	p := cim.ObjectPath{Class: class}
	for n := 0; n+1 < len(pairs); n += 2 {
		p.Keys = append(p.Keys, cim.Key{Name: pairs[n].(string), Value: pairs[n+1].(cim.Value)})
	}
	return p
}

func byID(class, id string) cim.ObjectPath { return path(class, "ID", cim.Str(id)) }

func get(p cim.ObjectPath, properties ...string) func(context.Context, *writer) {
	return func(ctx context.Context, w *writer) {
		w.instance(w.s.Get(ctx, p, cim.GetOptions{Properties: properties}))
	}
}

func questions() []question {
	var all []question
	for _, group := range [][]question{
		getQuestions(), enumerateQuestions(), queryQuestions(), associatorQuestions(), invokeQuestions(), writeQuestions(), classQuestions(),
	} {
		all = append(all, group...)
	}
	return all
}

const (
	notFound     = "0x80041002 WBEM_E_NOT_FOUND"
	invalidClass = "0x80041010 WBEM_E_INVALID_CLASS"
	invalidPath  = "0x8004103A WBEM_E_INVALID_OBJECT_PATH"
	invalidQuery = "0x80041017 WBEM_E_INVALID_QUERY"
)

func getQuestions() []question {
	keys := func(flag bool) cim.ObjectPath {
		return path("CT_Keys", "Flag", cim.Bool(flag), "signed", cim.S64(-2), "Number", cim.U32(1), "Text", cim.Str("A"))
	}
	return []question{
		{"get every type", get(byID("CT_Types", "full")), wantFull},
		{"get empty arrays", get(byID("CT_Types", "empty"), "String", "StringArray", "Uint8Array"), []string{
			`CT_Types`, `CT_Types String string ""`, `CT_Types StringArray string[] {}`, `CT_Types Uint8Array uint8[] {}`}},
		{"get NULLs", get(byID("CT_Types", "null"), "ID", "Uint8", "Uint8Array", "String", "Datetime", "Other", "Inner", "Inners"), []string{
			`CT_Types.ID="null"`, `CT_Types.ID="null" Datetime datetime NULL`, `CT_Types.ID="null" ID string "null"`,
			`CT_Types.ID="null" Inner object NULL`, `CT_Types.ID="null" Inners object[] NULL`, `CT_Types.ID="null" Other ref NULL`,
			`CT_Types.ID="null" String string NULL`, `CT_Types.ID="null" Uint8 uint8 NULL`, `CT_Types.ID="null" Uint8Array uint8[] NULL`}},
		{"get by a superclass", get(byID("CT_Element", "derived"), "ID", "Caption"), []string{
			`CT_Derived.ID="derived"`, `CT_Derived.ID="derived" Caption string "more"`, `CT_Derived.ID="derived" ID string "derived"`}},
		{"get in another case", get(path("ct_part", "id", cim.Str("P1"))), []string{
			`CT_Part.ID="p1"`, `CT_Part.ID="p1" Caption string "part p1"`, `CT_Part.ID="p1" ID string "p1"`}},
		{"get with quotes in the key", get(byID("CT_Part", `C:\x "q"`), "ID"), []string{
			`CT_Part.ID="C:\\x \"q\""`, `CT_Part.ID="C:\\x \"q\"" ID string "C:\\x \"q\""`}},
		{"get by four keys", get(keys(false), "Note"), []string{`CT_Keys`, `CT_Keys Note string "second"`}},
		{"get by four keys, missing", get(keys(true)), []string{notFound}},
		{"get the singleton", get(cim.ObjectPath{Class: "CT_Only", Singleton: true}), []string{`CT_Only=@`, `CT_Only=@ Value string "the one"`}},
		{"get a missing instance", get(byID("CT_Types", "absent")), []string{notFound}},
		{"get of a missing class", get(byID("CT_Absent", "x")), []string{invalidClass}},
		{"get with a missing key", get(path("CT_Keys", "Text", cim.Str("A"), "Number", cim.U32(1))), []string{invalidPath}},
		{"get with a wrong key", get(path("CT_Number", "N", cim.Str("many"))), []string{invalidPath}},
	}
}

var wantFull = []string{
	`CT_Types.ID="full"`,
	`CT_Types.ID="full" Boolean boolean true`,
	`CT_Types.ID="full" BooleanArray boolean[] {true, false}`,
	`CT_Types.ID="full" Caption string "every type"`,
	`CT_Types.ID="full" Char16 char16 65`,
	`CT_Types.ID="full" Char16Array char16[] {97, 8364}`,
	`CT_Types.ID="full" Datetime datetime 20240229235959.123456+060`,
	`CT_Types.ID="full" DatetimeArray datetime[] {19980525133015.000000+000}`,
	`CT_Types.ID="full" ID string "full"`,
	`CT_Types.ID="full" Inner object CT_Embedded(Number=7, Text="in")`,
	`CT_Types.ID="full" Inners object[] {CT_Embedded(Number=1, Text="a"), CT_Embedded(Number=2, Text=NULL)}`,
	`CT_Types.ID="full" Other ref CT_Part.ID="p1"`,
	`CT_Types.ID="full" Real32 real32 0.1`,
	`CT_Types.ID="full" Real32Array real32[] {-1.5, 2}`,
	`CT_Types.ID="full" Real64 real64 0.3333333333333333`,
	`CT_Types.ID="full" Real64Array real64[] {1e+300}`,
	`CT_Types.ID="full" Sint16 sint16 -32768`,
	`CT_Types.ID="full" Sint16Array sint16[] {-1, 32767}`,
	`CT_Types.ID="full" Sint32 sint32 -2147483648`,
	`CT_Types.ID="full" Sint32Array sint32[] {2147483647}`,
	`CT_Types.ID="full" Sint64 sint64 -9223372036854775808`,
	`CT_Types.ID="full" Sint64Array sint64[] {-1, 9223372036854775807}`,
	`CT_Types.ID="full" Sint8 sint8 -128`,
	`CT_Types.ID="full" Sint8Array sint8[] {-1, 127}`,
	`CT_Types.ID="full" Span datetime 00000001132312.000001:000`,
	`CT_Types.ID="full" String string "Grüße <&> \"x\" 'y' \\z\ttab 漢字 😀"`,
	`CT_Types.ID="full" StringArray string[] {"one", "", " two "}`,
	`CT_Types.ID="full" Uint16 uint16 65535`,
	`CT_Types.ID="full" Uint16Array uint16[] {1, 65535}`,
	`CT_Types.ID="full" Uint32 uint32 4294967295`,
	`CT_Types.ID="full" Uint32Array uint32[] {1, 4294967295}`,
	`CT_Types.ID="full" Uint64 uint64 18446744073709551615`,
	`CT_Types.ID="full" Uint64Array uint64[] {1, 18446744073709551615}`,
	`CT_Types.ID="full" Uint8 uint8 255`,
	`CT_Types.ID="full" Uint8Array uint8[] {0, 255, 10}`,
}

// enumerate asks for the paths, or with properties for the whole objects.
func enumerate(class string, mode cim.Polymorphism, properties ...string) func(context.Context, *writer) {
	return func(ctx context.Context, w *writer) {
		o := cim.EnumerateOptions{Polymorphism: mode, Properties: properties, Batch: 3}
		if properties == nil {
			w.paths(ctx)(w.s.Enumerate(ctx, class, o))
			return
		}
		w.objects(ctx)(w.s.Enumerate(ctx, class, o))
	}
}

func enumerateQuestions() []question {
	numbers := func(ctx context.Context, w *writer) {
		sum, count := uint64(0), 0
		e, err := w.s.Enumerate(ctx, "CT_Number", cim.EnumerateOptions{Batch: 7})
		w.each(ctx, e, err, func(i *cim.Instance) {
			n, _ := i.Get("N").Uint()
			sum += n
			count++
		})
		w.add("value", "%s", strconv.Itoa(count)+" instances, sum "+strconv.Itoa(int(sum)))
	}
	return []question{
		{"enumerate deep", enumerate("CT_Element", cim.Deep), []string{
			`CT_Derived.ID="derived"`, `CT_Item.ID="fixed"`, `CT_Part.ID="C:\\x \"q\""`, `CT_Part.ID="p1"`, `CT_Part.ID="p2"`,
			`CT_Types.ID="empty"`, `CT_Types.ID="full"`, `CT_Types.ID="null"`}},
		{"enumerate shallow", enumerate("CT_Types", cim.Shallow), []string{`CT_Types.ID="empty"`, `CT_Types.ID="full"`, `CT_Types.ID="null"`}},
		{"enumerate an abstract class shallow", enumerate("CT_Element", cim.Shallow), nil},
		{"enumerate base properties", enumerate("CT_Types", cim.DeepBasePropsOnly), []string{
			`CT_Types.ID="derived"`, `CT_Types.ID="empty"`, `CT_Types.ID="full"`, `CT_Types.ID="null"`}},
		{"enumerate with base properties only", func(ctx context.Context, w *writer) {
			e, err := w.s.Enumerate(ctx, "CT_Types", cim.EnumerateOptions{Polymorphism: cim.DeepBasePropsOnly})
			w.each(ctx, e, err, func(i *cim.Instance) {
				w.add("value", "%v Extra=%v Uint32=%v", bare(i.Get("ID")), i.Class().PropertyIndex("Extra") >= 0, bare(i.Get("Uint32")))
			})
		}, []string{`"derived" Extra=false Uint32=9`, `"empty" Extra=false Uint32=NULL`, `"full" Extra=false Uint32=4294967295`, `"null" Extra=false Uint32=NULL`}},
		{"enumerate a projection", enumerate("CT_Derived", cim.Deep, "Extra", "ID"), []string{
			`CT_Derived.ID="derived"`, `CT_Derived.ID="derived" Extra uint32 5`, `CT_Derived.ID="derived" ID string "derived"`}},
		{"enumerate keys only", func(ctx context.Context, w *writer) {
			w.paths(ctx)(w.s.Enumerate(ctx, "CT_Part", cim.EnumerateOptions{KeysOnly: true}))
		}, []string{`CT_Part.ID="C:\\x \"q\""`, `CT_Part.ID="p1"`, `CT_Part.ID="p2"`}},
		{"enumerate four keys", enumerate("CT_Keys", cim.Deep), []string{
			`CT_Keys.Text="A",Number=1,Signed=-2,Flag=FALSE`, `CT_Keys.Text="a,b=c",Number=1,Signed=-2,Flag=TRUE`}},
		{"enumerate many", numbers, []string{"300 instances, sum 44850"}},
		{"enumerate a missing class", enumerate("CT_Absent", cim.Deep), []string{invalidClass}},
	}
}
