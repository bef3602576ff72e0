package firewall

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
)

func open(t *testing.T) *registry.Hive {
	t.Helper()
	h, err := registry.Open(filepath.Join(t.TempDir(), "hklm.reg"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func rules(t *testing.T, h *registry.Hive) []Rule {
	t.Helper()
	list, bad := Rules(h.Snapshot())
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	return list
}

// enabled tells whether a group lets something in on one of the profiles.
func enabled(list []Rule, group string, p Profile) bool {
	return slices.ContainsFunc(list, func(r Rule) bool {
		return strings.EqualFold(r.Group, group) && r.Dir == In && r.Action == Allow && r.Active && r.AppliesTo(p)
	})
}

// The firewall exception of quickconfig is for the current profile only, and the second
// run changes nothing (spec/winrm.md 1.6, statement 2).
func TestEnableWinRM(t *testing.T) {
	h := open(t)
	for _, g := range []string{GroupWinRM, GroupWinRMCompat, GroupWMI} {
		if enabled(rules(t, h), g, AllProfiles) {
			t.Errorf("%s is on without configuration", g)
		}
	}
	enable := func(transport string, p Profile) (changed bool) {
		if err := h.Update(func(tx *registry.Tx) (err error) {
			changed, err = EnableWinRM(tx, transport, p)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return changed
	}
	if !enable("HTTP", Private) || enable("http", Private) {
		t.Error("the first run must change something and the second nothing")
	}
	list := rules(t, h)
	if !enabled(list, "windows remote management", Private) || enabled(list, GroupWinRM, Public) || WinRMEnabled(list, "HTTPS", Private) {
		t.Error("more or less than HTTP on private networks is on")
	}
	enable("HTTP", Public)
	for _, r := range rules(t, h) {
		if r.Active && r.AppliesTo(Public) && !slices.Equal(r.RemoteAddrs, []string{"LocalSubnet"}) {
			t.Errorf("%s lets %v in on public networks, want the local subnet", r.ID, r.RemoteAddrs)
		}
	}
	if err := h.Update(func(tx *registry.Tx) error { _, err := EnableWinRM(tx, "FTP", Domain); return err }); err == nil {
		t.Error("transport FTP was accepted")
	}
}

// Another port than the standard one gets a rule in WinRM's group.
func TestAllowWinRMPort(t *testing.T) {
	h := open(t)
	update(t, h, func(tx *registry.Tx) error {
		if err := AllowWinRMPort(tx, "HTTP", "5985", Private); err != nil {
			return err
		}
		return AllowWinRMPort(tx, "https", "8443", Private)
	})
	to := toWinRM
	if v := verdict(h, to); v.Allowed {
		t.Errorf("the standard port has a rule: %v", v)
	}
	to.Local = netip.MustParseAddrPort("192.0.2.1:8443")
	if v := verdict(h, to); !v.Allowed || !enabled(rules(t, h), GroupWinRM, Private) {
		t.Errorf("port 8443: %v", v)
	}
	update(t, h, func(tx *registry.Tx) error {
		return tx.Set(KeyPresent, PresentName, registry.SZ("Public"))
	})
	if v := verdict(h, to); v.Allowed {
		t.Errorf("on a public network: %v", v)
	}
}

// `set rule group="windows management instrumentation (wmi)" new enable=yes` enables
// every member, name compared case-blind (checklist 0.10, 0.11).
func TestGroupSwitch(t *testing.T) {
	h := open(t)
	for _, on := range []bool{true, false} {
		err := h.Update(func(tx *registry.Tx) error {
			n, err := SetGroup(tx, "windows management instrumentation (wmi)", on)
			if n != 4 {
				t.Errorf("%d rules, want 4", n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := enabled(rules(t, h), GroupWMI, Domain); got != on {
			t.Errorf("enabled %v, want %v", got, on)
		}
	}
}

// Rules of checklist 0.13 and 0.17: added, shown, deleted.
func TestAddAndDelete(t *testing.T) {
	h := open(t)
	dcom := Rule{ID: "{1}", Action: Allow, Active: true, Dir: In, Protocol: 6, LocalPorts: []string{"135"},
		Program: `%systemroot%\system32\svchost.exe`, Service: "rpcss", Name: "DCOM"}
	if err := h.Update(func(tx *registry.Tx) error { return Put(tx, dcom) }); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rules(t, h), func(r Rule) bool { return r.ID == "{1}" })
	if i < 0 || rules(t, h)[i].Program != dcom.Program || rules(t, h)[i].Source != registry.SourceHive {
		t.Fatal("the rule is not there as it was put")
	}
	before := len(rules(t, h))
	err := h.Update(func(tx *registry.Tx) error {
		for _, id := range []string{"{1}", "winrm-http-compat-in-tcp", "nothing of that name"} { // the second is built in
			if err := Remove(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(rules(t, h)) != before-2 {
		t.Errorf("%d rules are left of %d (%v)", len(rules(t, h)), before, err)
	}
	for _, bad := range []Rule{{}, {ID: "a", Name: "x"}, {ID: "a", Name: "x|Active=TRUE", Action: Allow, Dir: In, Protocol: 6},
		{ID: "a", Name: "x", Action: Allow, Dir: In, Protocol: 6, LocalPorts: []string{"1|Dir=Out"}}} {
		if err := h.Update(func(tx *registry.Tx) error { return Put(tx, bad) }); err == nil {
			t.Errorf("%+v was stored", bad)
		}
	}
}

// A damaged rule admits nothing, and a damaged built-in one does not fall back to on.
func TestDamagedRule(t *testing.T) {
	h := open(t)
	err := h.Update(func(tx *registry.Tx) error {
		if err := tx.Set(KeyRules, "WINRM-HTTP-In-TCP", registry.SZ("v2.31|Action=Allow|Dir=Sideways|")); err != nil {
			return err
		}
		return tx.Set(KeyRules, "x", registry.DWORD(1))
	})
	if err != nil {
		t.Fatal(err)
	}
	list, bad := Rules(h.Snapshot())
	if len(bad) != 2 || !strings.Contains(bad[0].Error(), "WINRM-HTTP-In-TCP") {
		t.Errorf("problems %v, want two", bad)
	}
	if slices.ContainsFunc(list, func(r Rule) bool { return r.ID == "WINRM-HTTP-In-TCP" }) {
		t.Error("the damaged rule is in the list")
	}
}

func TestBuiltinRulesAreValid(t *testing.T) {
	for _, r := range Builtin() {
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
	}
}
