package casementtest_test

import (
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
)

// StdRegProv over WinRM: the client, the service and the hive of its state folder.
func TestRegistryOverWinRM(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	hive := s.Service.State.Hive
	err := hive.Update(func(tx *registry.Tx) error {
		if err := tx.Set(`HKLM\SOFTWARE\Test`, "Text", registry.SZ("grün")); err != nil {
			return err
		}
		return tx.Set(`HKLM\SOFTWARE\Test`, "Number", registry.DWORD(7))
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	conn, err := casement.Dial(ctx, s.HTTP, casement.Options{User: s.User, Password: s.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	session, err := conn.Session(ctx, `root\default`)
	if err != nil {
		t.Fatal(err)
	}
	run := func(method string, in ...cim.NamedValue) cim.Result {
		t.Helper()
		r, err := session.Invoke(ctx, cim.ObjectPath{Class: "StdRegProv"}, method, in, cim.OperationOptions{})
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		return r
	}
	arg := func(name string, v cim.Value) cim.NamedValue { return cim.NamedValue{Name: name, Value: v} }
	tree, key := arg("hDefKey", cim.U32(0x80000002)), arg("sSubKeyName", cim.Str(`SOFTWARE\Test`))
	if r := run("EnumValues", tree, key); r.ReturnValue.String() != "0" || r.Out.Get("sNames").String() != "{Number, Text}" || r.Out.Get("Types").String() != "{4, 1}" {
		t.Errorf("EnumValues: %v", r)
	}
	if r := run("GetStringValue", key, arg("sValueName", cim.Str("Text"))); r.Out.Get("sValue").String() != "grün" {
		t.Errorf("GetStringValue: %v", r)
	}
	if r := run("GetStringValue", tree, key, arg("sValueName", cim.Str("Gone"))); r.ReturnValue.String() != "2" {
		t.Errorf("GetStringValue of no value: %v", r)
	}
	if r := run("SetMultiStringValue", tree, key, arg("sValueName", cim.Str("List")), arg("sValue", cim.Strs([]string{"a", "b"}))); r.ReturnValue.String() != "0" {
		t.Errorf("SetMultiStringValue: %v", r)
	}
	if v, _ := hive.Get(`HKLM\SOFTWARE\Test`, "List"); v != registry.MultiSZ("a", "b") {
		t.Errorf("the hive holds %v", v)
	}
}
