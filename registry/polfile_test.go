package registry

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Writers of all processes take turns: each has a hive of its own here, and none loses
// what another wrote, into the hive or into the policy.
func TestPolicyWritersTakeTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hive.reg")
	const writers = 6
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			h, err := Open(path, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Close()
			name := fmt.Sprint(i)
			if err := h.UpdatePolicy(func(p *Policy) error { p.Set(`Software\P`, name, DWORD(uint32(i))); return nil }); err != nil {
				t.Error(err)
			}
			if err := h.Update(func(tx *Tx) error { return tx.Set(`HKLM\Software\L`, name, DWORD(uint32(i))) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for i := range writers {
		name := fmt.Sprint(i)
		if v, src, _ := h.Snapshot().Value(`HKLM\Software\P`, name); v != DWORD(uint32(i)) || src != SourceGPO {
			t.Errorf("policy %s is %v from %v", name, v, src)
		}
		if v, src, _ := h.Snapshot().Value(`HKLM\Software\L`, name); v != DWORD(uint32(i)) || src != SourceHive {
			t.Errorf("value %s is %v from %v", name, v, src)
		}
	}
}

// The control codes name the value behind them, in any case ([MS-GPREG] 3.2.5.1).
func TestValueNames(t *testing.T) {
	for name, want := range map[string]string{"a": "a", "**del.a": "a", "**DEL.A b": "A b", "**soft.a": "a", "**delvals.": "**delvals.", "**DeleteValues": "**DeleteValues", "": ""} {
		if got := (PolicyEntry{Name: name}).ValueName(); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	e := PolicyEntry{Key: `Software\P`}
	if !e.IsFor(`HKLM\SOFTWARE\p`) || !e.IsFor(`\software\P\`) || e.IsFor(`Software\P\Q`) || !(PolicyEntry{Key: `\Software\P`}).IsFor(`Software\P`) {
		t.Error("keys compare wrongly")
	}
}

// After Close a policy is not written, and a file too large never.
func TestUpdatePolicyRefuses(t *testing.T) {
	h, err := Open(filepath.Join(t.TempDir(), "hive.reg"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.UpdatePolicy(func(p *Policy) error {
		p.Set("k", "n", SZ(strings.Repeat("x", maxFile/2+1)))
		return nil
	}); err == nil {
		t.Error("a file beyond the limit was written")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.UpdatePolicy(func(*Policy) error { return nil }); err == nil {
		t.Error("written after Close")
	}
}
