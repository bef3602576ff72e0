package firewall

import (
	"reflect"
	"strings"
	"testing"
)

// The strings have the form in which Windows keeps its rules in the registry
// ([MS-GPFAS] 2.2.2), with the field order of its own WinRM and WMI rules.
var windowsRules = []string{
	`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|LPort=5985|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-30253|Desc=@FirewallAPI.dll,-30256|EmbedCtxt=@FirewallAPI.dll,-30267|`,
	`v2.31|Action=Allow|Active=FALSE|Dir=In|Protocol=6|Profile=Domain|Profile=Private|LPort=5985|App=System|Name=@FirewallAPI.dll,-30253|Desc=@FirewallAPI.dll,-30256|EmbedCtxt=@FirewallAPI.dll,-30267|`,
	`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=RPC-EPMap|App=%SystemRoot%\system32\svchost.exe|Svc=RPCSS|Name=@FirewallAPI.dll,-28539|EmbedCtxt=@FirewallAPI.dll,-28502|Security=AuthenticateEncrypt|`,
	`v2.10|Action=Block|Active=TRUE|Dir=Out|Protocol=17|LPort2_10=5000-5020|RPort=53|RA4=10.0.0.0/255.0.0.0|RA6=fe80::-fe80::ff|Name=n|`,
	`v2.31|Action=Allow|Active=TRUE|Dir=In|Name=any protocol|`,
}

func TestRuleStringsOfWindowsReadAndPrint(t *testing.T) {
	for _, s := range windowsRules {
		r, err := ParseRule(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := r.String(); got != s {
			t.Errorf("printed\n %s, want\n %s", got, s)
		}
	}
	r, err := ParseRule(windowsRules[0])
	want := Rule{Version: "v2.31", Action: Allow, Active: true, Dir: In, Protocol: 6, Profiles: Public, LocalPorts: []string{"5985"},
		RemoteAddrs: []string{"LocalSubnet"}, Program: "System", Name: "@FirewallAPI.dll,-30253",
		Description: "@FirewallAPI.dll,-30256", Group: "@FirewallAPI.dll,-30267"}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v (%v)\nwant %+v", r, err, want)
	}
}

// Unknown fields are kept, wrong values refused (checklist 0.21).
func TestRuleFields(t *testing.T) {
	for _, row := range []struct{ field, wrong string }{
		{"Action=Allow", "Action=Maybe"}, {"Active=TRUE", "Active=2"}, {"Dir=In", "Dir=Up"}, {"Protocol=6", "Protocol=257"},
		{"Profile=Domain", "Profile=Home"}, {"LPort=135", "LPort=65536"}, {"LPort=RPC", "LPort=any thing"}, {"LPort2_10=1-2", "LPort2_10=2-1"},
		{"RA4=10.0.0.1", "RA4=::1"}, {"RA6=::1", "RA6=host"}, {"LA4=10.0.0.1-10.0.0.9", "LA4=10.0.0.9-10.0.0.1"},
		{"Future=x=y", "Future"},
	} {
		base := "v2.31|Action=Allow|Dir=In|"
		r, err := ParseRule(base + row.field + "|Name=n|")
		if err != nil {
			t.Errorf("%s: %v", row.field, err)
		} else if !strings.Contains(r.String(), row.field+"|") {
			t.Errorf("%s is lost in %s", row.field, r.String())
		}
		if _, err := ParseRule(base + row.wrong + "|Name=n|"); err == nil {
			t.Errorf("%s was accepted", row.wrong)
		}
	}
	for _, s := range []string{"", "|", "v2|", "v2.31|", "v2.31|Action=Allow|", "2.31|Action=Allow|Dir=In|", strings.Repeat("v", maxRule+1)} {
		if _, err := ParseRule(s); err == nil {
			t.Errorf("%q was accepted", clip(s))
		}
	}
}

func FuzzRule(f *testing.F) {
	for _, s := range windowsRules {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRule(s)
		if err != nil {
			return
		}
		text := r.String()
		back, err := ParseRule(text)
		if err != nil {
			t.Fatalf("%q printed as %q: %v", s, text, err)
		}
		if got := back.String(); got != text {
			t.Fatalf("%q, then %q", text, got)
		}
	})
}
