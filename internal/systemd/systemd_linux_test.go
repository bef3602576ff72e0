package systemd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// script boots a manager that sees only the units written here. Its links go
// to a file system of its own.
const script = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/systemd
mkdir -p /etc/systemd/system /run/units
cd /run/units
printf '[Unit]\nDefaultDependencies=no\n' >casement-test.target
printf '[Unit]\nDescription=A test service\nDefaultDependencies=no\n[Service]\nUser=nobody\nExecStart=/bin/sleep "1 000"0\nExecStart=\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=casement-test.target\n' >good.service
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit 3"\n' >bad.service
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\n' >template@.service
exec env -i container=casement-test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units \
	"$0" --system --unit=casement-test.target --log-target=null --show-status=no
`

// inside is set for the test program that runs in the manager's namespaces:
// the manager refuses a peer that it cannot see in its process table.
const inside = "CASEMENT_TEST_SYSTEMD_INSIDE"

// TestPrivateManager boots a real systemd and runs TestAgainstSystemd there.
func TestPrivateManager(t *testing.T) {
	pid := privateManager(t)
	cmd := exec.Command("nsenter", "-t", pid, "-m", "-p", os.Args[0], "-test.run=^TestAgainstSystemd$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), inside+"=1", BusEnv+"=unix:path=/run/systemd/private")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAgainstSystemd/mask") {
		t.Errorf("%v\n%s", err, out)
	}
}

// privateManager runs a real systemd in namespaces of its own and returns its
// process id.
func privateManager(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if st, err := os.Lstat("/run/systemd/system"); err == nil && st.IsDir() {
		t.Skip("this host runs a systemd of its own, whose control groups a second one would disturb")
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("unshare is not installed")
	}
	const manager = "/lib/systemd/systemd"
	if _, err := os.Stat(manager); err != nil {
		t.Skip("systemd is not installed")
	}
	cmd := exec.Command(unshare, "-fpmuinC", "--mount-proc", "--kill-child", "sh", "-c", script, manager)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Start(); err != nil {
		t.Skip("no namespaces here: ", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // takes the manager along
		<-ended
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		kids, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "task", strconv.Itoa(cmd.Process.Pid), "children"))
		socket := filepath.Join("/proc", strings.TrimSpace(string(kids)), "root/run/systemd/private")
		if _, err := os.Stat(socket); err == nil && len(kids) > 0 {
			return strings.TrimSpace(string(kids))
		}
		select {
		case <-ended:
			t.Skip("systemd does not start in namespaces here: ", said.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Skip("systemd does not come up in namespaces here")
		}
	}
}

func TestAgainstSystemd(t *testing.T) {
	if os.Getenv(inside) == "" {
		t.Skip("runs inside of TestPrivateManager")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	short, done := context.WithCancel(ctx)
	m, err := Connect(short, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	done() // bounds the connecting only

	t.Run("list", func(t *testing.T) {
		us, err := m.Services(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, u := range us {
			names = append(names, u.Name)
		}
		if !slices.Equal(names, []string{"bad.service", "good.service"}) {
			t.Errorf("services %q", names)
		}
	})
	t.Run("start and stop", func(t *testing.T) {
		if err := m.Start(ctx, "good"); err != nil {
			t.Fatal(err)
		}
		u, err := m.Unit(ctx, "good")
		if err != nil {
			t.Fatal(err)
		}
		if u.Description != "A test service" || u.LoadState != "loaded" || u.ActiveState != "active" || u.SubState != "running" ||
			u.User != "nobody" || u.MainPID < 2 || u.FragmentPath != "/run/units/good.service" || u.ExecStartPath != "/bin/sleep" ||
			!slices.Equal(u.ExecStart, []string{"/bin/sleep", "1000"}) || u.UnitFileState != "disabled" || !u.CanStop {
			t.Errorf("%+v", u)
		}
		if since := time.Since(u.ActiveEnterTime); since < -time.Second || since > time.Minute {
			t.Errorf("active since %v", u.ActiveEnterTime)
		}
		if err := m.Stop(ctx, "good.service"); err != nil {
			t.Fatal(err)
		}
		if u, err = m.Unit(ctx, "good"); err != nil || u.ActiveState != "inactive" || u.MainPID != 0 {
			t.Errorf("%+v, %v", u, err)
		}
	})
	t.Run("failing", func(t *testing.T) {
		var je *JobError
		if err := m.Start(ctx, "bad"); !errors.As(err, &je) || je.Result != "failed" {
			t.Errorf("%v", err)
		}
		u, err := m.Unit(ctx, "bad")
		if err != nil || u.ActiveState != "failed" || u.ExecMainStatus != 3 || u.Result != "exit-code" {
			t.Errorf("%+v, %v", u, err)
		}
	})
	t.Run("enable", func(t *testing.T) {
		want := func(enabled bool) {
			t.Helper()
			if on, err := m.IsEnabled(ctx, "good"); err != nil || on != enabled {
				t.Errorf("enabled %v, %v; want %v", on, err, enabled)
			}
		}
		want(false)
		if err := m.EnableNow(ctx, "good"); err != nil {
			t.Fatal(err)
		}
		want(true)
		if u, err := m.Unit(ctx, "good"); err != nil || u.ActiveState != "active" {
			t.Errorf("%+v, %v", u, err)
		}
		if err := m.Disable(ctx, "good"); err != nil {
			t.Fatal(err)
		}
		want(false)
	})
	t.Run("mask", func(t *testing.T) {
		if err := m.Mask(ctx, "bad"); err != nil {
			t.Fatal(err)
		}
		if u, err := m.Unit(ctx, "bad"); err != nil || u.LoadState != "masked" {
			t.Errorf("%+v, %v", u, err)
		}
		if err := m.Start(ctx, "bad"); err == nil {
			t.Error("a masked unit was started")
		}
		if err := m.Unmask(ctx, "bad"); err != nil {
			t.Error(err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		if _, err := m.Unit(ctx, "no-such-unit"); !errors.Is(err, ErrNoUnit) {
			t.Errorf("read: %v", err)
		}
		if err := m.Start(ctx, "no-such-unit"); !errors.Is(err, ErrNoUnit) {
			t.Errorf("start: %v", err)
		}
		if err := m.Enable(ctx, "no-such-unit"); !errors.Is(err, ErrNoUnit) {
			t.Errorf("enable: %v", err)
		}
	})
}

func TestUnavailable(t *testing.T) {
	o := Options{Address: "unix:path=" + filepath.Join(t.TempDir(), "none")}
	if _, err := Connect(context.Background(), o); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	t.Setenv(BusEnv, "unix:path=/x")
	if !Available(Options{}) {
		t.Error("the variable is not heeded")
	}
	t.Setenv(BusEnv, "")
	_, err := os.Lstat("/run/systemd/system")
	if Available(Options{}) != (err == nil) {
		t.Error("not what sd_booted says")
	}
}
