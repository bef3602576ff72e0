package newcomer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/doctor"
)

// The twelve hosts of the proof, and one whose trouble nobody foresaw. Each is a machine of its own, at h01.lab.example and so on, with one fault of the troubleshooting table;
// a person sits at the desk, who has the real program and nothing else.
const (
	labDomain  = "lab.example"
	labRealm   = "LAB.EXAMPLE"
	labWord    = "Pass-4711-word"
	deskNumber = 1
)

// A lab is one network: a switch, a desk and the hosts.
type lab struct {
	t     *testing.T
	p     person // at the desk
	desk  *netns
	names []string
}

func labAddress(number int) string { return fmt.Sprintf("10.77.0.%d", number) }

func labName(number int) string { return fmt.Sprintf("h%02d.%s", number, labDomain) }

// newLab makes the network, with the desk on it.
func newLab(t *testing.T, hosts int) *lab {
	t.Helper()
	l := &lab{t: t, p: self(t), desk: newNetns(t, labAddress(deskNumber))}
	l.p.env = append(l.p.env, "CASEMENT_STATE="+filepath.Join(l.p.home, "desk"), "PATH="+filepath.Dir(built.path)+":"+os.Getenv("PATH"))
	l.desk.ip("link", "add", "lab", "type", "bridge")
	l.desk.ip("addr", "add", l.desk.address+"/24", "dev", "lab")
	l.desk.ip("link", "set", "lab", "up")
	// What the desk knows of names: 'ip netns exec' lays this over /etc/hosts.
	var hostsFile strings.Builder
	hostsFile.WriteString("127.0.0.1 localhost\n")
	for n := 1; n <= hosts; n++ {
		fmt.Fprintf(&hostsFile, "%s %s\n", labAddress(10+n), labName(n))
	}
	etc := filepath.Join("/etc/netns", l.desk.name)
	if err := errors.Join(os.MkdirAll(etc, 0o755), os.WriteFile(filepath.Join(etc, "hosts"), []byte(hostsFile.String()), 0o644)); err != nil { // #nosec G301 G306 -- as /etc/hosts is
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(etc)
		os.Remove("/etc/netns") //nolint:errcheck // others may be in it
	})
	return l
}

// plug ties a namespace to the switch.
func (l *lab) plug(n *netns) {
	l.t.Helper()
	port := fmt.Sprintf("p%d", netnsNumber.Add(1))
	n.outside("link", "add", port, "netns", l.desk.name, "type", "veth", "peer", "name", "eth0", "netns", n.name)
	l.desk.ip("link", "set", port, "master", "lab", "up")
	n.ip("addr", "add", n.address+"/24", "dev", "eth0")
	n.ip("link", "set", "eth0", "up")
}

// at runs the program at the desk.
func (l *lab) at(env []string, args ...string) (out, errOut string, code int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := l.p.commandIn(ctx, l.desk, args...)
	cmd.Env = append(cmd.Env, env...)
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Error(err)
		return "", err.Error(), -1
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// must is at, and insists on success.
func (l *lab) must(stdin string, args ...string) string {
	l.t.Helper()
	cmd := l.p.commandIn(l.t.Context(), l.desk, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("casement %q: %v: %s", args, err, out)
	}
	return string(out)
}

// labHost is one of the hosts.
type labHost struct {
	*netns
	lab   *lab
	name  string
	state string
	m     *machine
}

// host starts a host; where it is not on the switch itself, inner says where it is.
func (l *lab) host(t *testing.T, number int) *labHost {
	t.Helper()
	h := &labHost{netns: newNetns(t, labAddress(10+number)), lab: l, name: labName(number), state: filepath.Join(l.p.home, fmt.Sprintf("h%02d", number))}
	l.plug(h.netns)
	return h
}

// up serves on the host's address, with a password that is known.
func (h *labHost) up(t *testing.T, address string) {
	t.Helper()
	t.Cleanup(func() { forgetPolicy(h.state) })
	h.m = h.lab.p.startIn(t, h.netns, "up", "--state", h.state, "--listen", address, "--no-hosts", "--console", "off")
	h.type_(t, "casement user passwd Administrator --password-stdin <<'END'\n"+labWord+"\nEND")
}

// type_ is what a person types at the host, as root.
func (h *labHost) type_(t *testing.T, line string) {
	t.Helper()
	cmd := h.exec(t.Context(), "sh", "-c", line)
	cmd.Env = append(os.Environ(), "CASEMENT_STATE="+h.state, "PATH="+filepath.Dir(built.path)+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("at %s: %s: %v: %s", h.name, line, err, out)
	}
}

// account adds a local user.
func (h *labHost) account(t *testing.T, name string, groups ...string) {
	t.Helper()
	h.type_(t, "casement user add "+name+" --password-stdin <<'END'\n"+labWord+"\nEND")
	for _, g := range groups {
		h.type_(t, "casement group add '"+g+"' "+name)
	}
}

// examine runs the doctor as a person does.
func (h *labHost) examine(t *testing.T, user string, args ...string) (*doctor.Report, int) {
	t.Helper()
	out, errOut, code := h.lab.at([]string{"CASEMENT_USER=" + user, "CASEMENT_PASSWORD=" + labWord}, append([]string{"doctor", "-o", "json"}, args...)...)
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("casement doctor %q: exit code %d: %v\n%s%s", args, code, err, out, errOut)
	}
	return &r, code
}

