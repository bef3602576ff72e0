package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/casementhq/casement/registry"
)

// TCP is the protocol number of all that this machine serves.
const TCP = 6

// PortWord is what a port is for, as far as rules can name it by a word.
type PortWord uint8

// The words RPC and RPC-EPMap.
const (
	PortRPC    PortWord = 1 + iota // the port of a server of RPC
	PortMapper                     // that of the endpoint mapper
)

// Part is a part of the machine as rules name it.
type Part struct {
	Program string // ProgramSystem and so on, or the path of an executable file
	Service string
	Port    PortWord // of its local port
}

// WinRM are the listeners of WinRM.
func WinRM() Part { return Part{Program: ProgramSystem} }

// EndpointMapper is what stands at port 135.
func EndpointMapper() Part {
	return Part{Program: ProgramSvchost, Service: ServiceRPC, Port: PortMapper}
}

// WMI is the endpoint of WMI, and what calls clients back.
func WMI() Part { return Part{Program: ProgramSvchost, Service: ServiceWMI, Port: PortRPC} }

// Traffic is a connection that begins. A port of 0 and an address that is not valid are
// not known.
type Traffic struct {
	Part
	Dir           Direction
	Protocol      int // TCP where it is 0
	Local, Remote netip.AddrPort
}

// Reason says what decided.
type Reason uint8

// The reasons, in the order in which they are looked at.
const (
	ByLoopback Reason = 1 + iota // traffic within the machine
	ByState                      // the firewall is off for the present profile
	ByShield                     // the profile lets nothing in
	ByRule
	ByDefault // there is no rule
)

// Verdict is the answer to a question.
type Verdict struct {
	Allowed bool
	Why     Reason
	Rule    string // ID of the rule, for ByRule
	Name    string // its name
}

// String is the answer in words.
func (v Verdict) String() string {
	did := "blocks"
	if v.Allowed {
		did = "allows"
	}
	switch v.Why {
	case ByLoopback:
		return "traffic within the machine passes"
	case ByState:
		return "the firewall is off for this network profile"
	case ByShield:
		return "this network profile permits no exceptions (" + string(SettingShielded) + ")"
	case ByRule:
		return fmt.Sprintf("the rule %q (%s) %s it", v.Name, v.Rule, did)
	}
	return "no rule names it, and by default this network profile " + did + " it"
}

// Filter answers whether connections may pass, as the hive was when it was compiled. It
// is immutable.
type Filter struct {
	profile  Profile
	settings Settings
	subnets  func() []netip.Prefix
	// Rules that block stand before those that allow, by direction.
	in, out  []compiled
	problems []error
}

// Effective returns the rules that hold on one profile, those that are not active too: a
// rule of Group Policy takes the place of one of the machine with its ID, and where the
// policy ignores the machine's rules, its own are alone.
func Effective(s Snapshot, p Profile) ([]Rule, []error) {
	rules, bad := Rules(s)
	set, more := LoadSettings(s, p)
	byPolicy := map[string]bool{}
	for _, r := range rules {
		if r.Source == registry.SourceGPO {
			byPolicy[strings.ToLower(r.ID)] = true
		}
	}
	return slices.DeleteFunc(rules, func(r Rule) bool {
		return !r.AppliesTo(p) || r.Source != registry.SourceGPO && (!set.LocalRules || byPolicy[strings.ToLower(r.ID)])
	}), append(bad, more...)
}

// Compile makes the filter of the present profile. Subnets are those that the machine
// is in; nil is none.
func Compile(s Snapshot, subnets func() []netip.Prefix) *Filter {
	f := &Filter{profile: Present(s), subnets: subnets}
	f.settings, _ = LoadSettings(s, f.profile)
	rules, bad := Effective(s, f.profile)
	f.problems = bad
	for _, action := range []Action{Block, Allow} {
		for i := range rules {
			r := &rules[i]
			if !r.Active || r.Action != action { // ByPass is for those who prove themselves by IPsec: nobody does here
				continue
			}
			c, err := compile(r)
			if err != nil {
				f.problems = append(f.problems, err)
			}
			if r.Dir == Out {
				f.out = append(f.out, c)
			} else {
				f.in = append(f.in, c)
			}
		}
	}
	return f
}

// Problems are what could not be read, or not be checked here. A rule that allows and
// has a condition that is not checked here admits nothing; one that blocks blocks
// whatever its other conditions fit.
func (f *Filter) Problems() []error { return f.problems }

// Profile is the network profile whose rules these are.
func (f *Filter) Profile() Profile { return f.profile }

// Verdict decides about a connection. Traffic within the machine passes always. Else
// what blocks beats what allows, and without a rule the profile decides ([MS-FASP]
// 2.2.34, 2.2.38).
func (f *Filter) Verdict(t Traffic) Verdict {
	local, remote := plain(t.Local.Addr()), plain(t.Remote.Addr())
	switch {
	case remote.IsLoopback(), remote.IsValid() && remote == local:
		return Verdict{Allowed: true, Why: ByLoopback}
	case !f.settings.Enabled:
		return Verdict{Allowed: true, Why: ByState}
	case f.settings.Shielded && t.Dir == In:
		return Verdict{Why: ByShield}
	}
	if t.Protocol == 0 {
		t.Protocol = TCP
	}
	rules, byDefault := f.in, f.settings.Inbound
	if t.Dir == Out {
		rules, byDefault = f.out, f.settings.Outbound
	}
	for i := range rules {
		r := &rules[i]
		m := r.match(&t, local, remote, f.subnets)
		if m == yes || m == maybe && r.block {
			return Verdict{Allowed: !r.block, Why: ByRule, Rule: r.id, Name: r.name}
		}
	}
	return Verdict{Allowed: byDefault == Allow, Why: ByDefault}
}

// Open reports whether some other machine may reach a part at a port, as far as can be
// told without knowing which.
func (f *Filter) Open(p Part, port uint16) bool {
	t := Traffic{Part: p, Dir: In, Protocol: TCP, Local: netip.AddrPortFrom(netip.Addr{}, port)}
	switch {
	case !f.settings.Enabled:
		return true
	case f.settings.Shielded:
		return false
	}
	for i := range f.in {
		r := &f.in[i]
		switch m := r.match(&t, netip.Addr{}, netip.Addr{}, nil); {
		case r.block && m == yes:
			return false
		case !r.block && m != no && !r.unknown:
			return true
		}
	}
	return f.settings.Inbound == Allow
}

// plain is an address without what rules do not know.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
