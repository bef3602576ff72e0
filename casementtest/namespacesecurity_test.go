package casementtest_test

import (
	"errors"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
)

// An administrator gives a user Remote Enable over WinRM, as objects, and the
// user comes in; what he may do there is checked call by call.
func TestNamespaceSecurityOverWinRM(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	s.AddUser("ann", "Secret-12345", "WinRMRemoteWMIUsers__")
	ctx := t.Context()
	session := func(user, password string) cim.Session {
		t.Helper()
		conn, err := casement.Dial(ctx, s.HTTP, casement.Options{User: user, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		session, err := conn.Session(ctx, `root\cimv2`)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	admin, ann := session(s.User, s.Password), session("ann", "Secret-12345")
	run := func(as cim.Session, method string, in ...cim.NamedValue) (cim.Result, error) {
		return as.Invoke(ctx, cim.ObjectPath{Class: "__SystemSecurity"}, method, in, cim.OperationOptions{})
	}
	denied := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("%s: %v, want access denied", what, err)
		}
	}
	look := func() error {
		_, err := ann.Get(ctx, cim.ObjectPath{Class: "Win32_OperatingSystem", Singleton: true}, cim.GetOptions{})
		return err
	}
	denied("a user without Remote Enable reads", look())
	r, err := run(admin, "GetSecurityDescriptor")
	if err != nil {
		t.Fatal(err)
	}
	descriptor := r.Out.Get("Descriptor").Object()
	if descriptor == nil || len(descriptor.Get("DACL").Elems()) == 0 {
		t.Fatalf("GetSecurityDescriptor: %v", r)
	}
	entries := descriptor.Get("DACL").Elems()
	annEntry := entries[0].Object().Clone()
	user, err := s.Service.State.Accounts.LookupUser("ann")
	if err != nil {
		t.Fatal(err)
	}
	trustee := annEntry.Get("Trustee").Object().Clone()
	for name, v := range map[string]cim.Value{"SID": cim.Null(cim.Uint8.Array()), "SIDString": cim.Str(user.SID.String())} {
		if err := trustee.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(annEntry.Set("Trustee", cim.Obj(trustee)), annEntry.Set("AccessMask", cim.U32(0x21)), annEntry.Set("AceFlags", cim.U32(0))); err != nil {
		t.Fatal(err)
	}
	changed := descriptor.Clone()
	if err := changed.Set("DACL", cim.Array(cim.Object, append([]cim.Value{cim.Obj(annEntry)}, entries...))); err != nil {
		t.Fatal(err)
	}
	if _, err := run(admin, "SetSecurityDescriptor", cim.NamedValue{Name: "Descriptor", Value: cim.Obj(changed)}); err != nil {
		t.Fatal(err)
	}
	if err := look(); err != nil {
		t.Errorf("a user with Remote Enable reads: %v", err)
	}
	if r, err := run(ann, "GetCallerAccessRights"); err != nil || r.Out.Get("rights").String() != "51" { // 0x21, and 0x12 of Authenticated Users
		t.Errorf("GetCallerAccessRights: %v, %v", r, err)
	}
	_, err = run(ann, "GetSD")
	denied("GetSD without Read Security", err)
	_, err = run(ann, "SetSecurityDescriptor", cim.NamedValue{Name: "Descriptor", Value: cim.Obj(descriptor)})
	denied("SetSecurityDescriptor without Edit Security", err)
	if _, err := run(admin, "SetSecurityDescriptor", cim.NamedValue{Name: "Descriptor", Value: cim.Obj(descriptor)}); err != nil {
		t.Fatal(err)
	}
	denied("a user whose right was taken back reads", look())
}
