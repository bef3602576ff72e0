package registry

import (
	"slices"
	"testing"
)

func TestDiff(t *testing.T) {
	edit := func(from *Tree, f func(tx *Tx)) *Tree {
		t.Helper()
		out, err := from.Edit(func(tx *Tx) error { f(tx); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	base := edit(NewTree(), func(tx *Tx) {
		must(tx.Set(`HKLM\SOFTWARE\A`, "One", DWORD(1)))
		must(tx.Set(`HKLM\SOFTWARE\A`, "Two", SZ("2")))
		must(tx.Set(`HKLM\SOFTWARE\B\C`, "", SZ("x")))
	})
	for _, c := range []struct {
		name string
		do   func(tx *Tx)
		want []Change
	}{
		{"nothing", func(tx *Tx) { must(tx.Set(`hklm\software\a`, "ONE", DWORD(1))) }, nil},
		{"a value changed", func(tx *Tx) { must(tx.Set(`HKLM\SOFTWARE\A`, "One", DWORD(2))) }, []Change{{Key: `SOFTWARE\A`, Name: "One"}}},
		{"another type", func(tx *Tx) { must(tx.Set(`HKLM\SOFTWARE\A`, "One", QWORD(1))) }, []Change{{Key: `SOFTWARE\A`, Name: "One"}}},
		{"a value deleted", func(tx *Tx) { must(tx.Delete(`HKLM\SOFTWARE\a`, "two")) }, []Change{{Key: `SOFTWARE\A`, Name: "Two"}}},
		{"a key created", func(tx *Tx) { must(tx.CreateKey(`HKLM\SOFTWARE\A\D\E`)) },
			[]Change{{Key: `SOFTWARE\A`, Subkeys: true}, {Key: `SOFTWARE\A\D`, Subkeys: true}}},
		{"a key deleted", func(tx *Tx) { must(tx.DeleteKey(`HKLM\SOFTWARE\B`)) },
			[]Change{{Key: `SOFTWARE`, Subkeys: true}, {Key: `SOFTWARE\B`, Subkeys: true}, {Key: `SOFTWARE\B\C`}}},
		{"at the root", func(tx *Tx) { must(tx.CreateKey(`HKLM\SYSTEM`)) }, []Change{{Subkeys: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Diff(base, edit(base, c.do)); !slices.Equal(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
