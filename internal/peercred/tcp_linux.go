package peercred

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// acceptTime is how long the other end may take to accept a connection: before that
// it is nobody's.
const acceptTime = 5 * time.Second

// ErrNotHere is that the other end of a connection is no process of this machine.
var ErrNotHere = errors.New("the other end is not on this machine")

// TCPUID asks the system whose the other end of a TCP connection within this machine
// is: that of the process that accepted it. It waits up to 5 s until one has.
func TCPUID(c net.Conn) (uint32, error) {
	ours, ok := c.LocalAddr().(*net.TCPAddr)
	theirs, is := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !is {
		return 0, errors.New("not a TCP socket")
	}
	for end := time.Now().Add(acceptTime); ; time.Sleep(5 * time.Millisecond) {
		uid, accepted, err := tcpOwner(theirs.AddrPort(), ours.AddrPort())
		switch {
		case err != nil:
			return 0, err
		case accepted:
			return uid, nil
		case time.Now().After(end):
			return 0, errors.New("nobody accepts the connection")
		}
	}
}

// tcpOwner finds the socket that has these addresses in the tables of proc_net(5).
func tcpOwner(local, remote netip.AddrPort) (uid uint32, accepted bool, err error) {
	for _, name := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) && strings.HasSuffix(name, "6") {
			continue
		}
		if err != nil {
			return 0, false, err
		}
		rows := bufio.NewScanner(f)
		for rows.Scan() {
			l, r, owner, inode, ok := tcpRow(rows.Text())
			if ok && same(l, local) && same(r, remote) {
				f.Close()
				return owner, inode != 0, nil
			}
		}
		f.Close()
		if err := rows.Err(); err != nil {
			return 0, false, err
		}
	}
	return 0, false, ErrNotHere
}

func same(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().Unmap().WithZone("") == b.Addr().Unmap().WithZone("")
}

// tcpRow reads a row: "sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid
// timeout inode …". ok is false for what is no row of an established connection.
func tcpRow(line string) (local, remote netip.AddrPort, uid uint32, inode uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != "01" {
		return
	}
	local, err1 := tcpAddress(f[1])
	remote, err2 := tcpAddress(f[2])
	owner, err3 := strconv.ParseUint(f[7], 10, 32)
	inode, err4 := strconv.ParseUint(f[9], 10, 64)
	return local, remote, uint32(owner), inode, errors.Join(err1, err2, err3, err4) == nil
}

// tcpAddress reads 0100007F:1F90: words of 32 bits in the machine's order, and the port.
func tcpAddress(s string) (netip.AddrPort, error) {
	words, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(words)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", s)
	}
	for n := 0; n < len(b); n += 4 {
		binary.NativeEndian.PutUint32(b[n:], binary.BigEndian.Uint32(b[n:]))
	}
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, uint16(p)), nil
}

// Owner is the user whose a file or folder is; ok is false where that cannot be told.
func Owner(name string) (uid uint32, ok bool) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
