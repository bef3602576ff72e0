package settings

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// remoteToken is a token of a network logon, as every account has one.
func remoteToken(groups ...security.SID) *security.Token {
	sid, err := security.ParseSID("S-1-5-21-1-2-3-1001")
	if err != nil {
		panic(err)
	}
	t := &security.Token{User: sid}
	for _, g := range append([]security.SID{security.SIDEveryone, security.SIDAuthenticatedUsers, security.SIDNetwork}, groups...) {
		t.Groups = append(t.Groups, security.GroupEntry{SID: g})
	}
	return t
}

func binary(t *testing.T, sddl string) registry.Value {
	t.Helper()
	sd, err := security.ParseSDDL(sddl)
	if err != nil {
		t.Fatal(err)
	}
	b, err := sd.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return registry.Binary(b)
}

func loadDCOM(t *testing.T, changes ...Change) *DCOM {
	t.Helper()
	d, bad := LoadDCOM(hive(t, nil, changes...))
	if len(bad) > 0 {
		t.Fatalf("problems: %+v", bad)
	}
	return d
}

// The pages on MachineLaunchRestriction and MachineAccessRestriction: who has what
// by default. spec/wmi.md 1.5; document 004, items 8, 16, 17 (checklist 4.08, 4.16,
// 4.17) and document 000, item 27: a filtered administrator has nothing.
func TestDefaultPermissionsOfDCOM(t *testing.T) {
	d := loadDCOM(t)
	filtered := remoteToken()
	filtered.Groups = append(filtered.Groups, security.GroupEntry{SID: security.SIDAdministrators, DenyOnly: true})
	anonymous := &security.Token{User: security.SIDAnonymous}
	for _, row := range []struct {
		name           string
		token          *security.Token
		activate, call bool
	}{
		{"Administrators", remoteToken(security.SIDAdministrators), true, true},
		{"Distributed COM Users", remoteToken(security.SIDDistributedCOMUsers), true, true},
		{"a plain account", remoteToken(security.SIDUsers), false, true},
		{"a filtered administrator", filtered, false, true},
		{"ANONYMOUS LOGON", anonymous, false, false},
		{"nobody", nil, false, false},
	} {
		if err := d.CheckActivation(row.token); (err == nil) != row.activate {
			t.Errorf("%s: activation: %v", row.name, err)
		}
		if err := d.CheckAccess(row.token); (err == nil) != row.call {
			t.Errorf("%s: access: %v", row.name, err)
		}
	}
	if d.DefaultLaunch.Source != registry.SourceNone || d.DefaultAccess.Descriptor == nil {
		t.Errorf("default permissions: %+v", d)
	}
}

// Checklist 4.20: an anonymous callback is refused by default and accepted once
// ANONYMOUS LOGON has Remote Access in the limit.
func TestAnonymousCallback(t *testing.T) {
	if err := loadDCOM(t).CheckAnonymousCallback(); !errors.Is(err, security.ErrAccessDenied) {
		t.Errorf("by default: %v", err)
	}
	granted := Change{Key: KeyOle, Name: machineAccess, Value: binary(t, "O:BAG:BAD:(A;;CCDCLC;;;WD)(A;;CCDCLC;;;AN)")}
	if err := loadDCOM(t, granted).CheckAnonymousCallback(); err != nil {
		t.Errorf("granted: %v", err)
	}
}

