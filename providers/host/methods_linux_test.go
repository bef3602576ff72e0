package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

func process(pid int) cim.ObjectPath {
	return cim.ObjectPath{Class: "Win32_Process", Keys: []cim.Key{{Name: "Handle", Value: cim.Str(strconv.Itoa(pid))}}}
}

func invoke(t *testing.T, p *Provider, method string, c *call) cim.Result {
	t.Helper()
	r, err := p.invoke(context.Background(), "Win32_Process", method, c)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return r
}

// The return values are those that Windows was seen to give: spec/proof.md 5, row 13.
func TestCreateProcess(t *testing.T) {
	var got []string
	start := func(_ context.Context, _ cim.Caller, commandLine, dir string, startup *cim.Instance) (uint32, uint32, error) {
		got = append(got, commandLine, dir)
		switch {
		case startup != nil:
			got = append(got, startup.Get("Title").String())
			return 0, 0, errors.New("the helper has died")
		case commandLine == "/no/such/program":
			return 0, 9, nil
		}
		return 4711, 0, nil
	}
	startup := cim.NewInstance(classNamed("Win32_ProcessStartup"))
	if err := startup.Set("Title", cim.Str("a title")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		options    Options
		caller     cim.Caller
		in         cim.Arguments
		value, pid string
	}{
		{"success", Options{Start: start}, administrator(), cim.Arguments{{Name: "CommandLine", Value: cim.Str("id")}}, "0", "4711"},
		{"no command line", Options{Start: start}, administrator(), cim.Arguments{{Name: "CommandLine", Value: cim.Null(cim.String)}}, "21", "null"},
		{"unknown program", Options{Start: start}, administrator(), cim.Arguments{{Name: "CommandLine", Value: cim.Str("/no/such/program")}}, "9", "null"},
		{"failure", Options{Start: start}, administrator(), cim.Arguments{{Name: "CommandLine", Value: cim.Str("id")}, {Name: "CurrentDirectory", Value: cim.Str("/tmp")},
			{Name: "ProcessStartupInformation", Value: cim.Obj(startup)}}, "8", "null"},
		{"nobody starts", Options{}, administrator(), cim.Arguments{{Name: "CommandLine", Value: cim.Str("id")}}, "2", "null"},
		{"not an administrator", Options{Start: start}, cim.Caller{Token: &security.Token{User: security.SIDUsers}}, cim.Arguments{{Name: "CommandLine", Value: cim.Str("id")}}, "2", "null"},
		{"permitted by the program", Options{Start: start, MayChange: func(cim.Caller, string, string) bool { return true }}, cim.Caller{},
			cim.Arguments{{Name: "CommandLine", Value: cim.Str("id")}}, "0", "4711"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got = nil
			r := invoke(t, New(c.options), "Create", &call{caller: c.caller, path: cim.ObjectPath{Class: "Win32_Process"}, in: c.in})
			if r.ReturnValue.String() != c.value || r.Out.Get("ProcessId").String() != c.pid {
				t.Errorf("ReturnValue %v, ProcessId %v; want %s, %s", r.ReturnValue, r.Out.Get("ProcessId"), c.value, c.pid)
			}
			if c.name == "failure" && (len(got) != 3 || got[1] != "/tmp" || got[2] != "a title") {
				t.Errorf("the starter got %q", got)
			}
			if c.name == "not an administrator" && got != nil {
				t.Error("a process was started for somebody who may not")
			}
		})
	}
}

func TestTerminateProcess(t *testing.T) {
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill() })
	p := New(Options{})
	if r := invoke(t, p, "Terminate", &call{path: process(c.Process.Pid)}); r.ReturnValue.String() != "2" {
		t.Errorf("nobody terminates: ReturnValue %v", r.ReturnValue)
	}
	if r := invoke(t, p, "Terminate", &call{caller: administrator(), path: process(c.Process.Pid)}); r.ReturnValue.String() != "0" {
		t.Errorf("ReturnValue %v", r.ReturnValue)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the process still runs")
	}
	if r := invoke(t, p, "Terminate", &call{caller: administrator(), path: process(c.Process.Pid)}); r.ReturnValue.String() != "9" {
		t.Errorf("a process that has ended: ReturnValue %v", r.ReturnValue)
	}
	refusing := New(Options{Kill: func(context.Context, cim.Caller, int) (uint32, error) { return 3, nil }})
	if r := invoke(t, refusing, "Terminate", &call{caller: administrator(), path: process(1)}); r.ReturnValue.String() != "3" {
		t.Errorf("insufficient privilege: ReturnValue %v", r.ReturnValue)
	}
}

