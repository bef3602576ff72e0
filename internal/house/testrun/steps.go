package main

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// command runs a program and counts it as one check.
func command(ctx context.Context, r *run, what string, env []string, name string, args ...string) bool {
	out, err := output(ctx, env, name, args...)
	if err != nil {
		r.fail(what, out+err.Error())
		return false
	}
	r.pass()
	return true
}

func output(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func build(ctx context.Context, r *run) {
	command(ctx, r, "go build ./...", nil, "go", "build", "./...")
	command(ctx, r, "build bin/casement", []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-o", "bin/casement", "./cmd/casement")
}

func vet(ctx context.Context, r *run) { command(ctx, r, "go vet ./...", nil, "go", "vet", "./...") }

// crossCompile type-checks packages and tests for the other systems and for the build without the pool, and builds the
// binary for them.
func crossCompile(ctx context.Context, r *run) {
	command(ctx, r, "go vet without the pool", nil, "go", "vet", "-tags=nonats", "./internal/cli", "./internal/metrics", "./cmd/...")
	for _, system := range []string{"darwin/arm64", "windows/amd64", "linux/arm64"} {
		goos, arch, _ := strings.Cut(system, "/")
		env := []string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + arch}
		if arch != "arm64" || goos != "linux" {
			command(ctx, r, "go vet for "+system, env, "go", "vet", "./...")
		}
		command(ctx, r, "build for "+system, env, "go", "build", "-o", os.DevNull, "./cmd/casement")
	}
}

func lint(ctx context.Context, r *run) {
	tool := "bin/tools/golangci-lint"
	if _, err := os.Stat(tool); err != nil {
		r.missing("lint", tool+" is not installed")
		return
	}
	command(ctx, r, "golangci-lint", nil, tool, "run", "./...")
}

func vulnerabilities(ctx context.Context, r *run) {
	tool := "bin/tools/govulncheck"
	if _, err := os.Stat(tool); err != nil {
		r.skip("govulncheck", tool+" is not installed")
		return
	}
	out, err := output(ctx, nil, tool, "./...")
	switch {
	case err == nil:
		r.pass()
	case unreachable(out):
		r.skip("govulncheck", "the vulnerability database cannot be reached from here")
	default:
		r.fail("govulncheck", out)
	}
}

func unreachable(out string) bool {
	for _, sign := range []string{"dial tcp", "no such host", "fetching vulnerabilities", "HTTP GET", "i/o timeout"} {
		if strings.Contains(out, sign) {
			return true
		}
	}
	return false
}

// testPackages lists the packages of the module; those below test/ drive the real binary and come last, on their own.
func testPackages(ctx context.Context, r *run, below bool) []string {
	out, err := output(ctx, nil, "go", "list", "./...")
	if err != nil {
		r.fail("go list ./...", out)
		return nil
	}
	var list []string
	for name := range strings.FieldsSeq(out) {
		if strings.Contains(name, "/casement/test/") == below {
			list = append(list, name)
		}
	}
	return list
}

func unit(race bool, times int) func(context.Context, *run) {
	return func(ctx context.Context, r *run) {
		list := testPackages(ctx, r, false)
		if len(list) == 0 {
			return
		}
		args := []string{"-shuffle=on", "-timeout=15m", "-count=" + strconv.Itoa(times)}
		var env []string
		if race {
			if _, err := exec.LookPath("gcc"); err != nil {
				r.missing("race detector", "it needs a C compiler, and gcc is not installed")
			} else {
				args, env = append(args, "-race"), []string{"CGO_ENABLED=1"}
			}
		}
		goTest(ctx, r, env, append(args, list...)...)
	}
}

func bench(time string) func(context.Context, *run) {
	return func(ctx context.Context, r *run) {
		list := testPackages(ctx, r, false)
		if len(list) > 0 {
			goTest(ctx, r, nil, append([]string{"-run=^$", "-bench=.", "-benchmem", "-timeout=15m", "-p=1", "-benchtime=" + time}, list...)...)
		}
	}
}

func peers(ctx context.Context, r *run) {
	list := testPackages(ctx, r, true)
	if len(list) > 0 {
		goTest(ctx, r, nil, append([]string{"-count=1", "-timeout=20m", "-p=1"}, list...)...)
	}
}

// browser lets a person in Chromium use the console. test/browser is a module of its own.
func browser(ctx context.Context, r *run) {
	// Those that lay cables change the network, at which Chromium gives up what it is loading: they have it for themselves.
	const cables = "^(TestSilentPort|TestShellWalk|TestBranch|TestServiceOfAMachine)$"
	goTestIn(ctx, r, "test/browser", nil, "-count=1", "-timeout=10m", "-parallel=3", "-skip="+cables, "./...")
	goTestIn(ctx, r, "test/browser", nil, "-count=1", "-timeout=10m", "-run="+cables, "./...")
}

// kills kills the real binary at random moments for as long as a soak gives it.
func kills(ctx context.Context, r *run) {
	goTest(ctx, r, nil, "-count=1", "-timeout=20m", "-run=^TestKilled", "./test/newcomer")
}
