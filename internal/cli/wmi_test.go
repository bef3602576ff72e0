package cli

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
)

// endless is a host that has one namespace more in every namespace.
type endless struct {
	cim.Session
	name string
}

func (e endless) Open(context.Context, cim.Caller, string, cim.OpenOptions) (cim.Session, error) {
	return e, nil
}

func (e endless) Enumerate(context.Context, string, cim.EnumerateOptions) (cim.Enumerator, error) {
	i := cim.NewInstance(cim.NewClass("__NAMESPACE", nil).Key("Name", cim.String).Build("root"))
	if err := i.Set("Name", cim.Str(e.name)); err != nil {
		return nil, err
	}
	return cim.SliceEnumerator([]*cim.Instance{i}, nil), nil
}

func (endless) Close() error { return nil }

// TestNamespacesOfAHostileHost: what a host calls its namespaces steers no
// terminal, and namespaces within each other without an end have one here.
func TestNamespacesOfAHostileHost(t *testing.T) {
	for name, want := range map[string]string{"b\u009b2J\u202e": "root\\b\ufffd2J\ufffd\n", "b": strings.Repeat(`\b`, deepest) + "\n"} {
		s := casementtest.New(t, casementtest.Options{Opener: endless{name: name}})
		t.Setenv("CASEMENT_HOSTS", filepath.Join(t.TempDir(), "hosts.json"))
		t.Setenv("CASEMENT_STATE", filepath.Join(t.TempDir(), "none"))
		cli(t, s.Password+"\n", "casement", "hosts", "add", "srv", s.HTTP, "--user", s.User, "--password-stdin").want(t, 0)
		r := cli(t, "", "casement", "wmi", "ns", "--host", "srv")
		if !strings.Contains(r.out, want) || strings.Contains(r.out, "\u009b") || strings.Contains(r.out, strings.Repeat(`\b`, deepest+1)) {
			t.Errorf("%q: exit code %d, %q, %q", name, r.code, r.out, r.err)
		}
		if name == "b" && (r.code != 1 || !strings.Contains(r.err, "within each other")) {
			t.Errorf("exit code %d, %q", r.code, r.err)
		}
	}
}
