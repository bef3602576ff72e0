package netfirewall

import (
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
)

// The values of the enumerations of MSFT_NetFirewallRule.
const (
	enabledTrue  = 1
	enabledFalse = 2

	inbound  = 1
	outbound = 2

	actionAllow  = 2
	actionBypass = 3
	actionBlock  = 4

	edgeBlock       = 0
	edgeAllow       = 1
	edgeDeferToUser = 2
	edgeDeferToApp  = 3

	sourceLocal       = 1
	sourceGroupPolicy = 2

	statusOK = 1
)

// creationClass begins CreationClassName, which names a rule; the other keys are empty.
const creationClass = "MSFT|FW|FirewallRule|"

// fill gives an instance the properties of a rule as it is stored. EnforcementStatus belongs to the active store.
func fill(i *cim.Instance, r *firewall.Rule) error {
	text := func(s string) cim.Value {
		if s == "" {
			return cim.Null(cim.String)
		}
		return cim.Str(s)
	}
	values := []cim.NamedValue{
		{Name: "CreationClassName", Value: cim.Str(creationClass + r.ID)},
		{Name: "PolicyRuleName", Value: cim.Str("")},
		{Name: "SystemCreationClassName", Value: cim.Str("")},
		{Name: "SystemName", Value: cim.Str("")},
		{Name: "InstanceID", Value: cim.Str(r.ID)},
		{Name: "ElementName", Value: cim.Str(r.Name)},
		{Name: "DisplayName", Value: cim.Str(r.Name)},
		{Name: "Description", Value: text(r.Description)},
		{Name: "RuleGroup", Value: text(r.Group)},
		{Name: "DisplayGroup", Value: text(r.Group)},
		{Name: "Enabled", Value: cim.U16(enabled(r.Active))},
		{Name: "Direction", Value: cim.U16(direction(r.Dir))},
		{Name: "Action", Value: cim.U16(action(r.Action))},
		{Name: "Profiles", Value: cim.U16(profiles(r.Profiles))},
		{Name: "EdgeTraversalPolicy", Value: cim.U16(edge(r))},
		{Name: "LooseSourceMapping", Value: cim.Bool(strings.EqualFold(extra(r, "LSM"), "TRUE"))},
		{Name: "LocalOnlyMapping", Value: cim.Bool(strings.EqualFold(extra(r, "LOM"), "TRUE"))},
		{Name: "Owner", Value: text(extra(r, "LUOwn"))},
		{Name: "PrimaryStatus", Value: cim.U16(statusOK)}, // one that cannot be read is not shown
		{Name: "PolicyStoreSourceType", Value: cim.U16(sourceLocal)},
		{Name: "PolicyStoreSource", Value: cim.Str("PersistentStore")},
	}
	if r.Source == registry.SourceGPO {
		values[len(values)-2].Value = cim.U16(sourceGroupPolicy)
		values[len(values)-1].Value = cim.Null(cim.String) // the hive does not keep which policy it was
	}
	for _, v := range values {
		if err := i.Set(v.Name, v.Value); err != nil {
			return err
		}
	}
	return nil
}

func enabled(active bool) uint16 {
	if active {
		return enabledTrue
	}
	return enabledFalse
}

func direction(d firewall.Direction) uint16 {
	if d == firewall.Out {
		return outbound
	}
	return inbound
}

func action(a firewall.Action) uint16 {
	switch a {
	case firewall.Allow:
		return actionAllow
	case firewall.ByPass:
		return actionBypass
	}
	return actionBlock
}

// profiles are the bits of the profiles; 0 is any of them.
func profiles(p firewall.Profile) uint16 {
	if p == firewall.AllProfiles {
		return 0
	}
	return uint16(p)
}

// edge is what happens to traffic that comes through a NAT device. See [MS-GPFAS] 2.2.2.
func edge(r *firewall.Rule) uint16 {
	switch {
	case strings.EqualFold(extra(r, "Defer"), "User"):
		return edgeDeferToUser
	case strings.EqualFold(extra(r, "Defer"), "App"):
		return edgeDeferToApp
	case strings.EqualFold(extra(r, "Edge"), "TRUE"):
		return edgeAllow
	}
	return edgeBlock
}

func extra(r *firewall.Rule, name string) string {
	for _, f := range r.Extra {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}
