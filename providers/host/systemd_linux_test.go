package host

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/internal/systemd"
)

// bootScript starts a systemd that sees only the units written here.
const bootScript = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/systemd
mkdir -p /etc/systemd/system /run/units
cd /run/units
printf '[Unit]\nDefaultDependencies=no\n' >casement-test.target
printf '[Unit]\nDescription=A test service\nDefaultDependencies=no\nRequires=base.service\n[Service]\nType=exec\nUser=nobody\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=casement-test.target\n' >good.service
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=exec\nExecStart=/bin/sleep 2000\n' >base.service
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit 3"\n' >bad.service
exec env -i container=casement-test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units \
	"$0" --system --unit=casement-test.target --log-target=null --show-status=no
`

// insideEnv is set for the test program that runs in the namespaces of that systemd.
const insideEnv = "CASEMENT_TEST_HOST_INSIDE"

// TestServicesOfSystemd runs TestInsideSystemd beside a real systemd.
func TestServicesOfSystemd(t *testing.T) {
	pid := bootSystemd(t)
	cmd := exec.Command("nsenter", "-t", pid, "-m", "-p", os.Args[0], "-test.run=^TestInsideSystemd$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), insideEnv+"=1", systemd.BusEnv+"=unix:path=/run/systemd/private")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideSystemd") {
		t.Errorf("%v\n%s", err, out)
	}
}

func bootSystemd(t *testing.T) (pid string) {
	t.Helper()
	const manager = "/lib/systemd/systemd"
	if _, err := os.Stat(manager); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and an installed systemd")
	}
	if _, err := os.Lstat("/run/systemd/system"); err == nil {
		t.Skip("this host runs a systemd of its own, whose control groups a second one would disturb")
	}
	cmd := exec.Command("unshare", "-fpmuinC", "--mount-proc", "--kill-child", "sh", "-c", bootScript, manager)
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Start(); err != nil {
		t.Skip("no namespaces here: ", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // takes systemd along
		<-ended
	})
	id := strconv.Itoa(cmd.Process.Pid)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		kids, _ := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
		pid = strings.TrimSpace(string(kids))
		if _, err := os.Stat(filepath.Join("/proc", pid, "root/run/systemd/private")); pid != "" && err == nil {
			return pid
		}
		select {
		case <-ended:
			t.Skip("systemd does not start in namespaces here")
		default:
		}
	}
	t.Skip("systemd does not come up in namespaces here")
	return ""
}

func TestInsideSystemd(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.Skip("runs beside a systemd, from TestServicesOfSystemd")
	}
	p := New(Options{Services: Systemd(systemd.Options{})})
	get := func(name string) *cim.Instance {
		t.Helper()
		return only(t, p, "Win32_Service", fixed(map[string]cim.Value{"Name": cim.Str(name)}))
	}
	do := func(method, name, want string, in ...cim.NamedValue) {
		t.Helper()
		r, err := p.invoke(context.Background(), "Win32_Service", method, &call{caller: administrator(), path: service(name), in: in})
		if err != nil || r.ReturnValue.String() != want {
			t.Errorf("%s of %s: %v, %v; want %s", method, name, r.ReturnValue, err, want)
		}
	}
	mode := func(s string) cim.NamedValue { return cim.NamedValue{Name: "StartMode", Value: cim.Str(s)} }

	var names []string
	for _, i := range all(t, p, "Win32_Service", query{}) {
		names = append(names, i.Get("Name").String())
	}
	if strings.Join(names, " ") != "bad base good" {
		t.Errorf("services %q", names)
	}
	expect(t, get("good"), map[string]string{"State": "Stopped", "StartMode": "Manual", "DisplayName": "A test service", "StartName": "nobody",
		"PathName": "/bin/sleep 1000", "ProcessId": "0", "Status": "OK"})
	do("StopService", "good", "6")
	told := watchGood(t, p)
	do("StartService", "good", "0")
	told("Stopped", "Running")
	do("StartService", "good", "10")
	i := get("good")
	expect(t, i, map[string]string{"State": "Running", "Started": "true", "AcceptStop": "true"})
	proc := only(t, p, "Win32_Process", fixed(map[string]cim.Value{"Handle": cim.Str(i.Get("ProcessId").String())}))
	expect(t, proc, map[string]string{"CommandLine": "/bin/sleep 1000"})
	expect(t, get("base"), map[string]string{"State": "Running", "StartMode": "Manual"})
	do("ChangeStartMode", "good", "0", mode("Automatic"))
	expect(t, get("good"), map[string]string{"StartMode": "Auto"})
	do("ChangeStartMode", "good", "0", mode("Manual"))
	expect(t, get("good"), map[string]string{"StartMode": "Manual"})
	do("StopService", "good", "0")
	do("ChangeStartMode", "bad", "0", mode("Disabled"))
	expect(t, get("bad"), map[string]string{"StartMode": "Disabled"})
	do("StartService", "bad", "14")
	do("ChangeStartMode", "bad", "0", mode("Manual"))
	do("StartService", "bad", "8")
	expect(t, get("bad"), map[string]string{"State": "Stopped", "Status": "Error", "ExitCode": "3"})
	do("StartService", "none", "9")
	do("StartService", "no/such name", "9")
	expect(t, get("GOOD"), map[string]string{"Name": "good"})
	found := false
	for _, d := range all(t, p, "Win32_DependentService", query{}) {
		found = found || d.Get("Antecedent").String() == `root\cimv2:Win32_Service.Name="base"` && d.Get("Dependent").String() == `root\cimv2:Win32_Service.Name="good"`
	}
	if !found {
		t.Error("good does not depend on base")
	}
}

// watchGood follows the service good as its manager tells of it, and gives a function that waits for a change of its State.
func watchGood(t *testing.T, p *Provider) (told func(from, to string)) {
	t.Helper()
	class := classNamed("Win32_Service")
	if kinds := p.Watches(class); kinds != serviceEvents {
		t.Fatalf("the provider tells of the kinds %v of services itself", kinds)
	}
	ctx, cancel := context.WithCancel(context.Background())
	type change struct{ from, to string }
	changes, done := make(chan change, 64), make(chan error, 1)
	go func() {
		done <- p.Watch(ctx, &cimom.Request{Class: class}, func(kind cimom.EventKinds, now, before *cim.Instance) error {
			if kind == cimom.Modification && now.Get("Name").String() == "good" {
				changes <- change{before.Get("State").String(), now.Get("State").String()}
			}
			return nil
		})
	}()
	time.Sleep(300 * time.Millisecond) // until it has seen what there is
	return func(from, to string) {
		t.Helper()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the watch ends with %v", err)
			}
		}()
		for state := from; ; {
			select {
			case c := <-changes:
				if c.from != state {
					t.Errorf("a change from %s, which was %s", c.from, state)
				}
				if state = c.to; state == to {
					return
				}
			case <-time.After(5 * time.Second):
				t.Errorf("no change of good from %s to %s is told", from, to)
				return
			}
		}
	}
}
