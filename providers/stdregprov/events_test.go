package stdregprov

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/registry"
)

// watch collects the events of a class as text until the test ends.
func watch(t *testing.T, p *Provider, class string) func() []string {
	t.Helper()
	var c *cim.Class
	for _, k := range p.Classes() {
		if k.Name == class {
			c = k
		}
	}
	var mu sync.Mutex
	var got []string
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- p.Events(ctx, &cimom.Request{Class: c}, func(i *cim.Instance) error {
			var parts []string
			for _, name := range []string{"Hive", "KeyPath", "RootPath", "ValueName"} {
				if c.PropertyIndex(name) >= 0 {
					parts = append(parts, i.Get(name).String())
				}
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, strings.Join(parts, "|"))
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Events: %v", err)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func TestEvents(t *testing.T) { synctest.Test(t, testEvents) }

func testEvents(t *testing.T) {
	p, hive := open(t)
	values, keys, trees := watch(t, p, "RegistryValueChangeEvent"), watch(t, p, "RegistryKeyChangeEvent"), watch(t, p, "RegistryTreeChangeEvent")
	synctest.Wait()
	expect := func(what string, got func() []string, want ...string) {
		t.Helper()
		if !slices.Equal(got(), want) {
			t.Errorf("%s: %q, want %q", what, got(), want)
		}
	}
	change := func(f func(tx *registry.Tx) error) {
		t.Helper()
		if err := hive.Update(f); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	const top = "HKEY_LOCAL_MACHINE|"
	change(func(tx *registry.Tx) error { return tx.Set(`HKLM\software\test`, "text", registry.SZ("new")) })
	expect("a value", values, top+`SOFTWARE\Test|Text`)
	expect("its key", keys, top+`SOFTWARE\Test`)
	expect("its trees", trees, top+`SOFTWARE\Test`, top+`SOFTWARE`, top)
	change(func(tx *registry.Tx) error { return tx.DeleteKey(`HKLM\SOFTWARE\Test\Below`) })
	expect("a key", keys, top+`SOFTWARE\Test`, top+`SOFTWARE\Test`)
	expect("its trees", trees, top+`SOFTWARE\Test`, top+`SOFTWARE`, top, top+`SOFTWARE\Test`, top+`SOFTWARE`, top)
	change(func(tx *registry.Tx) error { return tx.Set(`HKLM\SOFTWARE\Test`, "Text", registry.SZ("new")) }) // nothing changes
	change(func(tx *registry.Tx) error { return tx.Delete(`HKLM\SOFTWARE\Test`, "Bytes") })
	expect("a deletion", values, top+`SOFTWARE\Test|Text`, top+`SOFTWARE\Test|Bytes`)
}

// Each tree that holds a change is told once.
func TestTreeEvents(t *testing.T) {
	var got []string
	for _, e := range treeEvents([]registry.Change{{Key: `A\B`, Name: "x"}, {Key: `A\B`, Name: "y"}, {Key: `A\C`, Name: "z"}, {Key: "", Subkeys: true}}) {
		got = append(got, e.path)
	}
	if want := []string{`A\B`, "A", "", `A\C`}; !slices.Equal(got, want) {
		t.Errorf("trees %q, want %q", got, want)
	}
}
