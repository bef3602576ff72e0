package newcomer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// The rules of the documents, as they write them (checklist 0.13 to 0.20); a shell takes the backslashes of some.
var (
	ruleDCOM     = `dir=in name="DCOM" program=%systemroot%\system32\svchost.exe service=rpcss action=allow protocol=TCP localport=135`
	ruleWMI      = `dir=in name ="WMI" program=%systemroot%system32svchost.exe service=winmgmt action = allow protocol=TCP localport=any`
	ruleUnsecapp = `dir=in name ="UnsecApp" program=%systemroot%\system32\wbem\unsecapp.exe action=allow`
	ruleWMIOut   = `dir=out name ="WMI_OUT" program=%systemroot%\system32\svchost.exe service=winmgmt action=allow protocol=TCP localport=any`
)

// netsh runs netsh advfirewall on a machine, its service at work or not.
func (h *twoHosts) netsh(state, line string) string {
	h.t.Helper()
	args := []string{"netsh", "--state", state, "advfirewall"}
	for _, word := range strings.Fields(strings.ReplaceAll(line, `"`, "\x00")) {
		if last := len(args) - 1; strings.Count(args[last], "\x00") == 1 { // within quotation marks
			args[last] += " " + word
			continue
		}
		args = append(args, word)
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "\x00", "")
	}
	return h.p.must(h.t, args...)
}

func (h *twoHosts) group(state, name string, on bool) {
	h.t.Helper()
	h.netsh(state, `firewall set rule group="`+name+`" new enable=`+map[bool]string{false: "no", true: "yes"}[on])
}

const groupWMI = "windows management instrumentation (wmi)"

// query asks B for its name from A, over a transport.
func (h *twoHosts) query(url string, args ...string) (out string, code int) {
	h.t.Helper()
	cmd := h.p.commandIn(h.t.Context(), h.a, append([]string{"query", url, "SELECT Name FROM Win32_ComputerSystem", "-o", "csv", "--timeout", "30s"}, args...)...)
	cmd.Env = append(cmd.Env, "CASEMENT_USER=Administrator", "CASEMENT_PASSWORD="+h.password)
	b, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// answers insists that B answers from A, and refuses that it does not, with a code.
func (h *twoHosts) answers(url string, args ...string) {
	h.t.Helper()
	var out string
	if !soon(func() (ok bool) {
		var code int
		out, code = h.query(url, args...)
		return code == 0 && strings.Contains(out, "Name\n")
	}) {
		h.t.Errorf("%s does not answer: %s", url, out)
	}
}

func (h *twoHosts) refuses(url, want string, args ...string) {
	h.t.Helper()
	var out string
	if !soon(func() (ok bool) {
		var code int
		out, code = h.query(url, args...)
		return code == 1 && strings.Contains(out, want)
	}) {
		h.t.Errorf("%s, want %s: %s", url, want, out)
	}
}

// soon tries again for a while: a service sees a change of its rules when the system tells it.
func soon(ok func() bool) bool {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// reaches tells whether a connection from a machine to a port stays, and insists that one which does not is reset before anything is said.
func (h *twoHosts) reaches(from *netns, to string, port int) bool {
	h.t.Helper()
	c, err := from.dial(h.t.Context(), "tcp", net.JoinHostPort(to, strconv.Itoa(port)))
	if err == nil {
		defer c.Close()
		if err := c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			h.t.Fatal(err)
		}
		_, err = c.Read(make([]byte, 1))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		h.t.Errorf("%s:%d: %v, want a reset", to, port, err)
	}
	return false
}

func (h *twoHosts) ports(want map[int]bool) {
	h.t.Helper()
	for port, open := range want {
		if !soon(func() bool { return h.reaches(h.a, h.b.address, port) == open }) {
			h.t.Errorf("port %d: open %v", port, !open)
		}
	}
}

// TestFirewallStory has the rules of the documents decide between two machines, each rule on the machine that it belongs to: checklist 0.03 to
// 0.20, 2.12, 2.19, 2.20, 2.29, 3.33, 3.34, 3.37, 4.20.
func TestFirewallStory(t *testing.T) {
	needRoot(t)
	for name, f := range map[string]func(*testing.T, *twoHosts){
		"a client of WMI": firewallWMI, "a client of WinRM": firewallWinRM, "callbacks into unsecapp": firewallUnsecapp, "callbacks into a program": firewallOwnSink,
		"callbacks out of the service": firewallOut, "in the kernel": firewallInKernel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := freshTwoHosts(t)
			f(t, h)
			if log := h.service.err.String(); strings.Contains(log, "panic") || strings.Contains(log, h.password) {
				t.Errorf("the log has what it must not have: %s", log)
			}
		})
	}
}

