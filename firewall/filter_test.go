package firewall

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
)

// from is traffic that comes in from another machine.
func from(remote, local string, p Part) Traffic {
	return Traffic{Part: p, Dir: In, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)}
}

// The parts as clients reach them: the WMI endpoint has a dynamic port.
var (
	toWinRM    = from("192.0.2.9:40000", "192.0.2.1:5985", WinRM())
	toWinRMTLS = from("192.0.2.9:40000", "192.0.2.1:5986", WinRM())
	to135      = from("192.0.2.9:40000", "192.0.2.1:135", EndpointMapper())
	toWMI      = from("192.0.2.9:40000", "192.0.2.1:49731", WMI())
	toWMIFixed = from("192.0.2.9:40000", "192.0.2.1:24158", WMI())
	toUnsecapp = from("192.0.2.9:40000", "192.0.2.1:24159", Part{Program: ProgramUnsecapp})
	toProgram  = from("192.0.2.9:40000", "192.0.2.1:50123", Part{Program: "/usr/local/bin/watcher", Port: PortRPC})
	outOfWMI   = Traffic{Part: WMI(), Dir: Out, Local: netip.MustParseAddrPort("192.0.2.1:0"), Remote: netip.MustParseAddrPort("192.0.2.9:135")}
)

// hive is one with these rules, active ones of the machine.
func hive(t *testing.T, rules ...string) *registry.Hive {
	t.Helper()
	h := open(t)
	add(t, h, KeyRules, rules...)
	return h
}

func add(t *testing.T, h *registry.Hive, key string, rules ...string) {
	t.Helper()
	update(t, h, func(tx *registry.Tx) error {
		for _, r := range rules {
			id, text, _ := strings.Cut(r, ":")
			if err := tx.Set(key, id, registry.SZ(text)); err != nil {
				return err
			}
		}
		return nil
	})
}

func verdict(h *registry.Hive, t Traffic) Verdict {
	return Compile(h.Snapshot(), func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }).Verdict(t)
}

func active(text string) string { return "{r}:v2.31|Active=TRUE|" + text + "Name=r|" }

// A machine as it comes lets nobody in from outside and everybody out (checklist 0.04, 2.12).
func TestFreshMachine(t *testing.T) {
	h := open(t)
	for _, c := range []Traffic{toWinRM, toWinRMTLS, to135, toWMI, toUnsecapp, toProgram} {
		if v := verdict(h, c); v.Allowed || v.Why != ByDefault {
			t.Errorf("%v: %v", c.Part, v)
		}
		c.Remote = netip.MustParseAddrPort("127.0.0.5:1000")
		if v := verdict(h, c); !v.Allowed || v.Why != ByLoopback {
			t.Errorf("%v from loopback: %v", c.Part, v)
		}
		c.Remote = netip.AddrPortFrom(c.Local.Addr(), 4000)
		if v := verdict(h, c); !v.Allowed {
			t.Errorf("%v from its own address: %v", c.Part, v)
		}
		c.Remote = netip.MustParseAddrPort("[::ffff:192.0.2.9]:4000")
		if v := verdict(h, c); v.Allowed {
			t.Errorf("%v from an IPv4 address in IPv6 form: %v", c.Part, v)
		}
	}
	if v := verdict(h, outOfWMI); !v.Allowed || v.Why != ByDefault {
		t.Errorf("out: %v", v)
	}
}

// The group of WMI admits WMI on whatever port it has, port 135 and Unsecapp.exe, and nothing else (checklist 0.03, 0.05, 0.06, 0.07, 0.10, 0.11).
func TestGroupOfWMI(t *testing.T) {
	h := open(t)
	for _, on := range []bool{true, false} {
		update(t, h, func(tx *registry.Tx) error {
			_, err := SetGroup(tx, "windows management instrumentation (wmi)", on)
			return err
		})
		for _, c := range []struct {
			to   Traffic
			with bool
		}{{to135, true}, {toWMI, true}, {toWMIFixed, true}, {toUnsecapp, true}, {toProgram, false}, {toWinRM, false},
			{from("192.0.2.9:4", "192.0.2.1:49731", Part{Program: ProgramSvchost, Service: "other", Port: PortRPC}), false}} {
			if v := verdict(h, c.to); v.Allowed != (on && c.with) {
				t.Errorf("group %v: %v: %v", on, c.to.Part, v)
			}
		}
	}
}

