package privilege

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/shell"
)

// What the service process tells about itself after Drop.
type serviceReport struct {
	UIDs, GIDs          [3]int
	Groups              []int
	Caps, NoNewPrivs    string
	Shadow, Setuid      string
	Policy              string
	Listening, Direct22 string
	Out, Err            string
	Exit                uint32
	Root                string
}

// service runs in a process of its own: root, helper, drop, then attempts.
func service(path string) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var r serviceReport
	c, err := StartHelper(ctx, HelperOptions{Argv: []string{os.Args[0], "privilege-helper", path}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	id, err := shell.LookupIdentity("nobody")
	if err == nil {
		err = Drop(id)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r.UIDs[0], r.UIDs[1], r.UIDs[2] = unix.Getresuid()
	r.GIDs[0], r.GIDs[1], r.GIDs[2] = unix.Getresgid()
	r.Groups, _ = unix.Getgroups()
	status, _ := os.ReadFile("/proc/thread-self/status")
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "CapEff:\t"); ok {
			r.Caps = strings.TrimSpace(v)
		}
		if v, ok := strings.CutPrefix(line, "NoNewPrivs:\t"); ok {
			r.NoNewPrivs = strings.TrimSpace(v)
		}
	}
	_, err = os.ReadFile("/etc/shadow")
	r.Shadow = fmt.Sprint(err)
	r.Setuid = fmt.Sprint(syscall.Setuid(0))
	r.Policy = fmt.Sprint(os.WriteFile(path, []byte(`{"users":["root"],"allow_root":true}`), 0o600))
	var p Policy
	_ = json.Unmarshal([]byte(os.Getenv("POLICY")), &p)
	if ln, err := c.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", p.Ports[0])); err != nil {
		r.Listening = err.Error()
	} else {
		r.Listening = dialled(ln)
	}
	_, err = c.Listen(ctx, "tcp", "127.0.0.1:22")
	r.Direct22 = fmt.Sprint(err)
	daemon, _ := shell.LookupIdentity("daemon")
	r.Out, r.Err, r.Exit, err = run(ctx, c, shell.Spec{Command: whoami, Dir: "/", Identity: daemon})
	if err != nil {
		r.Err = err.Error()
	}
	_, _, _, err = run(ctx, c, shell.Spec{Command: "id", Identity: shell.Identity{UnixUser: "root"}})
	r.Root = fmt.Sprint(err)
	if err := c.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(r)
}

// dialled proves that the listener accepts.
func dialled(ln net.Listener) string {
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			_, _ = c.Write([]byte("accepted"))
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	b, _ := io.ReadAll(c)
	return string(b)
}

// freeLowPort finds a port below 1024 that nobody listens on.
func freeLowPort(t *testing.T) uint16 {
	t.Helper()
	for port := uint16(1023); port > 600; port-- {
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = ln.Close()
			return port
		}
	}
	t.Skip("no free low port")
	return 0
}

func TestServiceWithoutRoot(t *testing.T) {
	needRoot(t)
	nobody, daemon := as(t, "nobody"), as(t, "daemon")
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil && strings.TrimSpace(string(b)) != "1024" {
		t.Skip("low ports are free for all on this machine")
	}
	p := Policy{Users: []string{"daemon"}, Ports: []uint16{freeLowPort(t)}}
	path := policyFile(t, p)
	pj, _ := json.Marshal(p)
	cmd := exec.CommandContext(testCtx(t), os.Args[0], "service", path)
	cmd.Env = append(os.Environ(), "POLICY="+string(pj))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	var r serviceReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	n, g := int(nobody.UID), int(nobody.GID)
	if r.UIDs != [3]int{n, n, n} || r.GIDs != [3]int{g, g, g} || (len(r.Groups) > 0 && !slices.Equal(r.Groups, []int{g})) {
		t.Errorf("ids %v %v %v", r.UIDs, r.GIDs, r.Groups)
	}
	if strings.Trim(r.Caps, "0") != "" {
		t.Errorf("capabilities %s", r.Caps)
	}
	if withoutCgo() && r.NoNewPrivs != "1" {
		t.Errorf("NoNewPrivs %q", r.NoNewPrivs)
	}
	for what, text := range map[string]string{"shadow": r.Shadow, "policy": r.Policy} {
		if !strings.Contains(text, "permission denied") {
			t.Errorf("%s: %s", what, text)
		}
	}
	if !strings.Contains(r.Setuid, "operation not permitted") {
		t.Errorf("setuid(0): %s", r.Setuid)
	}
	if r.Listening != "accepted" || !strings.Contains(r.Direct22, "not on the helper's list") {
		t.Errorf("listening: %s; port 22: %s", r.Listening, r.Direct22)
	}
	checkWhoami(t, daemon, r.Out, r.Err, r.Exit)
	if !strings.Contains(r.Root, "not on the helper's list") {
		t.Errorf("root: %s", r.Root)
	}
}

// withoutCgo reports whether this program was built as the released one is.
func withoutCgo() bool {
	b, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(b.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "0"})
}
