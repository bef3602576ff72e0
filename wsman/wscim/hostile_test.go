package wscim

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// nested is a reference whose key is a reference, and so on; the innermost key
// is value.
func nested(levels int, value string) string {
	const uri = `<w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/C</w:ResourceURI>`
	for range levels {
		value = `<a:EndpointReference><a:ReferenceParameters>` + uri + `<w:SelectorSet><w:Selector Name="K">` + value +
			`</w:Selector></w:SelectorSet></a:ReferenceParameters></a:EndpointReference>`
	}
	return value
}

// An object path quotes the paths in its keys, and each level of quoting
// doubles what has to be escaped. A peer nests references so that a few
// kilobytes become gigabytes; the decoder must refuse that early.
func TestNestedReferencesDoNotExplode(t *testing.T) {
	holder := cim.NewClass("Holder", nil).Dynamic().Key("ID", cim.String).Property("Ref", cim.Reference).Build(`root\cimv2`)
	for _, typed := range []bool{true, false} {
		doc := `<p:Holder xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Holder" xmlns:a="` + soap.URIAddressing +
			`" xmlns:w="` + soap.URIWSMan + `"><p:Ref>` + strings.TrimSuffix(strings.TrimPrefix(nested(16, strings.Repeat(`"`, 512)),
			`<a:EndpointReference>`), `</a:EndpointReference>`) + `</p:Ref></p:Holder>`
		d := &Decoder{}
		if typed {
			d.Classes = func(_, name string) *cim.Class {
				if name == "Holder" {
					return holder
				}
				return nil
			}
		}
		r := soap.NewReader([]byte(doc), soap.Limits{})
		if err := r.Root(); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := d.Instance(r)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrNesting) {
			t.Errorf("typed %v: %v", typed, err)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 4<<20 {
			t.Errorf("typed %v: a document of %d bytes took %d bytes of memory", typed, len(doc), spent)
		}
	}
}

// What real models nest, an association between associations, still passes.
func TestNestedReferencesOfRealModels(t *testing.T) {
	doc := `<x xmlns:a="` + soap.URIAddressing + `" xmlns:w="` + soap.URIWSMan + `">` + nested(3, "leaf") + `</x>`
	r := soap.NewReader([]byte(doc), soap.Limits{})
	if err := r.Root(); err != nil {
		t.Fatal(err)
	}
	if more, err := r.Child(); !more || err != nil {
		t.Fatal(more, err)
	}
	p, err := new(Decoder).EPR(r)
	if err != nil || !strings.Contains(p.String(), "leaf") {
		t.Errorf("%v, %v", p, err)
	}
}

// A peer stores embedded objects of classes that it makes up, each with
// thousands of properties, and has them written again. What was learnt of such
// a class serves no other object and must not stay in memory.
func TestMadeUpClassesAreNotKept(t *testing.T) {
	holder := cim.NewClass("Holder", nil).Dynamic().Key("ID", cim.String).Property("Inner", cim.Object).Build(`root\cimv2`)
	var set Encoders
	for n := range 100 {
		made := (&cim.Class{Name: "MadeUp", Partial: true, Properties: []cim.Property{{Name: "P", Type: cim.String}}}).Seal()
		i := cim.NewInstance(holder)
		if err := i.Set("Inner", cim.Obj(cim.MakeInstance(made, []cim.Value{cim.Str("x")}))); err != nil {
			t.Fatal(n, err)
		}
		if b, err := set.For(holder).AppendInstance(nil, i); err != nil || !strings.Contains(string(b), ">x<") {
			t.Fatalf("%s, %v", b, err)
		}
	}
	if kept := set.kept.Load(); kept != 1 {
		t.Errorf("%d encoders are kept, one class is real", kept)
	}
}
