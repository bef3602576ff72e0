package registry

import (
	"fmt"
	"strings"
)

// Overlay lays a machine policy over a tree and returns the effective tree, whose
// Source tells the two apart. The policy's keys are taken below HKLM. Unknown control
// codes are skipped. A nil policy gives the tree without any.
// See [MS-GPREG] 3.2.5.1.
func Overlay(t *Tree, p *Policy) (*Tree, error) {
	if p == nil || len(p.Entries) == 0 {
		return t.Local(), nil
	}
	o := overlay{tx: newTx(t.local), policy: make(map[string]struct{})}
	for i, e := range p.Entries {
		if err := o.apply(e); err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", errPolicy, i+1, err)
		}
	}
	return &Tree{root: o.tx.root, local: t.local, policy: o.policy}, nil
}

type overlay struct {
	tx     *Tx
	policy map[string]struct{}
}

func (o *overlay) apply(e PolicyEntry) error {
	parts, err := SplitKey(`HKLM\` + strings.Trim(e.Key, `\`))
	if err != nil {
		return err
	}
	name := strings.TrimRight(e.Name, " ")
	low := strings.ToLower(name)
	switch {
	case strings.HasPrefix(low, "**del."):
		o.unset(parts, name[len("**del."):])
	case low == "**delvals" || strings.HasPrefix(low, "**delvals."):
		o.unsetAll(parts)
	case low == "**deletevalues":
		for n := range strings.SplitSeq(listText(e), ";") {
			if n = strings.TrimSpace(n); n != "" {
				o.unset(parts, n)
			}
		}
	case low == "**deletekeys":
		for k := range strings.SplitSeq(listText(e), ";") {
			if k = strings.TrimSpace(k); k != "" {
				if err := o.tx.DeleteKey(JoinKey(append(parts, k)...)); err != nil {
					return err
				}
			}
		}
	case strings.HasPrefix(low, "**soft."):
		n := name[len("**soft."):]
		if _, ok := o.tx.Get(JoinKey(parts...), n); !ok {
			return o.set(parts, n, e)
		}
	case strings.HasPrefix(name, "**"):
		return nil // **SecureKey and codes of later versions
	case name == "" && e.Type == TypeNone && len(e.Data) == 0:
		o.tx.make(parts)
	default:
		return o.set(parts, e.Name, e)
	}
	return nil
}

func (o *overlay) set(parts []string, name string, e PolicyEntry) error {
	v, err := FromBytes(e.Type, e.Data)
	if err != nil {
		return err
	}
	if err := o.tx.Set(JoinKey(parts...), name, v); err != nil {
		return err
	}
	o.policy[policyIndex(parts, name)] = struct{}{}
	return nil
}

func (o *overlay) unset(parts []string, name string) {
	if n := o.tx.root.walk(parts); n != nil {
		if _, ok := n.vals[fold(name)]; ok {
			delete(o.tx.make(parts).vals, fold(name))
		}
	}
	o.policy[policyIndex(parts, name)] = struct{}{}
}

func (o *overlay) unsetAll(parts []string) {
	if n := o.tx.root.walk(parts); n != nil {
		for _, v := range n.sortedVals() {
			o.unset(parts, v.Name)
		}
	}
}

// listText returns the semicolon list in the data of **DeleteValues and **DeleteKeys.
func listText(e PolicyEntry) string {
	v, err := FromBytes(TypeSZ, e.Data)
	if err != nil {
		return ""
	}
	s, _ := v.Text()
	return s
}
