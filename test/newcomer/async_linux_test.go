package newcomer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/internal/testlog"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
)

const (
	ticking  = "SELECT * FROM __InstanceModificationEvent WITHIN 1 WHERE TargetInstance ISA 'Win32_LocalTime'"
	sinkPort = 24500
	keyCIMOM = `HKLM\SOFTWARE\Microsoft\WBEM\CIMOM`
)

// twoHosts are B, which serves, and A, which is called back, on two machines of their own.
type twoHosts struct {
	t        *testing.T
	p        person
	a, b     *netns
	as, bs   string // state folders
	service  *machine
	password string
}

// newTwoHosts has the firewall of both let in what the table needs: WMI, and at A the programs of this test.
func newTwoHosts(t *testing.T) *twoHosts {
	t.Helper()
	h := freshTwoHosts(t)
	h.anonymousCallback(true)
	h.remoteAccess(true)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{h.as, h.bs} {
		h.rules(state, func(tx *registry.Tx) error {
			if _, err := firewall.SetGroup(tx, firewall.GroupWMI, true); err != nil || state == h.bs {
				return err
			}
			for i, program := range []string{built.path, self} {
				r := firewall.Rule{ID: fmt.Sprintf("{%d}", i), Name: "sinks", Action: firewall.Allow, Active: true, Dir: firewall.In, Protocol: firewall.TCP, Program: program}
				if err := firewall.Put(tx, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return h
}

// rules changes the rules of a machine, of a running service too.
func (h *twoHosts) rules(state string, change func(tx *registry.Tx) error) {
	h.t.Helper()
	hive, err := registry.Open(filepath.Join(state, "hive.reg"), registry.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	defer hive.Close()
	if err := hive.Update(change); err != nil {
		h.t.Fatal(err)
	}
}

// freshTwoHosts are as they come.
func freshTwoHosts(t *testing.T) *twoHosts {
	t.Helper()
	needRoot(t)
	h := &twoHosts{t: t, p: self(t), a: newNetns(t, "198.51.100.1"), b: newNetns(t, "198.51.100.2")}
	h.a.join(h.b)
	h.as, h.bs = filepath.Join(h.p.home, "a"), filepath.Join(h.p.home, "b")
	st, err := service.OpenState(h.as, service.StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { forgetPolicy(h.bs) })
	h.service = h.p.startIn(t, h.b, "up", "--state", h.bs, "--listen", h.b.address, "--no-hosts")
	h.password = h.service.field("Password")
	if h.service.field("DCOM") != "dcom://"+h.b.address+":135" {
		t.Fatalf("it says %s", &h.service.out)
	}
	return h
}

// reg changes the hive of a machine, of a running service too.
func (h *twoHosts) reg(state string, args ...string) {
	h.t.Helper()
	h.p.must(h.t, append([]string{"reg", "--state", state}, args...)...)
}

func (h *twoHosts) value(state, name, kind, data string) {
	h.t.Helper()
	h.reg(state, "add", keyCIMOM, "/v", name, "/t", kind, "/d", data, "/f")
}

func (h *twoHosts) anonymousCallback(on bool) {
	h.t.Helper()
	h.value(h.bs, "AllowAnonymousCallback", "REG_DWORD", map[bool]string{false: "0", true: "1"}[on])
}

// remoteAccess gives ANONYMOUS LOGON Remote Access to A, or takes it.
func (h *twoHosts) remoteAccess(on bool) {
	h.t.Helper()
	c := settings.AnonymousSinks()
	if on {
		h.reg(h.as, "add", c.Key, "/v", c.Name, "/t", "REG_BINARY", "/d", fmt.Sprintf("%x", c.Value.Bytes()), "/f")
		return
	}
	h.reg(h.as, "delete", c.Key, "/v", c.Name, "/f")
}

// logged is what the service has logged since a mark.
type mark int

func (h *twoHosts) mark() mark { return mark(len(h.service.err.String())) }

func (h *twoHosts) logged(since mark) string { return h.service.err.String()[since:] }

// waitLog waits for a line of the service's log that has all of the words.
func (h *twoHosts) waitLog(since mark, words ...string) {
	h.t.Helper()
	for end := time.Now().Add(50 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	lines:
		for line := range strings.Lines(h.logged(since)) {
			for _, w := range words {
				if !strings.Contains(line, w) {
					continue lines
				}
			}
			return
		}
	}
	h.t.Fatalf("the service did not log %q:\n%s", words, h.logged(since))
}

// dropped waits until the service has given up an operation at a stage.
func (h *twoHosts) dropped(since mark, stage string) {
	h.t.Helper()
	if strings.Contains(stage, " ") {
		stage = `"` + stage + `"`
	}
	h.waitLog(since, "an asynchronous operation is cancelled", "ExecNotificationQuery", "stage="+stage)
}

// semisync insists that the same query works where nothing has to come in.
func (h *twoHosts) semisync() {
	h.t.Helper()
	w := h.watch("--count", "1")
	out, errOut, code := w.wait()
	if code != 0 || !strings.Contains(out, "__InstanceModificationEvent") {
		h.t.Errorf("semisynchronously: exit code %d\n%s%s", code, out, errOut)
	}
}

// watching is a program at A, mostly casement watch.
type watching struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err testlog.Text
	done     chan struct{}
}

func (h *twoHosts) watch(args ...string) *watching {
	h.t.Helper()
	return h.watchFor(ticking, args...)
}

func (h *twoHosts) watchFor(query string, args ...string) *watching {
	h.t.Helper()
	args = append([]string{"watch", "dcom://" + h.b.address, query, "--state", h.as, "-o", "csv", "--timeout", "80s"}, args...)
	cmd := h.p.commandIn(context.WithoutCancel(h.t.Context()), h.a, args...)
	cmd.Env = append(cmd.Env, "CASEMENT_USER=Administrator", "CASEMENT_PASSWORD="+h.password)
	return h.start(cmd)
}

// start starts a program that ends with the test.
func (h *twoHosts) start(cmd *exec.Cmd) *watching {
	h.t.Helper()
	w := &watching{t: h.t, cmd: cmd, done: make(chan struct{})}
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.err
	if err := w.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		_ = w.cmd.Wait()
		close(w.done)
	}()
	h.t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		<-w.done
	})
	return w
}

// async is watch --async.
func (h *twoHosts) async(args ...string) *watching {
	h.t.Helper()
	return h.watch(append([]string{"--async", "--sink-port", fmt.Sprint(sinkPort)}, args...)...)
}

// until waits for a text among what it prints.
func (w *watching) until(text *testlog.Text, want string) {
	w.t.Helper()
	for end := time.Now().Add(50 * time.Second); !strings.Contains(text.String(), want); time.Sleep(10 * time.Millisecond) {
		select {
		case <-w.done:
			if !strings.Contains(text.String(), want) {
				w.t.Fatalf("it ended without %q: %s%s", want, &w.out, &w.err)
			}
		default:
		}
		if time.Now().After(end) {
			w.t.Fatalf("it says no %q: %s%s", want, &w.out, &w.err)
		}
	}
}

func (w *watching) wait() (out, errOut string, code int) {
	w.t.Helper()
	select {
	case <-w.done:
	case <-time.After(85 * time.Second):
		w.t.Fatalf("it does not end: %s%s", &w.out, &w.err)
	}
	return w.out.String(), w.err.String(), w.cmd.ProcessState.ExitCode()
}

// interrupt is Ctrl-C.
func (w *watching) interrupt() (out, errOut string, code int) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		w.t.Fatal(err)
	}
	return w.wait()
}

