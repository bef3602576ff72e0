package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"time"
)

// fuzz runs every fuzz target of the module for d.
func fuzz(d time.Duration) func(context.Context, *run) {
	return func(ctx context.Context, r *run) {
		out, err := output(ctx, nil, "go", "list", "-f", "{{.ImportPath}}\t{{.Dir}}", "./...")
		if err != nil {
			r.fail("go list ./...", out)
			return
		}
		for line := range strings.Lines(out) {
			pkg, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
			if !ok {
				continue
			}
			for _, target := range fuzzTargets(dir) {
				if ctx.Err() != nil {
					return
				}
				fuzzOne(ctx, r, pkg, target, d)
			}
		}
	}
}

// fuzzOne runs one target. The fuzzing engine now and then reports its own deadline as a failure; such a
// run, which names no failing input, is done once more.
func fuzzOne(ctx context.Context, r *run, pkg, target string, d time.Duration) {
	args := []string{"test", "-run=^$", "-fuzz=^" + target + "$", "-fuzztime=" + d.String(), "-timeout=2h", pkg}
	out, err := output(ctx, nil, "go", args...)
	if err != nil && strings.Contains(out, "context deadline exceeded") && !strings.Contains(out, "Failing input") {
		out, err = output(ctx, nil, "go", args...)
	}
	if err != nil {
		r.fail("fuzz "+pkg+" "+target, out+err.Error())
		return
	}
	r.pass()
	fmt.Printf("ok   %s %s\n", pkg, target)
}

// fuzzTargets names the functions FuzzXxx(*testing.F) in the test files of a folder.
func fuzzTargets(dir string) []string {
	files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	var names []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") && f.Type.Params.NumFields() == 1 {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}
