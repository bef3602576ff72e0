package newcomer

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// netns is a network namespace: a machine with an address of its own, on which nothing else runs.
type netns struct {
	t       *testing.T
	name    string
	address string
}

var netnsNumber atomic.Int32

// newNetns makes a namespace that ends with the test.
func newNetns(t *testing.T, address string) *netns {
	t.Helper()
	n := &netns{t, fmt.Sprintf("cz%d-%d", os.Getpid(), netnsNumber.Add(1)), address}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		t.Skipf("network namespaces cannot be made: %v: %s", err, out)
	}
	t.Cleanup(func() { n.outside("netns", "del", n.name) })
	n.ip("link", "set", "lo", "up")
	return n
}

// join ties two namespaces together by a cable. Each is reached at its address by the other one alone.
func (n *netns) join(other *netns) {
	n.t.Helper()
	a, b := fmt.Sprintf("v%d", netnsNumber.Add(1)), fmt.Sprintf("v%d", netnsNumber.Add(1))
	n.outside("link", "add", a, "netns", n.name, "type", "veth", "peer", "name", b, "netns", other.name)
	for _, end := range []struct {
		at, far *netns
		link    string
	}{{n, other, a}, {other, n, b}} {
		if out, err := end.at.exec(n.t.Context(), "ip", "addr", "add", end.at.address+"/32", "dev", end.link).CombinedOutput(); err != nil && !strings.Contains(string(out), "exists") {
			n.t.Fatalf("%v: %s", err, out)
		}
		end.at.ip("link", "set", end.link, "up")
		end.at.ip("route", "add", end.far.address, "dev", end.link, "src", end.at.address)
	}
}

func (n *netns) outside(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %q: %v: %s", args, err, out)
	}
}

// ip runs ip within.
func (n *netns) ip(args ...string) {
	n.t.Helper()
	n.outside(append([]string{"-n", n.name}, args...)...)
}

// exec is a command that runs within.
func (n *netns) exec(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.name}, args...)...)
}

// block is a firewall that drops what comes in to a port: nothing with it as its source leaves. The function opens it again. There need be neither
// nft nor iptables for that, which a small system has not.
func (n *netns) block(port uint16) (open func()) {
	return n.rule("sport", fmt.Sprint(port), "blackhole")
}

// blockOut refuses what goes out to a port, and says so to who tries.
func (n *netns) blockOut(port uint16) (open func()) {
	return n.rule("dport", fmt.Sprint(port), "prohibit")
}

func (n *netns) rule(words ...string) (undo func()) {
	n.t.Helper()
	rule := append([]string{"ipproto", "tcp"}, words...)
	n.ip(append([]string{"rule", "add"}, rule...)...)
	return func() { n.ip(append([]string{"rule", "del"}, rule...)...) }
}

// do runs f with sockets that are within: f must not start goroutines that make some.
func (n *netns) do(f func() error) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer own.Close()
	within, err := os.Open("/run/netns/" + n.name)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer within.Close()
	if err := unix.Setns(int(within.Fd()), unix.CLONE_NEWNET); err != nil { // #nosec G115 -- a descriptor
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil { // #nosec G115 -- a descriptor
		return back // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// dial and listen are those of the namespace, for addresses that are no names.
func (n *netns) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = n.do(func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

func (n *netns) listen(ctx context.Context, network, address string) (l net.Listener, err error) {
	err = n.do(func() error {
		l, err = new(net.ListenConfig).Listen(ctx, network, address)
		return err
	})
	return l, err
}