// useless ends a watch to which nothing came: the host has no operation any more, and the person is told what to check.
func (w *watching) useless(hint string) {
	w.t.Helper()
	out, errOut, code := w.interrupt()
	if code != 1 || strings.Contains(out, "Win32_LocalTime") && hint == "" {
		w.t.Errorf("exit code %d, %s", code, out)
	}
	for _, want := range []string{"the host had dropped the operation", "firewall", "AllowAnonymousCallback", "Without --async", hint} {
		if !strings.Contains(errOut, want) {
			w.t.Errorf("it does not say %q: %s", want, errOut)
		}
	}
}

// TestAsyncStory is the table of asynchronous callbacks (spec/wmi.md 1.7) for two machines without a domain: what works, and each thing that can be in
// the way. Each failure is in the log of the service with its stage, its operation is over, and the same query works semisynchronously.
func TestAsyncStory(t *testing.T) {
	needRoot(t)
	// The longest first: they wait for what a machine that does not answer is given.
	t.Run("the connection is cut in mid-stream", func(t *testing.T) {
		t.Parallel()
		h := newTwoHosts(t)
		w := h.async()
		w.until(&w.out, "__InstanceModificationEvent")
		since := h.mark()
		defer h.a.block(sinkPort)()
		h.dropped(since, "call")
		w.useless("to port 24500 too")
		h.semisync()
	})
	t.Run("the port of the sink is blocked", func(t *testing.T) {
		t.Parallel()
		h := newTwoHosts(t)
		defer h.a.block(sinkPort)()
		since := h.mark()
		w := h.async()
		h.dropped(since, "dial sink")
		w.useless("to port 24500 too")
		h.semisync()
	})
	t.Run("port 135 of the client is blocked", func(t *testing.T) {
		t.Parallel()
		h := newTwoHosts(t)
		defer h.a.block(135)()
		since := h.mark()
		w := h.async()
		w.until(&w.err, "the host has not called within")
		h.dropped(since, "resolve OXID")
		w.useless("ports 135 and 24500")
		h.semisync()
	})
	t.Run("the service is killed", func(t *testing.T) {
		t.Parallel()
		h := newTwoHosts(t)
		w := h.async()
		w.until(&w.out, "__InstanceModificationEvent")
		if err := h.service.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, errOut, code := w.wait(); code != 1 || !strings.Contains(errOut, "the host's service has ended") {
			t.Errorf("exit code %d: %s", code, errOut)
		}
	})
	t.Run("settings", func(t *testing.T) {
		t.Parallel()
		asyncSettings(t)
	})
	t.Run("a sink names a third host", func(t *testing.T) {
		t.Parallel()
		asyncThirdHost(t)
	})
}

