package privilege

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
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
