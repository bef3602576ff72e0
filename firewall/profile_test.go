package firewall

import (
	"testing"

	"github.com/casementhq/casement/registry"
)

func update(t *testing.T, h *registry.Hive, f func(tx *registry.Tx) error) {
	t.Helper()
	if err := h.Update(f); err != nil {
		t.Fatal(err)
	}
}

func settingsOf(t *testing.T, h *registry.Hive, p Profile) Settings {
	t.Helper()
	s, bad := LoadSettings(h.Snapshot(), p)
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	return s
}

// The defaults are those of Windows, the keys and values those of [MS-GPFAS] 2.2.3 and
// of the local store; the policy holds over the machine ([MS-FASP] 2.2.38).
func TestProfileSettings(t *testing.T) {
	h := open(t)
	for _, p := range []Profile{Domain, Private, Public} {
		if s := settingsOf(t, h, p); !s.Enabled || s.Shielded || s.Inbound != Block || s.Outbound != Allow || !s.LocalRules || len(s.Sources) != 0 {
			t.Errorf("%v by default: %+v", p, s)
		}
	}
	update(t, h, func(tx *registry.Tx) error {
		if err := Set(tx, Private|Public, SettingState, 0); err != nil {
			return err
		}
		return Set(tx, Private, SettingOutbound, 1)
	})
	const local = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy`
	if v, _ := h.Get(local+`\StandardProfile`, "EnableFirewall"); v.String() != registry.DWORD(0).String() {
		t.Errorf("EnableFirewall of StandardProfile is %v", v)
	}
	if s := settingsOf(t, h, Private); s.Enabled || s.Outbound != Block || s.Sources[SettingOutbound] != registry.SourceHive {
		t.Errorf("private: %+v", s)
	}
	if s := settingsOf(t, h, Domain); !s.Enabled {
		t.Errorf("domain: %+v", s)
	}
	const policy = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall`
	update(t, h, func(tx *registry.Tx) error {
		return tx.Set(policy+`\StandardProfile`, "EnableFirewall", registry.DWORD(1))
	})
	for _, p := range []Profile{Private, Public} {
		if s := settingsOf(t, h, p); !s.Enabled || s.Sources[SettingState] != registry.SourceGPO {
			t.Errorf("%v with a policy of StandardProfile: %+v", p, s)
		}
	}
	update(t, h, func(tx *registry.Tx) error {
		return tx.Set(policy+`\PublicProfile`, "AllowLocalPolicyMerge", registry.DWORD(0))
	})
	if s := settingsOf(t, h, Private); s.Enabled || !s.LocalRules {
		t.Errorf("StandardProfile counts beside PublicProfile: %+v", s)
	}
	if s := settingsOf(t, h, Public); s.LocalRules || s.Enabled {
		t.Errorf("public: %+v", s)
	}
	update(t, h, func(tx *registry.Tx) error { return Unset(tx, AllProfiles, SettingState) })
	if s := settingsOf(t, h, Private); !s.Enabled || s.Outbound != Block {
		t.Errorf("unset: %+v", s)
	}
	for _, wrong := range []func(tx *registry.Tx) error{
		func(tx *registry.Tx) error { return Set(tx, 0, SettingState, 1) },
		func(tx *registry.Tx) error { return Set(tx, 8, SettingState, 1) },
		func(tx *registry.Tx) error { return Set(tx, Domain, SettingLocalRules, 1) },
		func(tx *registry.Tx) error { return Set(tx, Domain, "Other", 1) },
	} {
		if h.Update(wrong) == nil {
			t.Error("a wrong setting was stored")
		}
	}
}

// What cannot be read counts as its closed form.
func TestDamagedProfile(t *testing.T) {
	h := open(t)
	update(t, h, func(tx *registry.Tx) error {
		for _, name := range []Setting{SettingState, SettingShielded, SettingInbound, SettingOutbound} {
			if err := tx.Set(KeyProfiles+`\StandardProfile`, string(name), registry.SZ("0")); err != nil {
				return err
			}
		}
		return tx.Set(KeyPolicyProfiles+`\PrivateProfile`, string(SettingLocalRules), registry.SZ("1"))
	})
	s, bad := LoadSettings(h.Snapshot(), Private)
	if len(bad) != 5 || !s.Enabled || !s.Shielded || s.Inbound != Block || s.Outbound != Block || s.LocalRules {
		t.Errorf("%+v, %v", s, bad)
	}
}

func TestPresentProfile(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		value registry.Value
		want  Profile
	}{{registry.SZ("domain"), Domain}, {registry.SZ("Public"), Public}, {registry.SZ("Private"), Private}, {registry.SZ("Home"), Public}, {registry.DWORD(1), Public}} {
		if Present(open(t).Snapshot()) != Private {
			t.Error("the default is not private")
		}
		update(t, h, func(tx *registry.Tx) error { return tx.Set(KeyPresent, PresentName, c.value) })
		if got := Present(h.Snapshot()); got != c.want {
			t.Errorf("%v: %v", c.value, got)
		}
	}
}

// Rules that guard nothing here say so (checklist 3.35).
func TestNote(t *testing.T) {
	noted := map[string]bool{"RemoteEventLogSvc-NP-In-TCP": true, "RemoteEventLogSvc-In-TCP": true}
	for _, r := range Builtin() {
		if (Note(r) != "") != noted[r.ID] {
			t.Errorf("%s: %q", r.ID, Note(r))
		}
	}
	for text, noted := range map[string]bool{
		"v2.31|Action=Allow|Dir=In|Name=a|":                                false,
		"v2.31|Action=Allow|Dir=In|Protocol=17|LPort=53|Name=a|":           true,
		"v2.31|Action=Allow|Dir=In|Protocol=6|IFType=Wireless|Name=a|":     true,
		"v2.31|Action=Block|Dir=In|Protocol=6|IFType=Wireless|Name=a|":     false, // it blocks more than it says
		"v2.31|Action=ByPass|Dir=In|Protocol=6|Name=a|":                    true,
		"v2.31|Action=Allow|Dir=In|Protocol=6|App=/usr/bin/tool|Name=a|":   false,
		"v2.31|Action=Allow|Dir=In|Protocol=6|LPort=80|RA4=DNS|Name=a|":    true,
		"v2.31|Action=Allow|Dir=In|Protocol=6|LPort=5985|Edge=TRUE|Name=a": false,
	} {
		r, err := ParseRule(text)
		if err != nil || (Note(r) != "") != noted {
			t.Errorf("%s: %q, %v", text, Note(r), err)
		}
	}
}
