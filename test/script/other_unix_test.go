//go:build unix

package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// nobody is a user who owns nothing.
const nobody = 65534

// other runs a program as another user, which needs root; what it prints goes
// to the files other.out and other.err: other PROGRAM [ARGS...].
func other(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: other PROGRAM [ARGS...]")
	}
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	ts.Check(reachable(filepath.Dir(path)))
	cmd := exec.Command(path, args[1:]...) // #nosec G204 -- the test's own binary
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "CASEMENT_STATE="+ts.Getenv("CASEMENT_STATE"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := os.Create(ts.MkAbs("other.out"))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs("other.err"))
	ts.Check(err)
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Run(); (err != nil) != neg {
		ts.Fatalf("%s: %v: %s", args[0], err, ts.ReadFile("other.err"))
	}
}