// The limit and the application are both asked, and each right for itself.
func TestPermissionsOfDCOM(t *testing.T) {
	alice := "S-1-5-21-1-2-3-1001"
	limit := func(sddl string) Change { return Change{Key: KeyOle, Name: machineLaunch, Value: binary(t, sddl)} }
	accessLimit := func(sddl string) Change { return Change{Key: KeyOle, Name: machineAccess, Value: binary(t, sddl)} }
	app := func(name, sddl string) Change {
		return Change{Key: KeyWMIApplication, Name: name, Value: binary(t, sddl)}
	}
	all := "(A;;CCDCLCSWRP;;;" + alice + ")"
	for _, row := range []struct {
		name             string
		changes          []Change
		activate, access string // the value and right that refuses, "" for none
	}{
		{"granted", []Change{limit("O:BAG:BAD:" + all)}, "", ""},
		{"without Remote Launch (4.16)", []Change{limit("O:BAG:BAD:(A;;CCDCSWRP;;;" + alice + ")")}, machineLaunch + " Remote Launch", ""},
		{"without Remote Activation (4.17)", []Change{limit("O:BAG:BAD:(A;;CCDCLCSW;;;" + alice + ")")}, machineLaunch + " Remote Activation", ""},
		{"the application refuses", []Change{limit("O:BAG:BAD:" + all), app(launchPermission, "O:BAG:BAD:(A;;CCDCSW;;;WD)")}, launchPermission + " Remote Launch", ""},
		{"the application cannot loosen the limit", []Change{app(launchPermission, "O:BAG:BAD:"+all)}, machineLaunch + " Remote Launch", ""},
		{"the old format is local and remote", []Change{limit("O:BAG:BAD:(A;;CC;;;" + alice + ")"), app(accessPermission, "O:BAG:BAD:(A;;CC;;;WD)")}, "", ""},
		{"a denial in the old format", []Change{limit("O:BAG:BAD:(D;;CC;;;" + alice + ")(A;;CCDCLCSWRP;;;WD)")}, machineLaunch + " Remote Launch", ""},
		{"a denial of one right", []Change{limit("O:BAG:BAD:(D;;RP;;;" + alice + ")(A;;CCDCLCSWRP;;;WD)")}, machineLaunch + " Remote Activation", ""},
		{"access: limit local only", []Change{limit("O:BAG:BAD:" + all), accessLimit("O:BAG:BAD:(A;;CCDC;;;WD)")}, "", machineAccess + " Remote Access"},
		{"access: application", []Change{limit("O:BAG:BAD:" + all), app(accessPermission, "O:BAG:BAD:(A;;CCDCLC;;;BA)")}, "", accessPermission + " Remote Access"},
	} {
		d := loadDCOM(t, row.changes...)
		token := remoteToken()
		for what, c := range map[string]struct {
			err  error
			want string
		}{"activation": {d.CheckActivation(token), row.activate}, "access": {d.CheckAccess(token), row.access}} {
			var e *COMAccessError
			got := ""
			if errors.As(c.err, &e) {
				got = e.Setting + " " + COMRightName(e.Setting, e.Right)
			}
			if got != c.want || (c.err != nil) != errors.Is(c.err, security.ErrAccessDenied) {
				t.Errorf("%s: %s: %v, want %q", row.name, what, c.err, c.want)
			}
		}
	}
}

// A descriptor that COM does not accept gives nobody access, and the Problem says so.
func TestDamagedPermissionsOfDCOM(t *testing.T) {
	// A list that mixes the formats, from the page "Access Control Lists for COM": 0x1
	// for an account, 0xb for SYSTEM, 0x9 for Authenticated Users.
	mixed := "01000480000000000000000000000000140000000200540003000000" +
		"0000240001000000010500000000000515000000" + "010000000200000003000000f4010000" +
		"000014000b00000001010000000000051200000000001400090000000101000000000005" + "0b000000"
	b, err := hex.DecodeString(mixed)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]registry.Value{
		"mixed formats":          registry.Binary(b),
		"no COM_RIGHTS_EXECUTE":  binary(t, "O:BAG:BAD:(A;;DCLC;;;WD)"),
		"no DACL":                binary(t, "O:BAG:BA"),
		"not a descriptor":       registry.Binary([]byte{1, 0, 4, 0x80}),
		"a text":                 registry.SZ("O:BAG:BAD:(A;;CCDCLCSWRP;;;WD)"),
		"an empty value":         registry.Binary(nil),
		"generic rights, no COM": binary(t, "O:BAG:BAD:(A;;GA;;;WD)"),
	} {
		d, bad := LoadDCOM(hive(t, nil, Change{Key: KeyOle, Name: machineAccess, Value: v}))
		if len(bad) != 1 || bad[0].Err.Code != CodeConfigCorrupted || bad[0].Name != machineAccess {
			t.Errorf("%s: problems %+v", name, bad)
		}
		if err := d.CheckAccess(remoteToken(security.SIDAdministrators)); !errors.Is(err, security.ErrAccessDenied) {
			t.Errorf("%s: access: %v", name, err)
		}
	}
	sd, err := security.DecodeSecurityDescriptor(b)
	if err != nil || len(sd.DACL.ACEs) != 3 {
		t.Fatalf("the example: %+v, %v", sd, err)
	}
	_, err = COMDescriptor(sd)
	wantCode(t, "the example", err, CodeSecurityDescriptor)
	v, err := COMDescriptor(mustSDDL(defMachineLaunch))
	if err != nil || loadDCOM(t, Change{Key: KeyOle, Name: machineLaunch, Value: v}).LaunchLimit.Source != registry.SourceHive {
		t.Errorf("the default can be stored: %v", err)
	}
}

