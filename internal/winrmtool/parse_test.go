package winrmtool

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func mustParse(t *testing.T, args ...string) *Command {
	t.Helper()
	c, err := Parse(args)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return c
}

func TestVerbs(t *testing.T) {
	for _, c := range []struct{ line, verb string }{
		{"get winrm/config", "get"}, {"g winrm/config", "get"}, {"GET winrm/config", "get"},
		{"set winrm/config @{}", "set"}, {"s winrm/config @{}", "set"}, {"put winrm/config @{}", "set"},
		{"create winrm/config @{}", "create"}, {"c winrm/config @{}", "create"}, {"delete shell", "delete"}, {"d shell", "delete"},
		{"enumerate shell", "enumerate"}, {"e shell", "enumerate"}, {"enum shell", "enumerate"},
		{"invoke Restore winrm/config @{}", "invoke"}, {"i restore winrm/config @{}", "invoke"},
		{"identify -r:h", "identify"}, {"id -r:h", "identify"}, {"quickconfig", "quickconfig"}, {"qc -q", "quickconfig"},
		{"configSDDL", "configsddl"}, {"helpmsg -5", "helpmsg"}, {"help uris", "help"},
	} {
		if got := mustParse(t, strings.Fields(c.line)...).Verb; got != c.verb {
			t.Errorf("%s: %s", c.line, got)
		}
	}
}

