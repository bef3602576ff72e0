package registry

import (
	"path/filepath"
	"testing"
)

func BenchmarkGet(b *testing.B) {
	tree, err := NewTree().Edit(func(tx *Tx) error { return tx.Set(testKey+`\a\b\c`, "Name", DWORD(1)) })
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := tree.Get(testKey+`\a\b\c`, "name"); !ok {
			b.Fatal("gone")
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	h, err := Open(filepath.Join(b.TempDir(), "hklm.reg"), Options{Service: true})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	for n := uint32(0); b.Loop(); n++ {
		if err := h.Update(func(tx *Tx) error { return tx.Set(testKey, "n", DWORD(n)) }); err != nil {
			b.Fatal(err)
		}
	}
}