func TestTwelveDebug(t *testing.T) {
	if os.Getenv("TWELVE") == "" {
		t.Skip()
	}
	needRoot(t)
	l := newLab(t, 13)
	start := time.Now()
	step := func(what string) { t.Logf("%6.2f %s", time.Since(start).Seconds(), what) }
	var all sync.WaitGroup
	hosts := map[int]*labHost{}
	for n := 1; n <= 12; n++ {
		if n == 4 {
			continue
		}
		hosts[n] = l.host(t, n)
	}
	step("network")
	for n, h := range hosts {
		all.Go(func() {
			h.up(t, h.address)
			h.type_(t, "casement firewall enable 'Windows Management Instrumentation (WMI)'")
			switch n {
			case 1:
				h.type_(t, `nft 'add table inet filter; add chain inet filter input { type filter hook input priority 0; policy drop; }; add rule inet filter input ct state established,related accept; add rule inet filter input iif lo accept; add rule inet filter input tcp dport { 22, 135 } accept'`)
			case 2:
				h.type_(t, "casement winrm delete 'winrm/config/listener?Address=IP:"+h.address+"+Transport=HTTP'")
			case 5:
				h.account(t, "ops", "Administrators")
			case 6:
				h.account(t, "joe", "Remote Management Users")
				h.type_(t, "casement wmi sd grant root/cimv2 joe 'Enable Account,Remote Enable'")
			case 7:
				h.account(t, "joe", "Remote Management Users", "Distributed COM Users")
				h.type_(t, "casement wmi sd get root/cimv2; casement wmi sd revoke root/cimv2 joe")
			case 8:
				h.type_(t, "casement gpedit set 'WinRM Service\\Allow remote server management through WinRM' disabled")
			case 9, 12:
				h.type_(t, `casement reg add 'HKLM\SOFTWARE\Microsoft\WBEM\CIMOM' /v AllowAnonymousCallback /t REG_DWORD /d 1 /f`)
			case 11:
				h.type_(t, `casement winrm set winrm/config/service '@{MaxConcurrentOperationsPerUser="1"}'`)
			}
		})
	}
	all.Wait()
	step("hosts")
	for n, h := range hosts {
		if c := os.Getenv("TWELVE"); c != "all" && c != fmt.Sprint(n) {
			continue
		}
		target := h.name
		if n == 3 {
			target = "https://" + h.address
		}
		user := map[int]string{5: "ops", 6: "joe", 7: "joe"}[n]
		if user == "" {
			user = "Administrator"
		}
		out, errOut, code := l.at([]string{"CASEMENT_USER=" + user, "CASEMENT_PASSWORD=" + labWord}, "doctor", "-v", target)
		step(fmt.Sprintf("host %d: exit %d\n%s%s", n, code, out, errOut))
	}
	_ = io.EOF
	_ = http.StatusOK
	_ = net.IPv4len
}
