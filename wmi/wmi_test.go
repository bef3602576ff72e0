package wmi_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
)

// "Setting the Default Process Security Level Using VBScript" and RPC_C_AUTHN_LEVEL_* of [MS-RPCE] 2.2.1.1.8.
func TestAuthenticationLevels(t *testing.T) {
	for n, names := range [][]string{
		{"default", "RPC_C_AUTHN_LEVEL_DEFAULT", "wbemAuthenticationLevelDefault"},
		{"none", "RPC_C_AUTHN_LEVEL_NONE", "wbemAuthenticationLevelNone"},
		{"connect", "RPC_C_AUTHN_LEVEL_CONNECT", "wbemAuthenticationLevelConnect"},
		{"call", "RPC_C_AUTHN_LEVEL_CALL", "wbemAuthenticationLevelCall"},
		{"pkt", "RPC_C_AUTHN_LEVEL_PKT", "wbemAuthenticationLevelPkt"},
		{"pktIntegrity", "RPC_C_AUTHN_LEVEL_PKT_INTEGRITY", "wbemAuthenticationLevelPktIntegrity"},
		{"pktPrivacy", "RPC_C_AUTHN_LEVEL_PKT_PRIVACY", "wbemAuthenticationLevelPktPrivacy"},
	} {
		l := wmi.AuthenticationLevel(n)
		if got := []string{l.String(), l.RPC(), l.Script()}; !reflect.DeepEqual(got, names) {
			t.Errorf("level %d is %v", n, got)
		}
		for _, name := range append(names, string(rune('0'+n)), strings.ToUpper(names[2])) {
			if got, err := wmi.ParseAuthenticationLevel(name); got != l || err != nil {
				t.Errorf("%s is %v, %v", name, got, err)
			}
		}
	}
	for _, bad := range []string{"", "7", "privacy", "RPC_C_AUTHN_LEVEL_PKTPRIVACY", "impersonate"} {
		if _, err := wmi.ParseAuthenticationLevel(bad); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestImpersonationLevels(t *testing.T) {
	for name, want := range map[string]wmi.ImpersonationLevel{
		"anonymous": 1, "Identify": 2, "IMPERSONATE": 3, "delegate": 4,
		"wbemImpersonationLevelDelegate": 4, "RPC_C_IMP_LEVEL_IDENTIFY": 2, "3": 3,
	} {
		if got, err := wmi.ParseImpersonationLevel(name); got != want || err != nil {
			t.Errorf("%s is %v, %v", name, got, err)
		}
	}
	if l := wmi.ImpersonationDelegate; l.String() != "delegate" || l.RPC() != "RPC_C_IMP_LEVEL_DELEGATE" || l.Script() != "wbemImpersonationLevelDelegate" {
		t.Errorf("%v %v %v", l, l.RPC(), l.Script())
	}
	if _, err := wmi.ParseImpersonationLevel("5"); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Errorf("5: %v", err)
	}
}

// "Privilege Constants".
func TestPrivileges(t *testing.T) {
	for n, name := range map[wmi.Privilege]string{
		1: "SeCreateTokenPrivilege", 2: "SeAssignPrimaryTokenPrivilege", 3: "SeLockMemoryPrivilege", 4: "SeIncreaseQuotaPrivilege", 5: "SeMachineAccountPrivilege",
		6: "SeTcbPrivilege", 7: "SeSecurityPrivilege", 8: "SeTakeOwnershipPrivilege", 9: "SeLoadDriverPrivilege", 10: "SeSystemProfilePrivilege", 11: "SeSystemtimePrivilege",
		12: "SeProfileSingleProcessPrivilege", 13: "SeIncreaseBasePriorityPrivilege", 14: "SeCreatePagefilePrivilege", 15: "SeCreatePermanentPrivilege",
		16: "SeBackupPrivilege", 17: "SeRestorePrivilege", 18: "SeShutdownPrivilege", 19: "SeDebugPrivilege", 20: "SeAuditPrivilege", 21: "SeSystemEnvironmentPrivilege",
		22: "SeChangeNotifyPrivilege", 23: "SeRemoteShutdownPrivilege", 24: "SeUndockPrivilege", 25: "SeSyncAgentPrivilege", 26: "SeEnableDelegationPrivilege",
		27: "SeManageVolumePrivilege",
	} {
		if string(n.Name()) != name {
			t.Errorf("%d is %v", n, n.Name())
		}
		short := strings.TrimSuffix(strings.TrimPrefix(name, "Se"), "Privilege")
		for _, s := range []string{name, short, strings.ToLower(short), n.Script()} {
			if got, err := wmi.ParsePrivilege(s); got != n || err != nil {
				t.Errorf("%s is %v, %v", s, got, err)
			}
		}
	}
	if s := wmi.Privilege(2).Script(); s != "wbemPrivilegePrimaryToken" {
		t.Errorf("2 is %s", s)
	}
	for _, bad := range []string{"", "0", "28", "Root"} {
		if _, err := wmi.ParsePrivilege(bad); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// T-02.
func TestAuthorities(t *testing.T) {
	for _, c := range []struct {
		authority, user string
		domain, name    string
		fails           bool
	}{
		{"", `D\u`, "D", "u", false},
		{"", "u", "", "u", false},
		{"", "u@d.example", "", "u@d.example", false},
		{"ntlmdomain:D", "u", "D", "u", false},
		{"NTLMDomain:D", `D\u`, "", "", true},
		{`Kerberos:d\server`, "u", "", "u", false},
		{`Kerberos:d\server`, `D\u`, "", "", true},
		{"kerberos:HOST/server.example", `D\u`, "D", "u", false},
	} {
		a, err := wmi.ParseAuthority(c.authority)
		if err != nil {
			t.Errorf("%s: %v", c.authority, err)
			continue
		}
		if again, _ := wmi.ParseAuthority(a.String()); again != a {
			t.Errorf("%s becomes %s", c.authority, a)
		}
		domain, name, err := a.User(c.user)
		if domain != c.domain || name != c.name || errors.Is(err, cim.ErrInvalidParameter) != c.fails {
			t.Errorf("%s under %s is %q, %q, %v", c.user, c.authority, domain, name, err)
		}
	}
	for _, bad := range []string{"Kerberos", "Kerberos:", "Digest:x", "D"} {
		if _, err := wmi.ParseAuthority(bad); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// T-17.
func TestLocales(t *testing.T) {
	for s, want := range map[string][]string{"": nil, "MS_409": {"MS_409"}, "ms_40C, en-US,de": {"ms_40C", "en-US", "de"}} {
		if got, err := wmi.ParseLocales(s); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %q, %v", s, got, err)
		}
	}
	for _, bad := range []string{"EN_US", "MS_", "MS_40G", "409", ",", "english", "en-", "MS_409,"} {
		if _, err := wmi.ParseLocales(bad); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNetworkResources(t *testing.T) {
	for s, want := range map[string]wmi.NetworkResource{
		"":                                  {},
		`root\cimv2`:                        {Namespace: `root\cimv2`},
		`root/cimv2`:                        {Namespace: `root\cimv2`},
		`\\.\root\cimv2`:                    {Namespace: `root\cimv2`},
		`\\.\`:                              {},
		`\\host\root\cimv2`:                 {Server: "host", Namespace: `root\cimv2`},
		`//host/root/cimv2`:                 {Server: "host", Namespace: `root\cimv2`},
		`\\host`:                            {Server: "host"},
		`\\192.0.2.7.\root`:                 {Server: "192.0.2.7.", Namespace: "root"},
		`\\2001:db8::7\root`:                {Server: "2001:db8::7", Namespace: "root"},
		`//[fe80::7%eth0]/root/cimv2`:       {Server: "fe80::7%eth0", Namespace: `root\cimv2`},
		`\\fe80--7s4.ipv6-literal.net\root`: {Server: "fe80::7%4", Namespace: "root"},
	} {
		got, err := wmi.ParseNetworkResource(s)
		if err != nil || got != want {
			t.Errorf("%s is %+v, %v", s, got, err)
		}
		if again, err := wmi.ParseNetworkResource(got.String()); err != nil || again != want {
			t.Errorf("%s becomes %s", s, got)
		}
	}
	for _, bad := range []string{`\\`, `\\\root`, `\\ho st\root`, `\\host:135\root`, `root\\cimv2`, `root\cimv2:Win32_Process`, `\\h[x]\root`, `\\[192.0.2.7]\root`, "//u@h/root"} {
		if got, err := wmi.ParseNetworkResource(bad); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%s is %+v, %v", bad, got, err)
		}
	}
	if s := (wmi.NetworkResource{Server: "host", Namespace: `root\cimv2`}).String(); s != "//host/root/cimv2" {
		t.Errorf("asked for as %s", s)
	}
}

// Monikers of "Constructing a Moniker String", and T-12 to T-15.
var monikers = map[string]wmi.Moniker{
	"WinMgmts:": {},
	`winmgmts:{impersonationLevel=impersonate,authenticationLevel=pktPrivacy,(Security,!Shutdown)}!\\h\root\cimv2:Win32_Service.Name="x"`: {
		Impersonation: 3, Authentication: 6, Privileges: []wmi.PrivilegeSetting{{Privilege: 7}, {Privilege: 18, Disable: true}}, Server: "h",
		Path: cim.ObjectPath{Namespace: `root\cimv2`, Class: "Win32_Service", Keys: []cim.Key{{Name: "Name", Value: cim.Str("x")}}},
	},
	`winmgmts:{impersonationLevel=impersonate,(debug,!security)}!root\default`: {
		Impersonation: 3, Privileges: []wmi.PrivilegeSetting{{Privilege: 19}, {Privilege: 7, Disable: true}}, Path: cim.ObjectPath{Namespace: `root\default`},
	},
	"WinMgmts://myServer":            {Server: "myServer"},
	"WinMgmts://myServer/":           {Server: "myServer"},
	"WinMgmts://myServer/root/cimv2": {Server: "myServer", Path: cim.ObjectPath{Namespace: `root\cimv2`}},
	"winmgmts:root/cimv2":            {Path: cim.ObjectPath{Namespace: `root\cimv2`}},
	"WinMgmts:{impersonationLevel=impersonate}!//myServer/root/cimv2:Win32_LogicalDisk": {
		Impersonation: 3, Server: "myServer", Path: cim.ObjectPath{Namespace: `root\cimv2`, Class: "Win32_LogicalDisk"},
	},
	"WinMgmts:{impersonationLevel=impersonate}!Win32_LogicalDisk": {Impersonation: 3, Path: cim.ObjectPath{Class: "Win32_LogicalDisk"}},
	"WinMgmts::Win32_LogicalDisk='C:'":                            {Path: cim.ObjectPath{Class: "Win32_LogicalDisk", Keys: []cim.Key{{Value: cim.Str("C:")}}}},
	`WinMgmts:{impersonationLevel=impersonate}!root/cimv2:Win32_LogicalDisk="C:"`: {
		Impersonation: 3, Path: cim.ObjectPath{Namespace: `root\cimv2`, Class: "Win32_LogicalDisk", Keys: []cim.Key{{Value: cim.Str("C:")}}},
	},
	"WinMgmts:{impersonationLevel=impersonate, (Debug)}": {Impersonation: 3, Privileges: []wmi.PrivilegeSetting{{Privilege: 19}}},
	"WinMgmts:{impersonate,(Debug,!Shutdown)}":           {Impersonation: 3, Privileges: []wmi.PrivilegeSetting{{Privilege: 19}, {Privilege: 18, Disable: true}}},
	"WinMgmts:[locale=ms_409]!root/wmi:myclass":          {Locale: "ms_409", Path: cim.ObjectPath{Namespace: `root\wmi`, Class: "myclass"}},
	`Winmgmts:{impersonationLevel=delegate,authority=kerberos:mydomain\server}!//myserver/root/default:__cimomidentification=@`: {
		Impersonation: 4, Authority: wmi.Authority{Kerberos: `mydomain\server`}, Server: "myserver",
		Path: cim.ObjectPath{Namespace: `root\default`, Class: "__cimomidentification", Singleton: true},
	},
	`Winmgmts:{impersonationLevel=impersonate,authority=ntlmdomain:mydomain} !//myserver/root/default:__cimomidentification=@`: {
		Impersonation: 3, Authority: wmi.Authority{NTLMDomain: "mydomain"}, Server: "myserver",
		Path: cim.ObjectPath{Namespace: `root\default`, Class: "__cimomidentification", Singleton: true},
	},
	`WINMGMTS:{impersonationLevel=impersonate,authenticationLevel=pktPrivacy,authority=ntlmdomain:mydomain,(Debug,!Shutdown)}[locale=ms_409]!\\User1\ROOT\CIMV2:Win32_LogicalDisk="C:"`: {
		Impersonation: 3, Authentication: 6, Authority: wmi.Authority{NTLMDomain: "mydomain"}, Privileges: []wmi.PrivilegeSetting{{Privilege: 19}, {Privilege: 18, Disable: true}},
		Locale: "ms_409", Server: "User1", Path: cim.ObjectPath{Namespace: `ROOT\CIMV2`, Class: "Win32_LogicalDisk", Keys: []cim.Key{{Value: cim.Str("C:")}}},
	},
	`winmgmts:\\.\root\cimv2`:                     {Path: cim.ObjectPath{Namespace: `root\cimv2`}},
	`winmgmts:\\2001:db8::7\root\cimv2:Win32_Bus`: {Server: "2001:db8::7", Path: cim.ObjectPath{Namespace: `root\cimv2`, Class: "Win32_Bus"}},
	`winmgmts:{authenticationLevel=pkt}`:          {Authentication: 4},
	`winmgmts:root\cimv2:C.A="x:y",B="\\\\h\\s"`:  {Path: cim.ObjectPath{Namespace: `root\cimv2`, Class: "C", Keys: []cim.Key{{Name: "A", Value: cim.Str("x:y")}, {Name: "B", Value: cim.Str(`\\h\s`)}}}},
}

func TestMonikers(t *testing.T) {
	for s, want := range monikers {
		got, err := wmi.ParseMoniker(s)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is\n%+v, %v", s, got, err)
		}
		if again, err := wmi.ParseMoniker(got.String()); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s becomes %s, which is\n%+v, %v", s, got, again, err)
		}
	}
	for _, bad := range []string{
		"", "winmgmt:", `\\h\root\cimv2`,
		"winmgmts://host:Win32_Service", "winmgmts://host/:Win32_Service", `winmgmts://host/Win32_Service.Name="x"`, // T-14
		"winmgmts:{impersonationLevel=impersonate", "winmgmts:{(Debug}", "winmgmts:{(Debug)(Backup)}", "winmgmts:{(Nonsense)}",
		"winmgmts:{impersonationLevel=most}", "winmgmts:{authenticationLevel=impersonate}", "winmgmts:{authority=x}", "winmgmts:{password=x}", "winmgmts:{impersonationLevel=default}",
		"winmgmts:{impersonate}root", "winmgmts:[locale=en]!root", "winmgmts:[ms_409]!root", "winmgmts:[locale=ms_409", "winmgmts:///root", "winmgmts:root:", "winmgmts:C.A", `winmgmts::\\h\root:C`,
	} {
		if got, err := wmi.ParseMoniker(bad); !errors.Is(err, cim.ErrInvalidSyntax) {
			t.Errorf("%s is %+v, %v", bad, got, err)
		}
	}
}

func FuzzMoniker(f *testing.F) {
	for s := range monikers {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := wmi.ParseMoniker(s)
		if err != nil {
			return
		}
		again, err := wmi.ParseMoniker(m.String())
		if err != nil || again.String() != m.String() {
			t.Errorf("%q becomes %q: %+v, then %+v, %v", s, m, m, again, err)
		}
	})
}

func FuzzNetworkResource(f *testing.F) {
	for _, s := range []string{`\\.\root\cimv2`, `//host/root`, `\\fe80--7s4.ipv6-literal.net\root`, `\\[::1]\root`, `\\::%]]`, `\\[::1`, `\\[fe80::1%eth0]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := wmi.ParseNetworkResource(s)
		if err != nil {
			return
		}
		if again, err := wmi.ParseNetworkResource(r.String()); err != nil || again != r {
			t.Errorf("%q becomes %q: %+v, then %+v, %v", s, r, r, again, err)
		}
	})
}
