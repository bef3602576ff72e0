package newcomer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
)

// A lab is one network: a switch, a desk where a person sits who has the real program and nothing else, and hosts, each a machine of its own.
type lab struct {
	p    person // at the desk
	desk *netns
}

const (
	labDomain = "lab.example"
	labWord   = "Pass-4711-word" // the password of every account
	labSinks  = "50124"          // the port of the desk that hosts call
)

func labAddress(number int) string { return fmt.Sprintf("10.77.0.%d", 10+number) }

func labName(number int) string { return fmt.Sprintf("h%02d.%s", number, labDomain) }

// newLab makes the network, with the desk on it.
func newLab(t *testing.T, hosts int) *lab {
	t.Helper()
	l := &lab{p: self(t), desk: newNetns(t, labAddress(-9))}
	l.p.env = append(l.p.env, "CASEMENT_STATE="+filepath.Join(l.p.home, "desk"))
	l.desk.ip("link", "add", "lab", "type", "bridge")
	l.desk.ip("addr", "add", l.desk.address+"/24", "dev", "lab")
	l.desk.ip("link", "set", "lab", "up")
	// What the desk knows of names: 'ip netns exec' lays this over /etc/hosts.
	names := "127.0.0.1 localhost\n"
	for n := 1; n <= hosts; n++ {
		names += labAddress(n) + " " + labName(n) + "\n"
	}
	etc := filepath.Join("/etc/netns", l.desk.name)
	if err := errors.Join(os.MkdirAll(etc, 0o755), os.WriteFile(filepath.Join(etc, "hosts"), []byte(names), 0o644)); err != nil { // #nosec G301 G306 -- as /etc/hosts is
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(etc)
		os.Remove("/etc/netns")
	})
	st, err := service.OpenState(filepath.Join(l.p.home, "desk"), service.StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

// plug ties a namespace to the switch.
func (l *lab) plug(n *netns) {
	n.t.Helper()
	port := fmt.Sprintf("p%d", netnsNumber.Add(1))
	n.outside("link", "add", port, "netns", l.desk.name, "type", "veth", "peer", "name", "eth0", "netns", n.name)
	l.desk.ip("link", "set", port, "master", "lab", "up")
	n.ip("addr", "add", n.address+"/24", "dev", "eth0")
	n.ip("link", "set", "eth0", "up")
}

// shell runs a line as root in a namespace, with a state folder of its own.
func (l *lab) shell(t *testing.T, n *netns, state, line string) string {
	t.Helper()
	cmd := n.exec(t.Context(), "sh", "-c", line)
	cmd.Env = append(os.Environ(), "CASEMENT_STATE="+state, "PATH="+filepath.Dir(built.path)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// run runs the program at the desk, as a user of the host that is meant.
func (l *lab) run(t *testing.T, user string, args ...string) (out, errOut string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := l.p.commandIn(ctx, l.desk, args...)
	cmd.Env = append(cmd.Env, "CASEMENT_USER="+user, "CASEMENT_PASSWORD="+labWord)
	cmd.Stdin = strings.NewReader(labWord + "\n")
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// must is run, and insists on success.
func (l *lab) must(t *testing.T, args ...string) string {
	t.Helper()
	out, errOut, code := l.run(t, "Administrator", args...)
	if code != 0 {
		t.Fatalf("casement %q: exit code %d\n%s%s", args, code, out, errOut)
	}
	return out
}

// states are what the pool shows, and at which level, by name.
func (l *lab) states(t *testing.T) map[string]pool.Snapshot {
	t.Helper()
	var rows []struct{ Name, Manageability, Reason string }
	if err := json.Unmarshal([]byte(l.must(t, "pool", "list", "-o", "json")), &rows); err != nil {
		t.Fatal(err)
	}
	all := map[string]pool.Snapshot{}
	for _, r := range rows {
		all[r.Name] = pool.Snapshot{State: pool.State(r.Manageability), Reason: r.Reason}
	}
	for _, level := range []pool.Level{pool.LevelOK, pool.LevelInfo, pool.LevelAttention, pool.LevelBlocked, pool.LevelNone} {
		rows = nil
		if err := json.Unmarshal([]byte(l.must(t, "pool", "list", "state:"+string(level), "-o", "json")), &rows); err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			s := all[r.Name]
			s.Level = level
			all[r.Name] = s
		}
	}
	return all
}

// labHost is a host of the lab.
type labHost struct {
	*netns
	lab      *lab
	t        *testing.T // of the host as a whole
	name     string
	user     string // who signs in
	ask      string // how the doctor is asked for it
	more     []string
	state    string
	ahead    atomic.Int64 // by how much its clock is ahead, where this process is the host
	forwards *netns       // what passes ports on to it
}

// newHost makes a machine that is on the switch and serves nothing yet.
func (l *lab) newHost(t *testing.T, number int) *labHost {
	t.Helper()
	h := &labHost{netns: newNetns(t, labAddress(number)), lab: l, t: t, name: labName(number), user: "Administrator", state: filepath.Join(l.p.home, fmt.Sprintf("h%02d", number))}
	h.ask = h.name
	l.plug(h.netns)
	return h
}

// up serves at an address by the real program, on a machine whose administrator has let WMI in, so that DCOM is a way, too, and callbacks.
func (h *labHost) up(address string) {
	h.t.Helper()
	state, err := service.OpenState(h.state, service.StateOptions{Create: true})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := errors.Join(state.Accounts.SetPassword("Administrator", labWord), h.letIn(state), state.Close()); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { forgetPolicy(h.state) })
	h.lab.p.startIn(h.t, h.netns, "up", "--state", h.state, "--listen", address, "--no-hosts", "--console", "off")
}

// letIn opens the groups of the firewall, and permits callbacks.
func (h *labHost) letIn(state *service.State) error {
	return state.Hive.Update(func(tx *registry.Tx) error {
		for _, group := range []string{firewall.GroupWMI, firewall.GroupWinRM} {
			if _, err := firewall.SetGroup(tx, group, true); err != nil {
				return err
			}
		}
		return tx.Set(settings.KeyCIMOM, "AllowAnonymousCallback", registry.DWORD(1))
	})
}

// types is what a person types at the host.
func (h *labHost) types(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		h.lab.shell(t, h.netns, h.state, line)
	}
}

// account adds a local user.
func (h *labHost) account(name string, groups ...string) {
	h.t.Helper()
	h.types(h.t, "casement user add "+name+" --password-stdin <<'END'\n"+labWord+"\nEND")
	for _, g := range groups {
		h.types(h.t, "casement group add '"+g+"' "+name)
	}
	h.user = name
}

// serve is a host that is this process: a whole service, whose clock may be wrong, and whose objects may be somebody else's.
func (h *labHost) serve(o service.Options, prepare func(*service.State) error) {
	h.t.Helper()
	state, err := service.OpenState(h.state, service.StateOptions{Create: true, Service: true})
	if err != nil {
		h.t.Fatal(err)
	}
	_, err = state.Bootstrap(service.BootstrapOptions{HTTP: "127.0.0.1:5985", HTTPS: "127.0.0.1:5986"})
	if err == nil {
		err = errors.Join(state.Accounts.SetPassword("Administrator", labWord), h.letIn(state), prepare(state))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	now := func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }
	o.Now = now
	o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		inside, err := h.listen(ctx, network, net.JoinHostPort(h.address, port))
		return &dated{inside, now}, err
	}
	s, err := service.New(state, o)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() { ended <- s.Serve(ctx, func() { close(ready) }) }()
	h.t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close(), state.Close()); err != nil {
			h.t.Error(err)
		}
	})
	select {
	case <-ready:
	case <-time.After(30 * time.Second):
		h.t.Fatalf("%s does not serve", h.name)
	}
}