// The expected values come from ps(1).
func TestSetPriority(t *testing.T) {
	pid := child(t, "sleep", "60")
	p := New(Options{})
	set := func(caller cim.Caller, class int32, want string) {
		t.Helper()
		r := invoke(t, p, "SetPriority", &call{caller: caller, path: process(pid), in: cim.Arguments{{Name: "Priority", Value: cim.S32(class)}}})
		if r.ReturnValue.String() != want {
			t.Errorf("priority class %d: ReturnValue %v, want %s", class, r.ReturnValue, want)
		}
	}
	set(cim.Caller{}, 64, "2")
	set(administrator(), 65, "21")
	set(administrator(), 16384, "0")
	if nice := strings.TrimSpace(output(t, "ps", "-o", "nice=", "-p", strconv.Itoa(pid))); nice != "10" {
		t.Errorf("ps says that the nice value is %s", nice)
	}
	expect(t, only(t, p, "Win32_Process", byHandle(pid)), map[string]string{"Priority": "6"})
	if os.Geteuid() != 0 {
		set(administrator(), 128, "3")
	}
	pid = 1<<22 + 1 // beyond the greatest process id of Linux
	set(administrator(), 64, "9")
}

// The expected values come from stat(1).
func TestProcessOwner(t *testing.T) {
	pid := child(t, "sleep", "60")
	dir := "/proc/" + strconv.Itoa(pid)
	p := New(Options{})
	r := invoke(t, p, "GetOwner", &call{path: process(pid)})
	if want := output(t, "stat", "-c", "%U", dir); r.ReturnValue.String() != "0" || r.Out.Get("User").String() != want || r.Out.Get("Domain").String() != output(t, "uname", "-n") {
		t.Errorf("GetOwner %+v, stat says %s", r, want)
	}
	r = invoke(t, p, "GetOwnerSid", &call{path: process(pid)})
	if want := "S-1-22-1-" + output(t, "stat", "-c", "%u", dir); r.Out.Get("Sid").String() != want {
		t.Errorf("GetOwnerSid %+v, want %s", r, want)
	}
	sid, err := security.ParseSID("S-1-5-21-1-2-3-1001")
	if err != nil {
		t.Fatal(err)
	}
	mapped := New(Options{Account: func(uint32) (security.SID, string, string, bool) { return sid, "BOX", "alice", true }})
	if r := invoke(t, mapped, "GetOwnerSid", &call{path: process(pid)}); r.Out.Get("Sid").String() != sid.String() {
		t.Errorf("GetOwnerSid of a mapped user %+v", r)
	}
	if r := invoke(t, mapped, "GetOwner", &call{path: process(pid)}); r.Out.Get("User").String() != "alice" || r.Out.Get("Domain").String() != "BOX" {
		t.Errorf("GetOwner of a mapped user %+v", r)
	}
	fake := New(Options{Root: fakeProc(t)})
	if r := invoke(t, fake, "GetOwner", &call{path: process(7)}); r.Out.Get("User").String() != "1000" {
		t.Errorf("an effective user without a name: %+v", r)
	}
	if r := invoke(t, fake, "GetOwner", &call{path: process(9)}); r.ReturnValue.String() != "9" || !r.Out.Get("User").IsNull() {
		t.Errorf("a process that has ended: %+v", r)
	}
	if r := invoke(t, fake, "GetOwner", &call{path: process(10)}); r.ReturnValue.String() != "2" {
		t.Errorf("a process whose owner is hidden: %+v", r)
	}
}
