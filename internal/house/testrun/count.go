package main

import (
	"fmt"
	"strings"
	"time"
)

// run counts what happened and remembers what must be said at the end.
type run struct {
	ci                      bool
	began                   time.Time
	passed, failed, skipped int
	failures, skips         []string
}

func (r *run) pass() { r.passed++ }

// fail counts a failure and prints its whole output at once.
func (r *run) fail(what, output string) {
	r.failed++
	r.failures = append(r.failures, what)
	fmt.Printf("FAIL %s\n", what)
	if output = strings.TrimRight(output, "\n"); output != "" {
		fmt.Println(output)
	}
}

// skip counts a skip and prints its reason.
func (r *run) skip(what, why string) {
	why = strings.Join(strings.Fields(why), " ")
	r.skipped++
	r.skips = append(r.skips, what+": "+why)
	fmt.Printf("SKIP %s: %s\n", what, why)
}

// missing is a skip, but a failure on the build machine, where everything must be there.
func (r *run) missing(what, why string) {
	if r.ci {
		r.fail(what, why)
		return
	}
	r.skip(what, why)
}

func (r *run) summary() {
	fmt.Printf("== summary after %s\n", time.Since(r.began).Round(time.Second))
	for _, s := range r.skips {
		fmt.Println("skipped:", s)
	}
	for _, f := range r.failures {
		fmt.Println("failed:", f)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
}
