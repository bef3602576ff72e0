package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/internal/filelock"
)

// PolicyFile is the path of the machine policy.
func (h *Hive) PolicyFile() string { return h.policy }

// Policy returns a copy of the machine policy in force, without entries where there is
// none.
func (h *Hive) Policy() *Policy {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pol.clone()
}

func (p *Policy) clone() *Policy {
	if p == nil {
		return &Policy{}
	}
	return &Policy{Entries: slices.Clone(p.Entries)}
}

// UpdatePolicy runs f on the machine policy and writes the result to its file. As with
// Update all of it takes effect or nothing does, writers of all processes take turns, and
// a running service follows. A result that cannot be laid over the hive is refused with
// ErrPolicyCorrupt.
func (h *Hive) UpdatePolicy(f func(p *Policy) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	turn, err := filelock.Wait(h.path+".writing", turnLimit)
	if err != nil {
		return fmt.Errorf("registry: changing policy %s: %w", h.policy, err)
	}
	defer turn.Close()
	if err := h.load(); err != nil {
		return err
	}
	p := h.pol.clone()
	if err := f(p); err != nil {
		return err
	}
	b := p.AppendPol(nil)
	if len(b) > maxFile {
		return fmt.Errorf("%w: it has %d bytes, the limit is %d", errPolicy, len(b), maxFile)
	}
	// What is written is what every reader makes of the file.
	if p, err = ParsePol(b); err != nil {
		return err
	}
	eff, err := Overlay(h.tree.Load().Local(), p)
	if err != nil {
		return err
	}
	if err := h.replace(h.policy, b); err != nil {
		return fmt.Errorf("registry: policy %s was not changed: %w", h.policy, err)
	}
	h.seenPol, h.pol = contentOf(b), p
	h.publish(eff)
	return nil
}

// IsFor tells whether the entry is for a key; the root HKLM may be left out.
func (e PolicyEntry) IsFor(key string) bool {
	return strings.EqualFold(policyKey(e.Key), policyKey(key))
}

// policyKey is a key without its root and the backslashes around it.
func policyKey(key string) string {
	key = strings.Trim(key, `\`)
	if parts, err := SplitKey(key); err == nil {
		key = strings.Join(parts, `\`)
	}
	return key
}

// ValueName is the value that the entry sets or deletes, without its control code.
// See [MS-GPREG] 3.2.5.1.
func (e PolicyEntry) ValueName() string {
	name := strings.TrimRight(e.Name, " ")
	for _, code := range []string{"**del.", "**soft."} {
		if len(name) >= len(code) && strings.EqualFold(name[:len(code)], code) {
			return name[len(code):]
		}
	}
	return e.Name
}

// Delete adds an entry that deletes a value.
func (p *Policy) Delete(key, name string) { p.Set(key, "**del."+name, SZ(" ")) }

// DeleteValues adds an entry that deletes all values of a key, as a list begins.
func (p *Policy) DeleteValues(key string) { p.Set(key, "**delvals.", SZ(" ")) }
