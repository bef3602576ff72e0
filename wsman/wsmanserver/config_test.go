package wsmanserver_test

import (
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// Statements 14 to 20: writing winrm/config.
func TestConfigStatements(t *testing.T) {
	s, w := serve(t)
	const schema, internal = "w:SchemaValidationError", "w:InternalError"
	for _, c := range []struct {
		statement, path, value string
		subcode                string // "" succeeds
		code                   uint32
	}{
		{"14", "MaxEnvelopeSizeKB", "200", schema, 0},
		{"14", "MaxEnvelopeSizekb", "200", "", 0},
		{"15", "MaxEnvelopeSizekb", "31", schema, 0x80338041},
		{"15", "MaxEnvelopeSizekb", "32", "", 0},
		{"16", "MaxTimeoutms", "499", schema, 0x80338041},
		{"16", "MaxTimeoutms", "many", schema, 0x80338041},
		{"17", "MaxProviderRequests", "25", internal, 2150859182},
		{"17", "Service/MaxConcurrentOperations", "100", internal, 2150859182},
		{"18", "Winrs/MaxShellRunTime", "100", internal, 0},
		{"6", "Service/MaxConnections", "513", schema, 0x80338041},
		{"6", "Service/DefaultPorts/HTTP", "80", internal, 0x8033813F},
		{"3.2", "Client/TrustedHosts", "a*b", internal, 0x8033809F},
		{"3.3", "Service/RootSDDL", "nonsense", internal, 0x8033815C},
		{"3.3", "Service/IPv4Filter", "2.0.0.0-1.0.0.0", internal, 0x803380EC},
		{"3.3", "Service/Auth/CbtHardeningLevel", "Odd", internal, 0x803381B8},
		{"13", "Client/URLPrefix", "/a", schema, 0},
		{"13", "Client/URLPrefix", "a/", schema, 0},
		{"3", "Nothing", "1", schema, 0},
	} {
		a := w.set(c.path, c.value)
		if c.subcode != "" {
			a.wantFault(c.statement+" "+c.path+"="+c.value, c.subcode, "", c.code)
			continue
		}
		if a.status != http.StatusOK || a.text(path.Base(c.path)) != c.value || a.text("RootSDDL") == "" {
			t.Errorf("%s: %s=%s: %d, the whole resource is wanted\n%s", c.statement, c.path, c.value, a.status, a.body)
		}
	}
	w.set("Winrs/IdleTimeout", "1000")
	if a := w.ok(request{action: get, uri: nsConfig + "/winrs"}); a.text("IdleTimeout") != "1000" {
		t.Errorf("19: what is stored:\n%s", a.body)
	}
	shell := w.ok(request{action: create, uri: nsShell + "/cmd", body: `<rsp:Shell><rsp:OutputStreams>stdout</rsp:OutputStreams></rsp:Shell>`})
	if got := shell.text("IdleTimeOut"); got != "PT60.000S" {
		t.Errorf("19: the shell's idle time is %s", got)
	}

	hive, err := os.ReadFile(filepath.Join(s.Service.State.Dir, "hive.reg"))
	if err != nil || !strings.Contains(string(hive), `\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN`) {
		t.Errorf("3: the hive is\n%s\n%v", hive, err)
	}
	a := w.ok(request{action: get, uri: nsConfig})
	for name, want := range map[string]string{"MaxProviderRequests": "4294967295", "MaxConcurrentOperations": "4294967295", "MaxShellRunTime": "2147483647"} {
		if got := a.text(name); got != want {
			t.Errorf("3: %s is %s, want %s", name, got, want)
		}
	}
	if a := w.set("MaxEnvelopeSizekb", "4294967295"); a.status != http.StatusOK {
		t.Errorf("3.1: %s", a.body)
	}
	w.do(request{action: put, uri: nsConfig, body: `<x:Config xmlns:x="urn:x"/>`}).wantFault("4.3 namespace", schema, "", 0)
	w.do(request{action: put, uri: nsConfig}).wantFault("4.3 no body", schema, "", 0)
	w.do(request{action: put, uri: nsConfig + "/service/defaultports", body: `<cfg:DefaultPorts/>`}).wantFault("3 read-only resource", "a:ActionNotSupported", "", 0)
	w.do(request{action: enumerate, uri: nsConfig, body: optimized(1, "")}).wantFault("4.3", "a:ActionNotSupported", "", 0)
	w.do(request{action: get, uri: nsConfig + "/winrs/customremoteshell"}).wantFault("3", internal, "", 0x803381BC)
	w.do(request{action: get, uri: nsConfig + "/none"}).wantFault("3", "a:DestinationUnreachable", "", 0)

}

// Statement 20: what policy rules shows that, and refuses writes; a change of
// the policy reaches the running service.
func TestPolicyStatement(t *testing.T) {
	s, w := serve(t)
	var p registry.Policy
	p.Set(settings.KeyPolicy+`\Service\WinRS`, "MaxShellsPerUser", registry.DWORD(7))
	file := filepath.Join(s.Service.State.Dir, "Registry.pol")
	if err := os.WriteFile(file, p.AppendPol(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	var a reply
	eventually(t, "the policy is shown", func() bool {
		a = w.do(request{action: get, uri: nsConfig + "/winrs"})
		return strings.Contains(a.body, `<cfg:MaxShellsPerUser Source="GPO">7</cfg:MaxShellsPerUser>`)
	})
	w.set("Winrs/MaxShellsPerUser", "8").wantFault("20", "w:InternalError", "", 0x8033808A)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the policy is gone", func() bool { return w.set("Winrs/MaxShellsPerUser", "8").status == http.StatusOK })
}

// eventually waits until what is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}
