package newcomer

import (
	"strings"
	"testing"
)

// TestManagementLines types the lines that switch remote management, as the documents print them, and looks from another machine at what each
// does: WinRM follows, DCOM never (checklist 2.101 to 2.103, 3.12, 3.17, 3.22 to 3.29, 3.33, 3.39 to 3.42; spec/winrm.md 10, statement 87).
func TestManagementLines(t *testing.T) {
	needRoot(t)
	t.Parallel()
	h := freshTwoHosts(t)
	winrm, dcom := "http://"+h.b.address+":5985/wsman", "dcom://"+h.b.address
	const (
		smr    = `%windir%\system32\Configure-SMRemoting.exe `
		policy = `gpedit.msc set "Computer Configuration\Administrative Templates\Windows Components\Windows Remote Management (WinRM)\WinRM Service\Allow remote server management through WinRM" `
		clear  = `gpedit.msc clear "Allow automatic configuration of listeners"`
		launch = `"DCOM: Machine Launch Restrictions in Security Descriptor Definition Language (SDDL) syntax"`
	)
	for _, step := range []struct {
		line        string
		winrm, dcom string // how each refuses; "" answers
	}{
		{`netsh advfirewall firewall set rule group="windows management instrumentation (wmi)" new enable=yes`, "", ""},
		{smr + `-get`, "", ""},
		{smr + `-disable`, "0x803381DD", ""},
		{smr + `-disable`, "0x803381DD", ""},
		{smr + `-enable`, "", ""},
		{policy + `disabled`, "0x803381DD", ""},
		{smr + `-disable`, "0x803381DD", ""}, // it is off already, and nothing of the machine is changed
		{`gpupdate /force`, "0x803381DD", ""},
		{clear, "", ""},

		// The listeners of the machine go, that of the policy comes where its filter lets it.
		{`winrm delete winrm/config/Listener?Address=IP:` + h.b.address + `+Transport=HTTP`, "", ""},
		{`winrm delete winrm/config/Listener?Address=*+Transport=HTTP`, "0x80338112", ""},
		{policy + `enabled --option IPv4Filter=198.51.100.0-198.51.100.255`, "", ""},
		{policy + `enabled --option IPv4Filter=10.0.0.1-10.0.0.9 --option IPv6Filter=*`, "0x80338112", ""},
		{policy + `enabled --option IPv4Filter=*`, "", ""},
		{`gpedit.msc set "Standard Profile\Windows Firewall: Do not allow exceptions" enabled`, "0x80338112", "0x800706BA"},
		{`gpedit.msc clear "Standard Profile\Windows Firewall: Do not allow exceptions"`, "", ""},
		{clear, "0x80338112", ""},
		{smr + `-enable`, "", ""},

		// What rules one transport leaves the other alone.
		{`gpedit.msc set ` + launch + ` enabled --option SDDL=O:BAG:BAD:(A;;CCDCSW;;;WD)`, "", "0x80070005"},
		{`gpedit.msc clear ` + launch, "", ""},
		{`gpedit.msc set "WinRM Service\Disallow Negotiate authentication" enabled`, "refused Negotiate", ""},
		{`gpedit.msc set "WinRM Service\Disallow Negotiate authentication" disabled`, "", ""},
	} {
		h.typed(h.bs, step.line)
		for url, want := range map[string]string{winrm: step.winrm, dcom: step.dcom} {
			if want == "" {
				h.answers(url)
			} else {
				h.refuses(url, want)
			}
		}
		if t.Failed() {
			t.Fatalf("after %s", step.line)
		}
	}

	// What the policy forbids the tools do not do, and shells follow their own policy.
	p := h.p
	p.env = append([]string{"CASEMENT_STATE=" + h.bs}, p.env...)
	h.typed(h.bs, policy+`disabled`)
	for _, args := range [][]string{{"Configure-SMRemoting.exe", "-enable"}, {"winrm", "quickconfig", "-quiet"}} {
		if out, errOut, code := p.run(t, args...); code != 1 || !strings.Contains(out+errOut, "0x803381DD") {
			t.Errorf("%q: %d %s%s", args, code, out, errOut)
		}
	}
	h.typed(h.bs, clear)
	h.answers(winrm)
	h.typed(h.bs, `gpedit.msc set "Allow Remote Shell Access" disabled`)
	var out []byte
	if !soon(func() bool {
		cmd := h.p.commandIn(t.Context(), h.a, "run", winrm, "--", "echo", "hello")
		cmd.Env = append(cmd.Env, "CASEMENT_USER=Administrator", "CASEMENT_PASSWORD="+h.password)
		out, _ = cmd.CombinedOutput()
		return strings.Contains(string(out), "0x803381AC")
	}) {
		t.Errorf("a shell: %s", out)
	}
	h.answers(winrm)
}