// The four rules of the documents, each alone and as a shell that takes backslashes gives it (checklist 0.12 to 0.16, 0.22).
func TestRulesOfTheDocuments(t *testing.T) {
	const (
		svchost = `App=%systemroot%\system32\svchost.exe|`
		bare    = `App=%systemroot%system32svchost.exe|`
	)
	admits := func(rule string, want ...Traffic) {
		t.Helper()
		h := hive(t, active(rule))
		for _, c := range []Traffic{toWinRM, to135, toWMI, toWMIFixed, toUnsecapp, toProgram} {
			should := false
			for _, w := range want {
				should = should || w == c
			}
			if v := verdict(h, c); v.Allowed != should {
				t.Errorf("%s: %v port %d: %v", rule, c.Part, c.Local.Port(), v)
			}
		}
	}
	for _, app := range []string{svchost, bare, `App=%WINDIR%\System32\SVCHOST.EXE|`, `App=C:\Windows\system32\svchost.exe|`, `App=svchost.exe|`, `App=C:Windowssystem32svchost.exe|`} {
		admits("Action=Allow|Dir=In|Protocol=6|LPort=135|"+app+"Svc=rpcss|", to135)
		admits("Action=Allow|Dir=In|Protocol=6|"+app+"Svc=winmgmt|", toWMI, toWMIFixed)
		admits("Action=Allow|Dir=In|Protocol=6|"+app, to135, toWMI, toWMIFixed)
		admits("Action=Allow|Dir=In|Protocol=6|LPort=RPC|"+app+"Svc=*|", toWMI, toWMIFixed)
		admits("Action=Allow|Dir=In|Protocol=6|LPort=RPC-EPMap|"+app+"Svc=RPCSS|", to135)
	}
	for _, app := range []string{`App=%systemroot%\system32\wbem\unsecapp.exe|`, `App=%systemroot%system32wbemunsecapp.exe|`, `App=UNSECAPP.EXE|`} {
		admits("Action=Allow|Dir=In|"+app, toUnsecapp)
	}
	admits("Action=Allow|Dir=In|App=System|", toWinRM)
	admits("Action=Allow|Dir=In|App=/usr/bin/system|")
	admits(`Action=Allow|Dir=In|App=C:\Windows\System|`)
	admits("Action=Allow|Dir=In|App=/usr/local/bin/watcher|", toProgram)
	admits("Action=Allow|Dir=In|App=watcher|", toProgram)
	admits("Action=Allow|Dir=In|App=/usr/bin/watcher|")
	admits(`Action=Allow|Dir=In|App=%systemroot%\system32\other.exe|`)
	admits("Action=Allow|Dir=In|App=/opt/svchost.exe.d/x|")
	admits("Action=Allow|Dir=In|Protocol=17|")
	admits("Action=Allow|Dir=Out|")
	admits("Action=Allow|Dir=In|Protocol=6|LPort=5985|LPort2_10=24000-24158|", toWinRM, toWMIFixed)
	admits("Action=Allow|Dir=In|Svc=winmgmt|", toWMI, toWMIFixed)

	h := hive(t, active("Action=Allow|Dir=Out|Protocol=6|"+bare+"Svc=winmgmt|"))
	update(t, h, func(tx *registry.Tx) error { return Set(tx, Private, SettingOutbound, 1) })
	if v := verdict(h, outOfWMI); !v.Allowed || v.Rule != "{r}" {
		t.Errorf("out with the rule: %v", v)
	}
	update(t, h, func(tx *registry.Tx) error { return Remove(tx, "{r}") })
	if v := verdict(h, outOfWMI); v.Allowed || v.Why != ByDefault {
		t.Errorf("out without the rule: %v", v)
	}
}

