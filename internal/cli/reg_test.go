package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
)

const cimomKey = `HKLM\SOFTWARE\Microsoft\WBEM\CIMOM`

func TestRegAddQueryDelete(t *testing.T) {
	dir := state(t)
	cli(t, "", "reg", "query", cimomKey, "/v", "AllowAnonymousCallback").want(t, 1, "not there")
	// The document prints the key with blanks around the backslashes; unquoted they tear it into words.
	spaced := strings.Fields(`HKEY_LOCAL_MACHINE \ SOFTWARE \ Microsoft \ WBEM \ CIMOM`)
	args := append(append([]string{"reg", "add"}, spaced...), "/v", "AllowAnonymousCallback", "/t", "REG_DWORD", "/d", "1", "/f")
	cli(t, "", args...).want(t, 0)
	b, err := os.ReadFile(filepath.Join(dir, "hive.reg"))
	if err != nil || !strings.Contains(string(b), "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\WBEM\\CIMOM]\n\"AllowAnonymousCallback\"=dword:00000001\n") {
		t.Errorf("the hive is %s (%v)", b, err)
	}
	got := cli(t, "", "casement", "REG", "QUERY", cimomKey, "/V", "allowanonymouscallback").want(t, 0)
	if want := "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\WBEM\\CIMOM\n    AllowAnonymousCallback    REG_DWORD    0x1\n"; got.out != want {
		t.Errorf("query prints %q, want %q", got.out, want)
	}
	cli(t, "", "reg.exe", "query", `HKLM\SOFTWARE`, "/s").want(t, 0, "AllowAnonymousCallback")
	cli(t, "", "reg", "query", `HKLM\SOFTWARE`).want(t, 0, "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\n")
	cli(t, "", "reg", "delete", cimomKey, "/v", "AllowAnonymousCallback", "/f").want(t, 0)
	cli(t, "", "reg", "delete", cimomKey, "/v", "AllowAnonymousCallback", "/f").want(t, 1, "no value AllowAnonymousCallback")
	cli(t, "", "reg", "delete", cimomKey, "/f").want(t, 0)
	cli(t, "", "reg", "query", cimomKey).want(t, 1, "not there")
	cli(t, "", "reg", "delete", cimomKey, "/f").want(t, 1, "not there")
}

func TestRegTypes(t *testing.T) {
	dir := state(t)
	for _, c := range []struct{ name, typ, data, line string }{
		{"s", "REG_SZ", `C:\x "y"`, `s    REG_SZ    C:\x "y"`},
		{"e", "reg_expand_sz", `%windir%\x`, `e    REG_EXPAND_SZ    %windir%\x`},
		{"m", "REG_MULTI_SZ", `a\0b c`, `m    REG_MULTI_SZ    a\0b c`},
		{"d", "REG_DWORD", "0xFF", "d    REG_DWORD    0xff"},
		{"d2", "REG_DWORD", "010", "d2    REG_DWORD    0xa"},
		{"q", "REG_QWORD", "4294967296", "q    REG_QWORD    0x100000000"},
		{"b", "REG_BINARY", "0aFf", "b    REG_BINARY    0AFF"},
		{"n", "REG_NONE", "", "n    REG_NONE    "},
	} {
		cli(t, "", "reg", "add", `HKLM\T`, "/v", c.name, "/t", c.typ, "/d", c.data, "/f").want(t, 0)
		cli(t, "", "reg", "query", `HKLM\T`, "/v", c.name).want(t, 0, "    "+c.line+"\n")
	}
	cli(t, "", "reg", "add", `HKLM\T`, "/ve", "/d", "standard", "/f").want(t, 0)
	cli(t, "", "reg", "query", `HKLM\T`, "/ve").want(t, 0, "(Default)    REG_SZ    standard")
	cli(t, "", "reg", "add", `HKLM\T`, "/v", "m", "/t", "REG_MULTI_SZ", "/s", ";", "/d", "x;y", "/f").want(t, 0)
	cli(t, "", "reg", "query", `HKLM\T`, "/t", "REG_MULTI_SZ").want(t, 0, `m    REG_MULTI_SZ    x\0y`)
	if r := cli(t, "", "reg", "query", `HKLM\T`, "/t", "REG_MULTI_SZ"); strings.Contains(r.out, "REG_SZ") {
		t.Errorf("/t shows other types: %s", r.out)
	}
	before, err := os.ReadFile(filepath.Join(dir, "hive.reg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]string{
		{"add", `HKLM\T`, "/v", "d", "/t", "REG_DWORD", "/d", "4294967296", "/f"},
		{"add", `HKLM\T`, "/v", "d", "/t", "REG_DWORD", "/d", "one", "/f"},
		{"add", `HKLM\T`, "/v", "b", "/t", "REG_BINARY", "/d", "abc", "/f"},
		{"add", `HKLM\T`, "/v", "m", "/t", "REG_MULTI_SZ", "/d", `a\0\0b`, "/f"},
		{"add", `HKLM\T`, "/v", "x", "/t", "REG_WORD", "/f"},
		{"add", `HKLM\T`, "/v", "x", "/ve", "/f"},
		{"add", `HKLM\T`, "/v"},
		{"add", `HKLM\T`, "/frob"},
		{"add", `HKLM\T`, "/f", "/f"},
		{"add", `HKCU\T`, "/f"},
		{"add", `\\server\HKLM\T`, "/f"},
		{"add", `HKLMSOFTWARET`, "/f"},
		{"delete", `HKLM`, "/f"},
		{"frob", `HKLM\T`},
		{},
	} {
		r := cli(t, "", append([]string{"reg"}, bad...)...).want(t, 1)
		if r.err == "" || r.out != "" {
			t.Errorf("%q: stdout %q, stderr %q", bad, r.out, r.err)
		}
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "hive.reg")); string(after) != string(before) {
		t.Error("a refused command changed the hive")
	}
	cli(t, "", "reg", "delete", `HKLM\T`, "/va", "/f").want(t, 0)
	if r := cli(t, "", "reg", "query", `HKLM\T`).want(t, 0); r.out != "" {
		t.Errorf("after /va: %q", r.out)
	}
}

