package peercred

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// A row of proc_net(5), written by hand.
func TestTCPRow(t *testing.T) {
	l, r, uid, inode, ok := tcpRow("   1: 0100007F:1761 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 20 4 30 10 -1")
	if !ok || l != netip.MustParseAddrPort("127.0.0.1:5985") || r != netip.MustParseAddrPort("127.0.0.1:40000") || uid != 1000 || inode != 4711 {
		t.Errorf("%v %v %d %d %v", l, r, uid, inode, ok)
	}
	l, _, _, _, ok = tcpRow("   0: 00000000000000000000000001000000:1761 0000000000000000FFFF00000100007F:9C40 01 00000000:00000000 02:000A 00000000     0        0 9 2 0 20 4 30 10 -1")
	if !ok || l != netip.MustParseAddrPort("[::1]:5985") {
		t.Errorf("%v %v", l, ok)
	}
	for _, bad := range []string{"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
		"   0: 0100007F:1761 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1", "   0: zz:1761 00:0 01 0 0 0 0 0 22 1"} {
		if _, _, _, _, ok := tcpRow(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzTCPRow(f *testing.F) {
	f.Add("   1: 0100007F:1761 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1")
	f.Fuzz(func(t *testing.T, line string) {
		if l, _, _, _, ok := tcpRow(line); ok && !l.IsValid() {
			t.Errorf("%q is %v", line, l)
		}
	})
}

// The other end of a connection that this process made and accepted is its own, over
// each family; before it is accepted it is nobody's, and elsewhere it is not here.
func TestTCPUID(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			if strings.HasPrefix(address, "[") {
				t.Skip("no IPv6 here: ", err)
			}
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, accepted, err := tcpOwner(c.RemoteAddr().(*net.TCPAddr).AddrPort(), c.LocalAddr().(*net.TCPAddr).AddrPort()); accepted || err != nil {
			t.Errorf("%s before it is accepted: %v, %v", address, accepted, err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if uid, err := TCPUID(c); err != nil || int(uid) != os.Geteuid() {
			t.Errorf("%s: %d, %v", address, uid, err)
		}
		if _, _, err := tcpOwner(netip.MustParseAddrPort("192.0.2.1:5985"), netip.MustParseAddrPort("192.0.2.2:4000")); !errors.Is(err, ErrNotHere) {
			t.Errorf("elsewhere: %v", err)
		}
		s.Close()
		c.Close()
		l.Close()
	}
}
