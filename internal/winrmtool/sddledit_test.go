package winrmtool

import (
	"bytes"
	"strings"
	"testing"

	"github.com/casementhq/casement/security"
)

// someNames knows one account.
type someNames struct{}

var bob, _ = security.ParseSID("S-1-5-21-1-2-3-1001")

func (someNames) SID(name string) (security.SID, bool) { return bob, strings.EqualFold(name, "bob") }
func (someNames) Name(sid security.SID) (string, bool) { return `HOST\bob`, sid == bob }

// The editor is driven line by line; the result is SDDL as [MS-DTYP] 2.5.1 has
// it.
func TestEditor(t *testing.T) {
	for _, c := range []struct {
		name, lines, from, want string
		names                   Names
		write                   bool
	}{
		{"add and save", "add Users read\nsave\n", "D:(A;;GA;;;BA)", "D:(A;;GA;;;BA)(A;;GR;;;BU)", nil, true},
		{"names with blanks", "add NT AUTHORITY\\NETWORK SERVICE read, execute\nsave\n", "D:(A;;GA;;;BA)", "D:(A;;GA;;;BA)(A;;GXGR;;;NS)", nil, true},
		{"deny stands first", "deny Guests all\nsave\n", "D:(A;;GA;;;BA)", "D:(D;;GA;;;BG)(A;;GA;;;BA)", nil, true},
		{"an account of this machine", "add bob write\nsave\n", "D:(A;;GA;;;BA)", "D:(A;;GA;;;BA)(A;;GW;;;S-1-5-21-1-2-3-1001)", someNames{}, true},
		{"the same on another host", "add bob write\nsave\n", "D:(A;;GA;;;BA)", "D:(A;;GA;;;BA)", nil, true},
		{"an identifier", "add S-1-5-21-1-2-3-1001 all\nsave\n", "D:", "D:(A;;GA;;;S-1-5-21-1-2-3-1001)", nil, true},
		{"remove by number and name", "remove 1\nremove Users\nremove 9\nremove nobody\nsave\n", "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;BU)(A;;GX;;;IU)S:P(AU;FA;GA;;;WD)",
			"O:NSG:BAD:P(A;;GX;;;IU)S:P(AU;FA;GA;;;WD)", nil, true},
		{"quit", "remove 1\nquit\n", "D:(A;;GA;;;BA)", "D:", nil, false},
		{"the end of the input", "add Users read", "D:(A;;GA;;;BA)", "D:(A;;GA;;;BA)(A;;GR;;;BU)", nil, false},
		{"nonsense", "what\nadd\nadd Users\nadd read\nremove\n\nsave\n", "D:(A;;GA;;;BA)", "D:(A;;GA;;;BA)", nil, true},
	} {
		sd, err := security.ParseSDDL(c.from)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		e := &sddlEditor{tool: &Tool{In: strings.NewReader(c.lines), Out: &out}, sd: sd, name: "x", names: c.names}
		write, err := e.run(t.Context())
		if err != nil || write != c.write || sd.String() != c.want {
			t.Errorf("%s: %v %v %s, want %s\n%s", c.name, write, err, sd, c.want, out.String())
		}
	}
	sd, _ := security.ParseSDDL("D:(A;;GA;;;BA)(D;;GRGX;;;S-1-5-21-1-2-3-1001)")
	e := &sddlEditor{tool: &Tool{}, sd: sd, names: someNames{}}
	lines := strings.Split(e.list(), "\n")
	if got := strings.Fields(lines[0]); strings.Join(got, " ") != `1 allow BUILTIN\Administrators all` {
		t.Errorf("%q", got)
	}
	if got := strings.Fields(lines[1]); strings.Join(got, " ") != `2 deny HOST\bob read,execute` {
		t.Errorf("%q", got)
	}
}
