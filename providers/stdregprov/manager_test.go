package stdregprov

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/registry"
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

// The queries are those of the documentation of the event classes.
func TestSubscriptions(t *testing.T) {
	p, hive := open(t)
	m := cimom.New(cimom.Options{Server: "HOST"})
	t.Cleanup(func() { m.Close() })
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := m.Open(ctx, cim.Caller{Token: token(security.SIDAdministrators)}, `root\default`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct{ query, property, want string }{
		{`SELECT * FROM RegistryValueChangeEvent WHERE Hive='HKEY_LOCAL_MACHINE' AND KeyPath='SOFTWARE\\Test' AND ValueName='text'`, "ValueName", "Text"},
		{`SELECT * FROM RegistryKeyChangeEvent WHERE Hive='HKEY_LOCAL_MACHINE' AND KeyPath='SOFTWARE\\Test'`, "KeyPath", `SOFTWARE\Test`},
		{`SELECT * FROM RegistryTreeChangeEvent WHERE Hive='HKEY_LOCAL_MACHINE' AND RootPath='SOFTWARE'`, "RootPath", "SOFTWARE"},
	} {
		e, err := s.(cim.Subscriber).Subscribe(ctx, c.query, cim.SubscribeOptions{})
		if err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() { // until the subscription sees it: other values change, too
			for n := uint32(0); ; n++ {
				err := hive.Update(func(tx *registry.Tx) error {
					if err := tx.Set(`HKLM\SOFTWARE\Test`, "Small", registry.DWORD(n)); err != nil {
						return err
					}
					return tx.Set(`HKLM\SOFTWARE\Test`, "Text", registry.DWORD(n))
				})
				if err != nil {
					t.Error(err)
				}
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
		got, err := e.Next(ctx, 1)
		close(stop)
		writer.Wait()
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %v, %v", c.query, got, err)
		}
		i := got[0]
		if i.Get(c.property).String() != c.want || i.Get("Hive").String() != "HKEY_LOCAL_MACHINE" || i.Get("TIME_CREATED").IsNull() {
			t.Errorf("%s gives %v %v", c.query, i.Get(c.property), i.Get("TIME_CREATED"))
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
