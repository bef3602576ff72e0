package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/service"
)

// run is one finished command line.
type run struct {
	code     int
	out, err string
}

// cli runs a command line in-process with text as its standard input.
func cli(t *testing.T, stdin string, args ...string) run {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(args, Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs})
	return run{code, out.String(), errs.String()}
}

// want checks the exit code and that the outputs hold what they should.
func (r run) want(t *testing.T, code int, parts ...string) run {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.out, r.err)
	}
	for _, p := range parts {
		if !strings.Contains(r.out+r.err, p) {
			t.Errorf("no %q in\nstdout: %s\nstderr: %s", p, r.out, r.err)
		}
	}
	return r
}

// state makes a state folder and names it in the environment.
func state(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	t.Setenv("CASEMENT_STATE", dir)
	st, err := service.OpenState(dir, service.StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	forgetPolicy(t, dir)
	return dir
}

// forgetPolicy removes what root permitted for a state folder that goes with the test.
func forgetPolicy(t *testing.T, dir string) {
	t.Cleanup(func() {
		if err := os.Remove(service.PolicyPath(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	})
}