func TestAddressesAndProfiles(t *testing.T) {
	for _, c := range []struct {
		rule string
		from map[string]bool
	}{
		{"RA4=192.0.2.9|", map[string]bool{"192.0.2.9": true, "192.0.2.8": false, "2001:db8::9": false}},
		{"RA4=198.51.100.0/24|RA4=10.0.0.0/255.255.0.0|", map[string]bool{"198.51.100.255": true, "198.51.101.0": false, "10.0.255.1": true, "10.1.0.0": false}},
		{"RA4=10.0.0.0/9|", map[string]bool{"10.127.255.255": true, "10.128.0.0": false}},
		{"RA4=192.0.2.5-192.0.2.7|", map[string]bool{"192.0.2.5": true, "192.0.2.7": true, "192.0.2.8": false, "192.0.2.4": false}},
		{"RA6=2001:db8::/33|", map[string]bool{"2001:db8:7fff::1": true, "2001:db8:8000::1": false, "192.0.2.9": false}},
		{"RA6=fe80::1-fe80::ff|", map[string]bool{"fe80::ff%eth0": true, "fe80::100": false}},
		{"RA4=LocalSubnet|RA6=LocalSubnet|", map[string]bool{"192.0.2.77": true, "198.51.100.1": false, "2001:db8::1": false}},
		{"RA6=LocalSubnet6|", map[string]bool{"192.0.2.77": false}},
		{"RA4=Internet|RA6=Internet|", map[string]bool{"192.0.2.77": false, "8.8.8.8": false}},
		{"RA4=10.0.0.0/255.0.255.0|", map[string]bool{"10.0.0.1": false}},
		{"LA4=192.0.2.1|", map[string]bool{"203.0.113.5": true}},
		{"LA4=192.0.2.2|", map[string]bool{"203.0.113.5": false}},
		{"RPort=40000|", map[string]bool{"203.0.113.5": true}},
		{"RPort=40001|", map[string]bool{"203.0.113.5": false}},
		{"Profile=Private|", map[string]bool{"203.0.113.5": true}},
		{"Profile=Public|Profile=Domain|", map[string]bool{"203.0.113.5": false}},
	} {
		for remote, want := range c.from {
			to := toWinRM
			to.Remote = netip.AddrPortFrom(netip.MustParseAddr(remote), 40000)
			h := hive(t, active("Action=Allow|Dir=In|Protocol=6|"+c.rule))
			if v := verdict(h, to); v.Allowed != want {
				t.Errorf("%s from %s: %v", c.rule, remote, v)
			}
			h = hive(t, active("Action=Block|Dir=In|Protocol=6|"+c.rule), "{all}:v2.31|Action=Allow|Active=TRUE|Dir=In|Name=all|")
			uncertain := strings.Contains(c.rule, "Internet") || strings.Contains(c.rule, "255.0.255") // such a rule blocks
			if v := verdict(h, to); v.Allowed == (want || uncertain) {
				t.Errorf("block %s from %s: %v", c.rule, remote, v)
			}
		}
	}
}

// Open tells whether anybody at all may come in.
func TestOpen(t *testing.T) {
	for _, c := range []struct {
		rule string
		want bool
	}{
		{"{r}:v2.31|Action=Allow|Active=FALSE|Dir=In|Name=r|", false}, {"{r}:v2.31|Action=Allow|Active=TRUE|Dir=In|Name=r|", true},
		{"{r}:v2.31|Action=Allow|Active=TRUE|Dir=In|RA4=10.0.0.1|Name=r|", true}, {"{r}:v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5985|Name=r|", true},
		{"{r}:v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5986|Name=r|", false}, {"{r}:v2.31|Action=Allow|Active=TRUE|Dir=In|IF=x|Name=r|", false},
	} {
		if got := Compile(hive(t, c.rule).Snapshot(), nil).Open(WinRM(), 5985); got != c.want {
			t.Errorf("%s: %v", c.rule, got)
		}
	}
	h := hive(t, "{a}:v2.31|Action=Allow|Active=TRUE|Dir=In|Name=r|", "{b}:v2.31|Action=Block|Active=TRUE|Dir=In|Name=r|")
	if Compile(h.Snapshot(), nil).Open(WinRM(), 5985) {
		t.Error("open though all is blocked")
	}
	update(t, h, func(tx *registry.Tx) error { return Set(tx, Private, SettingState, 0) })
	if !Compile(h.Snapshot(), nil).Open(WinRM(), 5985) {
		t.Error("shut though the firewall is off")
	}
}

// Block beats allow ([MS-FASP] 2.2.34); the profile's state and its defaults ([MS-FASP] 2.2.38).
func TestOrder(t *testing.T) {
	h := hive(t, "{a}:v2.31|Action=Allow|Active=TRUE|Dir=In|Name=allow|", "{z}:v2.31|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=5985|Name=block|",
		"{o}:v2.31|Action=Block|Active=FALSE|Dir=In|Name=inactive|", "{b}:v2.31|Action=ByPass|Active=TRUE|Dir=In|Protocol=6|LPort=5985|Name=bypass|")
	if v := verdict(h, toWinRM); v.Allowed || v.Rule != "{z}" {
		t.Errorf("both: %v", v)
	}
	if v := verdict(h, toWinRMTLS); !v.Allowed || v.Name != "allow" {
		t.Errorf("allow alone: %v", v)
	}
	set := func(name Setting, n uint32) {
		t.Helper()
		update(t, h, func(tx *registry.Tx) error { return Set(tx, Private, name, n) })
	}
	set(SettingShielded, 1)
	if v := verdict(h, toWinRMTLS); v.Allowed || v.Why != ByShield {
		t.Errorf("shielded: %v", v)
	}
	if v := verdict(h, outOfWMI); !v.Allowed {
		t.Errorf("shielded, out: %v", v)
	}
	set(SettingState, 0)
	if v := verdict(h, toWinRM); !v.Allowed || v.Why != ByState {
		t.Errorf("off: %v", v)
	}
	h = open(t)
	set(SettingInbound, 0)
	if v := verdict(h, toWMI); !v.Allowed || v.Why != ByDefault {
		t.Errorf("allowinbound: %v", v)
	}
	update(t, h, func(tx *registry.Tx) error { return tx.Set(KeyPresent, PresentName, registry.SZ("Public")) })
	if v := verdict(h, toWMI); v.Allowed {
		t.Errorf("another profile: %v", v)
	}
}