func TestSwitchSpellings(t *testing.T) {
	for _, args := range [][]string{
		{"-remote:h", "-username:u", "-password:p", "-authentication:Basic", "-format:pretty", "-unencrypted"},
		{"/r:h", "/u:u", "/p:p", "/a:basic", "/f:#pretty", "/un"},
		{"-R:h", "-USER:u", "-Pass:p", "-Auth:BASIC", "-Form:Pretty", "-Unenc"},
	} {
		c := mustParse(t, append([]string{"get", "winrm/config"}, args...)...)
		n := c.Conn
		if n.Remote != "h" || n.User != "u" || n.Password != "p" || n.Scheme != wsmanclient.Basic || !n.Unencrypted || c.Format != "pretty" {
			t.Errorf("%q: %#v %+v", args, c.Format, n.Scheme)
		}
	}
	c := mustParse(t, "get", "winrm/config", "-r:h", "-ssl", "-port:8443", "-timeout:2500", "-encoding:UTF-16", `-options:@{A="1";B="2"}`)
	at, err := c.Conn.Endpoint()
	if err != nil || at != "https://h:8443" {
		t.Errorf("%s %v", at, err)
	}
	if c.Timeout != 2500*time.Millisecond || !c.UTF16 || len(c.Options) != 2 || c.Options[1].Value != "2" {
		t.Errorf("%+v %v %+v", c.Timeout, c.UTF16, c.Options)
	}
	for _, bad := range []string{"-zz:1", "-remot", "-por:1", "-fi:x", "-ssl:1", "-shallow", "-quiet", "-file:x", "-format:html", "-timeout:soon"} {
		_, err := Parse([]string{"get", "winrm/config", bad})
		var wrong *UsageError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// The codes of misused switches, spec sections 1.3 and 5.1; nothing is sent
// for any of them.
func TestMisusedSwitches(t *testing.T) {
	const cert = "0123456789ABCDEF0123456789ABCDEF01234567"
	for _, c := range []struct {
		line string
		code wsman.Code
	}{
		{"get x -r:", 0x803380D9}, {"get x -r:http://", 0x803380D9}, {"get x -r:h?x", 0x803380D9}, {"get x -r:[::1", 0x803380D9},
		{"get x -r:ftp://h", 0x803380DA}, {"get x -r:h:0", 0x803380DB}, {"get x -r:h:65536", 0x803380DB}, {"get x -r:h:x", 0x803380DB},
		{"get x -r:h -port:70000", 0x803380DB},
		{"get x -u:u -p:p", 0x803380B8}, {"get x -p:p", 0x803380B8}, {"get x -r:h -p:p", 0x80338147},
		{"get x -a:Basic", 0x803380A5}, {"get x -ssl", 0x803380A5}, {"get x -skipCAcheck", 0x803380A5},
		{"get x -r:h -a:Basic -a:Digest -u:u -p:p", 0x803380AD}, {"id -r:h -a:None -u:u -p:p", 0x803380AB},
		{"get x -r:h -a:Basic", 0x803380B0}, {"get x -r:h -a:Digest", 0x803380B0}, {"get x -r:h -a:CredSSP", 0x803381A1},
		{"get x -r:h -a:Wrong", 0x80338145},
		{"get x -r:h -a:Certificate -c:" + cert, 0x803380D8}, {"get x -r:http://h -c:" + cert, 0x803380D8},
		{"get x -r:https://h -a:Certificate", 0x803380B4}, {"get x -r:https://h -c:" + cert, 0x80338156},
		{"get x -r:https://h -c:" + cert + " -u:u -p:p", 0x80338144}, {"get x -r:https://h -a:Certificate -c:" + cert + " -u:u -p:p", 0x80338157},
		{"get x -r:https://h -a:Certificate -c:12", 0x803380B7},
		{"get x -r:h -defaultCreds", 0x803381B0}, {"get x -r:http://h -ssl", 0x803381BE}, {"get x -r:https://h -unencrypted", 0x803380D7},
		{"get x -r:h -SPNPort", 0x803380AE}, {"get x -r:h -a:Basic -u:u -p:p -SPNPort", 0x803380AE},
		{"get x -encoding:latin1", 0x8033804C}, {"get x -timeout:1", 0x8033800C}, {"e x -returntype:all", 0x80338086},
		{"get x -fragment:", 0x80338109}, {"e x/* -shallow -filter:select", 0x80338137}, {"e x/* -basepropertiesonly -filter:select", 0x80338137},
		{"get x -r:h -proxyaccess:ie_settings", 0x803381B1}, {"get x -r:https://h -a:Kerberos -proxyaccess:ie_settings", 0x803381B2},
		{"get x -r:https://h -a:CredSSP -u:u -p:p -proxyaccess:ie_settings", 0x803381B3}, {"get x -r:https://h -proxyaccess:other", 0x8033819C},
		{"get x -r:https://h -proxyauth:Other", 0x8033819A}, {"get x -r:https://h -proxyauth:Basic -proxyauth:Digest", 0x803381B4},
		{"get x -r:https://h -proxyusername:u", 0x8033819B}, {"get x -r:https://h -proxyaccess:no_proxy -proxyauth:Basic", 0x8033819D},
		{"identify", 0x803380FC}, {"get x?", 0x8033807A}, {"get x?a", 0x8033807A}, {"get x?a=1+", 0x8033807A}, {"get x?=1", 0x8033807A},
		{`get x?a="1"2`, 0x8033807A}, {"get ?a=1", 0x803380BF},
	} {
		_, err := Parse(strings.Fields(c.line))
		if !errors.Is(err, c.code) {
			t.Errorf("%s: %v, want 0x%08X", c.line, err, uint32(c.code))
		}
	}
}

func TestResources(t *testing.T) {
	const wmi = "http://schemas.microsoft.com/wbem/wsman/1/wmi"
	for _, c := range []struct {
		arg, uri string
		sel      wsman.SelectorSet
	}{
		{"wmi/root/cimv2/Win32_Service?Name=winrm", wmi + "/root/cimv2/Win32_Service", wsman.SelectorSet{{Name: "Name", Value: "winrm"}}},
		{"WMIcimv2/*", wmi + "/root/cimv2/*", nil},
		{"cimv2/CIM_NumericSensor", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_NumericSensor", nil},
		{"winrm/config", "http://schemas.microsoft.com/wbem/wsman/1/config", nil},
		{"WSMan/Config/Client/AUTH", "http://schemas.microsoft.com/wbem/wsman/1/config/client/auth", nil},
		{"winrm/config/Listener?Address=*+Transport=HTTPS", "http://schemas.microsoft.com/wbem/wsman/1/config/listener",
			wsman.SelectorSet{{Name: "Address", Value: "*"}, {Name: "Transport", Value: "HTTPS"}}},
		{"shell?ShellId=0A6E", "http://schemas.microsoft.com/wbem/wsman/1/windows/shell", wsman.SelectorSet{{Name: "ShellId", Value: "0A6E"}}},
		{"http://other/wmi/x", "http://other/wmi/x", nil},
		{`wmicimv2/X?A="1+2"+B="three four"+C=`, wmi + "/root/cimv2/X", wsman.SelectorSet{{Name: "A", Value: "1+2"}, {Name: "B", Value: "three four"}, {Name: "C"}}},
		{"winrm/config/service/certmapping?Issuer=ab+Subject=*+URI=wmicimv2/*", "http://schemas.microsoft.com/wbem/wsman/1/config/service/certmapping",
			wsman.SelectorSet{{Name: "Issuer", Value: "ab"}, {Name: "Subject", Value: "*"}, {Name: "URI", Value: wmi + "/root/cimv2/*"}}},
	} {
		got, err := parseResource(c.arg)
		if err != nil || got.ResourceURI != c.uri || !reflect.DeepEqual(got.Selectors, c.sel) {
			t.Errorf("%s: %+v %v", c.arg, got, err)
		}
	}
}

func TestInput(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []property
	}{
		{[]string{"@{}"}, nil},
		{[]string{`@{A="1";B="two words"}`}, []property{{"A", "1", false}, {"B", "two words", false}}},
		{[]string{`@{TrustedHosts ="[0:0:0:0:0:0:0:0]"}`}, []property{{"TrustedHosts", "[0:0:0:0:0:0:0:0]", false}}},
		{[]string{`@{TrustedHosts`, `=[0:0:0:0:0:0:0:0]}`}, []property{{"TrustedHosts", "[0:0:0:0:0:0:0:0]", false}}},
		{[]string{`'@{TrustedHosts`, `="a"}'`}, []property{{"TrustedHosts", "a", false}}},
		{[]string{`@{ A = "1" ; B = $null ; C = "" }`}, []property{{"A", "1", false}, {"B", "", true}, {"C", "", false}}},
		{[]string{`@{S="O:NSG:BAD:P(A;;GA;;;BA)";Q="say ""hi""";E="a=b}"}`},
			[]property{{"S", "O:NSG:BAD:P(A;;GA;;;BA)", false}, {"Q", `say "hi"`, false}, {"E", "a=b}", false}}},
		{[]string{`@{Port=8888}`}, []property{{"Port", "8888", false}}},
	} {
		got := mustParse(t, append([]string{"set", "winrm/config"}, c.args...)...)
		if !got.HasInput || len(got.Input) != len(c.want) || len(c.want) > 0 && !reflect.DeepEqual(got.Input, c.want) {
			t.Errorf("%q: %+v", c.args, got.Input)
		}
	}
	for _, bad := range []string{"@{A}", `@{A="1"`, `@{A="1"B="2"}`, `@{1A="x"}`, `@{A="1";A="2"}`, `@{="x"}`, `@{A="1}`, `@{A=x"y}`, "@{A B=1}"} {
		if _, err := Parse([]string{"set", "winrm/config", bad}); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// The two documented association filters, spec section 1.8.
func TestAssociationFilter(t *testing.T) {
	target, err := parseResource("wmicimv2/*")
	if err != nil {
		t.Fatal(err)
	}
	object := wsman.EPR{Address: wsman.Anonymous, ResourceURI: "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/win32_service",
		Selectors: wsman.SelectorSet{{Name: "name", Value: "winrm"}}}
	f, err := parseFilter("{object=win32_service?name=winrm;resultclassname=win32_dependentservice;role=dependent}", "association", true, target)
	want := &wsman.AssociationFilter{Associations: true, Object: object, ResultClass: "win32_dependentservice", Role: "dependent"}
	if err != nil || f.Dialect != wsman.DialectAssociation || !reflect.DeepEqual(f.Association, want) {
		t.Errorf("%+v %v", f, err)
	}
	f, err = parseFilter("{Object=win32_service?name=winrm;associationclassname=win32_dependentservice;resultclassname=win32_service;resultrole=antecedent;role=dependent}",
		wsman.DialectAssociation, false, target)
	want = &wsman.AssociationFilter{Object: object, AssociationClass: "win32_dependentservice", ResultClass: "win32_service", ResultRole: "antecedent", Role: "dependent"}
	if err != nil || !reflect.DeepEqual(f.Association, want) {
		t.Errorf("%+v %v", f, err)
	}
	f, err = parseFilter(`{StartMode="Auto";State="Running"}`, "selector", false, target)
	if err != nil || f.Dialect != wsman.DialectSelector || !reflect.DeepEqual(f.Selectors, wsman.SelectorSet{{Name: "StartMode", Value: "Auto"}, {Name: "State", Value: "Running"}}) {
		t.Errorf("%+v %v", f, err)
	}
	f, err = parseFilter("select * from X", "", false, target)
	if err != nil || f.Dialect != wsman.DialectWQL || f.Text != "select * from X" {
		t.Errorf("%+v %v", f, err)
	}
	for _, bad := range []string{"object=x", "{role=x}", "{object=x;role}", "{object=x;other=1}", "{object=x;role=a;role=b}", "{object=x?y}"} {
		if _, err := parseFilter(bad, "association", false, target); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if _, err := parseFilter("{object=x;resultrole=a}", "association", true, target); err == nil {
		t.Error("resultrole goes with -associations")
	}
}

// Every documented command line of spec section 1.8 is read.
func TestDocumentedLines(t *testing.T) {
	for _, line := range []string{
		`enumerate winrm/config/listener`, `get winrm/config`, `quickconfig`, `qc`, `qc -q`, `quickconfig -transport:https`,
		`help config`, `help uris`, `help aliases`, `help certmapping`, `set winrm/config/client @{TrustedHosts ="[0:0:0:0:0:0:0:0]"}`,
		`set winrm/config/client/auth @{Digest="false"}`, `set winrm/config/service/auth @{Kerberos="true"}`, `set winrm/config/winrs @{MaxShellsPerUser="7"}`,
		`enumerate shell`, `get shell?ShellId=0A6E6A01-8AB2-4037-86CC-BFC826A1244E`, `enumerate winrm/config/plugin -format:pretty`,
		`create http://schemas.microsoft.com/wbem/wsman/1/config/plugin?name=MyPlugIn -file:myplugin.xml`,
		`create winrm/config/Listener?Address=*+Transport=HTTPS @{Hostname="h.example";CertificateThumbprint="00"}`,
		`delete winrm/config/Listener?Address=*+Transport=HTTPS`,
		`create winrm/config/service/certmapping?Issuer=00+Subject=*+URI=* @{UserName="u";Password="p"} -remote:localhost`,
		`enum winrm/config/service/certmapping`,
		`g winrm/config -r:https://h.example:5986 -a:certificate -certificate:0123456789abcdef0123456789abcdef01234567`,
		`enumerate wmicimv2/* -dialect:association -associations -filter:{object=win32_service?name=winrm;resultclassname=win32_dependentservice;role=dependent}`,
		`get x -remote:https://myMachine -authentication:CredSSP -username:u -password:p`, `configSDDL http://schemas.microsoft.com/wbem/wsman/1/wmi/ WmiNamespace`,
		`helpmsg 0x80338012`, `invoke Restore winrm/config @{}`,
	} {
		mustParse(t, strings.Split(line, " ")...)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := mustParse(t, "get", "x", "-r:h", "-u:u", "-p:hunter2")
	for _, s := range []string{c.Conn.String(), c.Conn.GoString()} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("%s", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"get\x00winrm/config\x00-r:h", "set\x00x?a=1+b=\"2\"\x00@{A=\"1\"}", "e\x00x/*\x00-filter:{object=a?b=c}\x00-dialect:association", "helpmsg\x00-1", "id\x00/r:[::1]:5/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(strings.Split(line, "\x00"))
		if err != nil {
			return
		}
		if c.Conn.HasRemote && !c.Help {
			if _, err := c.Conn.Endpoint(); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
		f, err := parseFilter(c.Filter, c.Dialect, c.Associations, c.Target)
		if err == nil && (f == nil) != (c.Filter == "") {
			t.Fatalf("%q: filter %q gives %+v", line, c.Filter, f)
		}
	})
}

// FuzzInput writes what was read and reads it again.
func FuzzInput(f *testing.F) {
	for _, s := range []string{"@{}", `@{A="1";B=$null}`, `@{A ="x""y"}`, "@{A=b}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseInput(s)
		if err != nil {
			return
		}
		var b strings.Builder
		b.WriteString("@{")
		for i, p := range list {
			if i > 0 {
				b.WriteByte(';')
			}
			b.WriteString(p.Name + "=")
			if p.Null {
				b.WriteString("$null")
			} else {
				b.WriteString(`"` + strings.ReplaceAll(p.Value, `"`, `""`) + `"`)
			}
		}
		b.WriteByte('}')
		again, err := parseInput(b.String())
		if err != nil || len(again) != len(list) || len(list) > 0 && !reflect.DeepEqual(again, list) {
			t.Fatalf("%q: %+v, written %q, read %+v %v", s, list, b.String(), again, err)
		}
	})
}

// FuzzSelectors writes what was read and reads it again.
func FuzzSelectors(f *testing.F) {
	f.Add(`Name=winrm`)
	f.Add(`A="1+2"+B=`)
	f.Fuzz(func(t *testing.T, s string) {
		set, err := parseSelectors(s)
		if err != nil {
			return
		}
		var parts []string
		for _, sel := range set {
			if strings.Contains(sel.Value, `"`) {
				return // such a value cannot be written in quotes
			}
			parts = append(parts, sel.Name+`="`+sel.Value+`"`)
		}
		again, err := parseSelectors(strings.Join(parts, "+"))
		if err != nil || !reflect.DeepEqual(again, set) {
			t.Fatalf("%q: %+v, read again %+v %v", s, set, again, err)
		}
	})
}
