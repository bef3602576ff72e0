package cimtest

import (
	"context"

	"github.com/casementhq/casement/cim"
)

func item(id string, value uint32, texts ...string) *cim.Instance {
	return theFixture().make("CT_Item", "ID", cim.Str(id), "Value", cim.U32(value), "Texts", cim.Strs(texts))
}

// writeQuestions follow one item from its making to its end.
func writeQuestions() []question {
	const id = `new "1"`
	create := func(ctx context.Context, w *writer) {
		p, err := w.s.Create(ctx, item(id, 1, "a", "b"), cim.OperationOptions{})
		if !w.failed(err) {
			w.add("object", "%s", p.Relative())
		}
	}
	put := func(i *cim.Instance, o cim.PutOptions) func(context.Context, *writer) {
		return func(ctx context.Context, w *writer) { w.failed(w.s.Put(ctx, i, o)) }
	}
	remove := func(p cim.ObjectPath) func(context.Context, *writer) {
		return func(ctx context.Context, w *writer) { w.failed(w.s.Delete(ctx, p, cim.OperationOptions{})) }
	}
	look := get(byID("CT_Item", id), "Value", "Texts")
	fixed := theFixture().make("CT_Item", "ID", cim.Str("fixed"), "Value", cim.U32(1), "Fixed", cim.Str("moves"))
	made := theFixture().make("CT_Part", "ID", cim.Str("made"))
	fails := func(i *cim.Instance) func(context.Context, *writer) {
		return func(ctx context.Context, w *writer) {
			_, err := w.s.Create(ctx, i, cim.OperationOptions{})
			w.failed(err)
		}
	}
	unknown := cim.NewInstance(cim.NewClass("CT_Unknown", nil).Key("ID", cim.String).Build(Namespace))
	set(unknown, "ID", cim.Str("x"))
	return []question{
		{"create", create, []string{`CT_Item.ID="new \"1\""`}},
		{"create again", create, []string{"0x80041019 WBEM_E_ALREADY_EXISTS"}},
		{"get what was created", look, []string{`CT_Item`, `CT_Item Texts string[] {"a", "b"}`, `CT_Item Value uint32 1`}},
		{"put", put(item(id, 2, "c"), cim.PutOptions{}), nil},
		{"get what was put", look, []string{`CT_Item`, `CT_Item Texts string[] {"c"}`, `CT_Item Value uint32 2`}},
		{"put one property", put(item(id, 3), cim.PutOptions{Properties: []string{"Value"}}), nil},
		{"get what was put in part", look, []string{`CT_Item`, `CT_Item Texts string[] {"c"}`, `CT_Item Value uint32 3`}},
		{"put a read-only property", put(fixed, cim.PutOptions{}), []string{"0x80041023 WBEM_E_READ_ONLY"}},
		{"put a missing instance", put(item("none", 1), cim.PutOptions{}), []string{notFound}},
		{"delete", remove(byID("CT_Item", id)), nil},
		{"get what was deleted", look, []string{notFound}},
		{"delete again", remove(byID("CT_Item", id)), []string{notFound}},
		{"create without a key", fails(theFixture().make("CT_Item", "Value", cim.U32(1))), []string{"0x80041089 WBEM_E_NO_KEY"}},
		{"create of a missing class", fails(unknown), []string{invalidClass}},
		{"put of a missing class", put(unknown, cim.PutOptions{}), []string{invalidClass}},
		{"delete of a missing class", remove(byID("CT_Absent", "x")), []string{invalidClass}},
		{"delete with a wrong key", remove(path("CT_Number", "N", cim.Str("many"))), []string{invalidPath}},
		{"create a part", fails(made), nil},
		{"delete a part", remove(byID("CT_Part", "made")), nil},
	}
}

func classQuestions() []question {
	return []question{
		{"class: class definition", func(ctx context.Context, w *writer) {
			c, err := w.s.GetClass(ctx, "ct_derived", cim.GetOptions{})
			if err != nil {
				w.add("class", "%v", cim.StatusOf(err))
				return
			}
			w.add("class", "%s : %s", c.Name, c.Superclass)
			for _, p := range c.Properties {
				w.add("class", "%s %s key=%v", p.Type, p.Name, p.Key)
			}
			for _, m := range c.Methods {
				w.add("class", "method %s, %d in, %d out, static=%v", m.Name, len(m.In), len(m.Out), m.Static)
			}
		}, wantDerived()},
		{"class: every definition", func(ctx context.Context, w *writer) {
			for _, k := range theFixture().order {
				c, err := w.s.GetClass(ctx, k.Name, cim.GetOptions{})
				if err != nil {
					w.add("class", "%s: %v", k.Name, cim.StatusOf(err))
					continue
				}
				w.class("definition", c)
			}
		}, wantDefinitions()},
		{"class: subclasses", func(ctx context.Context, w *writer) {
			list, err := w.s.EnumerateClasses(ctx, "CT_Element", false)
			if err != nil {
				w.add("class", "%v", cim.StatusOf(err))
			}
			for _, c := range list {
				w.add("class", "%s", c.Name)
			}
		}, []string{"CT_Item", "CT_Part", "CT_Types"}},
		{"class: subclasses deep", func(ctx context.Context, w *writer) {
			list, _ := w.s.EnumerateClasses(ctx, "CT_Element", true)
			for _, c := range list {
				w.add("class", "%s", c.Name)
			}
		}, []string{"CT_Derived", "CT_Item", "CT_Part", "CT_Types"}},
		{"class: missing class definition", func(ctx context.Context, w *writer) {
			_, err := w.s.GetClass(ctx, "CT_Absent", cim.GetOptions{})
			w.add("class", "%v", cim.StatusOf(err))
		}, []string{notFound}},
	}
}

func wantDerived() []string {
	want := []string{
		"CT_Derived : CT_Types", "string ID key=true", "string Caption key=false", "datetime Span key=false", "ref Other key=false",
		"object Inner key=false", "object[] Inners key=false", "uint32 Extra key=false",
		"method Echo, 28 in, 28 out, static=true", "method Embed, 1 in, 2 out, static=true", "method Describe, 1 in, 1 out, static=false",
		"method Fail, 1 in, 0 out, static=false", "method Absent, 0 in, 0 out, static=false", "method Wait, 0 in, 0 out, static=true",
	}
	for _, s := range scalars {
		want = append(want, s.typ.String()+" "+s.property(false)+" key=false", s.typ.String()+"[] "+s.property(true)+" key=false")
	}
	return want
}

// wantDefinitions are the definitions as the suite made them.
func wantDefinitions() []string {
	w := &writer{}
	for _, c := range theFixture().order {
		w.class("definition", c)
	}
	var want []string
	for _, l := range w.lines {
		want = append(want, l.Text)
	}
	return want
}
