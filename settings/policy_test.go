package settings

import (
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
)

// gpo builds a machine policy; names are below the WinRM policy key.
func gpo(entries ...Change) *registry.Policy {
	var p registry.Policy
	for _, e := range entries {
		p.Set(KeyPolicy+`\`+e.Key, e.Name, e.Value)
	}
	return &p
}

func on(key, name string) Change { return Change{Key: key, Name: name, Value: registry.DWORD(1)} }
func off(key, name string) Change {
	return Change{Key: key, Name: name, Value: registry.DWORD(0)}
}

// Statement 20: a GPO-owned setting shows Source="GPO"; write -> 0x8033808A. The value
// names are those of spec/winrm.md 3.8, "Disallow" policies write 0.
func TestPolicyValues(t *testing.T) {
	sz := func(key, name, v string) Change { return Change{Key: key, Name: name, Value: registry.SZ(v)} }
	dw := func(key, name string, v uint32) Change {
		return Change{Key: key, Name: name, Value: registry.DWORD(v)}
	}
	for _, row := range []struct {
		path, want, other string
		policy            []Change
	}{
		{"Client/Auth/Basic", "false", "true", []Change{off("Client", "AllowBasic")}},
		{"Client/Auth/Digest", "false", "true", []Change{off("Client", "AllowDigest")}},
		{"Client/Auth/Kerberos", "false", "true", []Change{off("Client", "AllowKerberos")}},
		{"Client/Auth/Negotiate", "false", "true", []Change{off("Client", "AllowNegotiate")}},
		{"Client/Auth/CredSSP", "true", "false", []Change{on("Client", "AllowCredSSP")}},
		{"Client/AllowUnencrypted", "true", "false", []Change{on("Client", "AllowUnencryptedTraffic")}},
		{"Client/TrustedHosts", "a,b*", "c", []Change{on("Client", "TrustedHosts"), sz("Client", "TrustedHostsList", "a,b*")}},
		{"Service/Auth/Basic", "true", "false", []Change{on("Service", "AllowBasic")}},
		{"Service/Auth/CredSSP", "true", "false", []Change{on("Service", "AllowCredSSP")}},
		{"Service/Auth/Kerberos", "false", "true", []Change{off("Service", "AllowKerberos")}},
		{"Service/Auth/Negotiate", "false", "true", []Change{off("Service", "AllowNegotiate")}},
		{"Service/AllowUnencrypted", "true", "false", []Change{on("Service", "AllowUnencryptedTraffic")}},
		{"Service/Auth/CbtHardeningLevel", "Strict", "None", []Change{on("Service", "CBTHardeningLevelStatus"), sz("Service", "CbtHardeningLevel", "strict")}},
		{"Service/IPv4Filter", "10.0.0.1-10.0.0.2", "*", []Change{on("Service", "AllowAutoConfig"), sz("Service", "IPv4Filter", "10.0.0.1-10.0.0.2")}},
		{"Service/IPv6Filter", "", "*", []Change{on("Service", "AllowAutoConfig"), sz("Service", "IPv6Filter", "")}},
		{"Service/IPv4Filter", "", "*", []Change{on("Service", "AllowAutoConfig")}}, // 3.8: blank filter = none
		{"Service/EnableCompatibilityHttpListener", "true", "false", []Change{on("Service", "HttpCompatibilityListener")}},
		{"Service/EnableCompatibilityHttpsListener", "true", "false", []Change{on("Service", "HttpsCompatibilityListener")}},
		{"Service/AllowRemoteAccess", "false", "true", []Change{off("Service", "AllowAutoConfig")}},
		{"Winrs/AllowRemoteShellAccess", "false", "true", []Change{off(`Service\WinRS`, "AllowRemoteShellAccess")}},
		{"Winrs/IdleTimeout", "70000", "80000", []Change{dw(`Service\WinRS`, "IdleTimeout", 70000)}},
		{"Winrs/MaxConcurrentUsers", "3", "4", []Change{dw(`Service\WinRS`, "MaxConcurrentUsers", 3)}},
		{"Winrs/MaxMemoryPerShellMB", "64", "65", []Change{dw(`Service\WinRS`, "MaxMemoryPerShellMB", 64)}},
		{"Winrs/MaxProcessesPerShell", "2", "3", []Change{dw(`Service\WinRS`, "MaxProcessesPerShell", 2)}},
		{"Winrs/MaxShellsPerUser", "1", "2", []Change{dw(`Service\WinRS`, "MaxShellsPerUser", 1)}},
	} {
		w := load(t, hive(t, gpo(row.policy...)), Current)
		fields, err := w.Describe(URIConfig)
		if err != nil {
			t.Fatal(err)
		}
		f, ok := field(fields, strings.Split(row.path, "/")...)
		if !ok || f.Value != row.want || f.Source.String() != "GPO" || !f.ReadOnly {
			t.Errorf("%s: %+v, want %q from GPO", row.path, f, row.want)
		}
		_, err = w.Validate(URIConfig, []NameValue{{Name: row.path, Value: row.other}})
		wantCode(t, row.path, err, CodeGPOControlled)
		_, err = w.Validate(URIConfig, []NameValue{{Name: row.path, Value: row.want}})
		wantCode(t, row.path+" unchanged", err, 0)
	}
}

// Group Policy > local > default (spec/winrm.md 3), and a gate that is shut counts not.
func TestPrecedence(t *testing.T) {
	local := Change{Key: KeyWSMAN + `\Service`, Name: "auth_basic", Value: registry.DWORD(1)}
	if w := load(t, hive(t, nil, local), Current); !w.Service.Auth.Basic || w.Source("Service/Auth/Basic") != registry.SourceHive {
		t.Error("the local value does not hold over the default")
	}
	if w := load(t, hive(t, gpo(off("Service", "AllowBasic")), local), Current); w.Service.Auth.Basic {
		t.Error("the policy does not hold over the local value")
	}
	p := gpo(Change{Key: "Client", Name: "TrustedHostsList", Value: registry.SZ("evil")})
	if w := load(t, hive(t, p), Current); w.Client.TrustedHosts != "" {
		t.Error("TrustedHostsList counts without TrustedHosts = 1")
	}
}

// Corrupt policy -> 0x80338088, corrupt local config -> 0x80338005 (spec/winrm.md 3);
// what holds then is the default, for a filter nothing.
func TestDamagedValues(t *testing.T) {
	key := KeyWSMAN + `\Service`
	for _, row := range []struct {
		name    string
		policy  *registry.Policy
		changes []Change
		code    uint32
		ok      func(*WinRM) bool
	}{
		{"type", nil, []Change{{Key: KeyWSMAN, Name: "MaxTimeoutms", Value: registry.SZ("600")}}, CodeConfigCorrupted,
			func(w *WinRM) bool { return w.MaxTimeoutms == 60000 }},
		{"range", nil, []Change{{Key: key, Name: "MaxConnections", Value: registry.DWORD(513)}}, CodeConfigCorrupted,
			func(w *WinRM) bool { return w.Service.MaxConnections == 300 }},
		{"number too large", nil, []Change{{Key: KeyWSMAN, Name: "MaxTimeoutms", Value: registry.QWORD(1 << 40)}}, CodeConfigCorrupted,
			func(w *WinRM) bool { return w.MaxTimeoutms == 60000 }},
		{"bool", nil, []Change{{Key: key, Name: "auth_basic", Value: registry.DWORD(7)}}, CodeConfigCorrupted,
			func(w *WinRM) bool { return !w.Service.Auth.Basic }},
		{"SDDL", nil, []Change{{Key: key, Name: "RootSDDL", Value: registry.SZ("D:(A")}}, CodeConfigCorrupted,
			func(w *WinRM) bool { return w.Service.RootSDDL == rootSDDL }},
		{"filter", nil, []Change{{Key: key, Name: "IPv4Filter", Value: registry.SZ("all")}}, CodeConfigCorrupted,
			func(w *WinRM) bool { return w.Service.IPv4Filter == "" }},
		{"policy", gpo(Change{Key: "Service", Name: "AllowBasic", Value: registry.SZ("1")}), nil, CodePolicyCorrupted,
			func(w *WinRM) bool { return !w.Service.Auth.Basic }},
		{"policy filter", gpo(on("Service", "AllowAutoConfig"), Change{Key: "Service", Name: "IPv4Filter", Value: registry.SZ("x-y")}), nil, CodePolicyCorrupted,
			func(w *WinRM) bool { return w.Service.IPv4Filter == "" }},
	} {
		w, bad := Load(hive(t, row.policy, row.changes...), Current)
		if len(bad) != 1 || bad[0].Err.Code != row.code || !row.ok(w) {
			t.Errorf("%s: problems %+v", row.name, bad)
		}
	}
}

// Checklist 0.28: AllowAnonymousCallback absent, 0, 1, wrong type: four results; and the
// rule of [MS-WMI] 3.1.1.1.3 with UnsecAppAccessControlDefault.
func TestSwitches(t *testing.T) {
	const key = `HKEY_LOCAL_MACHINE \ SOFTWARE \ Microsoft \ WBEM \ CIMOM`
	anon := func(v registry.Value) Change { return Change{Key: key, Name: "AllowAnonymousCallback", Value: v} }
	access := func(v registry.Value) Change { return Change{Key: key, Name: "UnsecAppAccessControlDefault", Value: v} }
	for _, row := range []struct {
		name     string
		changes  []Change
		retry    bool
		problems int
	}{
		{"absent", nil, false, 0}, {"0", []Change{anon(registry.DWORD(0))}, false, 0}, {"1", []Change{anon(registry.DWORD(1))}, true, 0},
		{"wrong type", []Change{anon(registry.SZ("1"))}, false, 1}, {"2", []Change{anon(registry.DWORD(2))}, false, 1},
		{"access 1", []Change{anon(registry.DWORD(1)), access(registry.SZ("1"))}, false, 0},
		{"access 0", []Change{anon(registry.DWORD(1)), access(registry.SZ("0"))}, true, 0},
		{"access damaged", []Change{anon(registry.DWORD(1)), access(registry.SZ("x"))}, false, 1},
	} {
		c, bad := LoadCallbacks(hive(t, nil, row.changes...))
		if c.AnonymousRetry() != row.retry || len(bad) != row.problems {
			t.Errorf("%s: %+v, %d problems", row.name, c, len(bad))
		}
	}
	for _, row := range []struct {
		changes []Change
		want    bool
	}{{nil, false}, {[]Change{SetLocalAccountTokenFilterPolicy(true)}, true}, {[]Change{SetLocalAccountTokenFilterPolicy(false)}, false},
		{[]Change{{Key: KeyUAC, Name: "LocalAccountTokenFilterPolicy", Value: registry.SZ("1")}}, false}} {
		if got := LocalAccountTokenFilterPolicy(hive(t, nil, row.changes...)); got != row.want {
			t.Errorf("%+v: %v", row.changes, got)
		}
	}
}
