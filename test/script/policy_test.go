package script

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/casementhq/casement/registry"
)

// policy sets a value of Group Policy: policy KEY NAME VALUE, where a number is
// a DWORD. Without arguments the policy is removed.
func policy(ts *testscript.TestScript, neg bool, args []string) {
	file := filepath.Join(ts.Getenv("CASEMENT_STATE"), "Registry.pol")
	if len(args) == 0 && !neg {
		ts.Check(os.Remove(file))
		return
	}
	if len(args) != 3 || neg {
		ts.Fatalf("usage: policy KEY NAME VALUE")
	}
	var p registry.Policy
	if old, err := os.ReadFile(file); err == nil {
		read, err := registry.ParsePol(old)
		ts.Check(err)
		p = *read
	}
	value := registry.SZ(args[2])
	if n, err := strconv.ParseUint(args[2], 10, 32); err == nil {
		value = registry.DWORD(uint32(n))
	}
	p.Set(args[0], args[1], value)
	ts.Check(os.WriteFile(file, p.AppendPol(nil), 0o644)) // #nosec G306 -- the service's own user reads it
}