func TestSwitchesOfDCOM(t *testing.T) {
	type result struct {
		enabled, integrity bool
		level, legacy      uint32
		port               uint16
	}
	defaults := result{true, true, 4, 2, 0}
	with := func(f func(*result)) result { r := defaults; f(&r); return r }
	ole := func(name string, v registry.Value) Change { return Change{Key: KeyOle, Name: name, Value: v} }
	app := func(name string, v registry.Value) Change {
		return Change{Key: KeyWMIApplication, Name: name, Value: v}
	}
	integrity := func(v registry.Value) Change {
		return Change{Key: KeyOle + `\AppCompat`, Name: "RequireIntegrityActivationAuthenticationLevel", Value: v}
	}
	endpoints := func(list ...string) Change { return app("Endpoints", registry.MultiSZ(list...)) }
	for _, row := range []struct {
		name     string
		change   Change
		want     result
		problems int
	}{
		{"N", ole("EnableDCOM", registry.SZ("N")), with(func(r *result) { r.enabled = false }), 0},
		{"n", ole("EnableDCOM", registry.SZ("n")), with(func(r *result) { r.enabled = false }), 0},
		{"y", ole("EnableDCOM", registry.SZ("y")), defaults, 0},
		{"damaged switch", ole("EnableDCOM", registry.DWORD(1)), with(func(r *result) { r.enabled = false }), 1},
		{"legacy 6", ole("LegacyAuthenticationLevel", registry.DWORD(6)), with(func(r *result) { r.legacy = 6 }), 0},
		{"legacy 0", ole("LegacyAuthenticationLevel", registry.DWORD(0)), defaults, 1},
		{"integrity 0", integrity(registry.DWORD(0)), with(func(r *result) { r.integrity = false }), 0},
		{"integrity damaged", integrity(registry.SZ("0")), defaults, 1},
		{"level 6", app("AuthenticationLevel", registry.DWORD(6)), with(func(r *result) { r.level = 6 }), 0},
		{"level 0 is the default", app("AuthenticationLevel", registry.DWORD(0)), defaults, 0},
		{"level 1 still needs an identity", app("AuthenticationLevel", registry.DWORD(1)), with(func(r *result) { r.level = 2 }), 0},
		{"level 7", app("AuthenticationLevel", registry.DWORD(7)), defaults, 1},
		{"port", endpoints("ncacn_ip_tcp,0,24158"), with(func(r *result) { r.port = 24158 }), 0},
		{"port with dots", endpoints("ncacn_ip_tcp.0.5000"), with(func(r *result) { r.port = 5000 }), 0},
		{"another protocol before", endpoints("ncacn_np,0,x", "ncacn_ip_tcp,0,5000"), with(func(r *result) { r.port = 5000 }), 0},
		{"no endpoint", endpoints(), defaults, 0},
		{"low port", endpoints("ncacn_ip_tcp,0,135"), defaults, 1},
		{"no port", endpoints("ncacn_ip_tcp,0"), defaults, 1},
		{"endpoints damaged", app("Endpoints", registry.DWORD(24158)), defaults, 1},
	} {
		d, bad := LoadDCOM(hive(t, nil, row.change))
		got := result{d.Enabled, d.RequireIntegrity, d.WMI.Level, d.LegacyAuthenticationLevel, d.WMI.Port}
		if got != row.want || len(bad) != row.problems {
			t.Errorf("%s: %+v, want %+v; problems %+v", row.name, got, row.want, bad)
		}
	}
}

// winmgmt /standalonehost and /sharedhost (checklist 0.08, 1.10; spec/wmi.md 1.3).
func TestStandaloneHost(t *testing.T) {
	changes, port := loadDCOM(t).StandaloneHost(4)
	d := loadDCOM(t, changes...)
	if port != 24158 || d.WMI.Port != 24158 || d.WMI.Level != 4 {
		t.Errorf("port %d, %+v", port, d.WMI)
	}
	other := Change{Key: KeyWMIApplication, Name: "Endpoints", Value: registry.MultiSZ("ncacn_ip_tcp,0,24200")}
	changes, port = loadDCOM(t, other).StandaloneHost(6)
	d = loadDCOM(t, append([]Change{other}, changes...)...)
	if port != 24200 || d.WMI.Port != 24200 || d.WMI.Level != 6 {
		t.Errorf("another port: port %d, %+v", port, d.WMI)
	}
	d = loadDCOM(t, append(changes, SharedHost()...)...)
	if d.WMI.Port != 0 || d.WMI.Level != 4 {
		t.Errorf("shared: %+v", d.WMI)
	}
}

