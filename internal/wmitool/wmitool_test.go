package wmitool

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// TestRightLabels: the labels of WMI Control and their masks, from the pages
// "Namespace Access Rights Constants" and "Access to WMI Namespaces".
func TestRightLabels(t *testing.T) {
	for text, want := range map[string]uint32{
		"Enable Account": 0x1, "Execute Methods": 0x2, "Full Write": 0x1C, "Partial Write": 0x8, "Provider Write": 0x10,
		"Remote Enable": 0x20, "Read Security": 0x20000, "Edit Security": 0x40000,
		"enable account,REMOTE ENABLE": 0x21, "RemoteEnable": 0x20, `"Enable Account","Remote Enable"`: 0x21, "All": 0x6003F,
	} {
		if got, err := ParseRights(text); got != want || err != nil {
			t.Errorf("%s: 0x%X, %v, want 0x%X", text, got, err, want)
		}
	}
	for _, text := range []string{"", "Enable", "Full Write;Remote Enable"} {
		if _, err := ParseRights(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if got := FormatRights(0x21); got != "Enable Account, Remote Enable" {
		t.Errorf("0x21 is %q", got)
	}
	if got := FormatRights(AllRights | 0x100); !strings.HasPrefix(got, "Execute Methods, Full Write") || !strings.HasSuffix(got, ", 0x100") {
		t.Errorf("all and 0x100 is %q", got)
	}
}

func sddl(t *testing.T, text string) *security.SecurityDescriptor {
	t.Helper()
	sd, err := security.ParseSDDL(text)
	if err != nil {
		t.Fatal(err)
	}
	return sd
}

func TestGrantAndRevoke(t *testing.T) {
	const alice = "S-1-5-21-1-2-3-1001"
	sid, err := security.ParseSID(alice)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		why, before, after string
		change             func(*security.SecurityDescriptor) bool
	}{
		{
			"a new entry stands behind the refusals and in front of what is inherited",
			"O:BAG:BAD:(D;;0x10;;;AN)(A;CIID;0x13;;;AU)", "O:BAG:BAD:(D;;0x10;;;AN)(A;;0x21;;;" + alice + ")(A;CIID;0x13;;;AU)",
			func(sd *security.SecurityDescriptor) bool { Grant(sd, sid, 0x21, false); return true },
		},
		{
			"rights are added to what the trustee has",
			"O:BAG:BAD:(A;;0x1;;;" + alice + ")", "O:BAG:BAD:(A;;0x21;;;" + alice + ")",
			func(sd *security.SecurityDescriptor) bool { Grant(sd, sid, 0x20, false); return true },
		},
		{
			"those for subnamespaces too are an entry of their own",
			"O:BAG:BAD:(A;;0x1;;;" + alice + ")", "O:BAG:BAD:(A;;0x1;;;" + alice + ")(A;CI;0x20;;;" + alice + ")",
			func(sd *security.SecurityDescriptor) bool { Grant(sd, sid, 0x20, true); return true },
		},
		{
			"some rights are taken",
			"O:BAG:BAD:(A;;0x21;;;" + alice + ")(A;;0x21;;;BA)", "O:BAG:BAD:(A;;0x1;;;" + alice + ")(A;;0x21;;;BA)",
			func(sd *security.SecurityDescriptor) bool { return Revoke(sd, sid, 0x20) },
		},
		{
			"Full Write goes with the writing that it needs",
			"O:BAG:BAD:(A;;0x1D;;;" + alice + ")", "O:BAG:BAD:(A;;0x11;;;" + alice + ")",
			func(sd *security.SecurityDescriptor) bool { return Revoke(sd, sid, 0x8) },
		},
		{
			"an entry without rights goes; an inherited one stays",
			"O:BAG:BAD:(A;;0x21;;;" + alice + ")(A;ID;0x1;;;" + alice + ")", "O:BAG:BAD:(A;ID;0x1;;;" + alice + ")",
			func(sd *security.SecurityDescriptor) bool { return Revoke(sd, sid, ^uint32(0)) },
		},
	} {
		sd := sddl(t, test.before)
		if !test.change(sd) {
			t.Errorf("%s: nothing was changed", test.why)
		}
		if got, want := sd.String(), sddl(t, test.after).String(); got != want {
			t.Errorf("%s: %s, want %s", test.why, got, want)
		}
	}
	if Revoke(sddl(t, "O:BAG:BAD:(A;;0x21;;;BA)"), sid, 0x20) {
		t.Error("what nobody gave is taken")
	}
}

// nowhere is a machine that cannot be reached.
type nowhere struct{ asked []Target }

func (n *nowhere) Session(_ context.Context, t Target, _ string) (cim.Session, error) {
	n.asked = append(n.asked, t)
	return nil, errors.New("no such host")
}

// TestMofcompExitCodes: 2 for a switch, 3 for syntax, 1 without a connection,
// 0 for -check, which needs none. T-87 and the page "mofcomp".
func TestMofcompExitCodes(t *testing.T) {
	good, bad := t.TempDir()+"/good.mof", t.TempDir()+"/bad.mof"
	write(t, good, "class Acme_Thing { [key] string Name; };\n")
	write(t, bad, "class Acme_Thing {\n  [key string Name;\n};\n")
	for _, test := range []struct {
		args  []string
		code  int
		calls int
		says  string
	}{
		{[]string{"-check", good}, 0, 0, "successfully parsed"},
		{[]string{"/CHECK", good}, 0, 0, ""},
		{[]string{"-check", bad}, 3, 0, "bad.mof (2:"},
		{[]string{bad}, 3, 0, "Nothing was stored"},
		{[]string{good}, 1, 1, "no such host"},
		{[]string{`-N:\\web1\root\default`, "-U:ann", "-P:x", good}, 1, 1, ""},
		{[]string{"-chek", good}, 2, 0, "-chek"},
		{[]string{"-class:always", good}, 2, 0, "createonly"},
		{[]string{"-instance:forceupdate", good}, 2, 0, ""},
		{[]string{"-N:", good}, 2, 0, ""},
		{[]string{`-N:\\web1`, good}, 2, 0, ""},
		{[]string{"-AMENDMENT:MS_409", good}, 2, 0, "belong together"},
		{[]string{"-AMENDMENT:english", "-MOF:a", "-MFL:b", good}, 2, 0, "MS_409"},
		{[]string{good, good}, 2, 0, "only one file"},
		{nil, 2, 0, "missing"},
		{[]string{t.TempDir() + "/none.mof"}, 1, 0, "none.mof"},
	} {
		var out bytes.Buffer
		c := &nowhere{}
		m := &MOFCompiler{Connector: c, Out: &out, Err: &out}
		if code := m.Run(t.Context(), test.args); code != test.code || len(c.asked) != test.calls || !strings.Contains(out.String(), test.says) {
			t.Errorf("mofcomp %q: exit code %d after %d connections, want %d after %d and %q in:\n%s", test.args, code, len(c.asked), test.code, test.calls, test.says, &out)
		}
		if strings.Contains(strings.Join(test.args, " "), "web1") && test.calls == 1 && c.asked[0] != (Target{Host: "web1", User: "ann", Password: "x"}) {
			t.Errorf("the target is %+v", c.asked[0])
		}
	}
}

// TestWinmgmtUsage: a wrong command line is said so and nothing is tried, a
// lone slash too. Document 004, item 23.
func TestWinmgmtUsage(t *testing.T) {
	for line, code := range map[string]int{
		"": 2, "/ standalonehost": 2, "/": 2, "standalonehost": 2, "/standalonehost 7": 2, "/standalonehost x": 2, "/standalonehost 1 2": 2,
		"/restore f": 2, "/restore f 2": 2, "/backup": 2, "/verify": 2, "/sharedhost 1": 2, "/?": 0,
		"/verifyrepository": 1, "/verifyrepository a b": 2, "-resetrepository": 1, "/SalvageRepository": 1,
	} {
		var out bytes.Buffer
		c := &nowhere{}
		w := &Winmgmt{Connector: c, Out: &out, Err: &out, Host: func(bool, int) (uint16, error) {
			t.Errorf("winmgmt %s has an effect", line)
			return 0, nil
		}}
		if got := w.Run(t.Context(), strings.Fields(line)); got != code || (code == 1) != (len(c.asked) == 1) {
			t.Errorf("winmgmt %s: exit code %d, %d connections, want %d\n%s", line, got, len(c.asked), code, &out)
		}
	}
	for line, want := range map[string]int{"/standalonehost": 4, "/standalonehost 6": 6, "-standalonehost 0": 0} {
		level := -1
		w := &Winmgmt{Connector: &nowhere{}, Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Host: func(standalone bool, l int) (uint16, error) {
			level = l
			return 24158, nil
		}}
		if code := w.Run(t.Context(), strings.Fields(line)); code != 0 || level != want {
			t.Errorf("winmgmt %s: exit code %d, level %d, want level %d", line, code, level, want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
