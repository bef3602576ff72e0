package newcomer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/testlog"
)

// boot starts a real systemd that sees one unit, ours, with its own /run, /etc/systemd, /etc/default, /var/lib and network.
const boot = `set -e
for dir in /run /etc/systemd /etc/default /var/lib; do mount -t tmpfs tmpfs $dir; done
ip link set lo up
mkdir -p /etc/systemd/system /run/units/casement.service.d
cp "$UNIT" /run/units/casement.service
printf '[Unit]\nDefaultDependencies=no\n' >/run/units/casement.service.d/test.conf
printf '[Unit]\nDefaultDependencies=no\nWants=casement.service\n' >/run/units/casement-test.target
printf 'CASEMENT_OPTIONS="--role server"\n' >/etc/default/casement
exec env -i container=casement-test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units \
	/lib/systemd/systemd --system --unit=casement-test.target --log-target=null --show-status=no
`

// The unit serves under a real systemd: from /var/lib/casement, not as root, in the role that the package kept, and again after
// a crash.
func TestUnitUnderSystemd(t *testing.T) {
	needRoot(t)
	needTool(t, "unshare", "nsenter", "ip")
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		t.Skip("systemd is not installed")
	}
	if st, err := os.Lstat("/run/systemd/system"); err == nil && st.IsDir() {
		t.Skip("this host runs a systemd of its own, whose control groups a second one would disturb")
	}
	inside := bootUnit(t)
	var first int
	for _, round := range []string{"at first", "after a crash"} {
		pid := 0
		for end := time.Now().Add(20 * time.Second); pid == 0 || pid == first || !strings.Contains(inside("winrm", "identify", "-r:http://127.0.0.1:5985", "-auth:none"), "IdentifyResponse"); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the unit does not serve: %s", round, inside("winrm", "identify", "-r:http://127.0.0.1:5985", "-auth:none"))
			}
			pid = serving(t)
		}
		if s := status(t, pid); !strings.HasPrefix(s["Uid"], serviceUser(t).Uid+" ") || s["CapEff"] != "0000000000000000" || s["NoNewPrivs"] != "1" {
			t.Errorf("%s: the service has Uid %s, CapEff %s, NoNewPrivs %s", round, s["Uid"], s["CapEff"], s["NoNewPrivs"])
		}
		if out := inside("winrm", "enumerate", listenerURI); strings.Count(out, "Address = *") != 1 || !strings.Contains(out, "Port = 5985") {
			t.Errorf("%s: the listeners: %s", round, out)
		}
		first = pid
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}

// serving is the process below this test that serves from /var/lib/casement, 0 for none.
func serving(t *testing.T) int {
	t.Helper()
	for queue := []int{os.Getpid()}; len(queue) > 0; queue = queue[1:] {
		pid := queue[0]
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && string(b) == built.path+"\x00serve\x00--role\x00server\x00" {
			return pid
		}
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		if err == nil && len(files) > 0 {
			queue = append(queue, children(t, pid)...)
		}
	}
	return 0
}

// bootUnit returns how to run casement where the unit runs.
func bootUnit(t *testing.T) (inside func(args ...string) string) {
	t.Helper()
	b, err := os.ReadFile("../../packaging/casement.service")
	unit := filepath.Join(t.TempDir(), "casement.service")
	if err = errors.Join(err, os.WriteFile(unit, []byte(strings.ReplaceAll(string(b), "/usr/bin/casement", built.path)), 0o600)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-fpmuinC", "--mount-proc", "--kill-child", "sh", "-c", boot)
	cmd.Env = append(os.Environ(), "UNIT="+unit)
	var said testlog.Text
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
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			t.Skip("systemd does not start in namespaces here: ", said.String())
		default:
		}
		kids := children(t, cmd.Process.Pid)
		if len(kids) == 0 {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/run/systemd/private", kids[0])); err != nil {
			continue
		}
		return func(args ...string) string {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			run := exec.CommandContext(ctx, "nsenter", append([]string{"-t", fmt.Sprint(kids[0]), "-m", "-p", "-n", built.path}, args...)...)
			run.Env = []string{"HOME=/run", "PATH=" + os.Getenv("PATH")}
			out, _ := run.CombinedOutput() // what it says decides
			return string(out)
		}
	}
	t.Skip("systemd does not come up in namespaces here")
	return nil
}
