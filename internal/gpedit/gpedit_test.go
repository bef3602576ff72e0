package gpedit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// written are the entries of a file as KEY NAME=VALUE lines, keys without what all have.
func written(p *registry.Policy) string {
	var out []string
	for _, e := range p.Entries {
		v, err := registry.FromBytes(e.Type, e.Data)
		if err != nil {
			return err.Error()
		}
		out = append(out, strings.TrimPrefix(e.Key, `Software\Policies\Microsoft\`)+" "+e.Name+"="+v.String())
	}
	return strings.Join(out, "\n")
}

// What each state writes: the values of spec/winrm.md 3.8, inverted ones for "Disallow",
// **del. and **delvals. as [MS-GPREG] 3.2.5.1 and 2.2.1 have them.
func TestWhatAStateWrites(t *testing.T) {
	for _, row := range []struct {
		policy  string
		state   State
		options []Given
		want    string
	}{
		{`WinRM Client\Allow Basic authentication`, Enabled, nil, `Windows\WinRM\Client AllowBasic=1`},
		{`WinRM Client\Allow Basic authentication`, Disabled, nil, `Windows\WinRM\Client AllowBasic=0`},
		{`WinRM Service\Allow Basic authentication`, Enabled, nil, `Windows\WinRM\Service AllowBasic=1`},
		{`WinRM Service\Allow CredSSP authentication`, Enabled, nil, `Windows\WinRM\Service AllowCredSSP=1`},
		{`WinRM Client\Allow CredSSP authentication`, Disabled, nil, `Windows\WinRM\Client AllowCredSSP=0`},
		{`WinRM Service\Allow unencrypted traffic`, Enabled, nil, `Windows\WinRM\Service AllowUnencryptedTraffic=1`},
		{`WinRM Client\Allow unencrypted traffic`, Enabled, nil, `Windows\WinRM\Client AllowUnencryptedTraffic=1`},
		{`Disallow Digest authentication`, Enabled, nil, `Windows\WinRM\Client AllowDigest=0`},
		{`Disallow Digest authentication`, Disabled, nil, `Windows\WinRM\Client AllowDigest=1`},
		{`WinRM Service\Disallow Kerberos authentication`, Enabled, nil, `Windows\WinRM\Service AllowKerberos=0`},
		{`WinRM Client\Disallow Kerberos authentication`, Enabled, nil, `Windows\WinRM\Client AllowKerberos=0`},
		{`WinRM Service\Disallow Negotiate authentication`, Enabled, nil, `Windows\WinRM\Service AllowNegotiate=0`},
		{`WinRM Client\Disallow Negotiate authentication`, Disabled, nil, `Windows\WinRM\Client AllowNegotiate=1`},
		{`Disallow WinRM from storing RunAs credentials`, Enabled, nil, `Windows\WinRM\Service DisableRunAs=1`},
		{`Turn On Compatibility HTTP Listener`, Enabled, nil, `Windows\WinRM\Service HttpCompatibilityListener=1`},
		{`Turn On Compatibility HTTPS Listener`, Disabled, nil, `Windows\WinRM\Service HttpsCompatibilityListener=0`},
		{`Specify channel binding token hardening level`, Enabled, []Given{{"hardeninglevel", "strict"}},
			"Windows\\WinRM\\Service CBTHardeningLevelStatus=1\nWindows\\WinRM\\Service CbtHardeningLevel=Strict"},
		{`Specify channel binding token hardening level`, Disabled, nil,
			"Windows\\WinRM\\Service CBTHardeningLevelStatus=0\nWindows\\WinRM\\Service **del.CbtHardeningLevel= "},
		{`Trusted Hosts`, Enabled, []Given{{"TrustedHostsList", "a, b*"}},
			"Windows\\WinRM\\Client TrustedHosts=1\nWindows\\WinRM\\Client TrustedHostsList=a, b*"},
		{`Allow remote server management through WinRM`, Disabled, nil,
			"Windows\\WinRM\\Service AllowAutoConfig=0\nWindows\\WinRM\\Service **del.IPv4Filter= \nWindows\\WinRM\\Service **del.IPv6Filter= "},
		{`Allow automatic configuration of listeners`, Enabled, []Given{{"IPv4Filter", "10.0.0.1-10.0.0.9"}},
			"Windows\\WinRM\\Service AllowAutoConfig=1\nWindows\\WinRM\\Service IPv4Filter=10.0.0.1-10.0.0.9\nWindows\\WinRM\\Service IPv6Filter="},
		{`Allow Remote Shell Access`, Disabled, nil, `Windows\WinRM\Service\WinRS AllowRemoteShellAccess=0`},
		{`Specify idle Timeout`, Enabled, []Given{{"IdleTimeout", "70000"}}, `Windows\WinRM\Service\WinRS IdleTimeout=70000`},
		{`Specify idle Timeout`, Disabled, nil, `Windows\WinRM\Service\WinRS **del.IdleTimeout= `},
		{`Windows Remote Shell\MaxConcurrentUsers`, Enabled, []Given{{"MaxConcurrentUsers", "100"}}, `Windows\WinRM\Service\WinRS MaxConcurrentUsers=100`},
		{`Specify maximum amount of memory in MB per Shell`, Enabled, []Given{{"MaxMemoryPerShellMB", "0"}}, `Windows\WinRM\Service\WinRS MaxMemoryPerShellMB=0`},
		{`Specify maximum number of processes per Shell`, Enabled, []Given{{"MaxProcessesPerShell", "7"}}, `Windows\WinRM\Service\WinRS MaxProcessesPerShell=7`},
		{`Specify maximum number of remote shells per user`, Enabled, []Given{{"MaxShellsPerUser", "2147483647"}}, `Windows\WinRM\Service\WinRS MaxShellsPerUser=2147483647`},
		{`Configure target Subscription Manager`, Enabled, []Given{{"SubscriptionManager", "Server=http://c1"}, {"SubscriptionManager", "Server=http://c2"}},
			"Windows\\EventLog\\EventForwarding\\SubscriptionManager **delvals.= \nWindows\\EventLog\\EventForwarding\\SubscriptionManager 1=Server=http://c1\n" +
				"Windows\\EventLog\\EventForwarding\\SubscriptionManager 2=Server=http://c2"},
		{`Allow delegating fresh credentials`, Enabled, []Given{{"Servers", "WSMAN/*.example.org"}},
			"Windows\\CredentialsDelegation AllowFreshCredentials=1\nWindows\\CredentialsDelegation\\AllowFreshCredentials **delvals.= \n" +
				"Windows\\CredentialsDelegation\\AllowFreshCredentials 1=WSMAN/*.example.org\nWindows\\CredentialsDelegation ConcatenateDefaults_AllowFresh=1"},
		{`Allow delegating fresh credentials with NTLM-only server authentication`, Disabled, nil,
			"Windows\\CredentialsDelegation AllowFreshCredentialsWhenNTLMOnly=0\nWindows\\CredentialsDelegation\\AllowFreshCredentialsWhenNTLMOnly **delvals.= \n" +
				"Windows\\CredentialsDelegation **del.ConcatenateDefaults_AllowFreshNTLMOnly= "},
		{`Encryption Oracle Remediation`, Enabled, []Given{{"ProtectionLevel", "forceupdated"}},
			`Software\Microsoft\Windows\CurrentVersion\Policies\System\CredSSP\Parameters AllowEncryptionOracle=0`},
		{`Deny delegating fresh credentials`, Enabled, []Given{{"Servers", "WSMAN/*"}, {"Concatenate", "no"}},
			"Windows\\CredentialsDelegation DenyFreshCredentials=1\nWindows\\CredentialsDelegation\\DenyFreshCredentials **delvals.= \n" +
				"Windows\\CredentialsDelegation\\DenyFreshCredentials 1=WSMAN/*\nWindows\\CredentialsDelegation ConcatenateDefaults_DenyFresh=0"},
		{`Domain Profile\Windows Firewall: Do not allow exceptions`, Enabled, nil, `WindowsFirewall\DomainProfile DoNotAllowExceptions=1`},
		{`Public Profile\Firewall state`, Disabled, nil, `WindowsFirewall\PublicProfile EnableFirewall=0`},
		{`Private Profile\Apply local firewall rules`, Disabled, nil, `WindowsFirewall\PrivateProfile AllowLocalPolicyMerge=0`},
		{`Private Profile\Outbound connections`, Enabled, []Given{{"Action", "BLOCK"}}, `WindowsFirewall\PrivateProfile DefaultOutboundAction=1`},
		{`Firewall rules`, Enabled, []Given{{"Rule", "X=v2.31|Action=Block|Active=TRUE|Dir=In|Name=n|"}}, `WindowsFirewall\FirewallRules X=v2.31|Action=Block|Active=TRUE|Dir=In|Name=n|`},
		{`DCOM: Machine Launch Restrictions in Security Descriptor Definition Language (SDDL) syntax`, Enabled, []Given{{"SDDL", "O:BAG:BAD:(A;;CCDC;;;BA)"}},
			`Windows NT\DCOM MachineLaunchRestriction=O:BAG:BAD:(A;;CCDC;;;BA)`},
		{`Apply UAC restrictions to local accounts on network logons`, Disabled, nil,
			`Software\Microsoft\Windows\CurrentVersion\Policies\System LocalAccountTokenFilterPolicy=1`},
	} {
		p, err := Find(row.policy)
		if err != nil {
			t.Error(err)
			continue
		}
		var file registry.Policy
		if err := p.Set(&file, row.state, row.options); err != nil {
			t.Errorf("%s: %v", row.policy, err)
			continue
		}
		if got := written(&file); got != row.want {
			t.Errorf("%s %v writes\n%s\nwant\n%s", row.policy, row.state, got, row.want)
		}
		if s := p.Read(&file); s.State != row.state || s.Damage != "" || row.state == Enabled && len(s.Options) < len(row.options) {
			t.Errorf("%s reads back as %+v", row.policy, s)
		}
		if bad := Check(&file); len(bad) > 0 {
			t.Errorf("%s: %v", row.policy, bad)
		}
		if foreign := Foreign(&file); len(foreign) > 0 {
			t.Errorf("%s: unknown %v", row.policy, foreign)
		}
		if err := p.Set(&file, NotConfigured, nil); err != nil || len(file.Entries) > 0 || p.Read(&file).State != NotConfigured {
			t.Errorf("%s: cleared it leaves %v (%v)", row.policy, file.Entries, err)
		}
	}
}

// Each policy of the table can be found by its whole path, explains itself, and no two
// write the same value.
func TestTableIsWhole(t *testing.T) {
	places := map[string]string{}
	for _, p := range Policies() {
		if found, err := Find(p.Path()); err != nil || found.Path() != p.Path() {
			t.Errorf("%s is not found by its path: %v", p.Path(), err)
		}
		if p.Text == "" || p.WhenEnabled == "" || p.WhenNot == "" || p.Value == "" && len(p.Options) == 0 {
			t.Errorf("%s is not explained", p.Path())
		}
		var mine []string
		if p.Value != "" {
			mine = append(mine, p.Key+`\`+p.Value)
		}
		for _, o := range p.Options {
			if mine = append(mine, p.Key+`\`+o.Value); o.Key != "" {
				mine[len(mine)-1] = o.Key + ` (list)`
			}
		}
		for _, at := range mine {
			// The two windows for the firewall are over the same value, on Windows too.
			if other := places[strings.ToLower(at)]; other != "" && !strings.HasSuffix(at, `\DomainProfile\EnableFirewall`) {
				t.Errorf("%s and %s both write %s", p.Path(), other, at)
			}
			places[strings.ToLower(at)] = p.Path()
		}
	}
}

// Checklist 2.102 and 3.40: the tree paths of the documents, in any case, with and without
// their begin, and as a POSIX shell leaves them when it eats backslashes.
func TestPaths(t *testing.T) {
	const service = `Computer Configuration\Administrative Templates\Windows Components\Windows Remote Management (WinRM)\WinRM Service`
	for _, path := range []string{service, strings.ToUpper(service), strings.ReplaceAll(service, `\`, ""), strings.ReplaceAll(service, `\`, " / "),
		`Windows Components\Windows Remote Management (WinRM)\WinRM Service`, "winrm service"} {
		if list, err := In(path); err != nil || len(list) != 10 {
			t.Errorf("%s: %d policies (%v), spec/winrm.md 3.8 has 10", path, len(list), err)
		}
	}
	if list, err := In(`Windows Components\Windows Remote Management (WinRM)`); err != nil || len(list) != 17 {
		t.Errorf("%d policies (%v), want 17", len(list), err)
	}
	if list, err := In("Windows Remote Shell"); err != nil || len(list) != 7 {
		t.Errorf("%d policies (%v), want 7", len(list), err)
	}
	if _, err := In("User Configuration"); err == nil {
		t.Error("a tree of users was found")
	}
	if _, err := Find("Allow Basic authentication"); err == nil || !strings.Contains(err.Error(), `WinRM Client\Allow Basic`) || !strings.Contains(err.Error(), `WinRM Service\Allow Basic`) {
		t.Errorf("a name of two policies: %v", err)
	}
	if _, err := Find("Allow everything"); err == nil {
		t.Error("a policy that there is not was found")
	}
}

func TestWrongOptions(t *testing.T) {
	for _, row := range []struct {
		policy  string
		state   State
		options []Given
	}{
		{"Trusted Hosts", Enabled, []Given{{"TrustedHostsList", "a*b"}}},
		{"Trusted Hosts", Enabled, []Given{{"List", "a"}}},
		{"Trusted Hosts", Disabled, []Given{{"TrustedHostsList", "a"}}},
		{"Trusted Hosts", NotConfigured, []Given{{"TrustedHostsList", "a"}}},
		{"Trusted Hosts", Enabled, []Given{{"TrustedHostsList", "a"}, {"TrustedHostsList", "b"}}},
		{"Specify idle Timeout", Enabled, nil},
		{"Specify idle Timeout", Enabled, []Given{{"IdleTimeout", "2147483648"}}},
		{`Windows Remote Shell\MaxConcurrentUsers`, Enabled, []Given{{"MaxConcurrentUsers", "0"}}},
		{"Allow automatic configuration of listeners", Enabled, []Given{{"IPv4Filter", "10.0.0.9-10.0.0.1"}}},
		{"Allow automatic configuration of listeners", Enabled, []Given{{"IPv6Filter", "10.0.0.1-10.0.0.9"}}},
		{"Specify channel binding token hardening level", Enabled, []Given{{"HardeningLevel", "Hard"}}},
		{"Firewall rules", Enabled, []Given{{"Rule", "X=allow"}}},
		{"Firewall rules", Enabled, []Given{{"Rule", "**delvals.=v2.31|Action=Block|Dir=In|Name=n|"}}},
		{"Configure target Subscription Manager", Enabled, []Given{{"SubscriptionManager", "http://c1"}}},
		{"Allow delegating fresh credentials", Enabled, []Given{{"Servers", "web1"}}},
		{"DCOM: Machine Launch Restrictions in Security Descriptor Definition Language (SDDL) syntax", Enabled, []Given{{"SDDL", "O:BAG:BA"}}},
		{"DCOM: Machine Launch Restrictions in Security Descriptor Definition Language (SDDL) syntax", Disabled, nil},
	} {
		p, err := Find(row.policy)
		if err != nil {
			t.Fatal(err)
		}
		file := registry.Policy{Entries: []registry.PolicyEntry{{Key: "k", Name: "n", Type: registry.TypeDWORD, Data: []byte{1, 0, 0, 0}}}}
		if err := p.Set(&file, row.state, row.options); err == nil || len(file.Entries) != 1 {
			t.Errorf("%s %v %v was accepted, the file has %v", row.policy, row.state, row.options, file.Entries)
		}
	}
}

// A file from elsewhere: other people's entries stay, damaged values of ours are named.
func TestMergeAndCheck(t *testing.T) {
	var file, more registry.Policy
	hosts, _ := Find("Trusted Hosts")
	if err := hosts.Set(&file, Enabled, []Given{{"TrustedHostsList", "old"}}); err != nil {
		t.Fatal(err)
	}
	file.Set(`Software\Other`, "keep", registry.DWORD(1))
	file.Set(`Software\Other`, "over", registry.DWORD(1))
	file.Set(keyFW+`\FirewallRules`, "local", registry.SZ("v2.31|Action=Block|Active=TRUE|Dir=In|Name=n|"))
	more.Set(`SOFTWARE\OTHER`, "**del.Over", registry.SZ(" "))
	more.Set(keyClient, "TrustedHosts", registry.DWORD(0))
	more.Set(keyFW+`\FirewallRules`, "new", registry.SZ("v2.31|Action=Block|Active=TRUE|Dir=In|Name=n|"))
	Merge(&file, &more)
	want := "Software\\Other keep=1\nWindowsFirewall\\FirewallRules local=v2.31|Action=Block|Active=TRUE|Dir=In|Name=n|\n" +
		"SOFTWARE\\OTHER **del.Over= \nWindows\\WinRM\\Client TrustedHosts=0\nWindowsFirewall\\FirewallRules new=v2.31|Action=Block|Active=TRUE|Dir=In|Name=n|"
	if got := written(&file); got != want {
		t.Errorf("merged\n%s\nwant\n%s", got, want)
	}
	if n := len(Foreign(&file)); n != 2 {
		t.Errorf("%d entries are unknown, want 2", n)
	}
	if hosts.Read(&file).State != Disabled {
		t.Error("what the new file says does not hold")
	}
	for _, row := range []struct {
		key, name string
		v         registry.Value
	}{
		{keyClient, "AllowBasic", registry.SZ("1")}, {keyClient, "AllowBasic", registry.DWORD(2)}, {keyShell, "MaxConcurrentUsers", registry.DWORD(101)},
		{keyDCOM, "MachineLaunchRestriction", registry.SZ("none")}, {keyUAC, "LocalAccountTokenFilterPolicy", registry.SZ("1")},
		{keyFW + `\FirewallRules`, "X", registry.SZ("v2")}, {`Software\Microsoft\Ole`, "EnableDCOM", registry.SZ("maybe")},
	} {
		var bad registry.Policy
		bad.Set(row.key, row.name, row.v)
		if len(Check(&bad)) == 0 {
			t.Errorf("%s %s=%v was accepted", row.key, row.name, row.v)
		}
	}
}

// The file in the state folder: other entries stay as they are, a change is whole or not,
// and who reads the hive has it at once.
func TestUpdatePolicy(t *testing.T) {
	dir := t.TempDir()
	hive, err := registry.Open(filepath.Join(dir, "hive.reg"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer hive.Close()
	var other registry.Policy
	other.Set(`Software\Vendor`, "x", registry.Binary([]byte{0xDE, 0xAD}))
	before := other.AppendPol(nil)
	if err := os.WriteFile(filepath.Join(dir, "Registry.pol"), before, 0o640); err != nil {
		t.Fatal(err)
	}
	p, _ := Find(`WinRM Service\Allow Basic authentication`)
	if err := hive.UpdatePolicy(func(f *registry.Policy) error { return p.Set(f, Enabled, nil) }); err != nil {
		t.Fatal(err)
	}
	live := settings.LoadSnapshot(hive.Snapshot())
	if !live.WinRM.Service.Auth.Basic || live.WinRM.Source("Service/Auth/Basic") != registry.SourceGPO {
		t.Error("the policy does not hold")
	}
	after, err := os.ReadFile(filepath.Join(dir, "Registry.pol"))
	if err != nil || !strings.HasPrefix(string(after), string(before)) || len(after) == len(before) {
		t.Errorf("the file is %q (%v)", after, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "Registry.pol")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v (%v)", info.Mode(), err)
	}
	stop := errors.New("stop")
	if err := hive.UpdatePolicy(func(f *registry.Policy) error { f.Entries = nil; return stop }); !errors.Is(err, stop) || len(hive.Policy().Entries) != 2 {
		t.Errorf("a change that fails: %v, %v", err, hive.Policy())
	}
	err = hive.UpdatePolicy(func(f *registry.Policy) error { f.Set(strings.Repeat("k", 300), "n", registry.DWORD(1)); return nil })
	if !errors.Is(err, registry.ErrPolicyCorrupt) || len(hive.Policy().Entries) != 2 {
		t.Errorf("a file that no reader can use: %v", err)
	}
}

// A policy file of anybody: reading, checking and merging it never fails in another way
// than by a sentence, and what is set afterwards reads back.
func FuzzPolicies(f *testing.F) {
	for _, name := range []string{"Trusted Hosts", "Allow delegating fresh credentials", "Firewall rules", "Specify idle Timeout"} {
		p, _ := Find(name)
		var file registry.Policy
		o := map[string][]Given{"Firewall rules": {{"Rule", "X=v2.31|Action=Block|Dir=In|Name=n|"}}, "Specify idle Timeout": {{"IdleTimeout", "1"}}}
		if err := p.Set(&file, Enabled, o[name]); err != nil {
			f.Fatal(err)
		}
		f.Add(file.AppendPol(nil))
	}
	all := Policies()
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := registry.ParsePol(b)
		if err != nil {
			return
		}
		Check(file)
		for _, e := range Foreign(file) {
			Describe(e)
		}
		var merged registry.Policy
		Merge(&merged, file)
		if len(merged.Entries) != len(file.Entries) {
			t.Fatalf("%d entries of %d", len(merged.Entries), len(file.Entries))
		}
		for i := range all {
			all[i].Read(&merged)
		}
		hosts, _ := Find("Trusted Hosts")
		if err := hosts.Set(&merged, Enabled, []Given{{"TrustedHostsList", "a"}}); err != nil {
			t.Fatal(err)
		}
		if s := hosts.Read(&merged); s.State != Enabled || len(s.Options) != 1 || s.Options[0].Text != "a" {
			t.Fatalf("%+v", s)
		}
	})
}
