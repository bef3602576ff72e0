package settings

import (
	"net/netip"
	"testing"

	"github.com/casementhq/casement/registry"
)

// TrustedHosts of [MS-WSMV] 2.2.4.6: statements 54 and 55, checklist 2.67 to 2.70.
func TestTrustedHosts(t *testing.T) {
	for _, row := range []struct {
		list string
		bad  bool
		yes  []string
		no   []string
	}{
		{list: "", no: []string{"a", "a.b", "10.0.0.1", ""}},
		{list: "  ", no: []string{"a"}},
		{list: "*", yes: []string{"a", "a.b", "10.0.0.1", "::1", "[::1]"}, no: []string{""}},
		{list: "*.contoso.com", yes: []string{"a.contoso.com", "A.B.CONTOSO.COM"}, no: []string{"contoso.com", "xcontoso.com", "a.contoso.com.evil"}},
		{list: "srv*", yes: []string{"srv", "SRV1", "srv.x"}, no: []string{"xsrv"}},
		{list: "<local>", yes: []string{"srv1"}, no: []string{"srv1.x", "::1", "10.0.0.1"}},
		{list: "<LOCAL>", yes: []string{"srv1"}},
		{list: "Server01, server02,10.0.0.1", yes: []string{"server01", "SERVER02", "10.0.0.1"}, no: []string{"server03", "10.0.0.10"}},
		{list: "[0:0:0:0:0:0:0:0]", yes: []string{"::", "[::]", "[0:0:0:0:0:0:0:0]"}, no: []string{"::1", "0.0.0.0"}},
		{list: "[3ffe:ffff::6ECB:0101]", yes: []string{"3FFE:FFFF::6ecb:101"}},
		{list: "192.168.*", yes: []string{"192.168.7.8"}, no: []string{"192.16.8.1"}},
		{list: "::1", bad: true}, {list: "3ffe:ffff::6ECB:0101", bad: true}, // 2.70: without brackets
		{list: "[10.0.0.1]", bad: true}, {list: "[::1", bad: true}, {list: "a*b", bad: true}, {list: "*a*", bad: true}, {list: "**", bad: true},
		{list: "a,,b", bad: true}, {list: "a,", bad: true}, {list: "a,*", bad: true}, {list: "a b", bad: true}, {list: "<remote>", bad: true},
		{list: "http://a", bad: true}, {list: "a:5985", bad: true}, {list: "a;b", bad: true},
	} {
		h, err := ParseTrustedHosts(row.list)
		if row.bad {
			wantCode(t, row.list, err, 0x8033809F)
			continue
		}
		wantCode(t, row.list, err, 0)
		for _, host := range row.yes {
			if !h.Match(host) {
				t.Errorf("%q does not trust %q", row.list, host)
			}
		}
		for _, host := range row.no {
			if h.Match(host) {
				t.Errorf("%q trusts %q", row.list, host)
			}
		}
	}
}

