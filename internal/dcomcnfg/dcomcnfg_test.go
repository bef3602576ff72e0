package dcomcnfg_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/internal/dcomcnfg"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

var (
	alice = sid("S-1-5-21-1-2-3-1001")
	crew  = sid("S-1-5-21-1-2-3-1002")
)

func sid(text string) security.SID {
	s, err := security.ParseSID(text)
	if err != nil {
		panic(err)
	}
	return s
}

// names are the accounts of a machine WEB1.
type names map[string]security.SID

func (n names) SID(name string) (security.SID, bool) {
	s, ok := n[strings.ToLower(strings.TrimPrefix(name, `WEB1\`))]
	return s, ok
}

func (n names) Name(s security.SID) (string, bool) {
	for name, have := range n {
		if have == s {
			return `WEB1\` + name, true
		}
	}
	return "", false
}

func administrator() *security.Token {
	return &security.Token{User: sid("S-1-5-21-1-2-3-500"), Groups: []security.GroupEntry{{SID: security.SIDAdministrators}, {SID: security.SIDEveryone}}}
}

func tool(t *testing.T, policy *registry.Policy) *dcomcnfg.Tool {
	t.Helper()
	o := registry.Options{}
	dir := t.TempDir()
	if policy != nil {
		o.Policy = filepath.Join(dir, "Registry.pol")
		if err := os.WriteFile(o.Policy, policy.AppendPol(nil), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, err := registry.Open(filepath.Join(dir, "hive.reg"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return &dcomcnfg.Tool{Hive: h, Caller: administrator(), Names: names{"alice": alice, "crew": crew}}
}

// stored is the descriptor of a registry value as SDDL, "" where there is none.
func stored(t *testing.T, tool *dcomcnfg.Tool, key, name string) string {
	t.Helper()
	v, ok := tool.Hive.Get(key, name)
	if !ok {
		return ""
	}
	if v.Type() != registry.TypeBinary {
		t.Fatalf("%s is a %v", name, v.Type())
	}
	sd, err := security.DecodeSecurityDescriptor(v.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return sd.String()
}

const (
	ole   = `HKLM\SOFTWARE\Microsoft\Ole`
	appID = `HKLM\SOFTWARE\Classes\AppID\{8BC3F05E-D86B-11D0-A075-00C04FB68820}`
)

// Each page writes the value of Windows, with the bits of "Access Control Lists for
// COM": Local Launch/Access 2 (DC), Remote Launch/Access 4 (LC), Local Activation 8
// (SW), Remote Activation 16 (RP), and 1 (CC) in every entry. Document 004, items 7, 14
// to 20.
func TestGrant(t *testing.T) {
	const a = "S-1-5-21-1-2-3-1001"
	for _, row := range []struct {
		setting           settings.COMSetting
		principal, rights string
		key, name, want   string
	}{
		{settings.LaunchLimit, "alice", "remote-launch,remote-activation", ole, "MachineLaunchRestriction",
			"O:BAG:BAD:(A;;CCDCSW;;;WD)(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCSWRP;;;S-1-5-32-562)(A;;CCLCRP;;;" + a + ")"},
		{settings.LaunchLimit, "Everyone", "Remote Launch", ole, "MachineLaunchRestriction",
			"O:BAG:BAD:(A;;CCDCLCSW;;;WD)(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCSWRP;;;S-1-5-32-562)"},
		{settings.AccessLimit, "ANONYMOUS LOGON", "remote-access", ole, "MachineAccessRestriction",
			"O:BAG:BAD:(A;;CCDCLC;;;WD)(A;;CCDCLC;;;AN)(A;;CCDCLC;;;S-1-5-32-562)"},
		{settings.DefaultLaunch, `WEB1\crew`, "local-launch,local-activation", ole, "DefaultLaunchPermission",
			"O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCSWRP;;;SY)(A;;CCDCLCSWRP;;;IU)(A;;CCDCSW;;;S-1-5-21-1-2-3-1002)"},
		{settings.DefaultAccess, `BUILTIN\Users`, "local-access", ole, "DefaultAccessPermission",
			"O:BAG:BAD:(A;;CCDCLC;;;PS)(A;;CCDCLC;;;SY)(A;;CCDC;;;BU)"},
		{settings.WMILaunch, "S-1-5-21-9-9-9-1105", "remote-activation", appID, "LaunchPermission",
			"O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCSWRP;;;SY)(A;;CCDCLCSWRP;;;AU)(A;;CCRP;;;S-1-5-21-9-9-9-1105)"},
		{settings.WMIAccess, "NT AUTHORITY\\ANONYMOUS LOGON", "remote-access", appID, "AccessPermission",
			"O:BAG:BAD:(A;;CCDCLC;;;BA)(A;;CCDCLC;;;SY)(A;;CCDCLC;;;AU)(A;;CCLC;;;AN)"},
		{settings.WMIConfigure, "alice", "full", appID, "ConfigurePermission",
			"O:BAG:BAD:(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CI;KR;;;BU)(A;CI;KA;;;" + a + ")"},
	} {
		d := tool(t, nil)
		if err := d.Grant(row.setting, row.principal, row.rights); err != nil {
			t.Errorf("%s, %s: %v", row.name, row.principal, err)
			continue
		}
		if got := stored(t, d, row.key, row.name); got != want(t, row.want) {
			t.Errorf("%s, %s:\n%s, want\n%s", row.name, row.principal, got, row.want)
		}
	}
}

// want prints SDDL as the package of descriptors does, with SIDs for their aliases.
func want(t *testing.T, text string) string {
	t.Helper()
	sd, err := security.ParseSDDL(text)
	if err != nil {
		t.Fatal(err)
	}
	return sd.String()
}

// A step after the other on one page: ticks move between allow and deny, entries that
// deny stand first, and one without ticks goes, since 1 alone would mean everything.
func TestSteps(t *testing.T) {
	d := tool(t, nil)
	if err := d.Set(settings.LaunchLimit, "O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)"); err != nil {
		t.Fatal(err)
	}
	const a = "S-1-5-21-1-2-3-1001"
	for _, step := range []struct {
		why  string
		do   func() error
		want string
	}{
		{"granted", func() error { return d.Grant(settings.LaunchLimit, "alice", "remote-launch,remote-activation") }, "(A;;CCDCLCSWRP;;;BA)(A;;CCLCRP;;;" + a + ")"},
		{"more", func() error { return d.Grant(settings.LaunchLimit, "alice", "local-launch") }, "(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCRP;;;" + a + ")"},
		{"denied", func() error { return d.Deny(settings.LaunchLimit, "alice", "remote-launch") }, "(D;;CCLC;;;" + a + ")(A;;CCDCLCSWRP;;;BA)(A;;CCDCRP;;;" + a + ")"},
		{"granted again", func() error { return d.Grant(settings.LaunchLimit, "alice", "remote-launch") }, "(A;;CCDCLCSWRP;;;BA)(A;;CCDCLCRP;;;" + a + ")"},
		{"one less", func() error { return d.Revoke(settings.LaunchLimit, "alice", "remote-launch,local-launch") }, "(A;;CCDCLCSWRP;;;BA)(A;;CCRP;;;" + a + ")"},
		{"the last", func() error { return d.Revoke(settings.LaunchLimit, "alice", "remote-activation") }, "(A;;CCDCLCSWRP;;;BA)"},
		{"altogether", func() error { return d.Revoke(settings.LaunchLimit, "Administrators", "") }, ""},
	} {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.why, err)
		}
		if got := stored(t, d, ole, "MachineLaunchRestriction"); got != want(t, "O:BAG:BAD:"+step.want) {
			t.Errorf("%s: %s, want %s", step.why, got, step.want)
		}
	}
	if err := d.Revoke(settings.LaunchLimit, "alice", ""); err == nil {
		t.Error("what is not there was taken away")
	}
	if err := d.Reset(settings.LaunchLimit); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, d, ole, "MachineLaunchRestriction"); got != "" {
		t.Errorf("after the reset: %s", got)
	}
}

// An entry with COM_RIGHTS_EXECUTE alone is the old format and means everything, local
// and remote; a change writes it out, since a list must not mix both.
func TestOldFormat(t *testing.T) {
	d := tool(t, nil)
	for s, w := range map[settings.COMSetting]struct{ key, name, before, after, shown string }{
		settings.WMILaunch: {appID, "LaunchPermission", "(A;;CC;;;BA)", "(A;;CCDCLCSWRP;;;BA)(A;;CCLC;;;S-1-5-21-1-2-3-1001)", "Local Launch, Remote Launch, Local Activation, Remote Activation (old format)"},
		settings.WMIAccess: {appID, "AccessPermission", "(A;;CC;;;BA)", "(A;;CCDCLC;;;BA)(A;;CCLC;;;S-1-5-21-1-2-3-1001)", "Local Access, Remote Access (old format)"},
	} {
		if err := d.Set(s, "O:BAG:BAD:"+w.before); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, r := range d.WMI() {
			found = found || r.Setting == w.name && r.Type == "Allow" && r.Account == `BUILTIN\Administrators` && r.Value == w.shown && r.Source == "Hive"
		}
		if !found {
			t.Errorf("%s is shown as %+v", w.name, d.WMI())
		}
		right := "remote-launch"
		if s.IsAccess() {
			right = "remote-access"
		}
		if err := d.Grant(s, "alice", right); err != nil {
			t.Fatal(err)
		}
		if got := stored(t, d, w.key, w.name); got != want(t, "O:BAG:BAD:"+w.after) {
			t.Errorf("%s: %s, want %s", w.name, got, w.after)
		}
	}
}

// Who is not known, rights of another page, and descriptors that COM would not accept
// change nothing. Document 004, item 15.
func TestRefused(t *testing.T) {
	d := tool(t, nil)
	for why, do := range map[string]func() error{
		"an unknown name":            func() error { return d.Grant(settings.LaunchLimit, "mallory", "remote-launch") },
		"of another machine":         func() error { return d.Grant(settings.LaunchLimit, `OTHER\alice`, "remote-launch") },
		"half a SID":                 func() error { return d.Grant(settings.LaunchLimit, "S-1-5-", "remote-launch") },
		"a right of access":          func() error { return d.Grant(settings.LaunchLimit, "alice", "remote-access") },
		"a right of launching":       func() error { return d.Grant(settings.AccessLimit, "alice", "remote-launch") },
		"no right":                   func() error { return d.Deny(settings.LaunchLimit, "alice", "") },
		"no SDDL":                    func() error { return d.Set(settings.LaunchLimit, "everybody") },
		"without a list":             func() error { return d.Set(settings.LaunchLimit, "O:BAG:BA") },
		"without COM_RIGHTS_EXECUTE": func() error { return d.Set(settings.LaunchLimit, "O:BAG:BAD:(A;;LC;;;BA)") },
		"both formats":               func() error { return d.Set(settings.LaunchLimit, "O:BAG:BAD:(A;;CC;;;BA)(A;;CCLC;;;WD)") },
		"a port of the system":       func() error { return d.Endpoint(135) },
	} {
		if err := do(); err == nil {
			t.Errorf("%s is taken", why)
		}
	}
	if keys := d.Hive.Keys(`HKLM\SOFTWARE`); len(keys) != 0 {
		t.Errorf("the hive has %q", keys)
	}
}

// The configuration permission says who changes the application, and who may change
// that permission; the machine's own values are the administrators'. Document 004, item
// 9.
func TestWhoMayConfigure(t *testing.T) {
	d := tool(t, nil)
	plain := &security.Token{User: alice, Groups: []security.GroupEntry{{SID: security.SIDEveryone}, {SID: security.SIDUsers}}}
	filtered := security.Filter(*administrator())
	grant := func(who *security.Token, s settings.COMSetting) error {
		d.Caller = who
		right := "remote-launch"
		if s == settings.WMIConfigure {
			right = "read"
		}
		return d.Grant(s, "crew", right)
	}
	denied := func(err error) bool {
		return errors.Is(err, security.ErrAccessDenied) && strings.Contains(err.Error(), "access is denied (5)")
	}
	for _, who := range []*security.Token{nil, plain, &filtered} {
		for _, s := range []settings.COMSetting{settings.LaunchLimit, settings.WMILaunch, settings.WMIConfigure} {
			if err := grant(who, s); !denied(err) {
				t.Errorf("%+v changes %s: %v", who, s.ValueName(), err)
			}
		}
		if err := d.Endpoint(24158); !denied(err) {
			t.Errorf("%+v changes the endpoint: %v", who, err)
		}
		if err := d.Enable(false); !denied(err) {
			t.Errorf("%+v turns DCOM off: %v", who, err)
		}
	}
	if keys := d.Hive.Keys(`HKLM\SOFTWARE`); len(keys) != 0 {
		t.Errorf("the hive has %q", keys)
	}
	d.Caller = administrator()
	if err := d.Grant(settings.WMIConfigure, "alice", "full"); err != nil {
		t.Fatal(err)
	}
	if err := grant(plain, settings.WMILaunch); err != nil {
		t.Errorf("who may configure the application: %v", err)
	}
	if err := grant(plain, settings.LaunchLimit); !denied(err) {
		t.Errorf("who may configure the application changes the machine: %v", err)
	}
	// Administrators may be shut out of the settings, and own the key all the same.
	d.Caller = administrator()
	if err := d.Revoke(settings.WMIConfigure, "Administrators", "full"); err != nil {
		t.Fatal(err)
	}
	if err := grant(administrator(), settings.WMILaunch); !denied(err) {
		t.Errorf("administrators without the configuration right: %v", err)
	}
	if err := d.Reset(settings.WMIConfigure); err != nil {
		t.Errorf("the owner of the key: %v", err)
	}
	if err := grant(administrator(), settings.WMILaunch); err != nil {
		t.Errorf("after the reset: %v", err)
	}
}

// The policies of the two limits are SDDL texts; they hold over the values of the
// machine, are shown as such, and cannot be changed here.
func TestPolicyRules(t *testing.T) {
	var p registry.Policy
	p.Set(`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DCOM`, "MachineLaunchRestriction", registry.SZ("O:BAG:BAD:(A;;CCDCLCSWRP;;;AU)"))
	p.Set(`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DCOM`, "MachineAccessRestriction", registry.SZ(""))
	d := tool(t, &p)
	var rule *settings.Error
	for why, do := range map[string]func() error{
		"grant": func() error { return d.Grant(settings.LaunchLimit, "alice", "remote-launch") },
		"reset": func() error { return d.Reset(settings.LaunchLimit) },
		"set":   func() error { return d.Set(settings.LaunchLimit, "O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)") },
	} {
		if err := do(); !errors.As(err, &rule) || rule.Code != 0x8033808A {
			t.Errorf("%s: %v", why, err)
		}
	}
	if err := d.Grant(settings.AccessLimit, "alice", "remote-access"); err != nil {
		t.Errorf("a policy that is not defined: %v", err)
	}
	var launch, access []dcomcnfg.Row
	for _, r := range d.Machine() {
		switch r.Setting {
		case "MachineLaunchRestriction":
			launch = append(launch, r)
		case "MachineAccessRestriction":
			access = append(access, r)
		}
	}
	all := "Local Launch, Remote Launch, Local Activation, Remote Activation"
	if len(launch) != 1 || launch[0] != (dcomcnfg.Row{Setting: "MachineLaunchRestriction", Type: "Allow", Account: `NT AUTHORITY\Authenticated Users`, Value: all, Source: "GPO"}) {
		t.Errorf("shown: %+v", launch)
	}
	if len(access) != 4 || access[3].Account != `WEB1\alice` || access[3].Source != "Hive" {
		t.Errorf("shown: %+v", access)
	}
}

// The page of endpoints, and the switch.
func TestEndpointAndSwitch(t *testing.T) {
	d := tool(t, nil)
	if err := errors.Join(d.Endpoint(24158), d.Enable(false)); err != nil {
		t.Fatal(err)
	}
	if v, _ := d.Hive.Get(appID, "Endpoints"); v.String() != registry.MultiSZ("ncacn_ip_tcp,0,24158").String() {
		t.Errorf("Endpoints is %v", v)
	}
	if v, _ := d.Hive.Get(ole, "EnableDCOM"); v.String() != registry.SZ("N").String() {
		t.Errorf("EnableDCOM is %v", v)
	}
	var b strings.Builder
	if err := d.View(&b, "WEB1"); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"My Computer (WEB1)", "Enable Distributed COM on this computer: no", "Connection-oriented TCP/IP: 24158",
		"Access Permissions, Edit Limits (MachineAccessRestriction, Default)", "Launch and Activation Permissions, Edit Limits (MachineLaunchRestriction, Default)",
		"Access Permissions, Edit Default (DefaultAccessPermission, Default)", "Launch and Activation Permissions, Edit Default (DefaultLaunchPermission, Default)",
		"Configuration Permissions (ConfigurePermission, Default)", "{8BC3F05E-D86B-11D0-A075-00C04FB68820}"} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("the view has no %q:\n%s", line, &b)
		}
	}
	if err := errors.Join(d.Endpoint(0), d.Enable(true)); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Hive.Get(appID, "Endpoints"); ok {
		t.Error("a dynamic port leaves the endpoint")
	}
}
