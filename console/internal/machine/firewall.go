package machine

import (
	"context"
	"sort"
	"strings"

	"github.com/casementhq/casement/cim"
)

// FirewallNamespace has the classes of Windows Firewall with Advanced Security.
const FirewallNamespace = `root\standardcimv2`

// FirewallRule is a rule. See MSFT_NetFirewallRule.
type FirewallRule struct {
	ID        string   `json:"id"` // InstanceID, which names it in Enable and Disable
	Name      string   `json:"name"`
	Group     string   `json:"group,omitempty"`
	Enabled   bool     `json:"enabled"`
	Direction string   `json:"direction"` // Inbound, Outbound
	Action    string   `json:"action"`    // Allow, Block, AllowBypass
	Profiles  []string `json:"profiles"`  // Domain, Private, Public; none: all
	// ByPolicy tells that Group Policy made it: it cannot be changed at the server.
	ByPolicy    bool   `json:"by_policy"`
	Source      string `json:"source,omitempty"` // the name of the store
	Description string `json:"description,omitempty"`
}

const maxRules = 10000

// FirewallRules lists the rules of a session with FirewallNamespace. cut tells
// that there are more.
func FirewallRules(ctx context.Context, s cim.Session) (list []FirewallRule, cut bool, err error) {
	cut, err = rows(ctx, s, "SELECT * FROM MSFT_NetFirewallRule", maxRules, func(r row) {
		rule := FirewallRule{
			ID: r.text("InstanceID"), Name: r.text("DisplayName"), Group: r.text("DisplayGroup"), Enabled: r.or("Enabled", 0) == 1,
			Source: r.text("PolicyStoreSource"), ByPolicy: r.or("PolicyStoreSourceType", 1) == 2, Description: r.text("Description"),
		}
		if rule.Name == "" {
			rule.Name = r.text("ElementName")
		}
		rule.Direction = named(r.or("Direction", 0), "", "Inbound", "Outbound")
		rule.Action = named(r.or("Action", 0), "", "", "Allow", "AllowBypass", "Block")
		for bit, name := range []string{"Domain", "Private", "Public"} {
			if r.or("Profiles", 0)&(1<<bit) != 0 {
				rule.Profiles = append(rule.Profiles, name)
			}
		}
		list = append(list, rule)
	})
	sort.SliceStable(list, func(i, j int) bool { return strings.ToLower(list[i].Name) < strings.ToLower(list[j].Name) })
	return list, cut, err
}

// named is the name of a number in a value map, "" for one that has none.
func named(n uint64, names ...string) string {
	if n < uint64(len(names)) {
		return names[n]
	}
	return ""
}

// RuleGroup is a group of rules with how many of them are on.
type RuleGroup struct {
	Name    string `json:"name"`
	Rules   int    `json:"rules"`
	Enabled int    `json:"enabled"`
	// ByPolicy tells that a rule of it is a policy's.
	ByPolicy bool `json:"by_policy"`
}

// RuleGroups sums the groups of rules up, by name.
func RuleGroups(rules []FirewallRule) []RuleGroup {
	byName := map[string]*RuleGroup{}
	for _, r := range rules {
		if r.Group == "" {
			continue
		}
		g := byName[r.Group]
		if g == nil {
			g = &RuleGroup{Name: r.Group}
			byName[r.Group] = g
		}
		g.Rules++
		if r.Enabled {
			g.Enabled++
		}
		g.ByPolicy = g.ByPolicy || r.ByPolicy
	}
	list := make([]RuleGroup, 0, len(byName))
	for _, g := range byName {
		list = append(list, *g)
	}
	sort.Slice(list, func(i, j int) bool { return strings.ToLower(list[i].Name) < strings.ToLower(list[j].Name) })
	return list
}