// asyncSettings are the rows that need no waiting: both machines and their settings, which are followed live.
func asyncSettings(t *testing.T) {
	h := newTwoHosts(t)
	row := func(name string, f func(t *testing.T, since mark)) {
		t.Run(name, func(t *testing.T) {
			of := h.t
			h.t = t
			defer func() { h.t = of }()
			f(t, h.mark())
		})
	}
	row("works", func(t *testing.T, since mark) {
		out, errOut, code := h.async("--count", "2").wait()
		if code != 0 || strings.Count(out, "\n__InstanceModificationEvent") != 2 || !strings.Contains(errOut, "ports 135 and 24500") {
			t.Errorf("exit code %d\n%s%s", code, out, errOut)
		}
		if log := h.logged(since); strings.Contains(log, "stage=") {
			t.Errorf("the service logs %s", log)
		}
	})
	row("works with a free port and Ctrl-C", func(t *testing.T, since mark) {
		w := h.watch("--async")
		w.until(&w.out, "__InstanceModificationEvent")
		if _, errOut, code := w.interrupt(); code != 0 {
			t.Errorf("exit code %d: %s", code, errOut)
		}
		if log := h.logged(since); strings.Contains(log, "stage=") {
			t.Errorf("the service logs %s", log)
		}
	})
	row("works without port 135, which another program has", func(t *testing.T, _ mark) {
		l, err := h.a.listen(t.Context(), "tcp", "0.0.0.0:135")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out, errOut, code := h.async("--count", "1").wait()
		if code != 0 || !strings.Contains(out, "__InstanceModificationEvent") || !strings.Contains(errOut, "at port 24500") {
			t.Errorf("exit code %d\n%s%s", code, out, errOut)
		}
	})
	row("through unsecapp, as an ordinary user", func(t *testing.T, since mark) { asyncUnsecapp(t, h, since) })
	row("the service may not dial out", func(_ *testing.T, since mark) {
		defer h.b.blockOut(135)()
		w := h.async()
		h.dropped(since, "resolve OXID")
		w.useless("may it dial out")
		h.semisync()
	})
	row("AllowAnonymousCallback 0, and 1 again", func(_ *testing.T, since mark) {
		h.anonymousCallback(false)
		w := h.async()
		h.dropped(since, "identity")
		w.useless("ports 135 and 24500")
		h.semisync()
		h.anonymousCallback(true)
		if out, errOut, code := h.async("--count", "1").wait(); code != 0 {
			h.t.Errorf("exit code %d\n%s%s", code, out, errOut)
		}
	})
	row("AllowAnonymousCallback is absent", func(_ *testing.T, since mark) {
		h.reg(h.bs, "delete", keyCIMOM, "/v", "AllowAnonymousCallback", "/f")
		defer h.anonymousCallback(true)
		w := h.async()
		h.dropped(since, "identity")
		w.useless("ports 135 and 24500")
	})
	row("ANONYMOUS LOGON has no Remote Access", func(_ *testing.T, since mark) {
		h.remoteAccess(false)
		defer h.remoteAccess(true)
		w := h.async()
		h.dropped(since, "access denied")
		w.useless("MachineAccessRestriction does not grant Remote Access")
		h.semisync()
		if out, errOut, code := h.async("--anonymous", "--count", "1").wait(); code != 0 {
			h.t.Errorf("--anonymous: exit code %d\n%s%s", code, out, errOut)
		}
	})
	row("UnsecAppAccessControlDefault 1 at the client", func(_ *testing.T, since mark) {
		h.value(h.as, "UnsecAppAccessControlDefault", "REG_SZ", "1")
		defer h.value(h.as, "UnsecAppAccessControlDefault", "REG_SZ", "0")
		w := h.async()
		h.dropped(since, "access denied")
		w.useless("UnsecAppAccessControlDefault is 1")
		h.semisync()
	})
	row("UnsecAppAccessControlDefault 1 at the service", func(_ *testing.T, since mark) {
		h.value(h.bs, "UnsecAppAccessControlDefault", "REG_SZ", "1")
		defer h.value(h.bs, "UnsecAppAccessControlDefault", "REG_SZ", "0")
		w := h.async()
		h.dropped(since, "identity")
		w.useless("ports 135 and 24500")
		h.semisync()
	})
	row("the sink's process is killed", func(_ *testing.T, since mark) {
		w := h.async()
		w.until(&w.out, "__InstanceModificationEvent")
		if err := w.cmd.Process.Kill(); err != nil {
			h.t.Fatal(err)
		}
		h.waitLog(since, "an asynchronous operation is cancelled", "ExecNotificationQuery")
		h.semisync()
	})
	row("an encrypted namespace", func(t *testing.T, since mark) { // T-30
		file := filepath.Join(h.p.home, "sealed.mof")
		text := "#pragma namespace(\"\\\\\\\\.\\\\root\")\ninstance of __Namespace { Name = \"sealed\"; };\n" +
			"#pragma namespace(\"\\\\\\\\.\\\\root\\\\sealed\")\n[RequiresEncryption(TRUE)] instance of __SystemSecurity {};\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { // #nosec G306 -- the service's user reads it
			t.Fatal(err)
		}
		h.p.env = append(h.p.env, "CASEMENT_STATE="+h.bs)
		h.p.must(t, "mofcomp", file)
		const query = "SELECT * FROM __NamespaceOperationEvent"
		_, errOut, code := h.watchFor(query, "-n", "root/sealed", "--async").wait()
		if code != 1 || !strings.Contains(errOut, "0x80041003") {
			t.Errorf("exit code %d: %s", code, errOut)
		}
		h.waitLog(since, "event=5606", `root\sealed`)
		w := h.watchFor(query, "-n", "root/sealed", "--timeout", "2s") // sealed itself, it begins
		if _, errOut, _ := w.wait(); !strings.Contains(errOut, "no result within 2s") {
			t.Errorf("semisynchronously: %s", errOut)
		}
	})
	if log := h.service.err.String(); strings.Contains(log, "panic") || strings.Contains(log, h.password) {
		t.Errorf("the log has what it must not have: %s", log)
	}
	h.service.end(syscall.SIGTERM)
}

