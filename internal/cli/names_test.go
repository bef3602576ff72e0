package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The names of the checklist's preamble answer in any case, with and without .exe, .msc and .cmd, behind a path, as a
// name of the program, behind casement, and at the prompt.
func TestNamesOfTheDocuments(t *testing.T) {
	state(t)
	for _, name := range []string{"winrm", "Winrm", "winrs", "winmgmt", "netsh", "Configure-SMRemoting.exe", "DCOMCNFG", "gpedit.msc", "lusrmgr.msc", "wmimgmt.msc", "WF.msc", "Rundll32", "Runas", "reg"} {
		tool := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), ".msc"), ".exe")
		if personalities[tool] == nil {
			t.Errorf("%s does not answer", name)
		}
		for _, spelled := range []string{name, strings.ToUpper(tool), tool + ".exe", tool + ".cmd", strings.ToUpper(tool) + ".MSC", `C:\Windows\System32\` + name, "/usr/local/bin/" + tool} {
			if got := toolName(spelled); got != tool {
				t.Errorf("%s is %s, want %s", spelled, got, tool)
			}
		}
		if !slices.Contains(linkNames(), name) {
			t.Errorf("%s gets no link", name)
		}
		help := cli(t, "", tool, "/?")
		if help.code != exitOK || len(help.out) < 100 {
			t.Errorf("%s /?: %d %s%s", name, help.code, help.out, help.err)
		}
		r := cli(t, name+" /?\n", "casement", "cmd")
		if r.code != help.code || r.out != help.out || r.err != help.err {
			t.Errorf("%s at the prompt: %d %s%s", name, r.code, r.out, r.err)
		}
		if r := cli(t, "", "casement", name, "/?"); r.code != help.code || r.out != help.out {
			t.Errorf("casement %s: %d %s%s", name, r.code, r.out, r.err)
		}
	}
	for tool := range spellings {
		for _, spelled := range spellings[tool] {
			if toolName(spelled) != tool {
				t.Errorf("%s is %s, listed as %s", spelled, toolName(spelled), tool)
			}
		}
	}
}

func TestToolsThatAreWindows(t *testing.T) {
	state(t)
	cli(t, "", "lusrmgr.msc").want(t, 0, "Users\n", "Administrator", "Groups\n", "WinRMRemoteWMIUsers__")
	cli(t, "", "lusrmgr.msc", "x").want(t, 2, `"x"`)
	cli(t, "", "WF.msc", "-o", "csv").want(t, 0, "Windows Remote Management (HTTP-In),false,In,Allow")
	cli(t, "", "Runas").want(t, 1, "sudo winrm quickconfig")
	cli(t, "", "runas.exe", `/user:BOX\Administrator`, "/noprofile", "netsh advfirewall reset").want(t, 1, "Type: sudo netsh advfirewall reset")
	cli(t, "", "runas", "/user:alice", "winrm", "qc").want(t, 1, "Type: sudo -u alice winrm qc")
}

func TestInstallNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "names")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "net")
	if err := os.WriteFile(foreign, []byte("theirs"), 0o755); err != nil {
		t.Fatal(err)
	}
	cli(t, "", "casement", "names", "install", dir).want(t, 1, foreign+" is another program and stays", "Add it to PATH")
	for _, name := range []string{"netsh", "WF.msc", "DCOMCNFG", "Rundll32", "winrm.cmd"} {
		if self, err := os.Executable(); err != nil || !leadsTo(filepath.Join(dir, name), self) {
			t.Errorf("%s is no link to this program (%v)", name, err)
		}
	}
	cli(t, "", "casement", "names", "remove", dir).want(t, 0, "links were removed")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "net" {
		t.Errorf("what is left: %v, %v", left, err)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	cli(t, "", "casement", "names", "install", dir).want(t, 0)
	cli(t, "", "casement", "names", "install", dir).want(t, 0, "0 links were made")
	if list := strings.Fields(cli(t, "", "casement", "names", "list").want(t, 0).out); !slices.IsSorted(list) || !slices.Contains(list, "WF.msc") {
		t.Errorf("%v", list)
	}
}
