package netsh

import (
	"fmt"
	"io"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
)

// parseOld reads the older commands below netsh firewall, of which ports are left: spec/wmi.md 1.3. Their operands have an
// order, and may have their names before them.
func parseOld(line words) (command, error) {
	const where = "netsh firewall"
	verb, err := line.next(where, "add", "delete", "show", "set")
	if err != nil {
		return nil, err
	}
	if verb == "show" || verb == "set" {
		return nil, refuse("The command %s %s is not answered here. netsh advfirewall has what took its place: 'netsh advfirewall firewall %s rule', 'netsh advfirewall %s allprofiles'.", where, verb, verb, verb)
	}
	if _, err := line.next(where+" "+verb, "portopening"); err != nil {
		return nil, err
	}
	if verb == "add" {
		return parseAddPort(line)
	}
	return parseDeletePort(line)
}

// operands gives the operands of an old command their names, in order where they have none.
func operands(line words, names ...string) (map[string]pair, error) {
	line = joined(line, names, nil)
	for n, token := range line {
		if strings.Contains(token, "=") {
			continue
		}
		if n >= len(names) {
			return nil, invalid(token, "it is one operand too many")
		}
		line[n] = names[n] + "=" + token
	}
	list, _, err := pairs(line, names)
	out := map[string]pair{}
	for _, p := range list {
		out[p.name] = pair{p.name, p.value, p.value}
	}
	return out, err
}

// port reads the protocol and the port of an old command.
func port(ops map[string]pair) (list []pair, err error) {
	for _, name := range []string{"protocol", "port"} {
		if ops[name].value == "" {
			return nil, refuse("One or more essential parameters were not entered: %s.\n%s", name, hint)
		}
	}
	p := ops["protocol"]
	if !strings.EqualFold(p.value, "tcp") && !strings.EqualFold(p.value, "udp") {
		return nil, invalid(p.token, "want TCP or UDP")
	}
	return []pair{p, {"localport", ops["port"].value, ops["port"].token}}, nil
}

func parseAddPort(line words) (command, error) {
	ops, err := operands(line, "protocol", "port", "name", "mode", "scope", "addresses", "profile")
	if err != nil {
		return nil, err
	}
	list, err := port(ops)
	if err != nil {
		return nil, err
	}
	name := ops["name"]
	if name.value == "" {
		return nil, refuse("One or more essential parameters were not entered: name.\n%s", hint)
	}
	list = append(list, pair{"name", name.value, name.token}, pair{"dir", "in", ""}, pair{"action", "allow", ""})
	for _, of := range []struct {
		name, field string
		words       map[string]string
	}{
		{"mode", "enable", map[string]string{"enable": "yes", "disable": "no"}},
		{"scope", "remoteip", map[string]string{"all": "any", "subnet": "localsubnet", "custom": ops["addresses"].value}},
		{"profile", "profile", oldProfiles},
	} {
		p, given := ops[of.name]
		if !given {
			continue
		}
		value, ok := of.words[strings.ToLower(p.value)]
		if !ok || value == "" {
			return nil, invalid(p.token, "it is no %s, or lacks its addresses", of.name)
		}
		list = append(list, pair{of.field, value, p.token})
	}
	if _, custom := ops["addresses"]; custom && !strings.EqualFold(ops["scope"].value, "custom") {
		return nil, invalid(ops["addresses"].token, "addresses need scope=CUSTOM")
	}
	c, err := newRule(list)
	if err != nil {
		return nil, err
	}
	return old{c}, nil
}

// oldProfiles are the profiles of the older commands. The present one becomes any, as a rule of today has it: a fixed port
// shall not shut when the network changes.
var oldProfiles = map[string]string{"current": "any", "all": "any", "domain": "domain", "standard": "private,public"}

func parseDeletePort(line words) (command, error) {
	ops, err := operands(line, "protocol", "port", "profile")
	if err != nil {
		return nil, err
	}
	list, err := port(ops)
	if err != nil {
		return nil, err
	}
	if p, given := ops["profile"]; given {
		value, ok := oldProfiles[strings.ToLower(p.value)]
		if !ok {
			return nil, invalid(p.token, "want CURRENT, DOMAIN, STANDARD or ALL")
		}
		if value != "any" {
			list = append(list, pair{"profile", value, p.token})
		}
	}
	which, err := newSelection(append(list, pair{"dir", "in", ""}))
	if err != nil {
		return nil, err
	}
	return old{deletePorts{which}}, nil
}

// deletePorts deletes the rules that open a port for every program: built-in ones, and those of a program, are not meant.
type deletePorts struct{ which selection }

func (c deletePorts) run(h *registry.Hive, out io.Writer) error {
	n := 0
	err := h.Update(func(tx *registry.Tx) error {
		n = 0
		rules, _ := firewall.Rules(tx)
		for _, r := range rules {
			if r.Source != registry.SourceHive || r.Action != firewall.Allow || r.Program+r.Service+r.Group != "" || !c.which.matches(&r) {
				continue
			}
			n++
			if err := firewall.Remove(tx, r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case n == 0:
		return errNoMatch
	}
	return ok(out)
}

// old is a command whose place another one has taken.
type old struct{ command }

func (c old) run(h *registry.Hive, out io.Writer) error {
	if err := c.command.run(h, out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "'netsh firewall' is the older form; 'netsh advfirewall firewall' has more to say about a rule.")
	return err
}