func firewallWMI(t *testing.T, h *twoHosts) {
	dcom := "dcom://" + h.b.address
	if said := h.service.out.String(); !strings.Contains(said, "lets no other machine reach WMI over DCOM") || !strings.Contains(said, groupWMI+`" new enable=yes`) {
		t.Errorf("up does not say what opens WMI: %s", said) // 0.04
	}
	since := h.mark()
	h.refuses(dcom, "0x800706BA") // 0.04
	h.waitLog(since, "the firewall refuses a connection", "service=rpcss", "no rule names it")
	h.ports(map[int]bool{135: false, 5985: true, 5986: true})

	h.asPrinted(h.service.out.String(), groupWMI) // 0.10: at once
	h.answers(dcom)
	h.group(h.bs, "Windows Remote Management", false)
	h.ports(map[int]bool{135: true, 5985: false, 5986: false}) // 0.03
	h.answers(dcom)

	w := h.watch("--count", "6") // 0.11: established connections stay
	w.until(&w.out, "__InstanceModificationEvent")
	h.group(h.bs, "Windows Management Instrumentation (WMI)", false)
	h.refuses(dcom, "0x800706BA")
	if out, errOut, code := w.wait(); code != 0 || strings.Count(out, "\n__InstanceModificationEvent") != 6 {
		t.Errorf("what was connected: exit code %d\n%s%s", code, out, errOut)
	}

	add := func(rule string) { t.Helper(); h.netsh(h.bs, "firewall add rule "+rule) }
	remove := func(name string) { t.Helper(); h.netsh(h.bs, `firewall delete rule name="`+name+`"`) }
	add(ruleDCOM) // 0.13: 135 answers, the port of WMI does not
	h.ports(map[int]bool{135: true})
	h.refuses(dcom, "0x800706BA")
	add(ruleWMI) // 0.12, 0.14
	h.answers(dcom)
	remove("DCOM") // 0.17
	h.ports(map[int]bool{135: false})
	h.refuses(dcom, "0x800706BA")
	add(strings.ReplaceAll(ruleDCOM, `\`, ""))
	h.answers(dcom)
	remove("WMI") // 0.18
	h.ports(map[int]bool{135: true})
	h.refuses(dcom, "0x800706BA")
	add(`dir=in name="Other" program=%systemroot%\system32\other.exe service=winmgmt action=allow`) // 0.22
	h.refuses(dcom, "0x800706BA")
	remove("DCOM")

	for _, name := range []string{"COM+ Network Access (DCOM-In)", "Remote Event Log Management (RPC-EPMAP)"} { // 3.34, 3.37, 3.38
		h.ports(map[int]bool{135: false})
		h.netsh(h.bs, `firewall set rule name="`+name+`" new enable=yes`)
		h.ports(map[int]bool{135: true})
		h.netsh(h.bs, `firewall set rule name="`+name+`" new enable=no`)
	}

	h.group(h.bs, groupWMI, true) // 0.07: by the service, not by a number
	h.p.env = append(h.p.env, "CASEMENT_STATE="+h.bs)
	h.p.must(t, "winmgmt", "/standalonehost")
	h.p.must(t, "net", "stop", "winmgmt")
	h.p.must(t, "net", "start", "winmgmt")
	h.ports(map[int]bool{135: true, 24158: true})
	h.answers(dcom)
	h.netsh(h.bs, `firewall add rule dir=in name="shut" action=block protocol=TCP localport=24158`)
	h.refuses(dcom, "0x800706BA") // what blocks beats what allows
	h.ports(map[int]bool{135: true, 24158: false})
	h.netsh(h.bs, "set allprofiles state off")
	h.ports(map[int]bool{135: true, 24158: true})
}

func firewallWinRM(t *testing.T, h *twoHosts) {
	plain, secure := "http://"+h.b.address+":5985/wsman", "https://"+h.b.address+":5986/wsman"
	insecure := "--insecure-skip-verify"
	h.answers(plain)
	h.group(h.bs, "Windows Remote Management", false) // 2.12: a listener, and no rule
	h.refuses(plain, "0x80338112")
	h.refuses(secure, "0x80338112", insecure)
	h.p.env = append(h.p.env, "CASEMENT_STATE="+h.bs)
	h.p.must(t, "winrm", "quickconfig", "-quiet")              // 2.19: the chosen transport's alone
	h.ports(map[int]bool{5985: true, 5986: false, 135: false}) // 2.29
	h.answers(plain)
	h.refuses(secure, "0x80338112", insecure)
	h.netsh(h.bs, `firewall set rule name="Windows Remote Management (HTTPS-In)" new enable=yes`)
	h.answers(secure, insecure)

	h.reg(h.bs, "add", `HKLM\SOFTWARE\Casement`, "/v", "NetworkProfile", "/t", "REG_SZ", "/d", "Public", "/f") // 2.20
	h.ports(map[int]bool{5985: false})
	h.p.must(t, "winrm", "quickconfig", "-quiet", "-force")
	h.ports(map[int]bool{5985: false})                           // to the local subnet only, and A is in none of B's
	h.b.ip("addr", "add", h.b.address+"/24", "dev", h.b.link(t)) // addresses are read once a second
	h.ports(map[int]bool{5985: true})
	h.answers(plain)
	h.reg(h.bs, "add", `HKLM\SOFTWARE\Casement`, "/v", "NetworkProfile", "/t", "REG_SZ", "/d", "Private", "/f")

	// 3.33: a policy over it
	const policy = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall`
	h.reg(h.bs, "add", policy+`\FirewallRules`, "/v", "WINRM-HTTP-In-TCP-NoScope", "/t", "REG_SZ", "/d",
		"v2.31|Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=5985|App=System|Name=Windows Remote Management (HTTP-In)|", "/f")
	h.ports(map[int]bool{5985: false})
	h.reg(h.bs, "delete", policy+`\FirewallRules`, "/f")
	h.ports(map[int]bool{5985: true})
	h.reg(h.bs, "add", policy+`\PrivateProfile`, "/v", "AllowLocalPolicyMerge", "/t", "REG_DWORD", "/d", "0", "/f")
	h.ports(map[int]bool{5985: false})
}

// link is the name of the namespace's cable.
func (n *netns) link(t *testing.T) string {
	t.Helper()
	out, err := n.exec(t.Context(), "ip", "-o", "-4", "addr", "show", "to", n.address).Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 2 {
		t.Fatalf("%v: %s", err, out)
	}
	return fields[1]
}

// callable lets B call back without authentication, and A take that, each by the command of the documents.
func (h *twoHosts) callable() {
	h.t.Helper()
	h.group(h.bs, groupWMI, true)
	h.anonymousCallback(true)
	h.p.must(h.t, "dcomcnfg", "--state", h.as, "grant", "--limits", "access", "ANONYMOUS LOGON", "remote-access") // 4.20
}

// delivered insists that events come.
func delivered(w *watching) {
	w.t.Helper()
	if out, errOut, code := w.wait(); code != 0 || !strings.Contains(out, "__InstanceModificationEvent") {
		w.t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}

// nothing insists that a watch is given up by the host at a stage, and that the person is told why.
func (h *twoHosts) nothing(since mark, stage string, w *watching, hint string) {
	h.t.Helper()
	h.dropped(since, stage)
	w.useless(hint)
	h.semisync()
}

func firewallUnsecapp(t *testing.T, h *twoHosts) {
	h.callable()
	socket := filepath.Join(h.p.home, "unsecapp.sock")
	host := h.start(h.p.commandIn(context.WithoutCancel(t.Context()), h.a, "unsecapp", "--state", h.as, "--socket", socket, "--port", fmt.Sprint(sinkPort)))
	host.until(&host.out, "Programs find this one")
	watch := func() *watching { return h.watch("--async", "--unsecapp", "--unsecapp-socket", socket, "--count", "1") }

	since := h.mark()
	h.nothing(since, "resolve OXID", watch(), "") // 0.05: the group is off
	host.until(&host.err, groupWMI+`" new enable=yes`)
	h.group(h.as, groupWMI, true)
	time.Sleep(1100 * time.Millisecond) // the rules are read once a second
	delivered(watch())
	h.group(h.as, groupWMI, false)
	h.netsh(h.as, "firewall add rule "+ruleDCOM)
	time.Sleep(1100 * time.Millisecond)
	since = h.mark()
	h.nothing(since, "dial sink", watch(), "")
	h.netsh(h.as, "firewall add rule "+ruleUnsecapp) // 0.12, 0.15
	time.Sleep(1100 * time.Millisecond)
	delivered(watch())
	h.netsh(h.as, `firewall delete rule name="UnsecApp"`) // 0.19
	time.Sleep(1100 * time.Millisecond)
	since = h.mark()
	h.nothing(since, "dial sink", watch(), "")
	h.answers("dcom://" + h.b.address)
}

func firewallOwnSink(t *testing.T, h *twoHosts) {
	h.callable()
	h.group(h.as, groupWMI, true)
	since := h.mark()
	w := h.async("--count", "1")
	h.nothing(since, "dial sink", w, "program="+built.path+" ") // 0.06: the group is not for this program
	h.asPrinted(w.err.String(), "program="+built.path)
	delivered(h.async("--count", "1"))

	self, err := os.Executable() // a program with the library
	if err != nil {
		t.Fatal(err)
	}
	since = h.mark()
	a := h.library()
	h.dropped(since, "dial sink")
	if err := a.Close(); !errors.Is(err, wmiclient.ErrNeverCalled) {
		t.Errorf("Close: %v", err)
	}
	h.netsh(h.as, "firewall add rule name=library dir=in action=allow program="+self)
	time.Sleep(1100 * time.Millisecond) // a gate of the library's reads the rules once a second
	a = h.library()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if events, err := a.Next(ctx, 1); len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}

	h.group(h.as, groupWMI, false) // port 135 is no program's own
	since = h.mark()
	h.nothing(since, "resolve OXID", h.async("--count", "1"), groupWMI)
}

// library is an asynchronous query of this process, in A.
func (h *twoHosts) library() *wmiclient.Async {
	h.t.Helper()
	sinks := wmiclient.NewSinks(wmiclient.SinkOptions{Address: h.a.address, Anonymous: func() error { return nil }, Listen: h.a.listen,
		Firewall: firewall.NewGate(firewall.GateOptions{Snapshot: firewall.FolderSnapshot(h.as)})})
	c, err := casement.Dial(h.t.Context(), "dcom://"+h.b.address, casement.Options{User: "Administrator", Password: h.password, HostsFile: "-",
		DialContext: h.a.dial, DCOM: casement.DCOMOptions{Sinks: sinks}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	s, err := c.Session(h.t.Context(), "")
	if err != nil {
		h.t.Fatal(err)
	}
	a, err := s.(*wmiclient.Session).SubscribeAsync(h.t.Context(), ticking, cim.SubscribeOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// asPrinted runs the line that a person was told to run, the one that holds a text.
func (h *twoHosts) asPrinted(said, text string) {
	h.t.Helper()
	for line := range strings.Lines(said) {
		if strings.Contains(line, text) && strings.Contains(line, " netsh ") {
			if out, err := exec.CommandContext(h.t.Context(), "sh", "-c", line).CombinedOutput(); err != nil {
				h.t.Errorf("%s: %v: %s", line, err, out)
			}
			return
		}
	}
	h.t.Errorf("no line to run with %s: %s", text, said)
}

func firewallOut(t *testing.T, h *twoHosts) {
	h.callable()
	h.group(h.as, groupWMI, true)
	h.netsh(h.as, "firewall add rule name=watch dir=in action=allow program="+built.path)
	delivered(h.async("--count", "1"))
	h.group(h.bs, groupWMI, false) // its member for what goes out would let it
	h.netsh(h.bs, "firewall add rule "+ruleDCOM)
	h.netsh(h.bs, "firewall add rule "+ruleWMI)
	h.netsh(h.bs, "set allprofiles firewallpolicy blockinbound,blockoutbound")
	since := h.mark()
	h.nothing(since, "resolve OXID", h.async("--count", "1"), "may it dial out")
	h.waitLog(since, "the firewall of this machine lets no connection out from")
	h.netsh(h.bs, "firewall add rule "+ruleWMIOut) // 0.16
	delivered(h.async("--count", "1"))
	h.netsh(h.bs, `firewall delete rule name="WMI_OUT"`) // 0.20
	since = h.mark()
	h.nothing(since, "resolve OXID", h.async("--count", "1"), "may it dial out")
}

// silent tells whether a connection to a port of B gets no answer at all.
func (h *twoHosts) silent(port int) bool {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
	defer cancel()
	c, err := h.a.dial(ctx, "tcp", net.JoinHostPort(h.b.address, strconv.Itoa(port)))
	if err == nil {
		c.Close()
		return false
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// firewallInKernel: with the kernel's help a port that is shut is silent; a table of somebody else stays as it is, and ours goes with the service.
func firewallInKernel(t *testing.T, h *twoHosts) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("there is no nft to read the kernel's rules")
	}
	nft := func(args ...string) string {
		t.Helper()
		out, err := h.b.exec(t.Context(), append([]string{"nft"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("nft %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	nft("add table inet filter; add chain inet filter input { type filter hook input priority 10; policy accept; }; add rule inet filter input tcp dport 9999 drop")
	foreign := nft("list", "ruleset")
	same := func(when string) {
		t.Helper()
		if !soon(func() bool { return nft("list", "ruleset") == foreign }) {
			t.Errorf("%s: %s", when, nft("list", "ruleset"))
		}
	}
	h.ports(map[int]bool{135: false, 5985: true}) // refused aloud
	same("without being asked for")

	h.p.must(t, "firewall", "kernel", "on", "--state", h.bs)
	if !soon(func() bool { return h.silent(135) }) {
		t.Errorf("port 135 is not silent: %s\n%s", nft("list", "ruleset"), &h.service.err)
	}
	h.ports(map[int]bool{5985: true})
	if got := nft("list", "table", "inet", "casement"); !strings.Contains(got, "policy accept") || !strings.Contains(got, "tcp dport 135 ") || strings.Contains(got, "9999") || strings.Contains(got, "dport 22 ") {
		t.Errorf("the table: %s", got)
	}
	if got := nft("list", "table", "inet", "filter"); !strings.Contains(foreign, got) {
		t.Errorf("another table: %s", got)
	}
	if c, err := h.b.dial(t.Context(), "tcp", net.JoinHostPort(h.b.address, "135")); err != nil { // from itself
		t.Error(err)
	} else {
		c.Close()
	}
	l, err := h.b.listen(t.Context(), "tcp", h.b.address+":9998") // no port of ours
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if h.silent(9998) {
		t.Error("the port of another program is silent")
	}

	h.group(h.bs, groupWMI, true)
	h.ports(map[int]bool{135: true})
	h.answers("dcom://" + h.b.address)
	w := h.watch("--count", "3") // what is connected stays
	w.until(&w.out, "__InstanceModificationEvent")
	h.group(h.bs, groupWMI, false)
	if !soon(func() bool { return h.silent(135) }) {
		t.Error("port 135 is not silent again")
	}
	delivered(w)

	h.p.must(t, "firewall", "kernel", "off", "--state", h.bs)
	same("off")
	h.ports(map[int]bool{135: false})
	h.p.must(t, "firewall", "kernel", "on", "--state", h.bs)
	if !soon(func() bool { return h.silent(135) }) {
		t.Error("port 135 is not silent")
	}
	h.service.end(syscall.SIGTERM)
	same("after the end")
	h.service = h.p.startIn(t, h.b, "up", "--state", h.bs, "--no-hosts")
	if !soon(func() bool { return h.silent(135) }) {
		t.Error("port 135 is not silent after a restart")
	}
	if err := h.service.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	same("after a kill")
}
