package netsh

import (
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
)

// selection finds rules: all criteria must hold. Text compares without case.
type selection struct {
	group   string
	all     bool // of any name
	want    firewall.Rule
	fields  []field
	overlap bool // a rule of several profiles is found by each of them, not only by all
}

func newSelection(list []pair) (selection, error) {
	s := selection{want: firewall.Rule{Protocol: firewall.AnyProtocol}}
	for _, p := range list {
		switch {
		case p.name == "group":
			if s.group = p.value; p.value == "" {
				return s, invalid(p.token, "the name of a group is missing")
			}
			continue
		case p.name == "name" && strings.EqualFold(p.value, "all"):
			s.all = true
			continue
		}
		f := fieldOf(p.name)
		if err := f.set(&s.want, p.value); err != nil {
			return s, invalid(p.token, "%v", err)
		}
		s.fields = append(s.fields, f)
	}
	return s, nil
}

func (s *selection) matches(r *firewall.Rule) bool {
	if s.group != "" && !strings.EqualFold(r.Group, s.group) {
		return false
	}
	return !slices.ContainsFunc(s.fields, func(f field) bool {
		if f.name == "profile" && s.overlap {
			return Profiles(*r)&Profiles(s.want) == 0
		}
		return !strings.EqualFold(f.get(r), f.get(&s.want))
	})
}

// newID is the name of a new rule in the hive.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it does not fail: crypto/rand ends the program instead
	return fmt.Sprintf("{%X-%X-%X-%X-%X}", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

type addRule struct{ rule firewall.Rule }

func (c addRule) run(h *registry.Hive, out io.Writer) error {
	if err := h.Update(func(tx *registry.Tx) error { return firewall.Put(tx, c.rule) }); err != nil {
		return err
	}
	if note := firewall.Note(c.rule); note != "" {
		fmt.Fprintln(out, note)
	}
	ignored(h, out)
	return ok(out)
}

func ok(out io.Writer) error {
	_, err := fmt.Fprint(out, "Ok.\n\n")
	return err
}

// change calls f with each local rule that is selected, and says why where there is none.
func change(h *registry.Hive, which selection, f func(*registry.Tx, firewall.Rule) error) (n int, err error) {
	err = h.Update(func(tx *registry.Tx) error {
		n = 0
		rules, _ := firewall.Rules(tx)
		for _, r := range rules {
			if r.Source == registry.SourceGPO || !which.matches(&r) {
				continue
			}
			n++
			if err := f(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && n == 0 {
		err = noLocal(h, which)
	}
	return n, err
}

// noLocal says why no rule can be changed.
func noLocal(h *registry.Hive, which selection) error {
	for _, r := range policyRules(h) {
		if which.matches(&r) {
			return refuse("The rule %s comes from Group Policy and is changed there. Nothing was changed.", quoted(r.Name))
		}
	}
	return errNoMatch
}

func policyRules(h *registry.Hive) []firewall.Rule {
	rules, _ := firewall.Rules(h.Snapshot())
	return slices.DeleteFunc(rules, func(r firewall.Rule) bool { return r.Source != registry.SourceGPO })
}

// remark says which of the rules that were changed a policy overrules.
func remark(h *registry.Hive, which selection, out io.Writer) {
	for _, r := range policyRules(h) {
		if which.matches(&r) {
			fmt.Fprintf(out, "A rule %s of Group Policy stays as it is.\n", quoted(r.Name))
		}
	}
}

// ignored says where a policy lets no rule of the machine count.
func ignored(h *registry.Hive, out io.Writer) {
	present := firewall.Present(h.Snapshot())
	if set, _ := firewall.LoadSettings(h.Snapshot(), present); !set.LocalRules {
		fmt.Fprintf(out, "Group Policy lets rules of this machine not count on %v networks, so nothing comes of it now.\n", present)
	}
}

type setRules struct {
	which  selection
	change []pair
}

func (c setRules) run(h *registry.Hive, out io.Writer) error {
	n, err := change(h, c.which, func(tx *registry.Tx, r firewall.Rule) error {
		before := r.String()
		if err := apply(&r, c.change); err != nil {
			return err
		}
		if r.String() == before {
			return nil
		}
		return firewall.Put(tx, r)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nUpdated %d rule(s).\n", n)
	remark(h, c.which, out)
	ignored(h, out)
	return ok(out)
}

type deleteRules struct{ which selection }

func (c deleteRules) run(h *registry.Hive, out io.Writer) error {
	n, err := change(h, c.which, func(tx *registry.Tx, r firewall.Rule) error { return firewall.Remove(tx, r.ID) })
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nDeleted %d rule(s).\n", n)
	remark(h, c.which, out)
	return ok(out)
}

// Switch enables or disables the rules of a group or, where no group is called so, of a name, and returns their number.
// Names compare without case. It fails where there are none, and where all of them are rules of Group Policy.
func Switch(h *registry.Hive, name string, active bool) (int, error) {
	rules, _ := firewall.Rules(h.Snapshot())
	which := selection{group: name}
	if !slices.ContainsFunc(rules, func(r firewall.Rule) bool { return which.matches(&r) }) {
		which = selection{want: firewall.Rule{Name: name}, fields: []field{fieldOf("name")}}
	}
	return change(h, which, func(tx *registry.Tx, r firewall.Rule) error {
		if r.Active == active {
			return nil
		}
		r.Active = active
		return firewall.Put(tx, r)
	})
}