// asyncUnsecapp: the program that root runs is called, and a user without any rights has the events. It ends with it.
func asyncUnsecapp(t *testing.T, h *twoHosts, since mark) {
	user := ordinary(t)
	socket := filepath.Join(h.p.home, "unsecapp.sock")
	host := h.start(h.p.commandIn(context.WithoutCancel(t.Context()), h.a, "unsecapp", "--state", h.as, "--socket", socket, "--port", fmt.Sprint(sinkPort)))
	host.until(&host.out, "Programs find this one")
	watch := func(args ...string) *watching {
		args = append([]string{"watch", "dcom://" + h.b.address, ticking, "--state", filepath.Join(user.home, "none"), "-o", "csv", "--timeout", "60s",
			"--async", "--unsecapp", "--unsecapp-socket", socket}, args...)
		setpriv := []string{"setpriv", "--reuid", fmt.Sprint(user.uid), "--regid", fmt.Sprint(user.cred.Gid), "--clear-groups", built.path}
		cmd := h.a.exec(context.WithoutCancel(t.Context()), append(setpriv, args...)...)
		cmd.Dir = user.home
		cmd.Env = []string{"HOME=" + user.home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "CASEMENT_USER=Administrator", "CASEMENT_PASSWORD=" + h.password}
		return h.start(cmd)
	}
	out, errOut, code := watch("--count", "2").wait()
	if code != 0 || strings.Count(out, "\n__InstanceModificationEvent") != 2 || !strings.Contains(errOut, "ports 135 and 24500") {
		t.Errorf("exit code %d\n%s%s\n%s", code, out, errOut, &host.err)
	}
	if log := h.logged(since); strings.Contains(log, "stage=") {
		t.Errorf("the service logs %s", log)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := h.b.dial(t.Context(), "tcp", net.JoinHostPort(h.a.address, fmt.Sprint(sinkPort)))
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("the port is open without a sink")
		}
	}
	w := watch()
	w.until(&w.out, "__InstanceModificationEvent")
	if _, errOut, code := host.interrupt(); code != 0 {
		t.Errorf("unsecapp ends with exit code %d: %s", code, errOut)
	}
	if _, errOut, code := w.wait(); code != 1 || !strings.Contains(errOut, "released the sink") {
		t.Errorf("watch without unsecapp: exit code %d: %s", code, errOut)
	}
	h.waitLog(since, "an asynchronous operation is cancelled", "ExecNotificationQuery")
}