// Group Policy beside and over the machine's rules (checklist 3.33).
func TestPolicyRules(t *testing.T) {
	const winrm = "WINRM-HTTP-In-TCP-NoScope:v2.31|Action=Allow|Active=%|Dir=In|Protocol=6|LPort=5985|App=System|Name=Windows Remote Management (HTTP-In)|"
	h := hive(t, strings.Replace(winrm, "%", "TRUE", 1))
	if v := verdict(h, toWinRM); !v.Allowed {
		t.Fatalf("local: %v", v)
	}
	add(t, h, KeyPolicy, strings.Replace(winrm, "%", "FALSE", 1))
	if v := verdict(h, toWinRM); v.Allowed {
		t.Errorf("switched off by policy: %v", v)
	}
	h = hive(t, strings.Replace(winrm, "%", "TRUE", 1))
	add(t, h, KeyPolicy, "WINRM-HTTP-In-TCP-NoScope:v2.31|damaged")
	if v := verdict(h, toWinRM); v.Allowed {
		t.Errorf("a damaged policy over it: %v", v)
	}
	h = hive(t, strings.Replace(winrm, "%", "TRUE", 1))
	add(t, h, KeyPolicy, "{p}:v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5986|Name=policy|")
	update(t, h, func(tx *registry.Tx) error {
		return tx.Set(KeyPolicyProfiles+`\PrivateProfile`, string(SettingLocalRules), registry.DWORD(0))
	})
	if v := verdict(h, toWinRM); v.Allowed {
		t.Errorf("a rule of the machine that the policy ignores: %v", v)
	}
	if v := verdict(h, toWinRMTLS); !v.Allowed || v.Rule != "{p}" {
		t.Errorf("the policy's own: %v", v)
	}
}

// What is damaged, or has a condition that is not checked here, admits nothing and is reported.
func TestUnusableRules(t *testing.T) {
	for _, rule := range []string{"v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=999|Name=r|", "v2.31|Action=Allow|Active=TRUE|Dir=In|Security=Authenticate|Name=r|",
		"v2.31|Action=Allow|Active=TRUE|Dir=In|IF={0}|Name=r|", "v2.31|Action=Allow|Active=TRUE|Dir=In|Future=1|Name=r|",
		"v2.31|Action=Allow|Active=TRUE|Dir=In|RA42=IntrAnet|Name=r|", "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=Teredo|Name=r|"} {
		f := Compile(hive(t, "{r}:"+rule).Snapshot(), nil)
		if v := f.Verdict(toWinRM); v.Allowed || len(f.Problems()) != 1 {
			t.Errorf("%s: %v, %v", rule, v, f.Problems())
		}
	}
	f := Compile(hive(t, "{r}:v2.31|Action=Allow|Active=TRUE|Dir=In|Edge=TRUE|Defer=User|LSM=TRUE|Name=r|").Snapshot(), nil)
	if v := f.Verdict(toWinRM); !v.Allowed || len(f.Problems()) != 0 {
		t.Errorf("%v, %v", v, f.Problems())
	}
	f = Compile(hive(t, "{r}:v2.31|Action=Block|Active=TRUE|Dir=Out|Protocol=6|LPort=1024|Name=r|").Snapshot(), nil)
	if v := f.Verdict(outOfWMI); v.Allowed || v.Rule != "{r}" {
		t.Errorf("a block whose port is not known yet: %v", v)
	}
}

