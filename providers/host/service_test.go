//go:build linux

package host

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// fakeServices is a service manager without a machine.
type fakeServices struct {
	services []Service
	lists    int
	gets     int
	done     []string
	fail     error
}

func newFakeServices() *fakeServices {
	return &fakeServices{services: []Service{
		{Name: "ssh", Description: "OpenBSD Secure Shell server", LoadState: "loaded", ActiveState: "active", SubState: "running",
			UnitFileState: "enabled", Detailed: true, Type: "notify", MainPID: 42, ExecStart: "/usr/sbin/sshd -D",
			Requires: []string{"system.slice", "sysinit.target", "network.service"}},
		{Name: "network", LoadState: "loaded", ActiveState: "failed", UnitFileState: "static", Detailed: true, User: "net",
			ExecMainStatus: 7, Wants: []string{"network.service", "absent.service"}},
		{Name: "masked", LoadState: "masked", ActiveState: "inactive", UnitFileState: "masked", Detailed: true},
		{Name: "slow", LoadState: "loaded", ActiveState: "activating", UnitFileState: "disabled", Detailed: true},
	}}
}

func (f *fakeServices) List(context.Context, bool) ([]Service, error) {
	f.lists++
	return f.services, nil
}

func (f *fakeServices) Get(_ context.Context, name string, _ bool) (Service, error) {
	f.gets++
	for _, s := range f.services {
		if s.Name == name {
			return s, nil
		}
	}
	return Service{}, ErrNoService
}

func (f *fakeServices) Start(_ context.Context, name string) error {
	f.done = append(f.done, "start "+name)
	return f.fail
}

func (f *fakeServices) Stop(_ context.Context, name string) error {
	f.done = append(f.done, "stop "+name)
	return f.fail
}

func (f *fakeServices) SetStartMode(_ context.Context, name string, mode StartMode) error {
	f.done = append(f.done, string(mode)+" "+name)
	return f.fail
}

func TestServiceProperties(t *testing.T) {
	f := newFakeServices()
	p := New(Options{Services: f, Root: root(t, map[string]string{"proc/sys/kernel/hostname": "box\n"})})
	for name, want := range map[string]map[string]string{
		"ssh": {"DisplayName": "OpenBSD Secure Shell server", "State": "Running", "Started": "true", "StartMode": "Auto", "Status": "OK",
			"ProcessId": "42", "PathName": "/usr/sbin/sshd -D", "StartName": "root", "ExitCode": "0", "AcceptStop": "true", "SystemName": "box"},
		"network": {"DisplayName": "network", "Description": "null", "State": "Stopped", "Started": "false", "StartMode": "Manual", "Status": "Error",
			"ProcessId": "0", "StartName": "net", "ExitCode": "7", "AcceptStop": "false"},
		"masked": {"State": "Stopped", "StartMode": "Disabled"},
		"slow":   {"State": "Start Pending", "StartMode": "Manual", "Status": "Starting", "Started": "true"},
	} {
		expect(t, only(t, p, "Win32_Service", fixed(map[string]cim.Value{"Name": cim.Str(name)})), want)
	}
	if f.lists != 0 || f.gets != 4 {
		t.Errorf("four services by name took %d lists and %d reads", f.lists, f.gets)
	}
	if n := len(all(t, p, "Win32_Service", query{})); n != 4 {
		t.Errorf("%d services", n)
	}
	if n := len(all(t, New(Options{}), "Win32_Service", query{})); n != 0 {
		t.Errorf("%d services without a service manager", n)
	}
	if n := len(all(t, p, "Win32_Service", fixed(map[string]cim.Value{"Name": cim.Str("none")}))); n != 0 {
		t.Error("a service that is not there was found")
	}
}

func TestServiceDependencies(t *testing.T) {
	p := New(Options{Services: newFakeServices(), Root: root(t, map[string]string{"proc/sys/kernel/hostname": "box\n"})})
	out := all(t, p, "Win32_DependentService", query{server: "box"})
	if len(out) != 2 {
		t.Fatalf("%d dependencies, want those between services that exist", len(out))
	}
	expect(t, out[0], map[string]string{
		"Antecedent":       `\\box\root\cimv2:Win32_Service.Name="network"`,
		"Dependent":        `\\box\root\cimv2:Win32_Service.Name="ssh"`,
		"TypeOfDependency": "3",
	})
}

func administrator() cim.Caller {
	return cim.Caller{Token: &security.Token{Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}}
}

func service(name string) cim.ObjectPath {
	return cim.ObjectPath{Class: "Win32_Service", Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}
}

