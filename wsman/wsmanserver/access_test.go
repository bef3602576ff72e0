package wsmanserver_test

import (
	"net/http"
	"testing"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/settings"
)

// grantEverything lets every authenticated user in, so that what a test sees
// is decided further inside.
func grantEverything(s *casementtest.Server) {
	s.Set("Service/RootSDDL", "O:NSG:BAD:P(A;;GA;;;AU)")
}

// Statements 61 and 75, and section 5.7: who may do what.
func TestAccessStatements(t *testing.T) {
	s, w := serve(t)
	const password = "Secret-1-word"
	s.AddUser("plain", password)
	plain := w.as("plain", password)
	show := request{action: get, uri: nsConfig + "/service"}
	const denied = "w:AccessDenied"

	plain.do(show).wantFault("the default admits administrators", denied, "", 5)
	if a := w.as("plain", "wrong").do(show); a.status != http.StatusUnauthorized || a.body != "" {
		t.Errorf("a wrong password: %d %s", a.status, a.body)
	}
	if a := w.as("nobody-of-this-name", "x").do(show); a.status != http.StatusUnauthorized || a.body != "" {
		t.Errorf("an unknown user: %d %s", a.status, a.body)
	}
	s.Set("Service/RootSDDL", "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;AU)")
	plain.ok(show)
	restore := request{action: nsConfig + "/Restore", uri: nsConfig, body: `<cfg:Restore_INPUT/>`}
	plain.do(restore).wantFault("61: Invoke without GX", denied, "", 5)
	change := request{action: put, uri: nsConfig + "/winrs", body: `<cfg:Winrs><cfg:MaxShellsPerUser>9</cfg:MaxShellsPerUser></cfg:Winrs>`}
	plain.do(change).wantFault("5.7: Put without GW", denied, "", 5)
	plain.do(request{action: create, uri: cmdURI, body: plainShell}).wantFault("5.7: a shell without GX", denied, "", 5)
	s.Set("Service/RootSDDL", "O:NSG:BAD:P(A;;GA;;;BA)(A;;GRGW;;;AU)")
	plain.ok(change)
	plain.do(restore).wantFault("61: Invoke with GR and GW", denied, "", 5)
	s.Set("Service/RootSDDL", "O:NSG:BAD:P(A;;GA;;;BA)(A;;GX;;;AU)")
	plain.do(show).wantFault("61: Get with GX alone", denied, "", 5)
	plain.ok(request{action: create, uri: cmdURI, body: plainShell})

	// 75: the entry of the URI decides, not the root.
	security := func(sddl, exact string) reply {
		return w.do(request{action: put, uri: nsConfig + "/service/security", selectors: map[string]string{"Uri": nsWMI + "/root/cimv2/Win32_Service"},
			body: `<x:Security xmlns:x="http://schemas.microsoft.com/wbem/wsman/1/config/PluginConfiguration" Sddl="` + sddl + `" ExactMatch="` + exact + `"/>`})
	}
	service := request{action: get, uri: wmi("Win32_Service"), selectors: winRM}
	w.ok(service)
	if a := security("O:NSG:BAD:P(D;;GA;;;WD)", "true"); a.status != http.StatusOK {
		t.Fatalf("75: %s", a.body)
	}
	w.do(service).wantFault("75: the entry of the URI", denied, "", 5)
	w.ok(request{action: get, uri: wmi("CT_Only")})
	security("O:NSG:BAD:P(A;;GA;;;BA)", "true")
	w.ok(service)
	security("nonsense", "true").wantFault("3.3", "w:InternalError", "", 0x8033815C)
}

// Section 5.7: User Account Control filters the token of a second
// administrator, and LocalAccountTokenFilterPolicy lifts that at once.
func TestFilteredAdministrator(t *testing.T) {
	s, w := serve(t)
	s.AddUser("second", "Secret-1-word", "Administrators")
	second := w.as("second", "Secret-1-word")
	show := request{action: get, uri: nsConfig + "/service"}
	second.do(show).wantFault("filtered", "w:AccessDenied", "", 5)
	s.Apply(settings.SetLocalAccountTokenFilterPolicy(true))
	second.ok(show)
	s.Apply(settings.SetLocalAccountTokenFilterPolicy(false))
	second.do(show).wantFault("filtered again", "w:AccessDenied", "", 5)
	w.ok(show) // the built-in Administrator keeps its token
}

// Section 5.7: members of WinRMRemoteWMIUsers__ may use CIM and nothing else,
// as far as the namespace lets them.
func TestRemoteWMIUsers(t *testing.T) {
	s, w := serve(t)
	s.AddUser("wmi", "Secret-1-word", "WinRMRemoteWMIUsers__")
	member := w.as("wmi", "Secret-1-word")
	service := request{action: get, uri: wmi("Win32_Service"), selectors: winRM}
	// The plug-in lets the member in; the namespace does not know it.
	a := member.do(service)
	a.wantFault("namespace", "w:AccessDenied", "", 0)
	if p := a.fault().Detail.Fault.Message.Provider.Name; p == "" {
		t.Errorf("5.7: the plug-in refuses a member of the group:\n%s", a.body)
	}
	member.do(request{action: get, uri: nsConfig}).wantFault("config", "w:AccessDenied", "", 5)
	member.do(request{action: create, uri: cmdURI, body: plainShell}).wantFault("shell", "w:AccessDenied", "", 5)
	w.ok(request{action: put, uri: nsConfig + "/service/security", selectors: map[string]string{"Uri": nsWMI},
		body: `<x:Security xmlns:x="http://schemas.microsoft.com/wbem/wsman/1/config/PluginConfiguration" Sddl="O:NSG:BAD:P(D;;GA;;;AU)(A;;GA;;;BA)"/>`})
	a = member.do(service)
	a.wantFault("a denial counts", "w:AccessDenied", "", 5)
	if p := a.fault().Detail.Fault.Message.Provider.Name; p != "" {
		t.Errorf("5.7: an entry that denies does not count for members of the group")
	}
}

// The namespace that requires encryption is closed to clear text and open to
// TLS.
func TestRequiresEncryption(t *testing.T) {
	s, w := serve(t, "Service/AllowUnencrypted", "true")
	secret := request{action: get, uri: nsWMI + "/root/secret/CT_Secret", selectors: map[string]string{"ID": "s"}}
	w.ok(secret)
	clear := *w
	clear.url = s.HTTP
	clear.do(secret).wantFault("in clear text", "w:AccessDenied", "", 0)
	clear.ok(request{action: get, uri: wmi("CT_Only")})
}
