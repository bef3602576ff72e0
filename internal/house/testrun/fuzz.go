package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// fuzz runs every fuzz target of the module for d, one on each processor.
func fuzz(d time.Duration) func(context.Context, *run) {
	return func(ctx context.Context, r *run) {
		out, err := output(ctx, nil, "go", "list", "-f", "{{.ImportPath}}\t{{.Dir}}", "./...")
		if err != nil {
			r.fail("go list ./...", out)
			return
		}
		targets, results := make(chan fuzzed), make(chan fuzzed)
		go func() {
			defer close(targets)
			for line := range strings.Lines(out) {
				pkg, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
				if !ok {
					continue
				}
				for _, target := range fuzzTargets(dir) {
					select {
					case targets <- fuzzed{pkg: pkg, target: target}:
					case <-ctx.Done():
						return
					}
				}
			}
		}()
		var all sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			all.Go(func() {
				for f := range targets {
					f.out, f.err = fuzzOne(ctx, f.pkg, f.target, d)
					results <- f
				}
			})
		}
		go func() {
			all.Wait()
			close(results)
		}()
		for f := range results {
			if f.err != nil {
				r.fail("fuzz "+f.pkg+" "+f.target, f.out+f.err.Error())
				continue
			}
			r.pass()
			fmt.Printf("ok   %s %s\n", f.pkg, f.target)
		}
	}
}

// fuzzed is a target and what became of it.
type fuzzed struct {
	pkg, target, out string
	err              error
}

// fuzzOne runs one target on one processor. The fuzzing engine now and then reports its own deadline as a failure; such a
// run, which names no failing input, is done once more.
func fuzzOne(ctx context.Context, pkg, target string, d time.Duration) (string, error) {
	args := []string{"test", "-run=^$", "-fuzz=^" + target + "$", "-fuzztime=" + d.String(), "-parallel=1", "-timeout=2h", pkg}
	out, err := output(ctx, nil, "go", args...)
	if err != nil && strings.Contains(out, "context deadline exceeded") && !strings.Contains(out, "Failing input") {
		out, err = output(ctx, nil, "go", args...)
	}
	return out, err
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