// The return values are those of the documentation of the methods.
func TestServiceMethods(t *testing.T) {
	mode := func(s string) cim.Arguments { return cim.Arguments{{Name: "StartMode", Value: cim.Str(s)}} }
	filtered := security.Filter(*administrator().Token)
	for _, c := range []struct {
		name, method, service string
		caller                cim.Caller
		in                    cim.Arguments
		fail                  error
		want                  string
		done                  string
	}{
		{"running", "StartService", "ssh", administrator(), nil, nil, "10", ""},
		{"stopped", "StartService", "network", administrator(), nil, nil, "0", "start network"},
		{"disabled", "StartService", "masked", administrator(), nil, nil, "14", ""},
		{"fails", "StartService", "network", administrator(), nil, errors.New("exit 1"), "8", "start network"},
		{"slow", "StartService", "network", administrator(), nil, ErrServiceTimeout, "7", "start network"},
		{"refused", "StartService", "network", administrator(), nil, ErrServiceDenied, "2", "start network"},
		{"stop", "stopservice", "ssh", administrator(), nil, nil, "0", "stop ssh"},
		{"not active", "StopService", "network", administrator(), nil, nil, "6", ""},
		{"gone", "StopService", "none", administrator(), nil, nil, "9", ""},
		{"nobody", "StopService", "ssh", cim.Caller{}, nil, nil, "2", ""},
		{"filtered", "StopService", "ssh", cim.Caller{Token: &filtered}, nil, nil, "2", ""},
		{"auto", "ChangeStartMode", "ssh", administrator(), mode("Automatic"), nil, "0", "Auto ssh"},
		{"manual", "ChangeStartMode", "ssh", administrator(), mode("manual"), nil, "0", "Manual ssh"},
		{"disable", "ChangeStartMode", "ssh", administrator(), mode("Disabled"), nil, "0", "Disabled ssh"},
		{"boot", "ChangeStartMode", "ssh", administrator(), mode("Boot"), nil, "21", ""},
		{"pause", "PauseService", "ssh", administrator(), nil, nil, "4", ""},
		{"pause a stopped one", "PauseService", "network", administrator(), nil, nil, "6", ""},
		{"pause by nobody", "PauseService", "ssh", cim.Caller{}, nil, nil, "2", ""},
		{"resume", "ResumeService", "ssh", administrator(), nil, nil, "4", ""},
		{"control", "UserControlService", "ssh", administrator(), nil, nil, "4", ""},
		{"interrogate", "InterrogateService", "ssh", cim.Caller{}, nil, nil, "0", ""},
		{"interrogate a stopped one", "InterrogateService", "network", cim.Caller{}, nil, nil, "6", ""},
		{"delete", "Delete", "ssh", administrator(), nil, nil, "1", ""},
		{"create", "Create", "", administrator(), nil, nil, "1", ""},
		{"change", "Change", "ssh", administrator(), append(mode("Manual"), cim.NamedValue{Name: "PathName", Value: cim.Null(cim.String)}), nil, "0", "Manual ssh"},
		{"change the path", "Change", "ssh", administrator(), append(mode("Manual"), cim.NamedValue{Name: "PathName", Value: cim.Str("/x")}), nil, "1", ""},
		{"no mode", "ChangeStartMode", "ssh", administrator(), nil, nil, "21", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeServices()
			f.fail = c.fail
			r, err := New(Options{Services: f}).invoke(context.Background(), "Win32_Service", c.method,
				&call{caller: c.caller, path: service(c.service), in: c.in})
			if err != nil || r.ReturnValue.String() != c.want {
				t.Fatalf("ReturnValue %v, %v; want %s", r.ReturnValue, err, c.want)
			}
			done := ""
			if len(f.done) > 0 {
				done = f.done[0]
			}
			if done != c.done {
				t.Errorf("the service manager was asked to %q, want %q", done, c.done)
			}
		})
	}
	_, err := New(Options{}).invoke(context.Background(), "Win32_Service", "GetSecurityDescriptor", &call{caller: administrator(), path: service("ssh")})
	if !errors.Is(err, cim.ErrMethodNotImplemented) {
		t.Errorf("GetSecurityDescriptor: %v", err)
	}
}

// Where the service manager refuses the service's own user, the caller's may be let.
func TestServicesAsTheCaller(t *testing.T) {
	f := newFakeServices()
	f.fail = ErrServiceDenied
	var done []string
	var refusal error
	p := New(Options{Services: f, ControlService: func(_ context.Context, caller cim.Caller, do ServiceDeed, name string) error {
		if !caller.Token.Has(security.SIDAdministrators) {
			t.Error("another caller")
		}
		done = append(done, string(do)+" "+name)
		return refusal
	}})
	call := func(method, name, want string, in ...cim.NamedValue) {
		t.Helper()
		r, err := p.invoke(context.Background(), "Win32_Service", method, &call{caller: administrator(), path: service(name), in: in})
		if err != nil || r.ReturnValue.String() != want {
			t.Errorf("%s of %s: %v, %v; want %s", method, name, r.ReturnValue, err, want)
		}
	}
	mode := func(s string) cim.NamedValue { return cim.NamedValue{Name: "StartMode", Value: cim.Str(s)} }
	call("StartService", "network", "0")
	call("StopService", "ssh", "0")
	call("ChangeStartMode", "masked", "0", mode("Automatic"))
	call("ChangeStartMode", "ssh", "0", mode("Manual"))
	call("ChangeStartMode", "ssh", "0", mode("Disabled"))
	if want := []string{"start network", "stop ssh", "unmask masked", "enable masked", "unmask ssh", "disable ssh", "mask ssh"}; !slices.Equal(done, want) {
		t.Errorf("done: %q", done)
	}
	refusal = ErrServiceDenied
	call("StopService", "ssh", "2")
	p.o.ControlService = nil
	call("StopService", "ssh", "2")
	f.fail, done = nil, nil
	call("StopService", "ssh", "0")
	if len(done) > 0 {
		t.Errorf("done as the caller: %q", done)
	}
}
