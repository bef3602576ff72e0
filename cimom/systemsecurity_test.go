package cimom_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

var systemSecurity = cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}

func bytesIn(v cim.Value) []byte {
	b, _ := v.Bytes()
	return b
}

// sdBytes is SDDL as a self-relative descriptor.
func sdBytes(t testing.TB, sddl string) []byte {
	t.Helper()
	sd, err := security.ParseSDDL(sddl)
	if err != nil {
		t.Fatal(err)
	}
	b, err := sd.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func setSD(t testing.TB, s cim.Session, b []byte) error {
	t.Helper()
	_, err := s.Invoke(t.Context(), systemSecurity, "SetSD", cim.Arguments{{Name: "SD", Value: cim.Bytes(b)}}, cim.OperationOptions{})
	return err
}

// sddl is a text in the form that String gives.
func sddl(t testing.TB, text string) string {
	t.Helper()
	sd, err := security.ParseSDDL(text)
	if err != nil {
		t.Fatal(err)
	}
	return sd.String()
}

// sddlOf reads the security of the namespace of a session.
func sddlOf(t testing.TB, s cim.Session) string {
	t.Helper()
	r, err := s.Invoke(t.Context(), systemSecurity, "GetSD", nil, cim.OperationOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sd, err := security.DecodeSecurityDescriptor(bytesIn(r.Out.Get("SD")))
	if err != nil {
		t.Fatal(err)
	}
	return sd.String()
}

// The rules of SetSD. See spec/wmi.md T-19, T-20 and T-22.
func TestSetSD(t *testing.T) {
	s := storing(t)
	both := "O:BAG:BA"
	noGroup := sdBytes(t, "O:BAD:(A;;0x1;;;BA)")
	for _, tt := range []struct {
		what string
		b    []byte
		want cim.Status
	}{
		{"T-19: Full Write without Partial Write", sdBytes(t, both+"D:(A;;0x14;;;BA)"), cim.ErrInvalidParameter},
		{"T-19: Full Write without Provider Write", sdBytes(t, both+"D:(A;;0xC;;;BA)"), cim.ErrInvalidParameter},
		{"T-19: Full Write with both", sdBytes(t, both+"D:(A;CI;0x6003f;;;BA)(A;;0x1c;;;AU)"), 0},
		{"T-20: no owner", sdBytes(t, "G:BAD:(A;;0x1;;;BA)"), cim.ErrInvalidParameter},
		{"T-20: no group", noGroup, cim.ErrInvalidParameter},
		{"T-20: malformed", []byte{1, 2, 3}, cim.ErrInvalidObject},
		{"T-20: an unknown right", sdBytes(t, both+"D:(A;;0x100;;;BA)"), cim.ErrInvalidParameter},
		{"T-20: for children only and going to none", sdBytes(t, both+"D:(A;IO;0x1;;;BA)"), cim.ErrInvalidParameter},
		{"for children only", sdBytes(t, both+"D:(A;CI;0x6003f;;;BA)(A;CIIO;0x1;;;BA)"), 0},
		{"no DACL", sdBytes(t, both), cim.ErrInvalidParameter},
		{"a flag for files", sdBytes(t, both+"D:(A;OI;0x1;;;BA)"), cim.ErrInvalidParameter},
		{"an entry of another type", sdBytes(t, both+"D:(OA;;0x1;;;BA)"), cim.ErrInvalidParameter},
	} {
		if err := setSD(t, s, tt.b); cim.StatusOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
	for _, method := range []string{"Get9XUserList", "Set9XUserList"} {
		if _, err := s.Invoke(t.Context(), systemSecurity, method, nil, cim.OperationOptions{}); !errors.Is(err, cim.ErrMethodDisabled) {
			t.Errorf("T-22: %s: %v", method, err)
		}
	}
}

// The example of the SetSD page of the WMI documentation, byte for byte:
// everything for Administrators and for Everyone, for this namespace and those
// below.
func TestSetSDExample(t *testing.T) {
	s := storing(t)
	example := []byte{
		1, 0, 4, 129, 72, 0, 0, 0, 88, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 2, 0, 52, 0, 2, 0, 0, 0, 0, 2, 24, 0,
		63, 0, 6, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0, 0, 2, 20, 0, 63, 0, 6, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
		1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0,
	}
	if err := setSD(t, s, example); err != nil {
		t.Fatal(err)
	}
	if got, want := sddlOf(t, s), sddl(t, "O:BAG:BAD:(A;CI;0x6003f;;;BA)(A;CI;0x6003f;;;WD)"); got != want {
		t.Errorf("GetSD: %s, want %s", got, want)
	}
	r, err := s.Invoke(t.Context(), systemSecurity, "GetSecurityDescriptor", nil, cim.OperationOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := r.Out.Get("Descriptor").Object()
	if d == nil || len(d.Get("DACL").Elems()) != 2 {
		t.Fatalf("GetSecurityDescriptor: %v", d)
	}
	ace := d.Get("DACL").Elems()[1].Object()
	if ace.Get("AccessMask").String() != "393279" || ace.Get("AceFlags").String() != "2" || ace.Get("Trustee").Object().Get("SIDString").String() != "S-1-1-0" {
		t.Errorf("the second entry: %v", ace)
	}
	// what was read can be written
	if _, err := s.Invoke(t.Context(), systemSecurity, "SetSecurityDescriptor", cim.Arguments{{Name: "Descriptor", Value: cim.Obj(d)}}, cim.OperationOptions{}); err != nil {
		t.Errorf("SetSecurityDescriptor: %v", err)
	}
	view, err := s.Get(t.Context(), cim.ObjectPath{Class: "__thisNAMESPACE", Singleton: true}, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := security.DecodeSecurityDescriptor(bytesIn(view.Get("SECURITY_DESCRIPTOR"))); got.String() != sddlOf(t, s) {
		t.Errorf("__thisNAMESPACE: %s", got)
	}
}

// Whoever may read may ask for his rights; nothing else works without Execute
// Methods. See spec/wmi.md T-05, T-06 and T-07.
func TestRights(t *testing.T) {
	s := storing(t)
	if err := setSD(t, s, sdBytes(t, "O:BAG:BAD:(D;;0x2;;;BU)(A;;0x6003f;;;BA)(A;;0x1;;;AU)(A;;0x23;;;BU)")); err != nil {
		t.Fatal(err)
	}
	rights := func(who cim.Caller) string {
		t.Helper()
		r, err := s.With(who).Invoke(t.Context(), systemSecurity, "GetCallerAccessRights", nil, cim.OperationOptions{})
		if err != nil {
			t.Errorf("T-07: GetCallerAccessRights: %v", err)
		}
		return r.Out.Get("rights").String()
	}
	reader := caller(false, security.SIDAuthenticatedUsers)
	if got := rights(reader); got != "1" {
		t.Errorf("T-07: rights of a reader: %s", got)
	}
	if got := rights(caller(false, security.SIDUsers, security.SIDAuthenticatedUsers)); got != "33" {
		t.Errorf("rights with an entry that denies: %s, want 33", got)
	}
	if got := rights(administrator()); got != "393279" {
		t.Errorf("rights of an administrator: %s", got)
	}
	_, err := s.With(reader).Invoke(t.Context(), systemSecurity, "GetSD", nil, cim.OperationOptions{})
	if !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("T-07: another method without Execute Methods: %v", err)
	}
	for what, who := range map[string]cim.Caller{
		"T-05: a remote caller without Remote Enable": caller(true, security.SIDAuthenticatedUsers),
		"T-06: a caller without Enable":               caller(false, security.SIDEveryone),
	} {
		if _, err := s.With(who).GetClass(t.Context(), "__Event", cim.GetOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Execute Methods is not enough to read or write the security.
	if err := setSD(t, s, sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;BA)(A;;0x3;;;AU)")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.With(reader).Invoke(t.Context(), systemSecurity, "GetSD", nil, cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("GetSD without Read Security: %v", err)
	}
	if err := setSD(t, s.With(reader), sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;AU)")); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("SetSD without Edit Security: %v", err)
	}
}

// What a child inherits, over a restart. See spec/wmi.md T-21 and T-92.
func TestNamespaceTree(t *testing.T) {
	file := filepath.Join(t.TempDir(), "repository")
	var m *cimom.Manager
	var repo *repository.Repository
	start := func() {
		var err error
		if repo, err = repository.Open(file, repository.Options{}); err != nil {
			t.Fatal(err)
		}
		m = cimom.New(cimom.Options{Repository: repo})
	}
	stop := func() { m.Close(); repo.Close() }
	start()
	s := open(t, m, `root\cimv2`)
	if err := setSD(t, s, sdBytes(t, "O:BAG:BAD:(A;CI;0x6003f;;;BA)(A;CINP;0x1;;;AU)(A;CIIO;0x3;;;BU)(A;;0x21;;;WD)")); err != nil {
		t.Fatal(err)
	}
	name := func(n string) map[string]cim.Value { return map[string]cim.Value{"Name": cim.Str(n)} }
	create(t, s, "__NAMESPACE", name("Child"))
	child := open(t, m, `root\cimv2\Child`)
	create(t, child, "__NAMESPACE", name("Grandchild"))
	look := func(when string) {
		t.Helper()
		for namespace, want := range map[string]string{
			`root\cimv2\child`:            "O:BAG:BAD:(A;CIID;0x6003f;;;BA)(A;ID;0x1;;;AU)(A;CIID;0x3;;;BU)",
			`root\cimv2\child\grandchild`: "O:BAG:BAD:(A;CIID;0x6003f;;;BA)(A;CIID;0x3;;;BU)",
		} {
			if got := sddlOf(t, open(t, m, namespace)); got != sddl(t, want) {
				t.Errorf("T-21: %s %s: %s, want %s", namespace, when, got, want)
			}
		}
	}
	look("when made")
	stop()
	start()
	defer func() { stop() }()
	look("after a restart")

	s = open(t, m, `root\cimv2`)
	if _, err := s.Create(t.Context(), make1(t, s, "__NAMESPACE", name("CHILD")), cim.OperationOptions{}); !errors.Is(err, cim.ErrAlreadyExists) {
		t.Errorf("a second child of the name: %v", err)
	}
	for _, bad := range []string{"1x", "a b", `a\b`, ""} {
		if _, err := s.Create(t.Context(), make1(t, s, "__NAMESPACE", name(bad)), cim.OperationOptions{}); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("a namespace called %q: %v", bad, err)
		}
	}
	put(t, s, cim.Class{Name: "Own", Superclass: "__NAMESPACE"}, cim.PutClassOptions{})
	create(t, s, "Own", name("ByOwn"))
	open(t, m, `root\cimv2\ByOwn`)
	if got := query(t, s, "SELECT * FROM __NAMESPACE WHERE Name='byown'"); len(got) != 1 {
		t.Errorf("a namespace made by a derived class: %v", got)
	}
	grandchild := open(t, m, `root\cimv2\child\grandchild`)
	put(t, grandchild, keyed("A", ""), cim.PutClassOptions{})
	create(t, grandchild, "A", map[string]cim.Value{"Id": cim.Str("1")})
	path := cim.ObjectPath{Class: "__NAMESPACE", Keys: []cim.Key{{Name: "Name", Value: cim.Str("child")}}}
	if err := s.With(caller(false, security.SIDUsers)).Delete(t.Context(), path, cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("a user deletes a namespace: %v", err)
	}
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(t.Context(), administrator(), `root\cimv2\Child\Grandchild`, cim.OpenOptions{}); !errors.Is(err, cim.ErrInvalidNamespace) {
		t.Errorf("T-92: a namespace below a deleted one: %v", err)
	}
	if _, err := grandchild.GetClass(t.Context(), "A", cim.GetOptions{}); !errors.Is(err, cim.ErrInvalidNamespace) {
		t.Errorf("T-92: a session in a deleted namespace: %v", err)
	}
	create(t, s, "__NAMESPACE", name("Child"))
	create(t, open(t, m, `root\cimv2\child`), "__NAMESPACE", name("Grandchild"))
	if _, err := open(t, m, `root\cimv2\child\grandchild`).GetClass(t.Context(), "A", cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("T-92: a class of a deleted namespace is there again: %v", err)
	}
	path.Keys[0].Value = cim.Str("cimv2")
	if err := open(t, m, "root").Delete(t.Context(), path, cim.OperationOptions{}); !errors.Is(err, cim.ErrInvalidOperation) {
		t.Errorf("deleting root\\cimv2: %v", err)
	}
}

// compile runs Casement_Repository.Compile.
func compile(t testing.TB, s cim.Session, text string, more ...cim.NamedValue) cim.Result {
	t.Helper()
	in := append(cim.Arguments{{Name: "MOF", Value: cim.Str(text)}}, more...)
	r, err := s.Invoke(t.Context(), cim.ObjectPath{Class: "Casement_Repository"}, "Compile", in, cim.OperationOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func returned(r cim.Result) cim.Status {
	n, _ := r.ReturnValue.Uint()
	return cim.Status(n)
}

// MOF makes a namespace with its security and asks for encryption. See
// spec/wmi.md T-09 and T-23.
func TestNamespaceSecurityInMOF(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	root := open(t, m, "root")
	text := `#pragma namespace("\\\\.\\root")
[NamespaceSecuritySDDL("O:BAG:BAD:(A;CI;0x6003F;;;BA)(A;;0x60003;;;WD)")] instance of __Namespace { Name = "X"; };
#pragma namespace("\\\\.\\root\\x")
[RequiresEncryption(TRUE)] instance of __SystemSecurity {};`
	if r := compile(t, root, text); returned(r) != 0 {
		t.Fatalf("compile: %v", r)
	}
	x := open(t, m, `root\x`)
	if got, want := sddlOf(t, x), sddl(t, "O:BAG:BAD:(A;CI;0x6003f;;;BA)(A;;0x60003;;;WD)"+
		"(A;CIID;0x6003f;;;BA)(A;CIID;0x13;;;AU)(A;CIID;0x13;;;LS)(A;CIID;0x13;;;NS)"); got != want {
		t.Errorf("the security of the namespace: %s, want %s", got, want)
	}
	for level, want := range map[cim.Protection]cim.Status{
		cim.ProtectionPktIntegrity: cim.ErrAccessDenied, cim.ProtectionDefault: cim.ErrAccessDenied, cim.ProtectionPktPrivacy: 0,
	} {
		who := caller(true, security.SIDAdministrators)
		who.Protection = level
		if _, err := m.Open(t.Context(), who, `root\x`, cim.OpenOptions{}); cim.StatusOf(err) != want {
			t.Errorf("T-09: level %d: %v, want %v", level, err, want)
		}
	}
	lower := strings.ReplaceAll(strings.ReplaceAll(text, "(A;CI;", "(a;ci;"), `"X"`, `"Y"`)
	if r := compile(t, root, lower); !returned(r).Failed() {
		t.Error("T-23: SDDL in small letters compiles")
	}
	if _, err := m.Open(t.Context(), administrator(), `root\y`, cim.OpenOptions{}); !errors.Is(err, cim.ErrInvalidNamespace) {
		t.Errorf("T-23: the namespace was made: %v", err)
	}
}