// IPv4Filter and IPv6Filter of [MS-WSMV] 2.2.4.36: checklist 2.86 to 2.89.
func TestIPFilters(t *testing.T) {
	for _, row := range []struct {
		filter string
		v6     bool
		bad    bool
		yes    []string
		no     []string
	}{
		{filter: "", no: []string{"10.0.0.1"}},
		{filter: "*", yes: []string{"10.0.0.1", "255.255.255.255"}},
		{filter: "10.0.0.1-10.0.0.9,192.168.0.0-192.168.0.255", yes: []string{"10.0.0.1", "10.0.0.9", "192.168.0.7"}, no: []string{"10.0.0.0", "10.0.0.10"}},
		{filter: "10.0.0.1-10.0.0.1, *", yes: []string{"1.2.3.4"}},
		{filter: "2.0.0.0 - 10.0.0.0", yes: []string{"3.0.0.0"}, no: []string{"1.0.0.0"}},
		{filter: "10.0.0.1", bad: true}, {filter: "10.0.0.9-10.0.0.1", bad: true}, {filter: "10.0.0.256-10.0.1.0", bad: true},
		{filter: "10.0.0-10.0.1", bad: true}, {filter: "::1-::2", bad: true}, {filter: "a-b", bad: true}, {filter: "1.1.1.1-2.2.2.2,", bad: true},
		{filter: "", v6: true, no: []string{"::1"}},
		{filter: "*", v6: true, yes: []string{"::1", "fe80::1%eth0"}},
		{filter: "[::1]-[::5]", v6: true, yes: []string{"::1", "::5"}, no: []string{"::6", "0.0.0.3"}},
		{filter: "3ffe:ffff::6ECB:0101-3FFE:FFFF:760E::", v6: true, yes: []string{"3ffe:ffff::6ecb:101", "3ffe:ffff:1::"}, no: []string{"3ffe:ffff::6ecb:100"}},
		{filter: "fe80::-fe80::ff", v6: true, yes: []string{"fe80::1%12"}},
		{filter: "[::1-::2", v6: true, bad: true}, {filter: "10.0.0.1-10.0.0.2", v6: true, bad: true}, {filter: "fe80::1%1-fe80::2%1", v6: true, bad: true},
	} {
		parse := ParseIPv4Filter
		if row.v6 {
			parse = ParseIPv6Filter
		}
		f, err := parse(row.filter)
		if row.bad {
			wantCode(t, row.filter, err, 0x803380EC)
			continue
		}
		wantCode(t, row.filter, err, 0)
		for _, a := range row.yes {
			if !f.Contains(netip.MustParseAddr(a)) {
				t.Errorf("%q keeps %s out", row.filter, a)
			}
		}
		for _, a := range row.no {
			if f.Contains(netip.MustParseAddr(a)) {
				t.Errorf("%q lets %s through", row.filter, a)
			}
		}
	}
}

func FuzzTrustedHosts(f *testing.F) {
	f.Add("*.contoso.com,[::1],<local>,a*", "A.contoso.com")
	f.Fuzz(func(t *testing.T, list, host string) {
		h, err := ParseTrustedHosts(list)
		if err != nil {
			return
		}
		if (TrustedHosts{}).all != h.all && !h.Match("x") {
			t.Fatal("* does not trust a host")
		}
		_ = h.Match(host)
		if text, why := checkTrustedHosts(list); why != "" {
			t.Fatalf("%q parses but does not check: %s", list, why)
		} else if _, err := ParseTrustedHosts(text); err != nil {
			t.Fatalf("the stored form %q: %v", text, err)
		}
	})
}

func FuzzIPFilter(f *testing.F) {
	f.Add("10.0.0.1-10.0.0.9,*", false, []byte{10, 0, 0, 1})
	f.Add("[::1]-[::5]", true, make([]byte, 16))
	f.Fuzz(func(t *testing.T, s string, v6 bool, raw []byte) {
		parse := ParseIPv4Filter
		if v6 {
			parse = ParseIPv6Filter
		}
		filter, err := parse(s)
		a, ok := netip.AddrFromSlice(raw)
		if err != nil || !ok {
			return
		}
		if filter.Contains(a) && !filter.all && a.Is6() != v6 {
			t.Fatalf("%q lets %v of the other family through", s, a)
		}
	})
}

func FuzzConfigValue(f *testing.F) {
	f.Add(0, "500", uint32(1))
	f.Add(15, "a*,[::1]", uint32(0))
	f.Add(16, rootSDDL, uint32(7))
	f.Fuzz(func(t *testing.T, i int, text string, n uint32) {
		s := &schema[uint(i)%uint(len(schema))]
		w, _ := Load(registry.NewTree(), Current)
		changes, err := w.Validate(URIConfig, []NameValue{{Name: s.path(), Value: text}})
		if err == nil && len(changes) > 0 {
			tree, err := registry.NewTree().Edit(func(tx *registry.Tx) error { return Apply(tx, changes) })
			if err != nil {
				t.Skip() // larger than a registry value
			}
			if _, bad := Load(tree, Current); len(bad) > 0 {
				t.Fatalf("what was accepted is damaged: %+v", bad)
			}
		}
		// Anything may stand in the registry.
		tree, err := registry.NewTree().Edit(func(tx *registry.Tx) error {
			if err := tx.Set(s.key(), s.valueName(), registry.DWORD(n)); err != nil {
				return err
			}
			return tx.Set(KeyPolicy+`\Service`, s.name, registry.SZ(text))
		})
		if err == nil {
			w, _ := Load(tree, Current)
			if _, err := w.Describe(URIConfig); err != nil {
				t.Fatal(err)
			}
		}
	})
}