// dated is a host whose clock is another: its HTTP answers have that time.
type dated struct {
	net.Listener
	now func() time.Time
}

func (d *dated) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return datedConn{c, d.now}, nil
}

type datedConn struct {
	net.Conn
	now func() time.Time
}

var dateLine = regexp.MustCompile(`\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT\r\n`)

func (c datedConn) Write(b []byte) (int, error) {
	line := []byte("\r\nDate: " + c.now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") + "\r\n")
	if _, err := c.Conn.Write(dateLine.ReplaceAll(b, line)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// examine runs the doctor as a person does.
func (h *labHost) examine(t *testing.T, args ...string) (*doctor.Report, int) {
	t.Helper()
	args = slices.Concat([]string{"doctor", "-o", "json", h.ask}, h.more, args)
	out, errOut, code := h.lab.run(t, h.user, args...)
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("casement %q: exit code %d: %v\n%s%s", args, code, err, out, errOut)
	}
	return &r, code
}

// settles asks again where an answer is not the one that is wanted, which ask tells: on a machine that is busy with other things a check of the doctor may be late.
func settles(t *testing.T, ask func() (wrong string)) {
	t.Helper()
	wrong := ""
	for range 3 {
		if wrong = ask(); wrong == "" {
			return
		}
		t.Log(wrong)
	}
	t.Error(wrong)
}

// remedy is what a report advises, by its ID.
func remedy(t *testing.T, r *doctor.Report, id string) doctor.Remedy {
	t.Helper()
	var have []string
	for _, m := range r.Remedies {
		if m.ID == id {
			return m
		}
		have = append(have, m.ID)
	}
	t.Fatalf("%s: no %s among %q", r.Target.Input, id, have)
	return doctor.Remedy{}
}

// follow types the lines of a remedy where they belong.
func (h *labHost) follow(t *testing.T, r *doctor.Report, id string) {
	t.Helper()
	m := remedy(t, r, id)
	for _, line := range m.Commands {
		switch m.Where {
		case doctor.OnTarget:
			h.types(t, line)
		case doctor.OnConsole:
			h.lab.shell(t, h.lab.desk, filepath.Join(h.lab.p.home, "desk"), line)
		default:
			t.Fatalf("%s is for %s", id, m.Where)
		}
	}
}

// advised asks the doctor until a remedy is advised.
func (h *labHost) advised(t *testing.T, id string) *doctor.Report {
	t.Helper()
	var r *doctor.Report
	settles(t, func() string {
		if r, _ = h.examine(t); slices.ContainsFunc(r.Remedies, func(m doctor.Remedy) bool { return m.ID == id }) {
			return ""
		}
		return fmt.Sprintf("no %s of %+v", id, failures(r))
	})
	return r
}

// fix has the doctor do it: what he would do is shown, and nothing done without a yes.
func (h *labHost) fix(t *testing.T, says ...string) {
	t.Helper()
	args := slices.Concat([]string{"doctor", h.ask}, h.more, []string{"--fix"})
	says = append(says, "\nPlan for "+h.name)
	lacks := func(text string, says ...string) bool {
		return slices.ContainsFunc(says, func(s string) bool { return !strings.Contains(text, s) })
	}
	settles(t, func() string {
		out, errOut, code := h.lab.run(t, h.user, args...) // the password, which is what there is to read, is no yes
		if strings.Contains(out, "\ndone: ") {
			t.Errorf("it is done without a yes: %s", out)
		}
		if lacks(out, says...) {
			return fmt.Sprintf("the plan does not say %q: exit code %d\n%s%s", says, code, out, errOut)
		}
		return ""
	})
	settles(t, func() string {
		if out, errOut, code := h.lab.run(t, h.user, append(args, "--yes")...); lacks(out, append(says, "\ndone: ")...) {
			return fmt.Sprintf("--fix does not say %q: exit code %d\n%s%s", says, code, out, errOut)
		}
		return ""
	})
}
