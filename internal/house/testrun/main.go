// Command testrun runs the checks and tests of the tree step by step and counts them: `make check`, `make test`, `make lint` and
// `make soak` call it. Failing output is printed whole, each skip with its reason, and the last line is
// `N passed, N failed, N skipped`. The exit code is 1 when anything failed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: testrun check|test|lint|soak")
		os.Exit(2)
	}
	steps, ok := plans[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "testrun: unknown plan %q; the plans are check, test, lint, soak\n", os.Args[1])
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	r := &run{ci: os.Getenv("CASEMENT_CI") == "1", began: time.Now()}
	for _, s := range steps {
		if ctx.Err() != nil {
			r.fail("interrupted", "")
			break
		}
		at := time.Now()
		fmt.Printf("== %s\n", s.name)
		s.do(ctx, r)
		fmt.Printf("   %s took %s\n", s.name, time.Since(at).Round(100*time.Millisecond))
	}
	r.summary()
	if r.failed > 0 {
		os.Exit(1)
	}
}

// A step is one part of a plan.
type step struct {
	name string
	do   func(context.Context, *run)
}

// The plans, in the order in which their steps run.
var plans = map[string][]step{
	"lint":  {{"tools", tools}, {"lint", lint}},
	"check": {{"tools", tools}, {"build", build}, {"vet", vet}, {"lint", lint}, {"unit tests", unit(false, 1)}},
	"test": {
		{"packages", packages},
		{"python peers", python},
		{"tools", tools},
		{"build", build},
		{"vet", vet},
		{"other systems", crossCompile},
		{"lint", lint},
		{"vulnerabilities", vulnerabilities},
		{"unit tests", unit(true, 1)},
		{"fuzz targets", fuzz(5 * time.Second)},
		{"benchmarks", bench("1x")},
		{"peers and scripts", peers},
		{"browser", browser},
	},
	"soak": {
		{"build", build},
		{"unit tests", soaking(unit(true, 5))},
		{"kills", soaking(kills)},
		{"fuzz targets", fuzz(soakTime())},
		{"benchmarks", bench("1s")},
	},
}

// soaking tells tests that take as much time as they get, such as the one that kills services, to take more.
func soaking(do func(context.Context, *run)) func(context.Context, *run) {
	return func(ctx context.Context, r *run) {
		if err := os.Setenv("CASEMENT_SOAK", "1"); err != nil {
			r.fail("soak", err.Error())
			return
		}
		do(ctx, r)
	}
}

func soakTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("FUZZTIME")); err == nil && d > 0 {
		return d
	}
	return time.Minute
}
