package settings

import (
	"testing"

	"github.com/casementhq/casement/registry"
)

func BenchmarkLoad(b *testing.B) {
	r := registry.NewTree()
	b.ReportAllocs()
	for b.Loop() {
		if _, bad := Load(r, Current); len(bad) > 0 {
			b.Fatal(bad)
		}
	}
}
