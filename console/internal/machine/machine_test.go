package machine_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

// host is this machine, over WinRM and over DCOM.
func host(t *testing.T, each func(t *testing.T, open func(namespace string) cim.Session)) {
	t.Helper()
	s := casementtest.New(t, casementtest.Options{})
	for _, target := range []string{s.HTTP, "dcom://" + s.DCOM} {
		scheme, _, _ := strings.Cut(target, "://")
		t.Run(scheme, func(t *testing.T) {
			c, err := casement.Dial(t.Context(), target, casement.Options{User: s.User, Password: s.Password, HostsFile: "-"})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			each(t, func(namespace string) cim.Session {
				session, err := c.Session(t.Context(), namespace)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { session.Close() })
				return session
			})
		})
	}
}

func TestPagesOfThisMachine(t *testing.T) {
	host(t, func(t *testing.T, open func(string) cim.Session) {
		s := open("")
		if _, cut, err := machine.Services(t.Context(), s); err != nil || cut {
			t.Errorf("services: cut %t, %v", cut, err)
		}
		users, groups, _, err := machine.Accounts(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		passwd, err := os.ReadFile("/etc/passwd")
		if err != nil {
			t.Skip(err)
		}
		for line := range strings.Lines(string(passwd)) {
			name, _, _ := strings.Cut(line, ":")
			if !slices.ContainsFunc(users, func(u machine.User) bool { return u.Name == name }) {
				t.Errorf("the user %s of /etc/passwd is missing", name)
			}
		}
		root := users[slices.IndexFunc(users, func(u machine.User) bool { return u.Name == "root" })]
		out, err := exec.Command("id", "-Gn", "root").Output()
		if err != nil {
			t.Skip(err)
		}
		for group := range strings.FieldsSeq(string(out)) {
			if !slices.Contains(root.Groups, group) {
				t.Errorf("root is in %q, and id names %s", root.Groups, group)
			}
			g := slices.IndexFunc(groups, func(g machine.Group) bool { return g.Name == group })
			if g < 0 || !slices.ContainsFunc(groups[g].Members, func(m string) bool { return strings.HasSuffix(m, `\root`) }) {
				t.Errorf("the group %s does not have root: %+v", group, groups[max(g, 0)])
			}
		}
		if _, _, err := machine.Events(t.Context(), s, machine.EventFilter{}, time.Now()); err != nil {
			t.Errorf("events: %v", err)
		}
	})
}

func TestFirewallPage(t *testing.T) {
	host(t, func(t *testing.T, open func(string) cim.Session) {
		rules, _, err := machine.FirewallRules(t.Context(), open(machine.FirewallNamespace))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{ // the documents name them
			"Windows Management Instrumentation (WMI-In)", "COM+ Network Access (DCOM-In)", "Remote Event Log Management (RPC)",
		} {
			if !slices.ContainsFunc(rules, func(r machine.FirewallRule) bool {
				return r.Name == want && r.Direction == "Inbound" && r.Action == "Allow" && r.ID != ""
			}) {
				t.Errorf("the rule %q is missing", want)
			}
		}
		groups := machine.RuleGroups(rules)
		wmi := slices.IndexFunc(groups, func(g machine.RuleGroup) bool { return g.Name == "Windows Management Instrumentation (WMI)" })
		if wmi < 0 || groups[wmi].Rules < 3 {
			t.Errorf("the group of WMI: %+v", groups)
		}
	})
}

func TestQueryExplorer(t *testing.T) {
	host(t, func(t *testing.T, open func(string) cim.Session) {
		s := open("")
		namespaces, err := machine.Namespaces(t.Context(), open("root"))
		if err != nil || !slices.ContainsFunc(namespaces, func(n string) bool { return strings.EqualFold(n, `root\cimv2`) }) {
			t.Errorf("namespaces below root: %q, %v", namespaces, err)
		}
		names, err := machine.Classes(t.Context(), s)
		if err != nil || !slices.Contains(names, "Win32_Service") {
			t.Errorf("%d classes, Win32_Service %t, %v", len(names), slices.Contains(names, "Win32_Service"), err)
		}
		c, err := machine.ClassOf(t.Context(), s, "Win32_Process")
		if err != nil {
			t.Fatal(err)
		}
		if n := slices.IndexFunc(c.Properties, func(p machine.Property) bool { return p.Name == "Handle" }); n < 0 || !c.Properties[n].Key || c.Properties[n].Type != "string" {
			t.Errorf("the key of Win32_Process: %+v", c.Properties)
		}
		if !slices.ContainsFunc(c.Methods, func(m machine.Method) bool { return m.Name == "Create" && len(m.In) > 0 }) {
			t.Errorf("methods: %+v", c.Methods)
		}
		var got [][]*string
		table, err := machine.Query(t.Context(), s, "SELECT Caption, NumberOfUsers, InstallDate FROM Win32_OperatingSystem", 10, func(_ []string, path string, values []*string) error {
			got = append(got, values)
			if !strings.Contains(path, "Win32_OperatingSystem") {
				t.Errorf("path %q", path)
			}
			return nil
		})
		if err != nil || len(got) != 1 || table.Cut {
			t.Fatalf("%d rows, %+v, %v", len(got), table, err)
		}
		for _, want := range []string{"Caption", "NumberOfUsers", "InstallDate"} {
			if !slices.Contains(table.Columns, want) {
				t.Errorf("columns %q", table.Columns)
			}
		}
		if _, err := machine.Query(t.Context(), s, "SELECT * FROM Win32_Process", 3, func([]string, string, []*string) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

// endless is a server that never ends and sends long texts.
type endless struct {
	cim.Session
	class *cim.Class
	sent  int
}

func (e *endless) Query(context.Context, string, cim.QueryOptions) (cim.Enumerator, error) {
	return e, nil
}

func (e *endless) Next(_ context.Context, n int) ([]*cim.Instance, error) {
	if e.sent > 1_000_000 {
		return nil, io.EOF
	}
	list := make([]*cim.Instance, max(n, 1))
	for n := range list {
		list[n] = cim.NewInstance(e.class)
		if err := list[n].Set("Name", cim.Str(strings.Repeat("é", 20000)[1:])); err != nil {
			return nil, err
		}
	}
	e.sent += len(list)
	return list, nil
}

func (e *endless) Close() error { return nil }

// A server that floods is cut off, and its texts are.
func TestFlood(t *testing.T) {
	e := &endless{class: (&cim.Class{Name: "Win32_Service", Properties: []cim.Property{{Name: "Name", Type: cim.String, Key: true}}}).Seal()}
	list, cut, err := machine.Services(t.Context(), e)
	if err != nil || !cut || len(list) != 5000 {
		t.Fatalf("%d services, cut %t, %v", len(list), cut, err)
	}
	if n := len(list[0].Name); n > 9000 {
		t.Errorf("a name of %d octets", n)
	}
}

func TestEventIDs(t *testing.T) {
	for _, c := range []struct {
		filter   machine.EventIDs
		in, out  []uint64
		mistaken bool
	}{
		{"", []uint64{0, 7, 99999}, nil, false},
		{"1,3,5-99,-76", []uint64{1, 3, 5, 75, 77, 99}, []uint64{0, 2, 4, 76, 100}, false},
		{"-76", []uint64{1, 75, 77}, []uint64{76}, false},
		{" 10 - 20 , -12-14 ", []uint64{10, 11, 15, 20}, []uint64{9, 12, 13, 14, 21}, false},
		{"5-3", nil, []uint64{4}, true},
		{"a", nil, []uint64{1}, true},
		{"1,,2", nil, []uint64{1}, true},
		{"--3", nil, []uint64{3}, true},
		{"99999999999", nil, []uint64{1}, true},
	} {
		if err := c.filter.Check(); (err != nil) != c.mistaken {
			t.Errorf("%q: %v", c.filter, err)
		}
		for _, id := range c.in {
			if !c.filter.Match(id) {
				t.Errorf("%q leaves %d out", c.filter, id)
			}
		}
		for _, id := range c.out {
			if c.filter.Match(id) {
				t.Errorf("%q lets %d pass", c.filter, id)
			}
		}
	}
}

func FuzzEventIDs(f *testing.F) {
	f.Add("1,3,5-99,-76", uint64(76))
	f.Add("-", uint64(0))
	f.Fuzz(func(t *testing.T, filter string, id uint64) {
		if ids := machine.EventIDs(filter); ids.Check() != nil && ids.Match(id) {
			t.Errorf("%q is wrong and lets %d pass", filter, id)
		}
	})
}
