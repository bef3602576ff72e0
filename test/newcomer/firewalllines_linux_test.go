package newcomer

import (
	"os"
	"path/filepath"
	"testing"
)

// typed types a line of a document at the prompt of casement cmd, on the machine that has the state folder.
func (h *twoHosts) typed(state, line string) {
	h.t.Helper()
	p := h.p
	p.env = append([]string{"CASEMENT_STATE=" + state}, p.env...)
	file := filepath.Join(p.home, "typed.cmd")
	if err := os.WriteFile(file, []byte(line+"\r\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	p.must(h.t, "cmd", file)
}

// TestFirewallLines types lines of the documents as they are printed, and looks from another machine at what each does
// (checklist 0.09 to 0.11, 0.13, 0.14, 0.17, 0.18, 3.38; spec/wmi.md 1.3).
func TestFirewallLines(t *testing.T) {
	needRoot(t)
	t.Parallel()
	h := freshTwoHosts(t)
	dcom := "dcom://" + h.b.address
	const rules = `netsh advfirewall firewall `
	for _, step := range []struct {
		line    string
		mapper  bool // port 135 lets A in
		queries bool // a query of A's works
	}{
		{`rem as it comes`, false, false},
		{rules + `set rule group="windows management instrumentation (wmi)" new enable=yes`, true, true},
		{rules + `set rule group="windows management instrumentation (wmi)" new enable=no`, false, false},
		{rules + `add rule dir=in name="DCOM" program=%systemroot%\system32\svchost.exe service=rpcss action=allow protocol=TCP localport=135`, true, false},
		{rules + `add rule dir=in name ="WMI" program=%systemroot%\system32\svchost.exe service=winmgmt action = allow protocol=TCP localport=any`, true, true},
		{rules + `delete rule name="DCOM"`, false, false},
		{rules + `set rule name="COM+ Network Access (DCOM-In)" new enable=yes`, true, true},
		{rules + `delete rule name="WMI"`, true, false},
		{`casement firewall disable "COM+ Network Access"`, false, false},
		{`casement firewall enable "Windows Management Instrumentation (WMI)"`, true, true},
		{`netsh advfirewall set currentprofile firewallpolicy blockinboundalways,allowoutbound`, false, false},
		{`netsh advfirewall set allprofiles state off`, true, true},
		{`netsh advfirewall reset`, false, false},
	} {
		h.typed(h.bs, step.line)
		if h.ports(map[int]bool{135: step.mapper}); step.queries {
			h.answers(dcom)
		} else {
			h.refuses(dcom, "0x800706BA")
		}
		if t.Failed() {
			t.Fatalf("after %s", step.line)
		}
	}
	for _, line := range []string{`winmgmt /standalonehost`, `net stop winmgmt`, `net start winmgmt`, `netsh firewall add portopening TCP 24158 WMIFixedPort`} {
		h.typed(h.bs, line)
	}
	h.ports(map[int]bool{24158: true})
	h.typed(h.bs, `netsh firewall delete portopening TCP 24158`)
	h.ports(map[int]bool{24158: false})
}
