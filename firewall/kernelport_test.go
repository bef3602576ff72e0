package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
)

// drops is what the kernel does with rules: the first one that fits decides.
func drops(k KernelPort, a netip.Addr) bool {
	for _, r := range k.Rules {
		if !r.From.IsValid() || r.From.Is4() == a.Is4() && !a.Less(r.From) && !r.To.Less(a) {
			return !r.Accept
		}
	}
	return false
}

// The kernel drops nothing that the filter lets pass, and where addresses and ports say all it drops what the filter blocks.
func TestKernelAgreesWithVerdict(t *testing.T) {
	addresses := []string{"192.0.2.9", "192.0.2.0", "192.0.2.255", "192.0.3.0", "10.0.0.1", "2001:db8::1", "2001:db9::1", "fe80::1"}
	for name, c := range map[string]struct {
		rules   []string
		partial bool // the kernel cannot be told all
	}{
		"none":           {nil, false},
		"all":            {[]string{"Action=Allow|"}, false},
		"prefix":         {[]string{"Action=Allow|RA4=192.0.2.0/24|"}, false},
		"block in allow": {[]string{"Action=Allow|RA4=192.0.2.0/24|RA6=2001:db8::/32|", "Action=Block|RA4=192.0.2.9|RA6=2001:db8::1|"}, false},
		"subnet":         {[]string{"Action=Allow|RA4=LocalSubnet|RA6=LocalSubnet|"}, false},
		"block subnet":   {[]string{"Action=Allow|", "Action=Block|RA4=LocalSubnet4|"}, false},
		"other port":     {[]string{"Action=Allow|Protocol=6|LPort=5986|"}, false},
		"other program":  {[]string{"Action=Allow|App=unsecapp.exe|", "Action=Block|App=other.exe|"}, false},
		"remote port":    {[]string{"Action=Allow|Protocol=6|RPort=40000|", "Action=Block|Protocol=6|RPort=40000|RA4=10.0.0.1|"}, true},
		"unknown block":  {[]string{"Action=Allow|", "Action=Block|IF=x|"}, true},
		"unknown allow":  {[]string{"Action=Allow|IF=x|"}, false},
		"local address":  {[]string{"Action=Allow|LA4=192.0.2.1|", "Action=Block|LA4=192.0.2.2|RA4=10.0.0.1|"}, false},
		"word":           {[]string{"Action=Allow|RA4=Internet|RA4=192.0.2.9|"}, false},
	} {
		var rules []string
		for i, r := range c.rules {
			rules = append(rules, string(rune('a'+i))+":v2.31|Active=TRUE|Dir=In|"+r+"Name=n|")
		}
		h := hive(t, rules...)
		f := Compile(h.Snapshot(), func() []netip.Prefix {
			return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/64")}
		})
		for _, listener := range []string{"192.0.2.1:5985", "[::]:5985"} {
			at := netip.MustParseAddrPort(listener)
			k := f.Kernel(WinRM(), at)
			for _, a := range addresses {
				to := from("192.0.2.1:40000", "192.0.2.1:5985", WinRM())
				to.Remote = netip.AddrPortFrom(netip.MustParseAddr(a), 40000)
				allowed, dropped := f.Verdict(to).Allowed, drops(k, to.Remote.Addr())
				if allowed && dropped || !allowed && !dropped && !c.partial && !strings.Contains(name, "local") {
					t.Errorf("%s at %s from %s: allowed %v, dropped %v: %+v", name, listener, a, allowed, dropped, k.Rules)
				}
			}
		}
	}
	h := open(t)
	update(t, h, func(tx *registry.Tx) error { return Set(tx, Private, SettingShielded, 1) })
	if k := Compile(h.Snapshot(), nil).Kernel(WMI(), netip.MustParseAddrPort("[::]:135")); !drops(k, netip.MustParseAddr("10.0.0.1")) || k.Address.IsValid() {
		t.Errorf("shielded: %+v", k)
	}
	update(t, h, func(tx *registry.Tx) error { return Set(tx, Private, SettingState, 0) })
	if k := Compile(h.Snapshot(), nil).Kernel(WMI(), netip.MustParseAddrPort("[::]:135")); len(k.Rules) != 0 {
		t.Errorf("off: %+v", k)
	}
}
