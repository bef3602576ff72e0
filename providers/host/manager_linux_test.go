package host

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// session opens root\cimv2 of an object manager that has this provider.
// register registers a provider, behind that of the files, whose classes it builds on.
func register(t testing.TB, m *cimom.Manager, p *Provider) {
	t.Helper()
	if !p.filesOnly {
		if err := m.Register(NewFiles(p.o)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
}

func session(t testing.TB, p *Provider) cim.Session {
	t.Helper()
	m := cimom.New(cimom.Options{Server: "BOX"})
	t.Cleanup(func() { _ = m.Close() })
	register(t, m, p)
	s, err := m.Open(context.Background(), administrator(), Namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// answer is what a query finds, and ask insists that it works.
func answer(ctx context.Context, s cim.Session, wql string) ([]*cim.Instance, error) {
	e, err := s.Query(ctx, wql, cim.QueryOptions{})
	if err != nil {
		return nil, err
	}
	return cim.Collect(ctx, e)
}

func ask(t testing.TB, s cim.Session, wql string) []*cim.Instance {
	t.Helper()
	out, err := answer(context.Background(), s, wql)
	if err != nil {
		t.Fatalf("%s: %v", wql, err)
	}
	return out
}

func TestThroughTheObjectManager(t *testing.T) {
	ctx := context.Background()
	s := session(t, New(Options{Services: newFakeServices()}))

	os1, err := s.Get(ctx, cim.ObjectPath{Class: "Win32_OperatingSystem", Singleton: true}, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, os1, map[string]string{"OSType": "36", "BuildNumber": output(t, "uname", "-r")})
	if path, whole := os1.Path(); !whole || path.Relative() != "Win32_OperatingSystem=@" {
		t.Errorf("the path of the operating system is %v", path)
	}

	me := strconv.Itoa(os.Getpid())
	out := ask(t, s, "SELECT Name, WorkingSetSize FROM Win32_Process WHERE Handle = '"+me+"'")
	if len(out) != 1 || out[0].Len() != 2 || mustUint(out[0], "WorkingSetSize") == 0 {
		t.Errorf("this process is %v", out)
	}
	if out := ask(t, s, "SELECT * FROM Win32_Service WHERE State = 'Running'"); len(out) != 1 || out[0].Get("Name").String() != "ssh" {
		t.Errorf("running services %v", out)
	}
	if out := ask(t, s, "SELECT SID FROM Win32_UserAccount WHERE Name = 'root' AND LocalAccount = TRUE"); len(out) != 1 || out[0].Get("SID").String() != "S-1-22-1-0" {
		t.Errorf("root is %v", out)
	}
	out = ask(t, s, "ASSOCIATORS OF {Win32_Service.Name='ssh'} WHERE AssocClass = Win32_DependentService")
	if len(out) != 1 || out[0].Get("Name").String() != "network" {
		t.Errorf("ssh depends on %v", out)
	}

	r, err := s.Invoke(ctx, cim.ObjectPath{Class: "Win32_Process", Keys: []cim.Key{{Name: "Handle", Value: cim.Str(me)}}}, "GetOwnerSid", nil, cim.OperationOptions{})
	if err != nil || r.Out.Get("Sid").String() != "S-1-22-1-"+strconv.Itoa(os.Geteuid()) {
		t.Errorf("GetOwnerSid %+v, %v", r, err)
	}
	r, err = s.Invoke(ctx, cim.ObjectPath{Class: "Win32_Process"}, "Create", nil, cim.OperationOptions{})
	if err != nil || r.ReturnValue.String() != "21" {
		t.Errorf("Create without a command line: %+v, %v", r, err)
	}
	if _, err := s.Get(ctx, cim.ObjectPath{Class: "Win32_Process", Keys: []cim.Key{{Name: "Handle", Value: cim.Str("x")}}}, cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a process that is not there: %v", err)
	}
}

// An enumeration of a superclass gives the instances of all classes derived from it.
func TestSuperclassesThroughTheObjectManager(t *testing.T) {
	ctx := context.Background()
	s := session(t, New(Options{Services: newFakeServices()}))
	classes := func(base string) map[string]int {
		t.Helper()
		e, err := s.Enumerate(ctx, base, cim.EnumerateOptions{Properties: []string{"Name"}})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		if err := cim.Each(ctx, e, func(i *cim.Instance) error { seen[i.Class().Name]++; return nil }); err != nil {
			t.Fatal(err)
		}
		return seen
	}
	if got := classes("CIM_Process"); len(got) != 1 || got["Win32_Process"] < 2 {
		t.Errorf("CIM_Process gives %v", got)
	}
	got := classes("CIM_LogicalElement")
	for _, want := range []string{"Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_BIOS", "Win32_Processor", "Win32_Process", "Win32_Service",
		"Win32_LogicalDisk", "Win32_NetworkAdapter", "Win32_UserAccount", "Win32_Group"} {
		if got[want] == 0 {
			t.Errorf("CIM_LogicalElement has no %s: %v", want, got)
		}
	}
	if got["Win32_TimeZone"] != 0 {
		t.Error("a time zone is no logical element")
	}
	if got := classes("CIM_Setting"); got["Win32_TimeZone"] != 1 || got["Win32_NetworkAdapterConfiguration"] == 0 {
		t.Errorf("CIM_Setting gives %v", got)
	}
}

func BenchmarkQueryProcesses(b *testing.B) {
	ctx := context.Background()
	s := session(b, New(Options{}))
	for _, q := range []string{"SELECT * FROM Win32_Process", "SELECT Name, ProcessId, WorkingSetSize FROM Win32_Process"} {
		name, _, _ := strings.Cut(q[7:], " ")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e, err := s.Query(ctx, q, cim.QueryOptions{})
				if err != nil {
					b.Fatal(err)
				}
				if err := cim.Each(ctx, e, func(*cim.Instance) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Win32_CurrentTime has both clocks, and a session leads to its user and back.
func TestClocksAndSessionsThroughTheObjectManager(t *testing.T) {
	s := session(t, New(Options{Root: root(t, map[string]string{
		"proc/sys/kernel/hostname": "box\n", "etc/passwd": "alice:x:1000:1000::/u/alice:/bin/sh\nbob:x:1001:1001::/u/bob:/bin/sh\n", "etc/group": "",
		"run/systemd/sessions/3": "UID=1000\nUSER=alice\nSTATE=active\nCLASS=user\n", "run/systemd/sessions/4": "UID=1001\nUSER=bob\nSTATE=active\nCLASS=user\n",
	})}))
	list := func(query, property string) string {
		t.Helper()
		out := ask(t, s, query)
		if property == "" {
			var names []string
			for _, i := range out {
				names = append(names, i.Class().Name)
			}
			return strings.Join(names, " ")
		}
		return texts(out, property)
	}
	for _, c := range []struct{ query, property, want string }{
		{"SELECT * FROM Win32_CurrentTime", "", "Win32_LocalTime Win32_UTCTime"},
		{"ASSOCIATORS OF {Win32_LogonSession.LogonId='3'} WHERE AssocClass = Win32_LoggedOnUser", "Name", "alice"},
		{"ASSOCIATORS OF {Win32_UserAccount.Domain='box',Name='bob'} WHERE ResultClass = Win32_LogonSession", "LogonId", "4"},
		{"SELECT * FROM Win32_LogonSession WHERE LogonType = 2 AND LogonId = '4'", "LogonId", "4"},
	} {
		if got := list(c.query, c.property); got != c.want {
			t.Errorf("%s gives %q, want %q", c.query, got, c.want)
		}
	}
}
