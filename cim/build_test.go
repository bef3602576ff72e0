package cim

import (
	"math"
	"testing"
)

func TestPathsThatLookAlike(t *testing.T) {
	keys := func(a, b string) ObjectPath {
		return ObjectPath{Class: "X", Keys: []Key{{"A", Str(a)}, {"B", Str(b)}}}
	}
	if keys("x,b=y", "z").Equal(keys("x", "y,b=z")) {
		t.Error("different keys compare equal")
	}
	if !keys("x,b=y", "z").Equal(ObjectPath{Class: "x", Keys: []Key{{"b", Str("Z")}, {"a", Str("X,b=y")}}}) {
		t.Error("equal keys in another order compare different")
	}
}

// TestRealText: the lexical forms of XML Schema Part 2, 3.2.4.1.
func TestRealText(t *testing.T) {
	for want, f := range map[string]float64{"INF": math.Inf(1), "-INF": math.Inf(-1), "NaN": math.NaN(), "1.5": 1.5} {
		v := Real(Real64, f)
		if v.String() != want {
			t.Errorf("%v is written %q, want %q", f, v.String(), want)
		}
		if back, err := ParseValue(Real64, want); err != nil || !back.Equal(v) {
			t.Errorf("%q is read as %v, %v", want, back, err)
		}
	}
}

func TestNewClass(t *testing.T) {
	base := NewClass("CIM_Base", nil).Abstract().Association().Description("Base.").
		Key("ID", String).Property("Size", Uint32, Units("Bytes"), Qualifier{Name: "Own", Value: Bool(true)}).
		Method("Run", Uint32, In("A", String), Out("B", Uint8)).
		Build(`root\cimv2`)
	sub := NewClass("Sub", base).Property("Size", Uint64, Maps("x")).Property("More", String.Array()).
		StaticMethod("run", Untyped, InOut("C", Boolean, IsOptional())).Build("")
	if sub.Namespace != `root\cimv2` || sub.Superclass != "CIM_Base" || !sub.IsA("cim_base") || sub.Dynasty() != "CIM_Base" {
		t.Errorf("%+v", sub)
	}
	if sub.IsAbstract() || !sub.IsAssociation() {
		t.Error("Abstract descends to a subclass, or Association does not")
	}
	size := sub.Properties[1]
	if len(sub.Properties) != 3 || size.Type != Uint64 || size.Origin != "Sub" || size.Qualifiers.Text("Units") != "Bytes" || size.Qualifiers.True("Own") {
		t.Errorf("overridden property: %+v", size)
	}
	if id := sub.Properties[0]; !id.Key || id.Origin != "CIM_Base" || !id.Qualifiers.True("Key") || len(sub.Keys()) != 1 {
		t.Errorf("inherited key: %+v", id)
	}
	run := sub.Method("Run")
	if len(sub.Methods) != 1 || !run.Static || len(run.In) != 1 || len(run.Out) != 1 || !run.In[0].Optional || !run.Qualifiers.True("Implemented") {
		t.Errorf("overridden method: %+v", run)
	}
	if m := base.Method("Run"); m.Static || len(m.In) != 1 || m.In[0].Name != "A" || m.Out[0].Name != "B" || base.Properties[1].Type != Uint32 {
		t.Errorf("the superclass changed: %+v", m)
	}
}
