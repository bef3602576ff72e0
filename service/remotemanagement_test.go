package service

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// Who decides whether the machine answers others: policy over the switch over the
// listeners (spec 9; 0.2(16): not configured are the local rules, only disabled blocks).
func TestRemoteManagementSources(t *testing.T) {
	const on, off = true, false
	for _, row := range []struct {
		name     string
		listener bool
		local    *bool
		policy   string // "", 0 or 1
		want     bool
		source   string
	}{
		{"nothing", off, nil, "", off, SourceMachine},
		{"listener", on, nil, "", on, SourceMachine},
		{"switched off", on, new(bool), "", off, SourceMachine},
		{"policy disabled", on, nil, "0", off, SourcePolicy},
		{"policy enabled brings its listener", off, nil, "1", on, SourcePolicy},
		{"policy enabled over the switch", on, new(bool), "1", on, SourcePolicy},
	} {
		s := at(t, filepath.Join(t.TempDir(), "state"), testTime())
		err := s.Hive.Update(func(tx *registry.Tx) error {
			if row.listener {
				if err := tx.Set(settings.KeyListener+`\*+HTTP`, "Port", registry.DWORD(5985)); err != nil {
					return err
				}
			}
			if row.local != nil {
				return settings.Apply(tx, []settings.Change{settings.SetAllowRemoteAccess(*row.local)})
			}
			return nil
		})
		if err == nil && row.policy != "" {
			err = s.Hive.UpdatePolicy(func(p *registry.Policy) error {
				p.Set(settings.KeyPolicy+`\Service`, "AllowAutoConfig", registry.DWORD(uint32(row.policy[0]-'0')))
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		if r := RemoteManagementOf(s.Snapshot()); r.Enabled != row.want || r.Source != row.source || r.Why == "" {
			t.Errorf("%s: %+v", row.name, r)
		}
	}
}

// A damaged switch, of the machine or of a policy, admits nobody.
func TestDamagedRemoteAccessIsClosed(t *testing.T) {
	s := at(t, filepath.Join(t.TempDir(), "state"), testTime())
	if !s.Snapshot().WinRM.Service.AllowRemoteAccess {
		t.Fatal("closed by default")
	}
	if err := s.Hive.Update(func(tx *registry.Tx) error {
		return tx.Set(settings.KeyWSMAN+`\Service`, "AllowRemoteAccess", registry.SZ("yes"))
	}); err != nil {
		t.Fatal(err)
	}
	if s.Snapshot().WinRM.Service.AllowRemoteAccess {
		t.Error("open by a damaged value of the hive")
	}
	if err := s.Hive.UpdatePolicy(func(p *registry.Policy) error {
		p.Set(settings.KeyPolicy+`\Service`, "AllowAutoConfig", registry.SZ("1"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if s.Snapshot().WinRM.Service.AllowRemoteAccess {
		t.Error("open by a damaged policy")
	}
}

// What Server Manager needs beside the switch is told (spec 9, prerequisites).
func TestRemoteManagementLimits(t *testing.T) {
	q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: &fakeUnits{}}
	if _, _, err := q.EnableRemoteManagement(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := q.RemoteManagement()
	if err != nil || !r.Enabled || len(r.Limits) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	set := func(key, name string, v registry.Value) string {
		t.Helper()
		if err := q.withState(func(s *State) error {
			return s.Hive.Update(func(tx *registry.Tx) error { return tx.Set(key, name, v) })
		}); err != nil {
			t.Fatal(err)
		}
		r, err := q.RemoteManagement()
		if err != nil || !r.Enabled {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		return strings.Join(r.Limits, " ")
	}
	if got := set(settings.KeyCasement, "NetworkProfile", registry.SZ("Domain")); got != "" {
		t.Errorf("the rule is for domain networks too: %q", got)
	}
	for _, row := range []struct {
		key, name string
		value     registry.Value
		want      string
	}{
		{settings.KeyCasement, "NetworkProfile", registry.SZ("Public"), "firewall"},
		{settings.KeyWSMAN + `\Service`, "auth_negotiate", registry.DWORD(0), "Negotiate"},
		{settings.KeyWSMAN + `\Service`, "auth_kerberos", registry.DWORD(0), "Kerberos"},
	} {
		if got := set(row.key, row.name, row.value); !strings.Contains(got, row.want) {
			t.Errorf("%s: %q", row.name, got)
		}
	}
	// -enable mends that, but not the port, which an administrator chose.
	if _, _, err := q.EnableRemoteManagement(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := q.RemoteManagement(); err != nil || len(r.Limits) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if got := set(settings.KeyListener+`\*+HTTP`, "Port", registry.DWORD(8085)); !strings.Contains(got, "5985") || !strings.Contains(got, "firewall") {
		t.Errorf("another port: %q", got)
	}
}

// quickconfig does not say that it changed what a policy rules (document 002).
func TestQuickConfigLeavesPoliciesAlone(t *testing.T) {
	q := &QuickConfig{Dir: filepath.Join(t.TempDir(), "state"), Units: &fakeUnits{}}
	s := at(t, q.Dir, testTime())
	policy := func(key, name string, n uint32) {
		t.Helper()
		if err := s.Hive.UpdatePolicy(func(p *registry.Policy) error {
			p.Set(key, name, registry.DWORD(n))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	policy(settings.KeyUAC, "LocalAccountTokenFilterPolicy", 0)
	p, err := q.Plan(t.Context(), QuickConfigOptions{})
	if err != nil || strings.Contains(strings.Join(p.Actions, " "), "LocalAccountTokenFilterPolicy") {
		t.Errorf("%q, %v", p.Actions, err)
	}
	policy(`HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\PrivateProfile`, "AllowLocalPolicyMerge", 0)
	planCode(t, q, QuickConfigOptions{}, codeQuickNoLocalChanges)
	policy(`HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\PrivateProfile`, "DoNotAllowExceptions", 1)
	planCode(t, q, QuickConfigOptions{}, codeQuickNoExceptions)
	policy(settings.KeyPolicy+`\Service`, "AllowAutoConfig", 0)
	planCode(t, q, QuickConfigOptions{}, codeRemoteDisabled)
	if _, _, err := q.EnableRemoteManagement(t.Context()); !errors.Is(err, &settings.Error{Code: codeRemoteDisabled}) {
		t.Errorf("%v", err)
	}
	if _, err := q.Apply(t.Context(), QuickPlan{Options: QuickConfigOptions{Transport: "HTTP"}}); !errors.Is(err, &settings.Error{Code: codeRemoteDisabled}) {
		t.Errorf("%v", err)
	}
	if err := q.DisableRemoteManagement(t.Context()); err != nil || s.Hive.Source(settings.KeyWSMAN+`\Service`, "AllowRemoteAccess") != registry.SourceNone {
		t.Errorf("switching off what a policy has off: %v", err)
	}
	// A server starts all the same: it listens, and the firewall and WinRM stay shut.
	if _, err := s.SetRole(RoleServer); err != nil {
		t.Fatal(err)
	}
	live := s.Snapshot()
	rules, _ := firewall.Rules(s.Hive.Snapshot())
	if len(live.Listeners) != 1 || live.WinRM.Service.AllowRemoteAccess || firewall.WinRMEnabled(rules, "HTTP", firewall.Private) {
		t.Errorf("listeners %+v, remote access %v", live.Listeners, live.WinRM.Service.AllowRemoteAccess)
	}
	if _, err := s.SetRole(RoleClient); err != nil {
		t.Fatal(err)
	}
	if err := q.DisableRemoteManagement(t.Context()); !errors.Is(err, ErrClientRole) {
		t.Errorf("%v", err)
	}
}
