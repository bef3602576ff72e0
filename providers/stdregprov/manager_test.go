package stdregprov

import (
	"context"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// StdRegProv through the object manager, as both namespaces have it.
func TestThroughTheManager(t *testing.T) {
	p, hive := open(t)
	m := cimom.New(cimom.Options{Server: "HOST"})
	t.Cleanup(func() { m.Close() })
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, namespace := range []string{`root\default`, `root\cimv2`} {
		s, err := m.Open(ctx, cim.Caller{Token: token(security.SIDAdministrators)}, namespace, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		path := cim.ObjectPath{Class: "StdRegProv"}
		run := func(method string, args ...cim.NamedValue) cim.Result {
			t.Helper()
			r, err := s.Invoke(ctx, path, method, args, cim.OperationOptions{})
			if err != nil {
				t.Fatalf("%s in %s: %v", method, namespace, err)
			}
			return r
		}
		text := func(name, v string) cim.NamedValue { return cim.NamedValue{Name: name, Value: cim.Text(v)} }
		// as text, which WS-Management carries
		r := run("EnumValues", text("hDefKey", "2147483650"), text("sSubKeyName", `SOFTWARE\Test`))
		if r.ReturnValue.String() != "0" || r.Out.Get("Types").Type() != cim.Sint32.Array() || len(r.Out.Get("sNames").Elems()) != 8 {
			t.Errorf("EnumValues: %v", r)
		}
		r = run("GetStringValue", text("sSubKeyName", `SOFTWARE\Test`), text("sValueName", "Text"))
		if r.ReturnValue.String() != "0" || r.Out.Get("sValue").String() != "grün" {
			t.Errorf("GetStringValue: %v", r)
		}
		r = run("SetDWORDValue", text("sSubKeyName", `SOFTWARE\Test`), text("sValueName", namespace), text("uValue", "7"))
		if v, _ := hive.Get(`HKLM\SOFTWARE\Test`, namespace); r.ReturnValue.String() != "0" || v.String() != "7" {
			t.Errorf("SetDWORDValue: %v, the hive holds %v", r, v)
		}
		if r = run("DeleteValue", text("sSubKeyName", `SOFTWARE\Test`), text("sValueName", namespace)); r.ReturnValue.String() != "0" {
			t.Errorf("DeleteValue: %v", r)
		}
		s.Close()
	}
	// Every declared method runs, and none is left out.
	for _, c := range p.Classes() {
		if c.Name != "StdRegProv" {
			continue
		}
		if len(c.Methods) != len(methods) {
			t.Errorf("%d methods are declared, %d are there", len(c.Methods), len(methods))
		}
		for i := range c.Methods {
			if _, ok := methods[cim.Fold(c.Methods[i].Name)]; !ok || !c.Methods[i].Static || !c.Methods[i].Qualifiers.True("Implemented") {
				t.Errorf("%s is not there, or not static", c.Methods[i].Name)
			}
		}
	}
}
