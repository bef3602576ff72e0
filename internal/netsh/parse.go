package netsh

import (
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
)

// parse reads one line without the word netsh.
func parse(args []string) (command, error) {
	line := words(args)
	if len(line) > 0 && strings.HasPrefix(line[0], "-") {
		return nil, globalSwitch(line[0])
	}
	context, err := line.next("netsh", "advfirewall", "firewall")
	if err != nil {
		return nil, err
	}
	if context == "firewall" {
		return parseOld(line)
	}
	verb, err := line.next("netsh advfirewall", "firewall", "show", "set", "reset")
	if err != nil {
		return nil, err
	}
	switch verb {
	case "firewall":
		return parseRules(line)
	case "show":
		return parseShowProfiles(line)
	case "set":
		return parseSetProfiles(line)
	}
	return reset{}, line.done("netsh advfirewall reset")
}

// globalSwitch refuses the switches that stand before a command of netsh.
func globalSwitch(s string) error {
	if strings.EqualFold(s, "-r") {
		return refuse("netsh changes this machine only, so -r is refused and nothing was done.\nTo change another one run it there: casement run HOST -- netsh advfirewall ...")
	}
	return invalid(s, "switches before the command are not known here")
}

func parseRules(line words) (command, error) {
	const where = "netsh advfirewall firewall"
	verb, err := line.next(where, "add", "delete", "set", "show")
	if err != nil {
		return nil, err
	}
	if _, err := line.next(where+" "+verb, "rule"); err != nil {
		return nil, err
	}
	switch verb {
	case "add":
		return parseAdd(line)
	case "delete":
		return parseDelete(line)
	case "set":
		return parseSet(line)
	}
	return parseShow(line)
}

// missing refuses a line without a field that it needs.
func missing(list []pair, needed ...string) error {
	for _, name := range needed {
		if !slices.ContainsFunc(list, func(p pair) bool { return p.name == name }) {
			return refuse("One or more essential parameters were not entered: %s=.\n%s", name, hint)
		}
	}
	return nil
}

func parseAdd(line words) (command, error) {
	list, _, err := pairs(line, fieldNames())
	if err != nil {
		return nil, err
	}
	if err := missing(list, "name", "dir", "action"); err != nil {
		return nil, err
	}
	return newRule(list)
}

// newRule makes the rule that fields describe, with the defaults of Windows.
func newRule(list []pair) (command, error) {
	r := firewall.Rule{ID: newID(), Active: true, Protocol: firewall.AnyProtocol}
	if err := apply(&r, list); err != nil {
		return nil, err
	}
	if err := r.Validate(); err != nil {
		return nil, refuse("The rule cannot be kept: %v.", err)
	}
	return addRule{r}, nil
}

func parseDelete(line words) (command, error) {
	list, _, err := pairs(line, criteria)
	if err != nil {
		return nil, err
	}
	if err := missing(list, "name"); err != nil {
		return nil, err
	}
	which, err := newSelection(list)
	return deleteRules{which}, err
}

func parseSet(line words) (command, error) {
	which, rest, err := pairs(line, append([]string{"group"}, criteria...), "new")
	if err != nil {
		return nil, err
	}
	byGroup := missing(which, "group") == nil
	switch named := missing(which, "name") == nil; {
	case named == byGroup && named:
		return nil, invalid("group=", "it excludes name=")
	case named == byGroup:
		return nil, refuse("One or more essential parameters were not entered: name= or group=.\n%s", hint)
	case len(rest) == 0:
		return nil, refuse("One or more essential parameters were not entered: new, and behind it what changes.\n%s", hint)
	}
	change, _, err := pairs(rest[1:], fieldNames())
	if err != nil {
		return nil, err
	}
	if len(change) == 0 {
		return nil, refuse("One or more essential parameters were not entered: what changes, behind new.\n%s", hint)
	}
	for _, p := range change {
		if byGroup && p.name != "enable" {
			return nil, invalid(p.token, "a group can only be switched with enable=yes or enable=no")
		}
		// What a value is worth by itself is known before any rule is seen.
		if err := fieldOf(p.name).set(&firewall.Rule{}, p.value); err != nil {
			return nil, invalid(p.token, "%v", err)
		}
	}
	selected, err := newSelection(which)
	return setRules{selected, change}, err
}

func parseShow(line words) (command, error) {
	c := showRules{}
	// verbose stands anywhere.
	line = slices.DeleteFunc(slices.Clone(line), func(w string) bool {
		is := strings.EqualFold(w, "verbose")
		c.verbose = c.verbose || is
		return is
	})
	list, _, err := pairs(line, []string{"name", "dir", "profile", "type"})
	if err != nil {
		return nil, err
	}
	if err := missing(list, "name"); err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(p pair) bool {
		if p.name != "type" {
			return false
		}
		if c.active = strings.EqualFold(p.value, "dynamic"); !c.active && !strings.EqualFold(p.value, "static") {
			err = invalid(p.token, "want static or dynamic")
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	c.which, err = newSelection(list)
	c.which.overlap = true
	return c, err
}
