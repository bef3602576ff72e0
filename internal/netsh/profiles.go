package netsh

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
)

// profileWords name the profiles of show and set; currentprofile is that of the present network.
var profileWords = []string{"allprofiles", "currentprofile", "domainprofile", "privateprofile", "publicprofile"}

func profilesNamed(word string, s firewall.Snapshot) firewall.Profile {
	switch word {
	case "currentprofile":
		return firewall.Present(s)
	case "domainprofile":
		return firewall.Domain
	case "privateprofile":
		return firewall.Private
	case "publicprofile":
		return firewall.Public
	}
	return firewall.AllProfiles
}

type showProfiles struct{ profiles, part string }

func parseShowProfiles(line words) (command, error) {
	const where = "netsh advfirewall show"
	which, err := line.next(where, profileWords...)
	if err != nil {
		return nil, err
	}
	c := showProfiles{profiles: which}
	if len(line) > 0 {
		if c.part, err = line.next(where+" "+which, "state", "firewallpolicy"); err != nil {
			return nil, err
		}
	}
	return c, line.done(where + " " + which)
}

func (c showProfiles) run(h *registry.Hive, out io.Writer) error {
	snapshot := h.Snapshot()
	which := profilesNamed(c.profiles, snapshot)
	for _, p := range []firewall.Profile{firewall.Domain, firewall.Private, firewall.Public} {
		if which&p == 0 {
			continue
		}
		set, bad := firewall.LoadSettings(snapshot, p)
		fmt.Fprintf(out, "\n%v Profile Settings:\n%s\n", p, strings.Repeat("-", 70))
		line := func(label, value string, from ...firewall.Setting) {
			if slices.ContainsFunc(from, func(s firewall.Setting) bool { return set.Sources[s] == registry.SourceGPO }) {
				value += ` [Source="GPO"]`
			}
			fmt.Fprintf(out, "%-*s%s\n", column, label, value)
		}
		if c.part != "firewallpolicy" {
			line("State", map[bool]string{true: "ON", false: "OFF"}[set.Enabled], firewall.SettingState)
		}
		if c.part != "state" {
			line("Firewall Policy", policyText(set), firewall.SettingInbound, firewall.SettingOutbound, firewall.SettingShielded)
		}
		if c.part == "" {
			line("LocalFirewallRules", map[bool]string{true: "Enable", false: "Disable"}[set.LocalRules], firewall.SettingLocalRules)
		}
		for _, err := range bad {
			fmt.Fprintf(out, "Counts as closed: %v\n", err)
		}
	}
	fmt.Fprintln(out)
	return ok(out)
}

func policyText(set firewall.Settings) string {
	in, text := "AllowInbound", "AllowOutbound"
	switch {
	case set.Shielded:
		in = "BlockInboundAlways"
	case set.Inbound == firewall.Block:
		in = "BlockInbound"
	}
	if set.Outbound == firewall.Block {
		text = "BlockOutbound"
	}
	return in + "," + text
}

// setting is a value of a profile to write, or to take back where there is none.
type setting struct {
	name  firewall.Setting
	value *uint32
}

type changeProfiles struct {
	profiles string
	settings []setting
}

// number is a pointer to n; notConfigured takes a setting back.
func number(n uint32) *uint32 { return &n }

var notConfigured *uint32

func parseSetProfiles(line words) (command, error) {
	const where = "netsh advfirewall set"
	which, err := line.next(where, profileWords...)
	if err != nil {
		return nil, err
	}
	part, err := line.next(where+" "+which, "state", "firewallpolicy")
	if err != nil {
		return nil, err
	}
	if len(line) == 0 {
		return nil, refuse("One or more essential parameters were not entered: the value behind %s.\n%s", part, hint)
	}
	c := changeProfiles{profiles: which}
	value := strings.Join(line, "") // blanks around the comma do not count
	if part == "state" {
		c.settings, err = stateSettings(value)
	} else {
		c.settings, err = policySettings(value)
	}
	return c, err
}

func stateSettings(value string) ([]setting, error) {
	switch strings.ToLower(value) {
	case "on":
		return []setting{{firewall.SettingState, number(1)}}, nil
	case "off":
		return []setting{{firewall.SettingState, number(0)}}, nil
	case "notconfigured":
		return []setting{{firewall.SettingState, notConfigured}}, nil
	}
	return nil, invalid(value, "want on, off or notconfigured")
}

func policySettings(value string) ([]setting, error) {
	in, outward, _ := strings.Cut(value, ",")
	var list []setting
	switch strings.ToLower(in) {
	case "blockinbound":
		list = []setting{{firewall.SettingShielded, number(0)}, {firewall.SettingInbound, number(1)}}
	case "blockinboundalways":
		list = []setting{{firewall.SettingShielded, number(1)}, {firewall.SettingInbound, number(1)}}
	case "allowinbound":
		list = []setting{{firewall.SettingShielded, number(0)}, {firewall.SettingInbound, number(0)}}
	case "notconfigured":
		list = []setting{{firewall.SettingShielded, notConfigured}, {firewall.SettingInbound, notConfigured}}
	default:
		return nil, invalid(in, "want blockinbound, blockinboundalways, allowinbound or notconfigured before the comma")
	}
	switch strings.ToLower(outward) {
	case "allowoutbound":
		return append(list, setting{firewall.SettingOutbound, number(0)}), nil
	case "blockoutbound":
		return append(list, setting{firewall.SettingOutbound, number(1)}), nil
	case "notconfigured":
		return append(list, setting{firewall.SettingOutbound, notConfigured}), nil
	}
	return nil, invalid(outward, "want allowoutbound, blockoutbound or notconfigured behind the comma")
}

func (c changeProfiles) run(h *registry.Hive, out io.Writer) error {
	which := profilesNamed(c.profiles, h.Snapshot())
	err := h.Update(func(tx *registry.Tx) error {
		for _, s := range c.settings {
			if s.value == nil {
				if err := firewall.Unset(tx, which, s.name); err != nil {
					return err
				}
				continue
			}
			if err := firewall.Set(tx, which, s.name, *s.value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	overruled(h, which, c.settings, out)
	return ok(out)
}

// overruled says where a policy stands over what was set.
func overruled(h *registry.Hive, which firewall.Profile, list []setting, out io.Writer) {
	for _, p := range []firewall.Profile{firewall.Domain, firewall.Private, firewall.Public} {
		set, _ := firewall.LoadSettings(h.Snapshot(), p)
		for _, s := range list {
			if which&p != 0 && set.Sources[s.name] == registry.SourceGPO {
				fmt.Fprintf(out, "A policy rules %s for %v networks and stays in force.\n", s.name, p)
			}
		}
	}
}

// reset gives back the rules and the settings of a new installation.
type reset struct{}

func (reset) run(h *registry.Hive, out io.Writer) error {
	err := h.Update(func(tx *registry.Tx) error {
		var errs []error
		if tx.Exists(firewall.KeyRules) {
			errs = append(errs, tx.DeleteKey(firewall.KeyRules))
		}
		for _, name := range []firewall.Setting{firewall.SettingState, firewall.SettingShielded, firewall.SettingInbound, firewall.SettingOutbound} {
			errs = append(errs, firewall.Unset(tx, firewall.AllProfiles, name))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Rules of this machine are gone and the built-in ones are off, those of WinRM too.")
	return ok(out)
}