// Checklist 4.09: the application has a descriptor for who may configure it.
func TestConfigurePermission(t *testing.T) {
	d := loadDCOM(t)
	if err := d.CheckConfigure(remoteToken(security.SIDAdministrators), security.KeyWrite); err != nil {
		t.Errorf("an administrator: %v", err)
	}
	if err := d.CheckConfigure(remoteToken(security.SIDUsers), security.KeyWrite); !errors.Is(err, security.ErrAccessDenied) {
		t.Errorf("a user: %v", err)
	}
	set := func(v registry.Value) Change {
		return Change{Key: KeyWMIApplication, Name: "ConfigurePermission", Value: v}
	}
	d = loadDCOM(t, set(binary(t, "O:BAG:BAD:(A;;KA;;;BU)")))
	if err := d.CheckConfigure(remoteToken(security.SIDUsers), security.KeyWrite); err != nil {
		t.Errorf("granted: %v", err)
	}
	d, bad := LoadDCOM(hive(t, nil, set(registry.SZ("D:(A;;KA;;;WD)"))))
	if err := d.CheckConfigure(remoteToken(security.SIDAdministrators), security.KeyWrite); len(bad) != 1 || err == nil {
		t.Errorf("damaged: %+v, %v", bad, err)
	}
}

// Checklist 1.22; spec/wmi.md 1.6.
func TestScripting(t *testing.T) {
	level := func(v registry.Value) Change {
		return Change{Key: KeyScripting, Name: "Default Impersonation Level", Value: v}
	}
	namespace := func(v registry.Value) Change {
		return Change{Key: KeyScripting, Name: "Default Namespace", Value: v}
	}
	for _, row := range []struct {
		name     string
		changes  []Change
		want     Scripting
		problems int
	}{
		{"absent", nil, Scripting{3, `root\cimv2`}, 0},
		{"set", []Change{level(registry.DWORD(4)), namespace(registry.SZ("root/default"))}, Scripting{4, `root\default`}, 0},
		{"damaged", []Change{level(registry.DWORD(5)), namespace(registry.SZ(""))}, Scripting{3, `root\cimv2`}, 2},
	} {
		got, bad := LoadScripting(hive(t, nil, row.changes...))
		if got != row.want || len(bad) != row.problems {
			t.Errorf("%s: %+v, problems %+v", row.name, got, bad)
		}
	}
}

// Where DCOM listens and what it is told to be reached by.
func TestDCOMListening(t *testing.T) {
	if d := loadDCOM(t); d.Address != "" || d.Bindings != nil {
		t.Errorf("by default: %+v", d)
	}
	for text, want := range map[string]string{"127.0.0.1": "127.0.0.1", "*": "*", "0.0.0.0": "*", "::": "*", "::1": "::1", "": ""} {
		c, err := SetDCOMAddress(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d := loadDCOM(t, c); d.Address != want {
			t.Errorf("%q is %q, want %q", text, d.Address, want)
		}
	}
	_, err := SetDCOMAddress("localhost")
	wantCode(t, "a name", err, CodeListenerAddress)
	d, bad := LoadDCOM(hive(t, nil, Change{Key: KeyCasement, Name: "DCOMAddress", Value: registry.SZ("everywhere")}))
	if d.Address != "" || len(bad) != 1 {
		t.Errorf("damaged: %q, %+v", d.Address, bad)
	}
	list := []string{"web1.example.com", "192.0.2.7", "2001:db8::1"}
	if d := loadDCOM(t, Change{Key: KeyCasement, Name: "DCOMBindings", Value: registry.MultiSZ(list...)}); !slices.Equal(d.Bindings, list) {
		t.Errorf("bindings %q", d.Bindings)
	}
	for _, wrong := range []registry.Value{registry.SZ("a"), registry.MultiSZ("web1[135]"), registry.MultiSZ("a b")} {
		if d, bad := LoadDCOM(hive(t, nil, Change{Key: KeyCasement, Name: "DCOMBindings", Value: wrong})); d.Bindings != nil || len(bad) != 1 {
			t.Errorf("%v: %q, %+v", wrong, d.Bindings, bad)
		}
	}
}
