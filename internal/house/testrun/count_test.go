package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestCountsOfGoTest runs `go test` over a small module that passes, fails, skips, panics and does not build, and checks the count.
func TestCountsOfGoTest(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":             "module example.test\n\ngo 1.26\n",
		"good/good_test.go":  "package good\n\nimport \"testing\"\n\nfunc TestPass(t *testing.T) { t.Run(\"sub\", func(t *testing.T) {}) }\nfunc TestSkip(t *testing.T) { t.Skip(\"no such peer\") }\nfunc BenchmarkOne(b *testing.B) { for b.Loop() {} }\n",
		"bad/bad_test.go":    "package bad\n\nimport \"testing\"\n\nfunc TestFail(t *testing.T) { t.Error(\"wrong\") }\n",
		"panic/p_test.go":    "package p\n\nimport \"testing\"\n\nfunc TestPanic(t *testing.T) { panic(1) }\n",
		"broken/b_test.go":   "package b\n\nfunc TestX(t *testing.T) {}\n",
		"early/exit_test.go": "package early\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestMain(m *testing.M) { os.Exit(3) }\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, c := range []struct {
		args                    []string
		passed, failed, skipped int
	}{
		{[]string{"./good"}, 2, 0, 1},
		{[]string{"./bad"}, 0, 1, 0},
		{[]string{"./panic"}, 0, 1, 0},
		{[]string{"./broken"}, 0, 1, 0},
		{[]string{"./early"}, 0, 1, 0},
		{[]string{"./nowhere"}, 0, 1, 0},
		{[]string{"-run=^$", "-bench=.", "-benchtime=1x", "./good"}, 1, 0, 0},
		{[]string{"./good", "./bad", "./broken"}, 2, 2, 1},
	} {
		r := &run{}
		goTest(context.Background(), r, []string{"GOFLAGS=-mod=mod", "GOWORK=off"}, c.args...)
		if r.passed != c.passed || r.failed != c.failed || r.skipped != c.skipped {
			t.Errorf("%v: %d passed, %d failed, %d skipped; want %d, %d, %d", c.args, r.passed, r.failed, r.skipped, c.passed, c.failed, c.skipped)
		}
		if c.skipped == 1 && !slices.Contains(r.skips, "example.test/good TestSkip: no such peer") {
			t.Errorf("the skip's reason is lost: %q", r.skips)
		}
	}
}

func TestFuzzTargetsAreFound(t *testing.T) {
	dir := t.TempDir()
	text := "package x\n\nimport \"testing\"\n\nfunc FuzzOne(f *testing.F) {}\nfunc FuzzTwo(f *testing.F) {}\nfunc TestFuzzy(t *testing.T) {}\nfunc Fuzzer() {}\n"
	if err := os.WriteFile(filepath.Join(dir, "x_test.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := fuzzTargets(dir); !slices.Equal(got, []string{"FuzzOne", "FuzzTwo"}) {
		t.Errorf("%q", got)
	}
}