// The gate follows the hive, and asks nobody about loopback.
func TestGate(t *testing.T) {
	h := open(t)
	broken := false
	g := NewGate(GateOptions{Snapshot: func() (Snapshot, error) {
		if broken {
			return nil, errors.New("gone")
		}
		return h.Snapshot(), nil
	}})
	local, remote := net.TCPAddrFromAddrPort(toWinRM.Local), net.TCPAddrFromAddrPort(toWinRM.Remote)
	admit := func() error { return g.Admit(WinRM(), local, remote) }
	var refused *RefusedError
	if err := admit(); !errors.As(err, &refused) || refused.Verdict.Why != ByDefault {
		t.Errorf("fresh: %v", err)
	}
	update(t, h, func(tx *registry.Tx) error { _, err := EnableWinRM(tx, "HTTP", Private); return err })
	if err := admit(); err != nil {
		t.Error(err)
	}
	one, _ := g.Filter()
	if two, _ := g.Filter(); one != two {
		t.Error("it compiles without a change")
	}
	broken = true
	if err := admit(); !errors.As(err, &refused) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a hive that cannot be read: %v", err)
	}
	if err := g.Admit(WinRM(), local, &net.TCPAddr{IP: net.IPv6loopback}); err != nil {
		t.Errorf("loopback: %v", err)
	}
	if err := g.Admit(WinRM(), nil, &net.UnixAddr{Name: "x"}); err == nil {
		t.Error("an address that is none passes")
	}
	broken = false

	dialled := ""
	dial := g.Dial(WMI(), func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = address
		return nil, nil
	})
	if _, err := dial(t.Context(), "tcp", "192.0.2.9:135"); err != nil || dialled != "192.0.2.9:135" {
		t.Errorf("out: %v", err)
	}
	update(t, h, func(tx *registry.Tx) error { return Set(tx, Private, SettingOutbound, 1) })
	dialled = ""
	if _, err := dial(t.Context(), "tcp", "192.0.2.9:135"); !errors.As(err, &refused) || dialled != "" {
		t.Errorf("out, blocked: %v, %q", err, dialled)
	}
	if _, err := dial(t.Context(), "tcp", "host:135"); err == nil {
		t.Error("a name was dialled")
	}
	if nets := g.subnets.get(); len(nets) != len(g.subnets.get()) {
		t.Error("subnets change")
	}
}

func BenchmarkVerdict(b *testing.B) {
	h, err := registry.Open(b.TempDir()+"/hklm.reg", registry.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	err = h.Update(func(tx *registry.Tx) error {
		for i := range 200 {
			r := Rule{ID: string(rune('a'+i%26)) + string(rune('0'+i/26)), Action: Allow, Active: true, Dir: In, Protocol: 6, LocalPorts: []string{"1-1000", "7000"},
				RemoteAddrs: []string{"10.0.0.0/8", "2001:db8::/32"}, Program: ProgramSvchost, Service: "rpcss", Name: "n"}
			if err := Put(tx, r); err != nil {
				return err
			}
		}
		_, err := SetGroup(tx, GroupWMI, true)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	f := Compile(h.Snapshot(), nil)
	b.ReportAllocs()
	for b.Loop() {
		if f.Verdict(toWinRM).Allowed || !f.Verdict(toWMI).Allowed {
			b.Fatal("wrong")
		}
	}
}

// FuzzFilter compiles what a hive could hold and asks it: it must not panic, nothing that is damaged may admit, and a rule that blocks all holds.
func FuzzFilter(f *testing.F) {
	for _, s := range windowsRules {
		f.Add(s, "192.0.2.9", uint16(135))
	}
	f.Add("v2.31|Action=Allow|Active=TRUE|Dir=In|RA4=1.2.3.4/255.0.255.0|LPort2_10=1-2|Name=x|", "::1", uint16(1))
	f.Fuzz(func(t *testing.T, rule, remote string, port uint16) {
		at, _ := netip.ParseAddr(remote)
		tree, err := registry.NewTree().Edit(func(tx *registry.Tx) error { return tx.Set(KeyRules, "x", registry.SZ(rule)) })
		if err != nil {
			return
		}
		to := Traffic{Part: WMI(), Dir: In, Local: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port), Remote: netip.AddrPortFrom(at, port)}
		v := Compile(tree, nil).Verdict(to)
		if _, err := ParseRule(rule); err != nil && v.Allowed && v.Why == ByRule {
			t.Fatalf("%q admits", rule)
		}
		tree, err = tree.Edit(func(tx *registry.Tx) error {
			return tx.Set(KeyRules, "y", registry.SZ("v2.31|Action=Block|Active=TRUE|Dir=In|Name=y|"))
		})
		if err != nil {
			t.Fatal(err)
		}
		if v := Compile(tree, nil).Verdict(to); v.Allowed && v.Why != ByLoopback {
			t.Fatalf("%q admits beside a block: %v", rule, v)
		}
	})
}