func TestRegAsks(t *testing.T) {
	state(t)
	cli(t, "", "reg", "add", `HKLM\T`, "/v", "a", "/d", "1").want(t, 0) // nothing to replace
	cli(t, "no\n", "reg", "add", `HKLM\T`, "/v", "a", "/d", "2").want(t, 1, "Replace it (Yes/No)?", "nothing was changed")
	cli(t, "", "reg", "add", `HKLM\T`, "/v", "a", "/d", "2").want(t, 1, "no answer")
	cli(t, "", "reg", "query", `HKLM\T`, "/v", "a").want(t, 0, "REG_SZ    1\n")
	cli(t, "what\nYes\n", "reg", "add", `HKLM\T`, "/v", "a", "/d", "2").want(t, 0)
	cli(t, "", "reg", "query", `HKLM\T`, "/v", "a").want(t, 0, "REG_SZ    2\n")
	cli(t, "n\n", "reg", "delete", `HKLM\T`).want(t, 1)
	cli(t, "y\n", "reg", "delete", `HKLM\T`).want(t, 0)
	cli(t, "", "reg", "query", `HKLM\T`).want(t, 1)
}

func TestRegFiles(t *testing.T) {
	state(t)
	file := filepath.Join(t.TempDir(), "x.reg")
	cli(t, "", "reg", "add", `HKLM\T\U`, "/v", "a", "/t", "REG_DWORD", "/d", "7", "/f").want(t, 0)
	cli(t, "", "reg", "export", `HKLM\T`, file).want(t, 0)
	cli(t, "no\n", "reg", "export", `HKLM\T`, file).want(t, 1)
	cli(t, "", "reg", "export", `HKLM\T`, file, "/y").want(t, 0)
	cli(t, "", "reg", "export", `HKLM\None`, file, "/y").want(t, 1, "not there")
	b, err := os.ReadFile(file)
	if want := "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\T\\U]\n\"a\"=dword:00000007\n"; err != nil || string(b) != want {
		t.Errorf("export wrote %q (%v)", b, err)
	}
	cli(t, "", "reg", "delete", `HKLM\T`, "/f").want(t, 0)
	cli(t, "", "reg", "import", file).want(t, 0)
	cli(t, "", "reg", "query", `HKLM\T\U`, "/v", "a").want(t, 0, "0x7")
	bad := "Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\T]\n\"new\"=dword:1\n\"a\"=dword:zz\n"
	cli(t, bad, "reg", "import", "-").want(t, 1, "line 4")
	cli(t, "", "reg", "query", `HKLM\T`, "/v", "new").want(t, 1) // nothing of it took effect
}

// A running service has a change of the tool without a restart, and a policy
// stays above it.
func TestRegBesideService(t *testing.T) {
	dir := state(t)
	st, err := service.OpenState(dir, service.StateOptions{Service: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ch, cancel := st.Hive.Subscribe()
	defer cancel()
	cli(t, "", "reg", "add", cimomKey, "/v", "AllowAnonymousCallback", "/t", "REG_DWORD", "/d", "1", "/f").want(t, 0)
	wait := func() {
		t.Helper()
		select {
		case <-ch:
		case <-time.After(5 * time.Second):
			t.Fatal("the service does not hear of the change")
		}
	}
	wait()
	if v, _ := st.Hive.Get(cimomKey, "AllowAnonymousCallback"); v != registry.DWORD(1) {
		t.Errorf("the service has %v", v)
	}
	var p registry.Policy
	p.Set(cimomKey, "AllowAnonymousCallback", registry.DWORD(0))
	if err := os.WriteFile(filepath.Join(dir, "Registry.pol"), p.AppendPol(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	wait()
	cli(t, "", "reg", "add", cimomKey, "/v", "AllowAnonymousCallback", "/t", "REG_DWORD", "/d", "1", "/f").want(t, 0, "a policy rules")
	cli(t, "", "reg", "query", cimomKey).want(t, 0, "AllowAnonymousCallback    REG_DWORD    0x0")
}

func TestRegWithoutState(t *testing.T) {
	t.Setenv("CASEMENT_STATE", filepath.Join(t.TempDir(), "none"))
	cli(t, "", "reg", "query", `HKLM`).want(t, 1, "no Casement state", "casement up")
	dir := state(t)
	t.Setenv("CASEMENT_STATE", "/nowhere")
	cli(t, "", "reg", "--state", dir, "add", `HKLM\T`, "/f").want(t, 0)
	cli(t, "", "casement", "reg", "--state="+dir, "query", `HKLM`).want(t, 0, `HKEY_LOCAL_MACHINE\T`)
	cli(t, "", "reg", "--state").want(t, 2, "--state needs")
	cli(t, "", "reg", "query", "/?").want(t, 0, "Examples:", "Exit codes:")
}
