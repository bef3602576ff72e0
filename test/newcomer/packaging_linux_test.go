package newcomer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func needTool(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(name + " is not installed")
		}
	}
}

// systemd accepts the unit as it is shipped.
func TestUnitIsValid(t *testing.T) {
	needTool(t, "systemd-analyze")
	b, err := os.ReadFile("../../packaging/casement.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := strings.ReplaceAll(string(b), "/usr/bin/casement", binary(t)) // which need not be installed here
	if unit == string(b) {
		t.Fatal("the unit does not start /usr/bin/casement")
	}
	path := filepath.Join(t.TempDir(), "casement.service")
	verify := func(text string) string {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
		said := ""
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "casement") {
				said += line
			}
		}
		if err != nil && said == "" {
			t.Skipf("systemd-analyze does not work here: %v: %s", err, out)
		}
		return said
	}
	if said := verify(unit); said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
	if said := verify(strings.Replace(unit, "KillMode=mixed", "KillMode=gently", 1)); said == "" {
		t.Error("systemd-analyze does not notice a wrong unit")
	}
}

// A server's package enables the unit and its first start listens; a client's
// leaves it off; an upgrade changes nothing.
func TestPackageRoles(t *testing.T) {
	needRoot(t)
	needTool(t, "systemctl", "systemd-sysusers")
	for role, want := range map[string]string{"server": "enabled", "client": "disabled"} {
		t.Run(role, func(t *testing.T) {
			root := installed(t)
			postinstall(t, role, root)
			if got := isEnabled(root); got != want {
				t.Errorf("the unit is %s, want %s", got, want)
			}
			if b, err := os.ReadFile(filepath.Join(root, "etc/passwd")); err != nil || !strings.Contains(string(b), "\ncasement:") && !strings.HasPrefix(string(b), "casement:") {
				t.Errorf("there is no system user casement: %s (%v)", b, err)
			}
			p := self(t)
			state := filepath.Join(p.home, "state")
			defer forgetPolicy(state)
			b, err := os.ReadFile(filepath.Join(root, "etc/default/casement"))
			if err != nil {
				t.Fatal(err)
			}
			options := strings.Trim(strings.TrimPrefix(strings.TrimSpace(string(b)), "CASEMENT_OPTIONS="), `"`)
			p.start(t, append([]string{"serve", "--state", state}, strings.Fields(options)...)...).end(syscall.SIGTERM)
			out := p.must(t, "winrm", "--state", state, "enumerate", listenerURI)
			if listens := strings.Contains(out, "Transport = HTTP"); listens != (role == "server") {
				t.Errorf("after the first start with %s the listeners are: %s", b, out)
			}

			// The administrator turns it around, and an upgrade comes.
			verb := map[string]string{"enabled": "disable", "disabled": "enable"}[want]
			if out, err := exec.Command("systemctl", "--root="+root, verb, "casement.service").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			postinstall(t, role, root)
			if got := isEnabled(root); got == want {
				t.Errorf("an upgrade made the unit %s again", got)
			}
		})
	}
}

// What a package has beside the binary: pages, completions, and links by the names of Windows' tools, which run once the
// binary is where they lead.
func TestPackagePages(t *testing.T) {
	binary(t)
	dest := t.TempDir()
	if out, err := exec.Command("sh", "../../packaging/pages.sh", dest, built.path).CombinedOutput(); err != nil {
		t.Fatalf("pages.sh: %v: %s", err, out)
	}
	for _, name := range []string{"man/man1/casement-netsh.1", "bash-completion/completions/casement", "fish/vendor_completions.d/casement.fish"} {
		if info, err := os.Stat(filepath.Join(dest, "usr/share", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"winrm", "netsh", "DCOMCNFG", "WF.msc", "Configure-SMRemoting.exe"} {
		if to, err := os.Readlink(filepath.Join(dest, "usr/lib/casement/names", name)); err != nil || to != "/usr/bin/casement" {
			t.Errorf("%s leads to %q: %v", name, to, err)
		}
	}
}

// installed is a system's root folder with what the package ships.
func installed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for from, to := range map[string]string{"casement.service": "usr/lib/systemd/system/casement.service", "casement.sysusers": "usr/lib/sysusers.d/casement.conf"} {
		b, err := os.ReadFile(filepath.Join("../../packaging", from))
		to = filepath.Join(root, to)
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o750), os.WriteFile(to, b, 0o600), os.MkdirAll(filepath.Join(root, "etc"), 0o750)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func postinstall(t *testing.T, role, root string) {
	t.Helper()
	if out, err := exec.Command("sh", "../../packaging/postinstall.sh", role, root).CombinedOutput(); err != nil {
		t.Fatalf("postinstall.sh %s: %v: %s", role, err, out)
	}
}

func isEnabled(root string) string {
	out, _ := exec.Command("systemctl", "--root="+root, "is-enabled", "casement.service").Output() // exit code 1 for disabled
	return strings.TrimSpace(string(out))
}
