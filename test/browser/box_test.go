package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bootScript starts a systemd that sees only the units written here: spool, which
// needs-spool needs, and the system's bus, which lets everybody look and refuses what
// changes something to others than root.
const bootScript = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/systemd
mkdir -p /etc/systemd/system /run/units
cd /run/units
printf '[Unit]\nDefaultDependencies=no\nWants=dbus.service spool.service needs-spool.service\n' >casement-test.target
printf '[Unit]\nDescription=Keeps what is to be printed\nDefaultDependencies=no\n[Service]\nType=exec\nExecStart=/bin/sleep 100000\n[Install]\nWantedBy=casement-test.target\n' >spool.service
printf '[Unit]\nDescription=Prints\nDefaultDependencies=no\nRequires=spool.service\nAfter=spool.service\n[Service]\nType=exec\nExecStart=/bin/sleep 200000\n' >needs-spool.service
printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n' >dbus.socket
printf '[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\nAfter=dbus.socket\n[Service]\nExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --nosyslog\n' >dbus.service
exec env -i container=casement-test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units \
	"$0" --system --unit=casement-test.target --log-target=null --show-status=no
`

// box is a machine of its own, with services and a network: namespaces with a systemd,
// one cable away from here, so that its firewall counts.
type box struct {
	*machine

	address string
}

// newBox starts a box whose Administrator has the password of the tests, and may control
// services: root permitted that its commands run as root.
func newBox(t *testing.T) *box {
	t.Helper()
	const manager = "/lib/systemd/systemd"
	if _, err := os.Stat(manager); err != nil || os.Geteuid() != 0 {
		missing(t, "a machine with services needs root and an installed systemd")
	}
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		missing(t, "a machine with services needs dbus-daemon")
	}
	if _, err := os.Lstat("/run/systemd/system"); err == nil {
		t.Skip("this host runs a systemd of its own, whose control groups a second one would disturb")
	}
	boot := exec.Command("unshare", "-fpmuinC", "--mount-proc", "--kill-child", "sh", "-c", bootScript, manager)
	boot.WaitDelay = 2 * time.Second
	if err := boot.Start(); err != nil {
		t.Skip("no namespaces here: ", err)
	}
	ended := make(chan struct{})
	go func() { _ = boot.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = boot.Process.Kill() // takes systemd along
		<-ended
	})
	b := &box{machine: newMachine(t)}
	pid := b.systemd(boot.Process.Pid, ended)
	b.enter = []string{"nsenter", "-t", pid, "-m", "-p", "-u", "-n", "--"}
	b.bus()

	n := hostNumber.Add(1)
	here, there := fmt.Sprintf("cw%d-%da", os.Getpid()%10000, n), fmt.Sprintf("cw%d-%db", os.Getpid()%10000, n)
	b.address = fmt.Sprintf("198.18.%d.2", 100+n)
	outside(t, "ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", pid)
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", here).Run() })
	outside(t, "ip", "addr", "add", fmt.Sprintf("198.18.%d.1/30", 100+n), "dev", here)
	outside(t, "ip", "link", "set", here, "up")
	b.inside("ip", "link", "set", "lo", "up")
	b.inside("ip", "addr", "add", b.address+"/30", "dev", there)
	b.inside("ip", "link", "set", there, "up")

	b.start("--listen", b.address, "--console", "off", "--no-hosts")
	b.must(password+"\n", "user", "passwd", "Administrator", "--password-stdin", b.state())
	b.must("", "user", "map", "Administrator", "--unix", "root", "--allow-root", b.state())
	return b
}

// systemd waits for the manager of a box.
func (b *box) systemd(parent int, ended <-chan struct{}) (pid string) {
	b.t.Helper()
	id := strconv.Itoa(parent)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		kids, _ := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
		pid = strings.TrimSpace(string(kids))
		if _, err := os.Stat(filepath.Join("/proc", pid, "root/run/systemd/private")); pid != "" && err == nil {
			return pid
		}
		select {
		case <-ended:
			b.t.Skip("systemd does not start in namespaces here")
		default:
		}
	}
	b.t.Skip("systemd does not come up in namespaces here")
	return ""
}

// bus waits until who is not root sees the services, too.
func (b *box) bus() {
	b.t.Helper()
	does(b.t, "systemd on the bus", func() bool {
		line := append(append([]string{}, b.enter...), "setpriv", "--reuid=65534", "--clear-groups", "systemctl", "is-active", "spool")
		out, _ := exec.Command(line[0], line[1:]...).Output()
		return strings.TrimSpace(string(out)) == "active"
	})
}

func outside(t *testing.T, line ...string) {
	t.Helper()
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		t.Skipf("%q: %v: %s", line, err, out)
	}
}

// inside runs a program as root in the box.
func (b *box) inside(line ...string) string {
	b.t.Helper()
	line = append(append([]string{}, b.enter...), line...)
	out, err := exec.Command(line[0], line[1:]...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%q: %v: %s", line, err, out)
	}
	return strings.TrimSpace(string(out))
}

// active is what systemd says of a unit.
func (b *box) active(unit string) string {
	line := append(append([]string{}, b.enter...), "systemctl", "is-active", unit)
	out, _ := exec.Command(line[0], line[1:]...).Output() // its exit code says the same
	return strings.TrimSpace(string(out))
}

// asked is what a client on this machine is told over one of the transports; ok where it is
// answered.
func (b *box) asked(url string, args ...string) (out string, ok bool) {
	b.t.Helper()
	cmd := exec.Command(binary(b.t), append([]string{args[0], url}, args[1:]...)...)
	cmd.Dir = b.dir
	cmd.Env = []string{"HOME=" + b.dir, "PATH=" + os.Getenv("PATH"), "CASEMENT_USER=Administrator", "CASEMENT_PASSWORD=" + password}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	b2, err := cmd.CombinedOutput()
	return string(b2), err == nil
}

// wmi asks over DCOM, winrm over WinRM, shell runs a command there.
func (b *box) wmi() (string, bool) {
	return b.asked("dcom://"+b.address, "query", "SELECT Name FROM Win32_OperatingSystem")
}

func (b *box) winrm() (string, bool) {
	return b.asked("http://"+b.address+":5985/wsman", "query", "SELECT Name FROM Win32_OperatingSystem")
}

func (b *box) shell() (string, bool) {
	return b.asked("http://"+b.address+":5985/wsman", "run", "--", "echo", "hello")
}
