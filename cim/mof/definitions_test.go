package mof

import (
	"testing"
	"testing/fstest"

	"github.com/casementhq/casement/cim"
)

func TestDefinitions(t *testing.T) {
	fsys := fstest.MapFS{
		"schema/b.mof": {Data: []byte(`
// a subclass in front of its superclass, and in front of the file that has it
[Dynamic, Provider("CasementHost"), SupportsCreate, CreateBy("Create"), MappingStrings{"a|b", "c"}]
class Sample_Process : Sample_Base
{
  [Read, MaxLen(256), Units("bytes")] uint64 Size;
  [Read, Write] string Tags[] = {"a", "b\n"};
  Sample_Base ref Parent;
  [Implemented, Static] uint32 Create([In] string CommandLine, [In, Optional] Sample_Startup Startup, [Out] uint32 Id);
  void Nothing();
};
class Sample_Startup { uint16 Show = 5; };
`)},
		"schema/a.mof": {Data: []byte(`
#pragma namespace("\\\\.\\root\\sample")
[Abstract] class Sample_Base { [Key] string Handle; };
#pragma include("inc/more.mof")
`)},
		"schema/inc/more.mof": {Data: []byte(`class __Own : __Thing {}; class __Thing {};
instance of Sample_Process as $P { Handle = "1"; Size = 0x10; Parent = $Q; };
instance of Sample_Process as $Q { Handle = "2"; Tags = {}; };`)},
	}
	// Sample_Process is in every namespace and so cannot derive from a class of one
	if _, _, err := Definitions(fsys, "schema/b.mof", "schema/a.mof"); cim.StatusOf(err) != cim.ErrInvalidSuperclass {
		t.Fatal(err)
	}
	fsys["schema/b.mof"].Data = append([]byte(`#pragma namespace("root/sample")`), fsys["schema/b.mof"].Data...)
	classes, instances, err := Definitions(fsys, "schema/b.mof", "schema/a.mof")
	if err != nil {
		t.Fatal(err)
	}
	var order string
	for _, c := range classes {
		order += c.Name + " "
	}
	if want := "Sample_Base Sample_Process Sample_Startup __Thing __Own "; order != want {
		t.Fatalf("the order is %s, want %s", order, want)
	}
	p := classes[1]
	if p.Namespace != `root\sample` || len(p.Keys()) != 1 || p.Qualifiers.Text("CreateBy") != "Create" || p.IsAbstract() {
		t.Errorf("%+v", p)
	}
	create := p.Method("Create")
	if !create.Static || create.Return != cim.Uint32 || len(create.In) != 2 || len(create.Out) != 1 || !create.In[1].Optional ||
		create.In[1].RefClass != "Sample_Startup" || create.In[1].Type != cim.Object {
		t.Errorf("%+v", create)
	}
	if id, _ := create.Out[0].Qualifiers.Get("ID"); !id.Equal(cim.S32(2)) {
		t.Errorf("the third parameter has the ID %v", id)
	}
	if d := p.Property("Tags").Default; !d.Equal(cim.Strs([]string{"a", "b\n"})) {
		t.Errorf("Tags = %v", d)
	}
	if len(instances) != 2 {
		t.Fatalf("%d instances", len(instances))
	}
	// $P waited for $Q
	if q := instances[0]; !q.Get("Handle").Equal(cim.Str("2")) || q.Get("Tags").IsNull() || len(q.Get("Tags").Elems()) != 0 {
		t.Errorf("%v", q)
	}
	if i := instances[1]; !i.Get("Size").Equal(cim.U64(16)) || !i.Get("Parent").Equal(cim.Ref(`Sample_Process.Handle="2"`)) || len(i.Get("Tags").Elems()) != 2 {
		t.Errorf("%v %v", i.Get("Size"), i.Get("Parent"))
	}
}
