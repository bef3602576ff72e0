package netsh

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
)

// column is where values stand in what is shown of a rule, and of a profile.
const column = 38

type showRules struct {
	which   selection
	active  bool // only those in force on the present profile
	verbose bool
}

func (c showRules) run(h *registry.Hive, out io.Writer) error {
	rules, bad := Rules(h.Snapshot())
	if c.active {
		rules, bad = firewall.Effective(h.Snapshot(), firewall.Present(h.Snapshot()))
	}
	n := 0
	for i := range rules {
		r := &rules[i]
		if !c.which.matches(r) || c.active && !r.Active {
			continue
		}
		n++
		showRule(out, r, c.verbose)
	}
	for _, err := range bad {
		fmt.Fprintf(out, "\nLeft out, and admits nothing: %v\n", err)
	}
	if n == 0 {
		return errNoMatch
	}
	return ok(out)
}

// Rules returns the rules to show, and what is damaged: a local one that a rule of Group Policy stands over is left out.
func Rules(s firewall.Snapshot) ([]firewall.Rule, []error) {
	rules, bad := firewall.Rules(s)
	policy := map[string]bool{}
	for _, r := range rules {
		if r.Source == registry.SourceGPO {
			policy[strings.ToLower(r.ID)] = true
		}
	}
	return slices.DeleteFunc(rules, func(r firewall.Rule) bool { return r.Source != registry.SourceGPO && policy[strings.ToLower(r.ID)] }), bad
}

// showRule prints a rule in the lines of Windows.
func showRule(out io.Writer, r *firewall.Rule, verbose bool) {
	var b strings.Builder
	line := func(label, value string) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s%s", column, label+":", value), " ") + "\n")
	}
	b.WriteByte('\n')
	line("Rule Name", r.Name)
	b.WriteString(strings.Repeat("-", 70) + "\n")
	if verbose {
		line("Description", r.Description)
	}
	line("Enabled", yesNo(r.Active))
	line("Direction", string(r.Dir))
	line("Profiles", Profiles(*r).String())
	line("Grouping", r.Group)
	line("LocalIP", Addresses(r.LocalAddrs))
	line("RemoteIP", Addresses(r.RemoteAddrs))
	line("Protocol", Protocol(*r))
	if r.Protocol == tcp || r.Protocol == udp {
		line("LocalPort", Ports(r.LocalPorts))
		line("RemotePort", Ports(r.RemotePorts))
	}
	showICMP(line, r)
	line("Edge traversal", edge(r))
	if verbose {
		line("Program", r.Program)
		line("Service", r.Service)
		line("InterfaceTypes", interfaceType(r))
		line("Security", security(r))
	}
	line("Rule source", Source(*r))
	line("Action", string(r.Action))
	if note := firewall.Note(*r); note != "" {
		line("Note", note)
	}
	_, _ = io.WriteString(out, b.String()) // what follows says it if nothing can be written
}

func showICMP(line func(label, value string), r *firewall.Rule) {
	for _, f := range r.Extra {
		if f.Name == "ICMP4" || f.Name == "ICMP6" {
			kind, code, _ := strings.Cut(f.Value, ":")
			if code == "*" {
				code = "Any"
			}
			line("Type, Code", kind+", "+code)
		}
	}
}

// Source is where a rule comes from: Built-in, Local Setting or Group Policy Setting.
func Source(r firewall.Rule) string {
	switch {
	case r.Source == registry.SourceGPO:
		return "Group Policy Setting"
	case slices.ContainsFunc(firewall.Builtin(), func(b firewall.Rule) bool { return strings.EqualFold(b.ID, r.ID) }):
		return "Built-in"
	}
	return "Local Setting"
}
