package cimom_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

func call1(t testing.TB, s cim.Session, method string, in ...cim.NamedValue) (cim.Result, error) {
	t.Helper()
	return s.Invoke(t.Context(), cim.ObjectPath{Class: "Casement_Repository"}, method, in, cim.OperationOptions{})
}

func text(name, value string) cim.NamedValue {
	return cim.NamedValue{Name: name, Value: cim.Str(value)}
}

// A backup comes back with what it had, whoever is connected. See spec/wmi.md
// T-109.
func TestBackupRestoreReset(t *testing.T) {
	dir := t.TempDir()
	repo, err := repository.Open(filepath.Join(dir, "repository"), repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	m := cimom.New(cimom.Options{Repository: repo, Backups: filepath.Join(dir, "backups")})
	defer m.Close()
	root := open(t, m, "root")
	defer func() { root.Close() }()
	create(t, root, "__NAMESPACE", map[string]cim.Value{"Name": cim.Str("Extra")})
	extra := open(t, m, `root\extra`)
	put(t, extra, keyed("A", ""), cim.PutClassOptions{})
	create(t, extra, "A", map[string]cim.Value{"Id": cim.Str("1")})
	if err := setSD(t, extra, sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;BA)")); err != nil {
		t.Fatal(err)
	}
	r, err := call1(t, root, "Backup", text("Name", "first"))
	if err != nil {
		t.Fatal(err)
	}
	path, _ := r.Out.Get("Path").Str()
	if _, err := os.Stat(path); err != nil || path != filepath.Join(dir, "backups", "first") {
		t.Errorf("the backup at %s: %v", path, err)
	}
	for _, bad := range []string{"", "..", "../x", "/etc/passwd", `a\b`, ".x", strings.Repeat("x", 300)} {
		if _, err := call1(t, root, "Backup", text("Name", bad)); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("a backup called %q: %v", bad, err)
		}
	}
	create(t, extra, "A", map[string]cim.Value{"Id": cim.Str("2")})
	if _, err := call1(t, root, "Restore", text("Name", "first")); !errors.Is(err, cim.ErrBackupRestoreWinmgmtRunning) {
		t.Errorf("T-109: restore while others are connected: %v", err)
	}
	if _, err := call1(t, root, "Restore", text("Name", "first"), cim.NamedValue{Name: "Force", Value: cim.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := extra.GetClass(t.Context(), "A", cim.GetOptions{}); !errors.Is(err, cim.ErrShuttingDown) {
		t.Errorf("T-109: a session of another after the restore: %v", err)
	}
	extra = open(t, m, `root\extra`)
	if got := query(t, extra, "SELECT * FROM A"); len(got) != 1 {
		t.Errorf("after the restore: %d instances, want 1", len(got))
	}
	if got := sddlOf(t, extra); got != sddl(t, "O:BAG:BAD:(A;;0x6003f;;;BA)(A;CIID;0x6003f;;;BA)(A;CIID;0x13;;;AU)(A;CIID;0x13;;;LS)(A;CIID;0x13;;;NS)") {
		t.Errorf("the security after the restore: %s", got)
	}
	extra.Close()
	if _, err := call1(t, root, "Restore", text("Name", "nothing"), cim.NamedValue{Name: "Force", Value: cim.Bool(true)}); err == nil {
		t.Error("a backup that does not exist was restored")
	}
	if r, err := call1(t, root, "Verify"); err != nil || r.ReturnValue.String() != "0" || len(r.Out.Get("Problems").Elems()) != 0 {
		t.Errorf("Verify: %v, %v", r, err)
	}
	if _, err := call1(t, root, "Salvage"); err != nil {
		t.Errorf("Salvage: %v", err)
	}
	if got := query(t, open(t, m, `root\extra`), "SELECT * FROM A"); len(got) != 1 {
		t.Errorf("after the salvage: %d instances, want 1", len(got))
	}
	if _, err := call1(t, root, "Reset"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(t.Context(), administrator(), `root\extra`, cim.OpenOptions{}); !errors.Is(err, cim.ErrInvalidNamespace) {
		t.Errorf("after the reset: %v", err)
	}
	if got := query(t, root, "SELECT * FROM __NAMESPACE WHERE Name='cimv2'"); len(got) != 1 {
		t.Errorf("built-in namespaces after the reset: %v", got)
	}
	user := root.With(caller(false, security.SIDAuthenticatedUsers))
	for _, method := range []string{"Backup", "Restore", "Verify", "Salvage", "Reset"} {
		if _, err := call1(t, user, method); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("%s by a user: %v", method, err)
		}
	}
}

// A class whose superclass is gone is kept, reported and not served.
func TestUnservedClass(t *testing.T) {
	repo := repository.Memory()
	defer repo.Close()
	m := cimom.New(cimom.Options{Repository: repo})
	if err := m.Register(refusing{}); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, m, faultyNamespace), cim.Class{Name: "Mine", Superclass: "Above"}, cim.PutClassOptions{})
	m.Close()
	m = cimom.New(cimom.Options{Repository: repo}) // a release without Above
	defer m.Close()
	s := open(t, m, faultyNamespace)
	if _, err := s.GetClass(t.Context(), "Mine", cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("GetClass: %v", err)
	}
	r, err := call1(t, open(t, m, "root"), "Verify")
	if err != nil || len(r.Out.Get("Problems").Elems()) != 1 || !strings.Contains(r.Out.Get("Problems").String(), `root\cimv2:Mine`) {
		t.Errorf("Verify: %v, %v", r, err)
	}
	if err := m.Register(refusing{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetClass(t.Context(), "Mine", cim.GetOptions{}); err != nil {
		t.Errorf("after its superclass came back: %v", err)
	}
}

// MOF is compiled with the caller's own rights, and what comes before a failure
// stays. See spec/wmi.md 2.9, T-85, T-86 and T-88.
func TestCompile(t *testing.T) {
	m := cimom.New(cimom.Options{Server: "HOST"})
	defer m.Close()
	root := open(t, m, "root")
	const classA = "class A { [Key] string Id; uint32 Size = 3; };\n"
	r := compile(t, root, classA+`instance of A { Id = "1"; }; instance of A as $a { Id = "2"; Size = 4; };`)
	if returned(r) != 0 || r.Out.Get("Objects").String() != `{root\default:A, root\default:A.Id="1", root\default:A.Id="2"}` {
		t.Errorf("T-85: %v", r)
	}
	if got := query(t, open(t, m, `root\default`), "SELECT * FROM A WHERE Size=3"); len(got) != 1 {
		t.Errorf("T-85: %d instances", len(got))
	}
	r = compile(t, root, "#pragma namespace(\"\\\\\\\\.\\\\root\\\\wmi\")\n"+classA, text("Namespace", `root\cimv2`))
	if returned(r) != 0 || r.Out.Get("Objects").String() != `{root\wmi:A}` {
		t.Errorf("T-86: %v", r)
	}
	r = compile(t, root, classA+"class B : Nothing { };", text("Namespace", `root\cimv2`))
	if returned(r) != cim.ErrInvalidSuperclass || r.Out.Get("Line").String() != "2" {
		t.Errorf("T-88: a failing class: %v", r)
	}
	if _, err := open(t, m, `root\cimv2`).GetClass(t.Context(), "A", cim.GetOptions{}); err != nil {
		t.Errorf("T-88: what came before: %v", err)
	}
	r = compile(t, root, "class C {\n  string x\n};", text("Namespace", `root\cimv2`))
	if returned(r) != cim.ErrMofExpectedSemi || r.Out.Get("Line").String() != "3" || r.Out.Get("Message").String() == "" {
		t.Errorf("a syntax error: %v", r)
	}
	r = compile(t, root, "class D { };", cim.NamedValue{Name: "Check", Value: cim.Bool(true)})
	if _, err := open(t, m, `root\default`).GetClass(t.Context(), "D", cim.GetOptions{}); returned(r) != 0 || !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a check stored something: %v, %v", r, err)
	}
	for flags, want := range map[string]cim.Status{"createonly": cim.ErrAlreadyExists, "updateonly": 0} {
		if r := compile(t, root, classA, text("ClassFlags", flags)); returned(r) != want {
			t.Errorf("%s of a class that exists: %v, want %v", flags, r, want)
		}
	}
	if r := compile(t, root, `instance of A { Id = "1"; };`, text("InstanceFlags", "createonly")); returned(r) != cim.ErrAlreadyExists {
		t.Errorf("createonly of an instance that exists: %v", r)
	}
	if r := compile(t, root, `instance of A { Id = "9"; };`, text("InstanceFlags", "updateonly")); returned(r) != cim.ErrNotFound {
		t.Errorf("updateonly of an instance that does not: %v", r)
	}
	if r := compile(t, root, `#include("/etc/passwd")`); !returned(r).Failed() {
		t.Error("the service followed an include")
	}
	if _, err := call1(t, root, "Compile", text("MOF", ""), text("ClassFlags", "whatever")); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("flags that are none: %v", err)
	}
	user := root.With(caller(false, security.SIDAuthenticatedUsers))
	if r := compile(t, user, "class E { };"); returned(r) != cim.ErrAccessDenied {
		t.Errorf("a user without Full Write compiles: %v", r)
	}
	if r := compile(t, root, `instance of __EventFilter { Query = "SELECT * FROM __ClassCreationEvent"; QueryLanguage = "WQL"; };`); returned(r) != 0 {
		t.Errorf("a filter without a name: %v", r)
	}
}
