package netsh

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
)

// bench is a tool over a hive of its own.
type bench struct {
	t    *testing.T
	hive *registry.Hive
}

func newBench(t *testing.T) *bench {
	t.Helper()
	h, err := registry.Open(filepath.Join(t.TempDir(), "hive.reg"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return &bench{t, h}
}

// split divides a line at blanks, but not within double quotes, which go.
func split(line string) []string {
	var out []string
	for n, part := range strings.Split(line, `"`) {
		if n%2 == 1 {
			out[len(out)-1] += part
			continue
		}
		pieces := strings.Split(part, " ")
		if n > 0 {
			out[len(out)-1] += pieces[0]
			pieces = pieces[1:]
		}
		out = append(out, pieces...)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// run runs a line behind netsh advfirewall firewall, or the whole line where it begins with netsh.
func (b *bench) run(code int, line string) (out, errs string) {
	b.t.Helper()
	args := split("advfirewall firewall " + line)
	if rest, whole := strings.CutPrefix(line, "netsh "); whole {
		args = split(rest)
	}
	var o, e bytes.Buffer
	tool := Tool{Out: &o, Err: &e, Open: func() (*registry.Hive, func() error, error) { return b.hive, func() error { return nil }, nil }}
	if got := tool.Run(args); got != code {
		b.t.Errorf("%s: exit code %d, want %d\n%s%s", line, got, code, o.String(), e.String())
	}
	if (e.Len() > 0) != (code != 0) {
		b.t.Errorf("%s: exit code %d, and said %q", line, code, e.String())
	}
	return o.String(), e.String()
}

// named are the rules of a name, as the hive keeps them.
func (b *bench) named(name string) []string {
	var out []string
	rules, bad := firewall.Rules(b.hive.Snapshot())
	if len(bad) > 0 {
		b.t.Error(bad)
	}
	for _, r := range rules {
		if r.Name == name {
			out = append(out, r.String())
		}
	}
	return out
}

// all is everything that the hive keeps of rules.
func (b *bench) all() string {
	var out strings.Builder
	for _, v := range b.hive.Snapshot().Values(firewall.KeyRules) {
		out.WriteString(v.Name + " " + v.Value.String() + "\n")
	}
	return out.String()
}

func (b *bench) want(name string, rules ...string) {
	b.t.Helper()
	got := b.named(name)
	if !slices.Equal(got, rules) {
		b.t.Errorf("%s: %q, want %q", name, got, rules)
	}
}

// The lines of document 000 and what Windows' registry has after them; the strings are by hand from [MS-GPFAS] 2.2.2.19.
func TestLinesOfTheDocument(t *testing.T) {
	b := newBench(t)
	const v = `v2.31|Action=Allow|Active=TRUE|`
	for _, c := range []struct{ line, name, rule string }{
		{`add rule dir=in name="DCOM" program=%systemroot%\system32\svchost.exe service=rpcss action=allow protocol=TCP localport=135`, "DCOM",
			v + `Dir=In|Protocol=6|LPort=135|App=%systemroot%\system32\svchost.exe|Svc=rpcss|Name=DCOM|`},
		{`add rule dir=in name ="WMI" program=%systemroot%\system32\svchost.exe service=winmgmt action = allow protocol=TCP localport=any`, "WMI",
			v + `Dir=In|Protocol=6|App=%systemroot%\system32\svchost.exe|Svc=winmgmt|Name=WMI|`},
		{`add rule dir=in name ="UnsecApp" program=%systemroot%\system32\wbem\unsecapp.exe action=allow`, "UnsecApp",
			v + `Dir=In|App=%systemroot%\system32\wbem\unsecapp.exe|Name=UnsecApp|`},
		{`add rule dir=out name ="WMI_OUT" program=%systemroot%\system32\svchost.exe service=winmgmt action=allow protocol=TCP localport=any`, "WMI_OUT",
			v + `Dir=Out|Protocol=6|App=%systemroot%\system32\svchost.exe|Svc=winmgmt|Name=WMI_OUT|`},
		// As a POSIX shell, and as a prompt of Windows, hand them on.
		{`add rule dir=in name=eaten program=%systemroot%system32wbemunsecapp.exe action=allow`, "eaten", v + `Dir=In|App=%systemroot%\system32\wbem\unsecapp.exe|Name=eaten|`},
		{`add rule dir=in name=expanded program=C:\Windows\system32\svchost.exe action=allow`, "expanded", v + `Dir=In|App=%systemroot%\system32\svchost.exe|Name=expanded|`},
		{`add rule dir=in name="eaten drive" program=C:Windowssystem32svchost.exe action=allow`, "eaten drive", v + `Dir=In|App=%systemroot%\system32\svchost.exe|Name=eaten drive|`},
		{`add rule dir=in name=twice program=%systemroot%\\system32\\svchost.exe action=allow`, "twice", v + `Dir=In|App=%systemroot%\system32\svchost.exe|Name=twice|`},
		{`add rule dir=in name=share program=\\host\share\\tool.exe action=allow`, "share", v + `Dir=In|App=\\host\share\tool.exe|Name=share|`},
		{`add rule dir=in name=windir program=%windir%\system32\svchost.exe action=allow`, "windir", v + `Dir=In|App=%systemroot%\system32\svchost.exe|Name=windir|`},
		{`add rule dir=in name=tool program=/usr/bin/tool action=allow`, "tool", v + `Dir=In|App=/usr/bin/tool|Name=tool|`},
	} {
		if out, _ := b.run(0, c.line); out != "Ok.\n\n" {
			t.Errorf("%s: %q", c.line, out)
		}
		b.want(c.name, c.rule)
	}

	active := func(want bool) {
		t.Helper()
		rules, _ := firewall.Rules(b.hive.Snapshot())
		n := 0
		for _, r := range rules {
			if r.Group == firewall.GroupWMI {
				n++
				if r.Active != want {
					t.Errorf("%s: enabled %v", r.Name, r.Active)
				}
			}
		}
		if n != 4 {
			t.Errorf("the group has %d rules", n)
		}
	}
	active(false)
	if out, _ := b.run(0, `set rule group="windows management instrumentation (wmi)" new enable=yes`); out != "\nUpdated 4 rule(s).\nOk.\n\n" {
		t.Errorf("%q", out)
	}
	active(true)
	b.run(0, `SET RULE GROUP="Windows Management Instrumentation (WMI)" NEW ENABLE=NO`)
	active(false)

	// Each delete takes its own rule and no other.
	for n, name := range []string{"DCOM", "WMI", "UnsecApp", "WMI_OUT"} {
		before := strings.Count(b.all(), "\n")
		if out, _ := b.run(0, `delete rule name="`+name+`"`); out != "\nDeleted 1 rule(s).\nOk.\n\n" {
			t.Errorf("%q", out)
		}
		b.want(name)
		if after := strings.Count(b.all(), "\n"); after != before-1 {
			t.Errorf("%d: %d rules of %d stay", n, after, before)
		}
		if _, errs := b.run(1, `delete rule name="`+name+`"`); !strings.Contains(errs, "No rules match the specified criteria.") {
			t.Errorf("%q", errs)
		}
	}
}

// One row for each field, right and wrong (checklist 0.21). The fields of the strings are those of [MS-GPFAS] 2.2.2.
func TestFields(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ fields, want string }{
		{`enable=no`, `Active=FALSE|Dir=In|Name=f|`},
		{`enable=YES`, `Active=TRUE|Dir=In|Name=f|`},
		{`profile=domain,Public`, `Active=TRUE|Dir=In|Profile=Domain|Profile=Public|Name=f|`},
		{`profile=any`, `Active=TRUE|Dir=In|Name=f|`},
		{`description="a text = with more"`, `Active=TRUE|Dir=In|Name=f|Desc=a text = with more|`},
		{`protocol=udp localport=53,1000-2000 remoteport=7`, `Active=TRUE|Dir=In|Protocol=17|LPort=53|LPort2_10=1000-2000|RPort=7|Name=f|`},
		{`protocol=tcp localport=rpc-epmap`, `Active=TRUE|Dir=In|Protocol=6|LPort=RPC-EPMap|Name=f|`},
		{`protocol=47`, `Active=TRUE|Dir=In|Protocol=47|Name=f|`},
		{`protocol=icmpv4:8,any`, `Active=TRUE|Dir=In|Protocol=1|Name=f|ICMP4=8:*|`},
		{`protocol=icmpv6`, `Active=TRUE|Dir=In|Protocol=58|Name=f|`},
		{`localip=10.0.0.1 remoteip=192.168.0.0/24,10.1.0.1-10.1.0.9,fe80::/64,localsubnet`, `Active=TRUE|Dir=In|LA4=10.0.0.1|RA4=192.168.0.0/24|RA4=10.1.0.1-10.1.0.9|RA6=fe80::/64|RA4=LocalSubnet|RA6=LocalSubnet|Name=f|`},
		{`remoteip=any`, `Active=TRUE|Dir=In|Name=f|`},
		{`service=any`, `Active=TRUE|Dir=In|Svc=*|Name=f|`},
		{`interfacetype=wireless`, `Active=TRUE|Dir=In|Name=f|IFType=Wireless|`},
		{`interfacetype=any security=notrequired edge=no`, `Active=TRUE|Dir=In|Name=f|`},
		{`edge=deferuser`, `Active=TRUE|Dir=In|Name=f|Defer=User|`},
		{`edge=yes`, `Active=TRUE|Dir=In|Name=f|Edge=TRUE|`},
	} {
		b.run(0, `add rule name=f dir=in action=block `+c.fields)
		b.want("f", `v2.31|Action=Block|`+c.want)
		b.run(0, `delete rule name=f`)
	}
	before := b.all()
	for line, token := range map[string]string{
		`add rule name=x dir=in action=allow portt=80`:                        `"portt=80"`,
		`add rule name=x dir=up action=allow`:                                 `"dir=up"`,
		`add rule name=x dir=in action=perhaps`:                               `"action=perhaps"`,
		`add rule name=x dir=in action=bypass`:                                `"action=bypass"`,
		`add rule name=x dir=in action=allow enable=1`:                        `"enable=1"`,
		`add rule name=x dir=in action=allow profile=home`:                    `"profile=home"`,
		`add rule name=x dir=in action=allow protocol=http`:                   `"protocol=http"`,
		`add rule name=x dir=in action=allow protocol=256`:                    `"protocol=256"`,
		`add rule name=x dir=in action=allow protocol=icmpv4:8`:               `"protocol=icmpv4:8"`,
		`add rule name=x dir=in action=allow protocol=tcp localport=65536`:    `"localport=65536"`,
		`add rule name=x dir=in action=allow protocol=tcp localport=20-10`:    `"localport=20-10"`,
		`add rule name=x dir=in action=allow protocol=tcp localport=1,`:       `"localport=1,"`,
		`add rule name=x dir=in action=allow localport=80`:                    `"localport=80"`,
		`add rule name=x dir=out action=allow protocol=tcp localport=RPC`:     `localport=RPC needs dir=in`,
		`add rule name=x dir=in action=allow protocol=tcp remoteport=RPC`:     `"remoteport=RPC"`,
		`add rule name=x dir=in action=allow remoteip=300.1.1.1`:              `"remoteip=300.1.1.1"`,
		`add rule name=x dir=in action=allow remoteip=internet`:               `"remoteip=internet"`,
		`add rule name=x dir=in action=allow localip=localsubnet`:             `"localip=localsubnet"`,
		`add rule name=x dir=in action=allow interfacetype=token-ring`:        `"interfacetype=token-ring"`,
		`add rule name=x dir=in action=allow security=authenticate`:           `"security=authenticate"`,
		`add rule name=x dir=out action=allow edge=yes`:                       `"edge=yes"`,
		`add rule name=x dir=in action=allow program=`:                        `"program="`,
		`add rule name=x dir=in action=allow service=a|b`:                     `"service=a|b"`,
		`add rule name=all dir=in action=allow`:                               `"name=all"`,
		`add rule name=x dir=in dir=out action=allow`:                         `"dir=out"`,
		`add rule name=my own rule dir=in action=allow`:                       `"own"`,
		`add rule name=x dir=in`:                                              `action=`,
		`add rule group=g name=x dir=in action=allow`:                         `"group=g"`,
		`add rule name=x dir=in action=allow new enable=yes`:                  `"new"`,
		`set rule name="Nothing of that name" new enable=yes`:                 `No rules match`,
		`set rule group="Nothing of that name" new enable=yes`:                `No rules match`,
		`set rule name=x group=y new enable=yes`:                              `"group="`,
		`set rule new enable=yes`:                                             `name=`,
		`set rule name=x enable=yes`:                                          `"enable=yes"`,
		`set rule name=x`:                                                     `new`,
		`set rule name=x new`:                                                 `new`,
		`set rule group="COM+ Network Access" new action=block`:               `"action=block"`,
		`set rule group="COM+ Network Access" new enable=maybe`:               `"enable=maybe"`,
		`set rule name="COM+ Network Access (DCOM-In)" new protocol=any`:      `"protocol=any"`,
		`set rule name="COM+ Network Access (DCOM-In)" profil=any new dir=in`: `"profil=any"`,
		`delete rule name="COM+ Network Access (DCOM-In)" dir=out`:            `No rules match`,
		`delete rule dir=in`:                                                  `name=`,
		`delete rule name=x enable=yes`:                                       `"enable=yes"`,
		`show rule`:                                                           `name=`,
		`show rule name=all status=enabled`:                                   `"status=enabled"`,
		`show rule name=all type=live`:                                        `"type=live"`,
		`shw rule name=all`:                                                   `"shw"`,
		`netsh -r host advfirewall reset`:                                     `-r`,
		`netsh -c advfirewall reset`:                                          `"-c"`,
		`netsh interface show interface`:                                      `"interface"`,
		`netsh advfirewall s allprofiles`:                                     `"s"`,
		`netsh advfirewall reset now`:                                         `"now"`,
		`netsh advfirewall export x.wfw`:                                      `"export"`,
		`netsh advfirewall set allprofiles state maybe`:                       `"maybe"`,
		`netsh advfirewall set allprofiles state`:                             `state`,
		`netsh advfirewall set allprofiles firewallpolicy blockinbound`:       `""`,
		`netsh advfirewall set allprofiles firewallpolicy open,allowoutbound`: `"open"`,
		`netsh advfirewall set allprofiles logging filename x`:                `"logging"`,
		`netsh advfirewall show allprofiles state x`:                          `"x"`,
		`netsh firewall set opmode disable`:                                   `set`,
		`netsh firewall add allowedprogram x`:                                 `"allowedprogram"`,
		`netsh firewall add portopening SCTP 1 x`:                             `"SCTP"`,
		`netsh firewall add portopening TCP 99999 x`:                          `"99999"`,
		`netsh firewall add portopening TCP 1`:                                `name`,
		`netsh firewall add portopening TCP 1 x MAYBE`:                        `"MAYBE"`,
		`netsh firewall add portopening TCP 1 x ENABLE CUSTOM`:                `"CUSTOM"`,
		`netsh firewall add portopening TCP 1 x ENABLE ALL 10.0.0.1`:          `"10.0.0.1"`,
		`netsh firewall add portopening TCP 1 x ENABLE ALL 10.0.0.1 ALL eth0`: `"eth0"`,
		`netsh firewall delete portopening TCP 24158`:                         `No rules match`,
	} {
		_, errs := b.run(1, line)
		if !strings.Contains(errs, token) {
			t.Errorf("%s: no %s in %q", line, token, errs)
		}
		if after := b.all(); after != before {
			t.Fatalf("%s changed the rules: %s", line, after)
		}
	}
}

// The lines of document 004, which a translation broke: each names what is wrong and changes nothing (checklist 4.24 to 4.33).
func TestBrokenLines(t *testing.T) {
	b := newBench(t)
	b.run(0, `add rule name=DCOM dir=in action=allow`)
	before := b.all()
	for _, line := range brokenLines {
		_, errs := b.run(1, line)
		token := split(line)[1]
		if !strings.Contains(errs, "The following command was not found: \""+token+"\"") {
			t.Errorf("%s: %s", line, errs)
		}
	}
	if b.all() != before {
		t.Error("the rules are others")
	}
}

var brokenLines = []string{
	`netsh advfirewallファイアウォールセットルールグループ= "Windows管理のインストルメンテーション(wmi)"新しい有効=はい`,
	`netsh advfirewallファイアウォールセットルールグループ= "Windows管理のインストルメンテーション(wmi)"新しい有効=いいえ`,
	`netsh advfirewallファイアウォールの追加dir = name = "DCOM"プログラム=%systemroot%\ system32 \ svchost.exeサービス= rpcssアクション=プロトコル許可= TCP localport = 135`,
	`netsh advfirewallファイアウォールはルールdir = name = "WMI"プログラム=%systemroot%\ system32 \ svchost.exeサービス= winmgmtアクション=プロトコル= TCP localport = anyを許可するルールを追加します。`,
	`netsh advfirewallファイアウォールルールを追加するdir = name = "UnsecApp" program =%systemroot%\ system32 \ wbem \ unsecapp.exe action = allow`,
	`netsh advfirewallファイアウォールルールを追加する= out name = "WMI_OUT"プログラム=%systemroot%\ systemXNUM \ svchost.exeサービス= winmgmtアクション=プロトコルを許可する= TCP localport =任意`,
	`netsh advfirewallファイアウォールの削除ルール名= "DCOM"`,
	`netsh advfirewallファイアウォールの削除ルール名= "WMI"`,
	`netsh advfirewallファイアウォールの削除ルール名= "UnsecApp"`,
	`netsh advfirewallファイアウォールの削除ルール名= "WMI_OUT"`,
}

func TestSetAndCriteria(t *testing.T) {
	b := newBench(t)
	b.run(0, `add rule name=r dir=in action=allow protocol=tcp localport=80 profile=domain`)
	b.run(0, `add rule name=r dir=out action=allow protocol=udp remoteip=10.0.0.0/8`)
	out, _ := b.run(0, `set rule name=R dir=in protocol=TCP localport=80 profile=domain new name="s s" action=block localport=81 enable=no service=winmgmt profile=any`)
	if !strings.Contains(out, "Updated 1 rule(s).") {
		t.Errorf("%q", out)
	}
	b.want("s s", `v2.31|Action=Block|Active=FALSE|Dir=In|Protocol=6|LPort=81|Svc=winmgmt|Name=s s|`)
	b.want("r", `v2.31|Action=Allow|Active=TRUE|Dir=Out|Protocol=17|RA4=10.0.0.0/8|Name=r|`)
	b.run(1, `set rule name="s s" profile=domain new enable=yes`) // it is of all profiles
	b.run(0, `set rule name="s s" localip = any program=any new protocol=any localport=any description=""`)
	b.run(0, `delete rule name=all dir=out protocol=udp remoteip=10.0.0.0/8`)
	b.want("r")

	// A built-in rule that was deleted stays away, and comes back with a reset, switched off.
	const dcom = "COM+ Network Access (DCOM-In)"
	b.run(0, `set rule name="com+ network access (dcom-in)" new enable=yes`)
	if got := b.named(dcom); len(got) != 1 || !strings.Contains(got[0], "Active=TRUE") {
		t.Errorf("%q", got)
	}
	b.run(0, `delete rule name="`+dcom+`"`)
	b.want(dcom)
	b.run(0, `netsh advfirewall reset`)
	if got := b.named(dcom); len(got) != 1 || !strings.Contains(got[0], "Active=FALSE") || b.all() != "" {
		t.Errorf("%q", got)
	}
}

func TestShow(t *testing.T) {
	b := newBench(t)
	b.run(0, `add rule name=shown dir=in action=block protocol=tcp localport=80,90 remoteip=10.0.0.1,fe80::1,localsubnet profile=private description=why edge=deferapp program=%windir%\system32\svchost.exe service=rpcss`)
	out, _ := b.run(0, `show rule name=SHOWN verbose`)
	// The labels and their order are those of Windows, where values begin at column 39.
	want := `
Rule Name:                            shown
----------------------------------------------------------------------
Description:                          why
Enabled:                              Yes
Direction:                            In
Profiles:                             Private
Grouping:
LocalIP:                              Any
RemoteIP:                             10.0.0.1/32,fe80::1/128,LocalSubnet
Protocol:                             TCP
LocalPort:                            80,90
RemotePort:                           Any
Edge traversal:                       Defer to application
Program:                              %systemroot%\system32\svchost.exe
Service:                              rpcss
InterfaceTypes:                       Any
Security:                             NotRequired
Rule source:                          Local Setting
Action:                               Block
Ok.

`
	if out != want {
		t.Errorf("%s", out)
	}
	out, _ = b.run(0, `show rule name=all dir=in`)
	for _, name := range []string{"COM+ Network Access (DCOM-In)", "Remote Event Log Management (NP-In)", "Remote Event Log Management (RPC)", "Remote Event Log Management (RPC-EPMAP)",
		"Windows Management Instrumentation (DCOM-In)", "Windows Remote Management (HTTP-In)", "shown"} {
		if !strings.Contains(out, "Rule Name:                            "+name+"\n") {
			t.Errorf("%s is not listed", name)
		}
	}
	if strings.Contains(out, "(WMI-Out)") || !strings.Contains(out, "It guards nothing here: this machine serves no named pipes") {
		t.Errorf("%s", out)
	}
	if out, _ = b.run(0, `show rule name=all type=dynamic`); strings.Count(out, "Rule Name:") != 1 {
		t.Errorf("%s", out)
	}
	b.run(0, `add rule name=elsewhere dir=in action=allow profile=public`) // the present profile is another
	if out, _ = b.run(0, `show rule name=all type=dynamic`); strings.Contains(out, "elsewhere") {
		t.Errorf("%s", out)
	}
	if out, _ = b.run(0, `show rule name=all profile=public,private dir=in type=static`); !strings.Contains(out, "shown") {
		t.Errorf("%s", out)
	}
	b.run(1, `show rule name=shown profile=public`)
	b.run(1, `show rule name=none`)
}

// Rules of Group Policy are shown, are changed nowhere else, and stay in force over local ones (checklist 3.33).
func TestPolicyRules(t *testing.T) {
	dir := t.TempDir()
	var p registry.Policy
	p.Set(`SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules`, "ComPlusNetworkAccess-DCOM-In", registry.SZ("v2.31|Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=135|Name=COM+ Network Access (DCOM-In)|EmbedCtxt=COM+ Network Access|"))
	p.Set(`SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules`, "{P}", registry.SZ("v2.31|Action=Block|Active=TRUE|Dir=In|Security=Authenticate|Name=of the policy|"))
	p.Set(`SOFTWARE\Policies\Microsoft\WindowsFirewall\DomainProfile`, "EnableFirewall", registry.DWORD(1))
	p.Set(`SOFTWARE\Policies\Microsoft\WindowsFirewall\PrivateProfile`, "AllowLocalPolicyMerge", registry.DWORD(0))
	write(t, filepath.Join(dir, "Registry.pol"), p.AppendPol(nil))
	h, err := registry.Open(filepath.Join(dir, "hive.reg"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b := &bench{t, h}
	out, _ := b.run(0, `show rule name="of the policy" verbose`)
	if !strings.Contains(out, "Rule source:                          Group Policy Setting\n") || !strings.Contains(out, "Security:                             Authenticate\n") {
		t.Errorf("%s", out)
	}
	for _, line := range []string{`set rule name="of the policy" new enable=no`, `delete rule name="of the policy"`} {
		if _, errs := b.run(1, line); !strings.Contains(errs, `"of the policy" comes from Group Policy`) {
			t.Errorf("%s", errs)
		}
	}
	out, _ = b.run(0, `set rule name="COM+ Network Access (DCOM-In)" new enable=yes`)
	if !strings.Contains(out, "Updated 1 rule(s).") || !strings.Contains(out, "of Group Policy stays as it is") || !strings.Contains(out, "not count on Private networks") {
		t.Errorf("%s", out)
	}
	out, _ = b.run(0, `netsh advfirewall set allprofiles state off`)
	if !strings.Contains(out, "A policy rules EnableFirewall for Domain networks") {
		t.Errorf("%s", out)
	}
	if out, _ = b.run(0, `netsh advfirewall show domainprofile state`); !strings.Contains(out, `ON [Source="GPO"]`) {
		t.Errorf("%s", out)
	}
	if out, _ = b.run(0, `netsh advfirewall show publicprofile state`); !strings.Contains(out, "OFF\n") {
		t.Errorf("%s", out)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestProfiles(t *testing.T) {
	b := newBench(t)
	values := func(profile string) string {
		var out []string
		for _, v := range b.hive.Snapshot().Values(firewall.KeyProfiles + `\` + profile) {
			out = append(out, v.Name+" "+v.Value.String())
		}
		return strings.Join(out, "; ")
	}
	if out, _ := b.run(0, `netsh advfirewall show currentprofile`); out != `
Private Profile Settings:
----------------------------------------------------------------------
State                                 ON
Firewall Policy                       BlockInbound,AllowOutbound
LocalFirewallRules                    Enable

Ok.

` {
		t.Errorf("%s", out)
	}
	for _, c := range []struct{ line, standard, public, policy string }{
		{`private firewallpolicy blockinbound,blockoutbound`, "DefaultInboundAction 1; DefaultOutboundAction 1; DoNotAllowExceptions 0", "", "BlockInbound,BlockOutbound"},
		{`currentprofile firewallpolicy allowinbound , allowoutbound`, "DefaultInboundAction 0; DefaultOutboundAction 0; DoNotAllowExceptions 0", "", "AllowInbound,AllowOutbound"},
		{`allprofiles firewallpolicy blockinboundalways,notconfigured`, "DefaultInboundAction 1; DoNotAllowExceptions 1", "DefaultInboundAction 1; DoNotAllowExceptions 1", "BlockInboundAlways,AllowOutbound"},
		{`allprofiles firewallpolicy notconfigured,notconfigured`, "", "", "BlockInbound,AllowOutbound"},
		{`publicprofile state off`, "", "EnableFirewall 0", "BlockInbound,AllowOutbound"},
		{`publicprofile state on`, "", "EnableFirewall 1", "BlockInbound,AllowOutbound"},
		{`publicprofile state notconfigured`, "", "", "BlockInbound,AllowOutbound"},
	} {
		b.run(0, `netsh advfirewall set `+c.line)
		if s, p := values("StandardProfile"), values("PublicProfile"); s != c.standard || p != c.public {
			t.Errorf("%s: %q and %q", c.line, s, p)
		}
		if out, _ := b.run(0, `netsh advfirewall show privateprofile firewallpolicy`); !strings.Contains(out, " "+c.policy+"\n") {
			t.Errorf("%s: %s", c.line, out)
		}
	}
}

// spec/wmi.md 1.3: the fixed port, in the older form.
func TestOldForm(t *testing.T) {
	b := newBench(t)
	const rule = `v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=24158|Name=WMIFixedPort|`
	b.run(0, `netsh firewall add portopening TCP 24158 WMIFixedPort`)
	b.want("WMIFixedPort", rule)
	b.run(0, `add rule name=other dir=in action=allow protocol=TCP localport=24158 program=/bin/other`)
	b.run(1, `netsh firewall delete portopening UDP 24158`)
	b.run(0, `netsh firewall delete portopening TCP 24158`)
	b.want("WMIFixedPort")
	if len(b.named("other")) != 1 {
		t.Error("a rule for one program was deleted")
	}
	b.run(0, `netsh firewall add portopening protocol = UDP port=9 name="two words" mode=DISABLE scope=CUSTOM addresses=10.0.0.0/8,LocalSubnet profile=DOMAIN`)
	b.want("two words", `v2.31|Action=Allow|Active=FALSE|Dir=In|Protocol=17|Profile=Domain|LPort=9|RA4=10.0.0.0/8|RA4=LocalSubnet|RA6=LocalSubnet|Name=two words|`)
	b.run(1, `netsh firewall delete portopening UDP 9 STANDARD`)
	b.run(0, `netsh firewall delete portopening UDP 9 DOMAIN`)
}

func TestElevation(t *testing.T) {
	var o, e bytes.Buffer
	tool := Tool{Out: &o, Err: &e, Open: func() (*registry.Hive, func() error, error) {
		return nil, nil, fmt.Errorf("use sudo: %w", fs.ErrPermission)
	}}
	if code := tool.Run(split(`advfirewall reset`)); code != 1 || !strings.Contains(e.String(), "The requested operation requires elevation (Run as administrator).") || !strings.Contains(e.String(), "sudo") {
		t.Errorf("%d %s", code, e.String())
	}
	tool.Open = func() (*registry.Hive, func() error, error) { return nil, nil, errors.New("no state") }
	if e.Reset(); tool.Run(split(`advfirewall reset`)) != 1 || !strings.Contains(e.String(), "no state") {
		t.Error(e.String())
	}
	if o.Reset(); tool.Run(nil) != 0 || o.String() != Help || tool.Run(split("advfirewall firewall add rule ?")) != 0 {
		t.Error("no help")
	}
}

// FuzzLine: whatever stands on a line, it is read or refused; a rule that comes of it can be kept, and reads back.
func FuzzLine(f *testing.F) {
	for _, line := range append([]string{
		`advfirewall firewall add rule dir=in name ="WMI" program=%systemroot%\system32\svchost.exe service=winmgmt action = allow protocol=TCP localport=any`,
		`advfirewall firewall set rule group="windows management instrumentation (wmi)" new enable=yes`,
		`advfirewall firewall delete rule name=x dir=in profile=domain,any localip=::1-::2 remoteport=1-2 protocol=icmpv4:1,2`,
		`advfirewall firewall show rule name=all type=dynamic verbose`,
		`advfirewall set allprofiles firewallpolicy blockinbound,allowoutbound`,
		`firewall add portopening TCP 24158 WMIFixedPort ENABLE CUSTOM 10.0.0.0/255.0.0.0`,
	}, brokenLines...) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		cmd, err := parse(strings.Fields(line))
		if (cmd == nil) == (err == nil) && err == nil {
			t.Fatalf("%q gave nothing", line)
		}
		if c, is := cmd.(old); is {
			cmd = c.command
		}
		add, is := cmd.(addRule)
		if err != nil || !is {
			return
		}
		if err := add.rule.Validate(); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		back, err := firewall.ParseRule(add.rule.String())
		if err != nil || back.Action == "" || back.Dir == "" || back.Name != add.rule.Name || back.Program != add.rule.Program || len(back.RemoteAddrs) != len(add.rule.RemoteAddrs) {
			t.Errorf("%q: %q, %v", line, add.rule.String(), err)
		}
	})
}
