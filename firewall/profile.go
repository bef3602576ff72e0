package firewall

import (
	"errors"
	"fmt"
	"strings"

	"github.com/casementhq/casement/registry"
)

// Registry keys of the settings of the profiles, each below a key of the profile:
// DomainProfile, StandardProfile (private networks) and PublicProfile. Group Policy
// calls private networks PrivateProfile too ([MS-GPFAS] 2.2.3).
const (
	KeyProfiles       = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy`
	KeyPolicyProfiles = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall`
)

// Setting is a value of a profile, a REG_DWORD.
type Setting string

// The settings. A value that is none of them is not kept here.
const (
	// SettingState is 0 where the profile blocks nothing, else 1.
	SettingState Setting = "EnableFirewall"
	// SettingShielded is 1 where nothing comes in, whatever the rules say.
	SettingShielded Setting = "DoNotAllowExceptions"
	// SettingInbound and SettingOutbound are what happens to a connection for which
	// there is no rule: 0 it passes, 1 it is blocked.
	SettingInbound  Setting = "DefaultInboundAction"
	SettingOutbound Setting = "DefaultOutboundAction"
	// SettingLocalRules is 0 where Group Policy ignores the rules of the machine. Only
	// its policy can set it.
	SettingLocalRules Setting = "AllowLocalPolicyMerge"
)

// Settings are those of a profile.
type Settings struct {
	Enabled    bool
	Shielded   bool
	Inbound    Action // Allow or Block
	Outbound   Action
	LocalRules bool
	// Sources says where those come from that are set.
	Sources map[Setting]registry.Source
}

// profileKeys are the keys of the profiles in the order of their bits.
var profileKeys = [...]string{`\DomainProfile`, `\StandardProfile`, `\PublicProfile`}

// policyKey is the key of a profile's policy. StandardProfile is for private and
// public networks where neither has a key of its own ([MS-GPFAS] 2.2.3).
func policyKey(s Snapshot, p Profile) string {
	if p == Domain {
		return KeyPolicyProfiles + `\DomainProfile`
	}
	private, public := KeyPolicyProfiles+`\PrivateProfile`, KeyPolicyProfiles+`\PublicProfile`
	switch {
	case !s.Exists(private) && !s.Exists(public):
		return KeyPolicyProfiles + `\StandardProfile`
	case p == Private:
		return private
	}
	return public
}

// localKey is the key of one profile.
func localKey(p Profile) (string, error) {
	for i, k := range profileKeys {
		if p == 1<<i {
			return KeyProfiles + k, nil
		}
	}
	return "", fmt.Errorf("firewall: %q is not one profile", p)
}

// LoadSettings returns the settings of one profile: Group Policy over the machine's
// over Windows' defaults. A value that cannot be read counts as its closed form and is
// reported.
func LoadSettings(s Snapshot, p Profile) (Settings, []error) {
	set := Settings{Enabled: true, Inbound: Block, Outbound: Allow, LocalRules: true, Sources: map[Setting]registry.Source{}}
	local, err := localKey(p)
	if err != nil {
		return Settings{Enabled: true, Shielded: true, Inbound: Block, Outbound: Block}, []error{err}
	}
	var bad []error
	load := func(name Setting, closed bool) (on, ok bool) {
		for _, at := range []struct {
			key string
			src registry.Source
		}{{policyKey(s, p), registry.SourceGPO}, {local, registry.SourceHive}} {
			if name == SettingLocalRules && at.src != registry.SourceGPO {
				continue
			}
			v, there := value(s, at.key, string(name))
			if !there {
				continue
			}
			set.Sources[name] = at.src
			n, isNumber := v.Uint()
			if !isNumber {
				bad = append(bad, fmt.Errorf(`firewall: %s\%s is a %v, want REG_DWORD`, at.key, name, v.Type()))
				return closed, true
			}
			return n != 0, true
		}
		return false, false
	}
	action := func(on bool) Action {
		if on {
			return Block
		}
		return Allow
	}
	if on, ok := load(SettingState, true); ok {
		set.Enabled = on
	}
	if on, ok := load(SettingShielded, true); ok {
		set.Shielded = on
	}
	if on, ok := load(SettingInbound, true); ok {
		set.Inbound = action(on)
	}
	if on, ok := load(SettingOutbound, true); ok {
		set.Outbound = action(on)
	}
	if on, ok := load(SettingLocalRules, false); ok {
		set.LocalRules = on
	}
	return set, bad
}

func value(s Snapshot, key, name string) (registry.Value, bool) {
	for _, nv := range s.Values(key) {
		if strings.EqualFold(nv.Name, name) {
			return nv.Value, true
		}
	}
	return registry.Value{}, false
}

// Set writes a setting of the machine for each of the profiles.
func Set(tx *registry.Tx, profiles Profile, name Setting, n uint32) error {
	return eachProfile(profiles, name, func(key string) error { return tx.Set(key, string(name), registry.DWORD(n)) })
}

// Unset takes a setting of the machine back for each of the profiles; its default holds
// then.
func Unset(tx *registry.Tx, profiles Profile, name Setting) error {
	return eachProfile(profiles, name, func(key string) error { return tx.Delete(key, string(name)) })
}

func eachProfile(profiles Profile, name Setting, f func(key string) error) error {
	switch name {
	case SettingState, SettingShielded, SettingInbound, SettingOutbound:
	case SettingLocalRules:
		return errors.New("firewall: whether rules of the machine count is set by Group Policy alone")
	default:
		return fmt.Errorf("firewall: no such setting of a profile: %q", clip(string(name)))
	}
	if profiles&AllProfiles == 0 || profiles&^AllProfiles != 0 {
		return fmt.Errorf("firewall: %q are no profiles", profiles)
	}
	for i, k := range profileKeys {
		if profiles&(1<<i) == 0 {
			continue
		}
		if err := f(KeyProfiles + k); err != nil {
			return err
		}
	}
	return nil
}

// Where the present network profile of the machine is kept: Domain, Private or Public.
const (
	KeyPresent  = `HKLM\SOFTWARE\Casement`
	PresentName = "NetworkProfile"
)

// Present is the network profile that the machine is in, Private where the hive does
// not name one. A damaged value counts as Public.
func Present(s Snapshot) Profile {
	v, ok := value(s, KeyPresent, PresentName)
	return PresentOf(v, ok)
}

// PresentOf reads the value that names the present profile; ok says that there is one.
func PresentOf(v registry.Value, ok bool) Profile {
	if !ok {
		return Private
	}
	text, _ := v.Text()
	p, err := ParseProfile(text)
	if err != nil {
		return Public
	}
	return p
}