// asyncThirdHost: the service dials the machine that the call came from, whatever the reference says. Issue 4, 5.1.
func asyncThirdHost(t *testing.T) {
	h := newTwoHosts(t)
	third := newNetns(t, "198.51.100.3")
	third.join(h.b)
	var dialled atomic.Int32
	const elsewhere = 24999
	for _, port := range []int{135, elsewhere} {
		l, err := third.listen(t.Context(), "tcp", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				dialled.Add(1)
				c.Close()
			}
		}()
	}
	reach := func() error { // the listener does see what is dialled
		c, err := h.b.dial(t.Context(), "tcp", net.JoinHostPort(third.address, "135"))
		if err == nil {
			defer c.Close()
			_, err = io.ReadAll(c)
		}
		return err
	}
	if err := reach(); err != nil || dialled.Load() != 1 {
		t.Fatalf("the third host cannot be reached from the service: %v, %d", err, dialled.Load())
	}
	since := h.mark()
	gate := firewall.NewGate(firewall.GateOptions{Snapshot: firewall.FolderSnapshot(h.as)})
	sinks := wmiclient.NewSinks(wmiclient.SinkOptions{Address: h.a.address, Firewall: gate, Anonymous: func() error { return nil }, Listen: h.a.listen,
		Advertise: []string{fmt.Sprintf("%s[%d]", third.address, elsewhere)}})
	c, err := casement.Dial(t.Context(), "dcom://"+h.b.address, casement.Options{User: "Administrator", Password: h.password, HostsFile: "-",
		DialContext: h.a.dial, DCOM: casement.DCOMOptions{Sinks: sinks}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Session(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.(*wmiclient.Session).SubscribeAsync(t.Context(), ticking, cim.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.dropped(since, "resolve OXID") // nothing is at that port of the client
	if err := a.Close(); !errors.Is(err, wmiclient.ErrNeverCalled) {
		t.Errorf("Close: %v", err)
	}
	if n := dialled.Load(); n != 1 {
		t.Errorf("the third host saw %d connections of the service", n-1)
	}
	h.semisync()
}

// commandIn is casement within a namespace.
func (p person) commandIn(ctx context.Context, n *netns, args ...string) *exec.Cmd {
	cmd := p.command(ctx, args...)
	ip, err := exec.LookPath("ip")
	if err != nil {
		n.t.Fatal(err)
	}
	cmd.Args = append([]string{"ip", "netns", "exec", n.name, cmd.Path}, args...)
	cmd.Path = ip
	return cmd
}

// startIn is start within a namespace.
func (p person) startIn(t *testing.T, n *netns, args ...string) *machine {
	t.Helper()
	return startMachine(t, p.commandIn(context.WithoutCancel(t.Context()), n, args...))
}
