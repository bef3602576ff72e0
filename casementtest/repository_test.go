package casementtest_test

import (
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
)

// MOF text goes over WinRM into the repository of the service, and what it made
// is asked for, changed and deleted like everything else.
func TestRepositoryOverWinRM(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	ctx := t.Context()
	conn, err := casement.Dial(ctx, s.HTTP, casement.Options{User: s.User, Password: s.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	session := func(namespace string) cim.Session {
		t.Helper()
		session, err := conn.Session(ctx, namespace)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	const text = `
#pragma namespace("\\\\.\\root")
instance of __Namespace { Name = "example"; };
#pragma namespace("\\\\.\\root\\example")
class Note { [Key] string Name; [Not_Null] string Text; };
class LongNote : Note { uint32 Words = 1000; };
instance of Note { Name = "a"; Text = "x"; };
instance of LongNote { Name = "b"; Text = "y"; };
`
	compile := func(mof string) cim.Result {
		t.Helper()
		r, err := session("root").Invoke(ctx, cim.ObjectPath{Class: "Casement_Repository"}, "Compile",
			cim.Arguments{{Name: "MOF", Value: cim.Str(mof)}}, cim.OperationOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := compile(text); r.ReturnValue.String() != "0" || len(r.Out.Get("Objects").Elems()) != 5 {
		t.Fatalf("Compile: %v", r)
	}
	if r := compile("class {"); r.ReturnValue.String() == "0" || r.Out.Get("Line").String() != "1" || r.Out.Get("Message").String() == "" {
		t.Errorf("a syntax error: %v", r)
	}
	example := session(`root\example`)
	e, err := example.Query(ctx, "SELECT * FROM Note WHERE Text='Y'", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cim.Collect(ctx, e)
	if err != nil || len(list) != 1 || list[0].Class().Name != "LongNote" || list[0].Get("Words").String() != "1000" {
		t.Fatalf("the query: %v, %v", list, err)
	}
	if err := list[0].Set("Words", cim.U32(7)); err != nil {
		t.Fatal(err)
	}
	if err := example.Put(ctx, list[0], cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	path := cim.ObjectPath{Class: "Note", Keys: []cim.Key{{Name: "Name", Value: cim.Str("b")}}}
	if got, err := example.Get(ctx, path, cim.GetOptions{}); err != nil || got.Get("Words").String() != "7" {
		t.Errorf("after Put: %v, %v", got, err)
	}
	if err := example.Delete(ctx, path, cim.OperationOptions{}); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, err := example.Get(ctx, path, cim.GetOptions{}); cim.StatusOf(err) != cim.ErrNotFound {
		t.Errorf("after Delete: %v", err)
	}
	e, err = session(`root\cimv2`).Query(ctx, "SELECT * FROM __ProviderRegistration WHERE provider='__Win32Provider.Name=\"CasementHost\"'", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := cim.Collect(ctx, e); err != nil || len(list) < 2 { // instances and methods at least
		t.Errorf("registrations of the provider of the host: %v, %v", list, err)
	}
	if c, err := example.GetClass(ctx, "LongNote", cim.GetOptions{}); err != nil || c.Superclass != "Note" {
		t.Errorf("GetClass: %v, %v", c, err)
	}
}
