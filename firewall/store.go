package firewall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/registry"
)

// Registry keys of the rules: the local ones and those of Group Policy. A value is one
// rule and its name is the rule's ID. An empty string hides a built-in rule.
const (
	KeyRules  = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules`
	KeyPolicy = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules`
)

// Snapshot is what the rules are read from: *registry.Tree or *registry.Tx.
type Snapshot interface {
	Values(key string) []registry.Named
	Exists(key string) bool
}

// Rules returns all rules: the built-in ones with what the hive changes in them, the
// hive's own and those of Group Policy, which come last and hold in the place of a rule
// of the machine of the same ID (see Effective). A damaged rule is left out, and a rule
// of the machine with it whose place it takes, so that neither admits anything; it is
// reported.
func Rules(s Snapshot) ([]Rule, []error) {
	out := Builtin()
	at := make(map[string]int, len(out)) // by ID; only rules of the machine
	for i := range out {
		at[strings.ToLower(out[i].ID)] = i
	}
	var bad []error
	for _, k := range []struct {
		key string
		src registry.Source
	}{{KeyRules, registry.SourceHive}, {KeyPolicy, registry.SourceGPO}} {
		for _, nv := range s.Values(k.key) {
			id := strings.ToLower(nv.Name)
			i, known := at[id]
			text, isText := nv.Value.Text()
			r, err := ParseRule(text)
			r.ID, r.Source = nv.Name, k.src
			switch {
			case isText && err == nil && known && k.src == registry.SourceHive:
				out[i] = r
			case isText && err == nil:
				if k.src == registry.SourceHive {
					at[id] = len(out)
				}
				out = append(out, r)
			default:
				if known {
					out[i].ID = ""
				}
				if !isText || text != "" {
					bad = append(bad, fmt.Errorf("firewall: rule %q in the hive is damaged: %w", clip(nv.Name), cause(err, nv)))
				}
			}
		}
	}
	return slices.DeleteFunc(out, func(r Rule) bool { return r.ID == "" }), bad
}

func cause(err error, nv registry.Named) error {
	if _, ok := nv.Value.Text(); !ok {
		return fmt.Errorf("it is a %v, want REG_SZ", nv.Value.Type())
	}
	return err
}

// Put stores a rule; a built-in or existing one of the same ID is replaced.
func Put(tx *registry.Tx, r Rule) error {
	if err := r.Validate(); err != nil {
		return err
	}
	return tx.Set(KeyRules, r.ID, registry.SZ(r.String()))
}

// Remove takes one rule of the machine away by its ID; a built-in one stays away.
func Remove(tx *registry.Tx, id string) error {
	if isBuiltin(id) {
		return tx.Set(KeyRules, id, registry.SZ(""))
	}
	return tx.Delete(KeyRules, id)
}

func isBuiltin(id string) bool {
	return slices.ContainsFunc(Builtin(), func(r Rule) bool { return strings.EqualFold(r.ID, id) })
}

// SetGroup switches every rule of a group and returns their number; 0 is an unknown
// group. Group names compare without case. Rules of Group Policy stay.
func SetGroup(tx *registry.Tx, group string, active bool) (int, error) {
	n := 0
	rules, _ := Rules(tx)
	for _, r := range rules {
		if r.Source == registry.SourceGPO || !strings.EqualFold(r.Group, group) {
			continue
		}
		n++
		if r.Active == active {
			continue
		}
		r.Active = active
		if err := Put(tx, r); err != nil {
			return n, err
		}
	}
	return n, nil
}

// WinRMEnabled reports whether the built-in rule lets WinRM in on the profile.
// Transport is HTTP or HTTPS.
func WinRMEnabled(rules []Rule, transport string, p Profile) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool {
		return isWinRM(r, transport) && r.AppliesTo(p) && r.Active && r.Action == Allow && r.Dir == In
	})
}

// EnableWinRM makes the firewall exception of winrm quickconfig for the present profile
// and reports whether that changed anything. Transport is HTTP or HTTPS. A built-in rule
// that was deleted comes back. On Public it opens to the local subnet only.
func EnableWinRM(tx *registry.Tx, transport string, p Profile) (changed bool, err error) {
	rules, _ := Rules(tx)
	for _, b := range Builtin() {
		if !isWinRM(b, transport) || !b.AppliesTo(p) {
			continue
		}
		if i := slices.IndexFunc(rules, func(r Rule) bool { return strings.EqualFold(r.ID, b.ID) }); i >= 0 && rules[i].Action == Allow && rules[i].Dir == In {
			b = rules[i]
		}
		if b.Active {
			continue
		}
		b.Active, changed = true, true
		if err := Put(tx, b); err != nil {
			return false, err
		}
	}
	if !changed && !WinRMEnabled(rules, transport, p) {
		return false, fmt.Errorf("firewall: no WinRM rule for transport %q and profile %v; want HTTP or HTTPS", clip(transport), p)
	}
	return changed, nil
}

func isWinRM(r Rule, transport string) bool {
	id := "WINRM-" + strings.ToUpper(transport) + "-In-TCP"
	return strings.EqualFold(r.ID, id) || strings.EqualFold(r.ID, id+"-NoScope")
}

// WinRMByPolicy reports whether a rule of Group Policy stands in the place of the
// built-in rule of WinRM for a transport, HTTP or HTTPS, and a profile.
func WinRMByPolicy(s Snapshot, transport string, p Profile) bool {
	rules, _ := Rules(s)
	return slices.ContainsFunc(Builtin(), func(b Rule) bool {
		return isWinRM(b, transport) && b.AppliesTo(p) &&
			slices.ContainsFunc(rules, func(r Rule) bool { return r.Source == registry.SourceGPO && strings.EqualFold(r.ID, b.ID) })
	})
}
