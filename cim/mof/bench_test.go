package mof

import (
	"io/fs"
	"testing"

	"github.com/casementhq/casement/cim"
)

func BenchmarkDefinitions(b *testing.B) {
	var size int64
	folders := builtIn(b)
	for _, folder := range folders {
		fsys, files := texts(b, folder)
		for _, n := range files {
			src, err := fs.ReadFile(fsys, n)
			if err != nil {
				b.Fatal(err)
			}
			size += int64(len(src))
		}
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		var system []*cim.Class
		for i, folder := range folders {
			fsys, files := texts(b, folder)
			classes, _, err := DefinitionsOn(system, fsys, files...)
			if err != nil {
				b.Fatal(err)
			}
			if i == 0 {
				system = classes
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var size int64
	var sources [][]byte
	for _, folder := range builtIn(b) {
		fsys, files := texts(b, folder)
		for _, n := range files {
			src, err := fs.ReadFile(fsys, n)
			if err != nil {
				b.Fatal(err)
			}
			sources, size = append(sources, src), size+int64(len(src))
		}
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, src := range sources {
			if _, err := Parse("bench.mof", src, ParseOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
