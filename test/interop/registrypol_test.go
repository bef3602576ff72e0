package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Samba's code for Registry.pol reads what gpedit writes, and gpedit imports what it writes ([MS-GPREG] 2.2.1; checklist 2.101).
func TestRegistryPol(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: peers run against the real binary")
	}
	const python = "/usr/bin/python3" // the one of the system has Samba's modules
	if out, err := exec.Command(python, "-c", "from samba.dcerpc import preg").CombinedOutput(); err != nil {
		absent(t, "python3-samba is missing: "+strings.TrimSpace(string(out)))
	}
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(stdin, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...) // #nosec G204 -- the test's own programs
		cmd.Env = append(os.Environ(), "CASEMENT_STATE="+filepath.Join(dir, "state"))
		cmd.Stdin = strings.NewReader(stdin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v: %s", args, err, &stderr)
		}
		return string(out)
	}
	read := func() (rows [][4]any) {
		t.Helper()
		if err := json.Unmarshal([]byte(run("", python, "registrypol_peer.py", "read", filepath.Join(dir, "state", "Registry.pol"))), &rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	compare := func(want [][4]any) {
		t.Helper()
		got, _ := json.Marshal(read())
		wanted, err := json.Marshal(want)
		if err != nil || string(got) != string(wanted) {
			t.Errorf("Samba reads\n%s\nwant\n%s", got, wanted)
		}
	}
	const service, creds = `Software\Policies\Microsoft\Windows\WinRM\Service`, `Software\Policies\Microsoft\Windows\CredentialsDelegation`
	run("", binary, "wmi", "ns")
	run("", binary, "gpedit", "set", "Allow remote server management through WinRM", "enabled", "--option", "IPv4Filter=10.0.0.1-10.0.0.9")
	run("", binary, "gpedit", "set", "Allow delegating fresh credentials", "enabled", "--option", "Servers=WSMAN/größe.example.org")
	ours := [][4]any{
		{service, "AllowAutoConfig", 4, 1}, {service, "IPv4Filter", 1, "10.0.0.1-10.0.0.9"}, {service, "IPv6Filter", 1, ""},
		{creds, "AllowFreshCredentials", 4, 1}, {creds + `\AllowFreshCredentials`, "**delvals.", 1, " "},
		{creds + `\AllowFreshCredentials`, "1", 1, "WSMAN/größe.example.org"}, {creds, "ConcatenateDefaults_AllowFresh", 4, 1},
	}
	compare(ours)

	// A file of Samba's: what it says of ours replaces what there was, the rest is kept and named.
	theirs := [][4]any{
		{service, "AllowAutoConfig", 4, 0}, {`Software\Policies\Vendor`, "Blob", 3, []int{0xDE, 0xAD, 0, 0x5D}},
		{`Software\Policies\Vendor`, "**del.Old", 1, " "}, {`Software\Policies\Vendor`, "Text", 1, "ü;]"},
	}
	text, err := json.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "samba.pol")
	run(string(text), python, "registrypol_peer.py", "write", file)
	out := run("", binary, "gpedit", "import", file)
	for _, want := range []string{"4 entries", `HKLM\Software\Policies\Vendor: Text = ü;] (REG_SZ)`, `Vendor: Blob = `, `**del.Old`} {
		if !strings.Contains(out, want) {
			t.Errorf("import says %s, want %s", out, want)
		}
	}
	compare(append(append([][4]any{}, ours[3:]...), theirs...))
	if out := run("", binary, "gpedit", "show", "Allow remote server management through WinRM"); !strings.Contains(out, "State           Disabled") {
		t.Errorf("%s", out)
	}
}
