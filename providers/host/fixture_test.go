//go:build linux

package host

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// root makes a tree of files; a content that begins with "-> " makes a symbolic link, and a name that ends with a
// slash a folder.
func root(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		parent := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			parent = path
		}
		if err := os.MkdirAll(parent, 0o755); err != nil {
			t.Fatal(err)
		}
		if parent == path {
			continue
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fixed is a query that fixes properties.
func fixed(values map[string]cim.Value) query {
	return query{equal: func(name string) (cim.Value, bool) { v, ok := values[name]; return v, ok }}
}

// projected is a query for some properties of a class.
func projected(class string, names ...string) query {
	c := classNamed(class)
	wanted := map[int]bool{}
	for _, n := range names {
		wanted[c.PropertyIndex(n)] = true
	}
	return query{wants: func(i int) bool { return wanted[i] }}
}

// all lists a class. Where a class shows less to others it is an administrator who asks, unless q says who.
func all(t testing.TB, p *Provider, class string, q query) []*cim.Instance {
	t.Helper()
	if q.caller.Token == nil && filteredByClass[cim.Fold(class)] != nil {
		q.caller.Token = &security.Token{Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}
	}
	var out []*cim.Instance
	err := p.list(context.Background(), classNamed(class), q, func(i *cim.Instance) error {
		out = append(out, i.Clone())
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", class, err)
	}
	return out
}

// only lists a class that must have one instance.
func only(t testing.TB, p *Provider, class string, q query) *cim.Instance {
	t.Helper()
	out := all(t, p, class, q)
	if len(out) != 1 {
		t.Fatalf("%s has %d instances, want 1", class, len(out))
	}
	return out[0]
}

// expect compares properties with their text; "null" is NULL.
func expect(t testing.TB, i *cim.Instance, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if i.Class().PropertyIndex(name) < 0 {
			t.Errorf("%s has no property %s", i.Class().Name, name)
			continue
		}
		if got := i.Get(name).String(); got != text {
			t.Errorf("%s.%s = %s, want %s", i.Class().Name, name, got, text)
		}
	}
}

// output runs a program of other people, or skips the test where it is not there.
func output(t testing.TB, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...)
	c.Env = append(os.Environ(), "LC_ALL=C")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return strings.TrimSuffix(string(out), "\n")
}
