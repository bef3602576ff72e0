package gpedit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// Foreign returns the entries of a file that are of none of our policies. They are kept,
// and hold where something reads their key.
func Foreign(file *registry.Policy) []registry.PolicyEntry {
	all := Policies()
	var out []registry.PolicyEntry
	for _, e := range file.Entries {
		if !slices.ContainsFunc(all, func(p Policy) bool { return p.Has(e) }) {
			out = append(out, e)
		}
	}
	return out
}

// Check says what is wrong with the values of a file, one sentence each: what our
// policies cannot be, and what the settings of this machine could not use.
func Check(file *registry.Policy) []string {
	var bad []string
	tree, err := registry.Overlay(registry.NewTree(), file)
	if err != nil {
		return []string{err.Error()}
	}
	all := Policies()
	for i := range all {
		if s := all[i].Read(file); s.Damage != "" {
			bad = append(bad, all[i].Name+": "+s.Damage)
		}
	}
	for _, p := range settings.LoadSnapshot(tree).Problems {
		if text := p.Err.Error(); !slices.Contains(bad, text) {
			bad = append(bad, text)
		}
	}
	return bad
}

// Merge puts the entries of one file over those of another: what the new one says about a
// value, or about one of our policies, is all that holds of it.
func Merge(file, more *registry.Policy) {
	type place struct{ key, name string }
	at := func(e registry.PolicyEntry) place {
		return place{strings.ToLower(strings.Trim(e.Key, `\`)), strings.ToLower(e.ValueName())}
	}
	said := make(map[place]bool, len(more.Entries))
	for _, e := range more.Entries {
		said[at(e)] = true
	}
	file.Entries = slices.DeleteFunc(file.Entries, func(old registry.PolicyEntry) bool { return said[at(old)] })
	all := Policies()
	for i := range all {
		if !all[i].adds() && len(all[i].own(more).Entries) > 0 {
			all[i].clear(file)
		}
	}
	file.Entries = append(file.Entries, more.Entries...)
}

// adds tells whether the entries of the policy stand for themselves, each with its name.
func (p *Policy) adds() bool {
	return slices.ContainsFunc(p.Options, func(o Option) bool { return o.Kind == Named })
}

// Describe prints an entry as one line: key, name, type and data.
func Describe(e registry.PolicyEntry) string {
	name := e.Name
	if name == "" {
		name = "(Default)"
	}
	text := fmt.Sprintf("%d bytes", len(e.Data))
	if v, err := registry.FromBytes(e.Type, e.Data); err == nil && len(e.Data) <= 512 {
		text = v.String()
	}
	return fmt.Sprintf(`HKLM\%s: %s = %s (%v)`, strings.Trim(e.Key, `\`), name, text, e.Type)
}
