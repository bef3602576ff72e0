package interop

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// outcome is one line that a peer prints.
type outcome struct {
	Name, Detail string
	OK           bool
}

// absent is a skip that says what is missing, and a failure on the build machine.
func absent(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CASEMENT_CI") == "1" {
		t.Fatalf("%s; on the build machine every peer must be there", what)
	}
	t.Skipf("%s", what)
}

// runPeer runs a peer and makes a subtest of each check that it prints. A peer that stops before the check "finished" fails.
func runPeer(t *testing.T, s *service, limit time.Duration, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	runPeerCommand(t, s.command(ctx, name, args...))
}

// runPeerCommand is runPeer for a peer that wants more than to know the service.
func runPeerCommand(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	finished := false
	for line := range strings.Lines(string(out)) {
		var o outcome
		if json.Unmarshal([]byte(line), &o) != nil {
			t.Logf("%s", line)
			continue
		}
		if o.Name == "finished" {
			finished = true
			continue
		}
		t.Run(o.Name, func(t *testing.T) {
			if !o.OK {
				t.Error(o.Detail)
			}
			switch why, text, _ := strings.Cut(o.Detail, ": "); why {
			case "skip":
				t.Skip(text)
			case "absent":
				absent(t, text)
			}
		})
	}
	if err == nil && !finished {
		err = errors.New("it ended before its last check")
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", filepath.Base(cmd.Args[len(cmd.Args)-1]), err, stderr.String())
	}
}

// python finds the interpreter of .venv with a module in it.
func python(t *testing.T, module string) string {
	t.Helper()
	name := filepath.Join(top(), ".venv", "bin", "python")
	if _, err := os.Stat(name); err != nil {
		absent(t, ".venv is missing; `make test` makes it from test/requirements.txt")
	}
	if out, err := exec.Command(name, "-c", "import "+module).CombinedOutput(); err != nil {
		absent(t, module+" is not in .venv: "+strings.TrimSpace(string(out)))
	}
	return name
}

// pywinrm 0.5.0: NTLM with message encryption, Basic over HTTPS, commands with stdin, unicode, exit codes and 50 MB of output.
// See [MS-WSMV] 3.1.4.1.31 and 2.2.9.1.
func TestPywinrm(t *testing.T) {
	everywhere(t, func(t *testing.T, s *service) {
		runPeer(t, s, 10*time.Minute, python(t, "winrm"), "pywinrm_peer.py")
	})
}

// pypsrp 0.9.1: Identify, Get, Enumerate, Pull, Invoke, Put, faults. See [MS-WSMV] 3.1.4.1 and DSP0226.
func TestPypsrpOperations(t *testing.T) {
	everywhere(t, func(t *testing.T, s *service) {
		runPeer(t, s, 5*time.Minute, python(t, "pypsrp"), "pypsrp_operations_peer.py")
	})
}

// pypsrp 0.9.1 and pywinrm 0.5.0: every class of spec/wmi.md 8.2 is enumerated by both, and what it says is what ps, df, ip, dpkg, lscpu,
// lsblk and systemctl say.
func TestClasses(t *testing.T) {
	everywhere(t, func(t *testing.T, s *service) {
		python(t, "winrm")
		runPeer(t, s, 10*time.Minute, python(t, "pypsrp"), "classes_peer.py")
	})
}

// pypsrp 0.9.1: the remote shell with environment, working directory, signals, no-profile. See [MS-WSMV] 3.1.4.5.
func TestPypsrpShell(t *testing.T) {
	everywhere(t, func(t *testing.T, s *service) {
		runPeer(t, s, 5*time.Minute, python(t, "pypsrp"), "pypsrp_shell_peer.py")
	})
}

// pypsrp 0.9.1: NTLM, Negotiate, Basic, and channel bindings at each hardening level. See [MS-WSMV] 2.2.4.34.
func TestPypsrpAuthentication(t *testing.T) {
	everywhere(t, func(t *testing.T, s *service) {
		runPeer(t, s, 5*time.Minute, python(t, "pypsrp"), "pypsrp_auth_peer.py")
	})
}

// requests 2.34.2 with requests_ntlm 1.3.0: plain HTTP from a script.
func TestRequests(t *testing.T) {
	everywhere(t, func(t *testing.T, s *service) {
		runPeer(t, s, 2*time.Minute, python(t, "requests_ntlm"), "requests_peer.py")
	})
}

// masterzen/winrm, as Packer and Terraform use it: a handshake for each message.
func TestMasterzen(t *testing.T) {
	s := running(t)
	binary := filepath.Join(t.TempDir(), "masterzen")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "masterzen"
	if out, err := build.CombinedOutput(); err != nil {
		absent(t, "masterzen/winrm does not build here: "+strings.TrimSpace(string(out)))
	}
	enableBasic(t, s)
	runPeer(t, s, 5*time.Minute, binary)
}

// enableBasic turns Basic on for the length of a test, by pypsrp over the wire (it is off by default).
func enableBasic(t *testing.T, s *service) {
	t.Helper()
	interpreter := python(t, "pypsrp")
	set := func(value string) {
		cmd := exec.Command(interpreter, "-c", "import peer; peer.configure(Basic='"+value+"')")
		cmd.Env = s.environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("setting Basic to %s: %v\n%s", value, err, out)
		}
	}
	set("true")
	t.Cleanup(func() { set("false") })
}
