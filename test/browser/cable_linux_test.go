package browser

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// far is a machine at the other end of a cable: in a network namespace, with the
// standard ports, and the account of host.
type far struct {
	*machine
	t       *testing.T
	ns      string
	address string
	near    string // our end of the cable, and its address
	nearIP  string
}

// farHost makes one that ends with the test.
func farHost(t *testing.T) *far {
	t.Helper()
	n := hostNumber.Add(1)
	f := &far{t: t, ns: fmt.Sprintf("czb%d-%d", os.Getpid(), n), near: fmt.Sprintf("czb%d-%d", os.Getpid()%100000, n),
		nearIP: fmt.Sprintf("198.18.%d.%d", os.Getpid()%250, 4*n+1), address: fmt.Sprintf("198.18.%d.%d", os.Getpid()%250, 4*n+2)}
	if out, err := exec.Command("ip", "netns", "add", f.ns).CombinedOutput(); err != nil {
		t.Skipf("a network namespace cannot be made: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", f.ns).Run() }) // with the cable
	f.ip("link", "add", f.near, "type", "veth", "peer", "name", "eth0", "netns", f.ns)
	f.ip("addr", "add", f.nearIP+"/30", "dev", f.near)
	f.ip("link", "set", f.near, "up")
	f.ip("-n", f.ns, "addr", "add", f.address+"/30", "dev", "eth0")
	f.ip("-n", f.ns, "link", "set", "lo", "up")
	f.ip("-n", f.ns, "link", "set", "eth0", "up")
	f.machine = newMachine(t)
	f.machine.ns = f.ns
	f.serve()
	f.must(password+"\n", "user", "passwd", "Administrator", "--password-stdin", f.state())
	return f
}

func (f *far) serve() {
	f.t.Helper()
	f.start("--http", f.address+":5985", "--https", f.address+":5986", "--console", "off")
}

// restart is a loss of power, and power again.
func (f *far) restart() {
	f.t.Helper()
	f.kill()
	f.serve()
}

// silent waits until a port takes no connection and refuses none.
func (f *far) silent(port int) {
	f.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(f.address, strconv.Itoa(port)), 700*time.Millisecond)
		if err == nil {
			c.Close()
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if time.Now().After(end) {
			f.t.Fatalf("port %d is not silent: %v", port, err)
		}
	}
}

func (f *far) ip(args ...string) {
	f.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		f.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// cut makes the cable silent in both directions, as a switch does that has gone: what
// is sent goes to a neighbour that there is not. The function mends it.
func (f *far) cut() (mend func()) {
	f.t.Helper()
	f.ip("neigh", "replace", f.address, "lladdr", "02:00:00:00:00:99", "dev", f.near, "nud", "permanent")
	f.ip("-n", f.ns, "neigh", "replace", f.nearIP, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "permanent")
	return func() {
		f.t.Helper()
		f.ip("neigh", "del", f.address, "dev", f.near)
		f.ip("-n", f.ns, "neigh", "del", f.nearIP, "dev", "eth0")
	}
}
