package privilege

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/firewall/kernel"
)

// Firewall has the kernel drop new connections to ports that this process listens on:
// all that Casement has there is replaced, and no ports remove it. The end of the helper
// removes it too. A refusal is a *RefusedError.
func (c *Client) Firewall(ctx context.Context, ports []firewall.KernelPort) error {
	_, _, err := c.do(ctx, request{Op: opFirewall, Firewall: ports}, nil)
	return err
}

// program puts rules into the kernel, for ports on which the service listens now.
func (h *helper) program(ports []firewall.KernelPort) error {
	h.filter.Lock()
	defer h.filter.Unlock()
	if len(ports) == 0 {
		return h.unprogram()
	}
	p, err := h.loadPolicy()
	if err != nil {
		return err
	}
	if !p.Firewall {
		return refusef("root has not permitted the kernel's packet filter; 'casement firewall kernel on' as root does")
	}
	own, err := listeners(h.peer)
	if err != nil {
		return err
	}
	for _, k := range ports {
		at := netip.AddrPortFrom(netip.IPv6Unspecified(), k.Port)
		if k.Address.IsValid() {
			at = netip.AddrPortFrom(k.Address, k.Port)
		}
		if !own[at] {
			return refusef("the service does not listen on %v, or not alone", at)
		}
	}
	if err := kernel.Set(ports); err != nil {
		return err
	}
	h.programmed = true
	return nil
}

// unprogram removes what this helper has put there. filter is held.
func (h *helper) unprogram() error {
	if !h.programmed {
		return nil
	}
	err := kernel.Set(nil)
	h.programmed = err != nil
	return err
}

// listeners are where a process listens for TCP; all addresses are [::]. They are
// those of the network that this process is in, whatever other one that process has
// made for itself. All addresses at a port are nobody's where another program listens
// at the port on one of them, or on the other half of IP.
func listeners(pid int) (map[netip.AddrPort]bool, error) {
	own, err := sockets("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return nil, err
	}
	out := map[netip.AddrPort]bool{}
	var others []netip.AddrPort
	for _, name := range []string{"tcp", "tcp6"} {
		err := readListeners("/proc/self/net/"+name, func(inode string, at netip.AddrPort) {
			if own[inode] {
				out[at] = true
			} else if !at.Addr().IsLoopback() {
				others = append(others, at)
			}
		})
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	for _, at := range others {
		delete(out, netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port()))
	}
	return out, nil
}

// sockets are the inodes of a process's sockets.
func sockets(dir string) (map[string]bool, error) {
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	own := map[string]bool{}
	for _, fd := range fds {
		to, err := os.Readlink(dir + "/" + fd.Name())
		if err != nil {
			continue // it is closed by now
		}
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return own, nil
}

// readListeners reads /proc/self/net/tcp: the second column is the local address, the
// fourth the state, the tenth the inode. See proc_net_tcp of the kernel.
func readListeners(path string, each func(inode string, at netip.AddrPort)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		field := strings.Fields(lines.Text())
		if len(field) < 10 || field[3] != "0A" {
			continue
		}
		at, err := procAddress(field[1])
		if err != nil {
			return err
		}
		each(field[9], at)
	}
	return lines.Err()
}

// procAddress reads an address of /proc/net/tcp: words of 32 bits as numbers of this
// machine, and the port.
func procAddress(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	b, err1 := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, fmt.Errorf("privilege: %q is no address of a socket", text)
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, _ := netip.AddrFromSlice(b)
	if a = a.Unmap(); a.IsUnspecified() {
		a = netip.IPv6Unspecified()
	}
	return netip.AddrPortFrom(a, uint16(n)), nil // #nosec G115 -- of 16 bits
}
