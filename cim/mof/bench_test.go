package mof

import (
	"io/fs"
	"os"
	"testing"
)

// builtInTexts are the MOF files that are built in.
func builtInTexts(b *testing.B) (folders []fs.FS, files [][]string, size int64) {
	for _, dir := range builtIn {
		fsys := os.DirFS(dir)
		names, err := fs.Glob(fsys, "*.mof")
		if err != nil || len(names) == 0 {
			b.Fatal(names, err)
		}
		for _, n := range names {
			info, err := fs.Stat(fsys, n)
			if err != nil {
				b.Fatal(err)
			}
			size += info.Size()
		}
		folders, files = append(folders, fsys), append(files, names)
	}
	return folders, files, size
}

func BenchmarkDefinitions(b *testing.B) {
	folders, files, size := builtInTexts(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for i, fsys := range folders {
			if _, _, err := Definitions(fsys, files[i]...); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	folders, files, size := builtInTexts(b)
	var texts [][]byte
	for i, fsys := range folders {
		for _, n := range files[i] {
			src, err := fs.ReadFile(fsys, n)
			if err != nil {
				b.Fatal(err)
			}
			texts = append(texts, src)
		}
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, src := range texts {
			if _, err := Parse("bench.mof", src, ParseOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
