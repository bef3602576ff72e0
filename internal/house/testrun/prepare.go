package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// listed reads a file of one entry a line, '#' begins a comment.
func listed(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text != "" {
			list = append(list, text)
		}
	}
	return list, lines.Err()
}

// packages installs test/packages.txt with apt-get, on the build machine only.
func packages(ctx context.Context, r *run) {
	if !r.ci {
		fmt.Println("   CASEMENT_CI is not 1: nothing is installed outside the tree")
		return
	}
	list, err := listed("test/packages.txt")
	if err != nil {
		r.fail("test/packages.txt", err.Error())
		return
	}
	if os.Geteuid() != 0 {
		r.fail("packages", "CASEMENT_CI=1 installs test/packages.txt with apt-get, which needs root: run as root, or without CASEMENT_CI")
		return
	}
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if command(ctx, r, "apt-get update", env, "apt-get", "update") {
		command(ctx, r, "apt-get install", env, "apt-get", append([]string{"install", "-y", "--no-install-recommends", "--no-upgrade"}, list...)...)
	}
}

// python makes .venv with the pinned clients of test/requirements.txt, and what test/requirements-alone.txt names without what that
// needs; a stamp says for which lists it was made.
func python(ctx context.Context, r *run) {
	lists := map[string][]string{"test/requirements.txt": nil, "test/requirements-alone.txt": {"--no-deps"}}
	var want []byte
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		text, err := os.ReadFile(name)
		if err != nil {
			r.fail(name, err.Error())
			return
		}
		want = append(want, text...)
	}
	sum := sha256.Sum256(want)
	stamp := filepath.Join(".venv", "casement-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(stamp); err == nil {
		return
	}
	if out, err := output(ctx, nil, "python3", "-m", "venv", ".venv"); err != nil {
		r.missing("python peers", "python3 -m venv .venv: "+err.Error()+" "+out)
		return
	}
	for name, flags := range lists {
		args := append([]string{"-m", "pip", "install", "--quiet", "-r", name}, flags...)
		if out, err := output(ctx, nil, ".venv/bin/python", args...); err != nil {
			r.missing("python peers", "pip install -r "+name+": "+err.Error()+" "+out)
			return
		}
	}
	if err := os.WriteFile(stamp, nil, 0o644); err != nil {
		r.fail("python peers", err.Error())
		return
	}
	r.pass()
}

// tools installs the checks of test/tools.txt into bin/tools; a file beside each says which version it is.
func tools(ctx context.Context, r *run) {
	list, err := listed("test/tools.txt")
	if err != nil {
		r.fail("test/tools.txt", err.Error())
		return
	}
	dir, err := filepath.Abs("bin/tools")
	if err != nil {
		r.fail("bin/tools", err.Error())
		return
	}
	for _, line := range list {
		path, version, _ := strings.Cut(line, " ")
		name := filepath.Base(path)
		stamp := filepath.Join(dir, name+".version")
		if got, err := os.ReadFile(stamp); err == nil && strings.TrimSpace(string(got)) == version {
			continue
		}
		if out, err := output(ctx, []string{"GOBIN=" + dir, "GOFLAGS="}, "go", "install", path+"@"+version); err != nil {
			r.missing(name, "go install "+path+"@"+version+": "+err.Error()+" "+out)
			continue
		}
		if err := os.WriteFile(stamp, []byte(version+"\n"), 0o644); err != nil {
			r.fail(name, err.Error())
			continue
		}
		r.pass()
	}
}
