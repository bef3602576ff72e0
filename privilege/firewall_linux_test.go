package privilege

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/casementhq/casement/firewall"
)

// What a process listens on is what the kernel says, not what a message claims.
func TestListeners(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err)
			continue
		}
		defer l.Close()
		want := l.Addr().(*net.TCPAddr).AddrPort()
		own, err := listeners(os.Getpid())
		if err != nil || !own[want] {
			t.Errorf("%v is not among %v (%v)", want, own, err)
		}
		l.Close()
		if own, _ := listeners(os.Getpid()); own[want] {
			t.Errorf("%v is among them after its end", want)
		}
	}
	for text, want := range map[string]string{"0100007F:1761": "127.0.0.1:5985", "00000000:0087": "[::]:135", "0000000000000000FFFF00000200A8C0:0050": "192.168.0.2:80", "B80D0120000000000000000001000000:0001": "[2001:db8::1]:1"} {
		if got, err := procAddress(text); err != nil || got.String() != want {
			t.Errorf("%s: %v (%v), want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":", "zz:1", "0100007F", "0100007F:10000", "01:1"} {
		if got, err := procAddress(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// TestListeningChild is the other process of the next test: it listens until its input ends.
func TestListeningChild(t *testing.T) {
	network, address, ok := strings.Cut(os.Getenv("LISTEN"), " ")
	if !ok {
		t.Skip("the child of TestPortsOfOthers")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("listening", l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	l.Close()
}

// listeningChild starts it, in a network of its own where that is asked for, and gives its process id and the address.
func listeningChild(t *testing.T, network, address string, apart bool) (int, netip.AddrPort) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestListeningChild$", "-test.v")
	cmd.Env = append(os.Environ(), "LISTEN="+network+" "+address)
	if apart {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			at, err := netip.ParseAddrPort(text)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return cmd.Process.Pid, at
		}
	}
	t.Skip("the child does not listen")
	return 0, netip.AddrPort{}
}

// Whoever has the service can listen in a network of his own on port 22, and on the IPv6 half of a port whose IPv4 half is
// another program's. Neither makes the port the service's here: its rules would silence the others.
func TestPortsOfOthers(t *testing.T) {
	needRoot(t)
	pid, at := listeningChild(t, "tcp", "[::]:22", true)
	if own, err := listeners(pid); err != nil || own[at] {
		t.Errorf("%v of another network counts: %v (%v)", at, own, err)
	}
	_, half := listeningChild(t, "tcp4", "0.0.0.0:0", false)
	l, err := net.Listen("tcp6", netip.AddrPortFrom(netip.IPv6Unspecified(), half.Port()).String())
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	if own, err := listeners(os.Getpid()); err != nil || own[l.Addr().(*net.TCPAddr).AddrPort()] {
		t.Errorf("%v is also another program's: %v (%v)", l.Addr(), own, err)
	}
}

// The helper programs nothing that root did not permit, and no port that is not the service's.
func TestPacketFilterRefusals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	c, _ := helperFor(t, Policy{Users: []string{"nobody"}})
	var refused *RefusedError
	if err := c.Firewall(testCtx(t), []firewall.KernelPort{{Port: at.Port(), Address: at.Addr()}}); !errors.As(err, &refused) || refused.Code != CodeRefused {
		t.Errorf("without permission: %v", err)
	}
	if err := c.Firewall(testCtx(t), nil); err != nil {
		t.Errorf("nothing, where nothing is: %v", err)
	}
	c, _ = helperFor(t, Policy{Users: []string{"nobody"}, Firewall: true})
	for _, k := range []firewall.KernelPort{{Port: at.Port()}, {Port: at.Port(), Address: netip.MustParseAddr("127.0.0.2")}, {Port: 22}, {Port: at.Port() ^ 1, Address: at.Addr()}} {
		if err := c.Firewall(testCtx(t), []firewall.KernelPort{k}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%+v: %v", k, err)
		}
	}
}
