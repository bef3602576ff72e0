package epm

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
)

// Protocol identifiers of floors. See [C706] appendix I.
const (
	protocolUUID    = 0x0d
	protocolCL      = 0x0a // connectionless
	protocolCO      = 0x0b // connection-oriented
	protocolLocal   = 0x0c
	protocolTCP     = 0x07
	protocolUDP     = 0x08
	protocolIP      = 0x09
	protocolPipe    = 0x0f
	protocolPipeNB  = 0x10
	protocolNetBIOS = 0x11
	protocolHTTP    = 0x1f
)

// Tower says how an interface is reached. See [C706] appendix L.
type Tower struct {
	Interface, Transfer dcerpc.SyntaxID
	// Protocol is the protocol sequence: ncacn_ip_tcp, ncacn_np, ncacn_http, ncadg_ip_udp, ncalrpc, or "" for one that is not known.
	Protocol string
	// Endpoint is the port, or the name of a pipe.
	Endpoint string
	// Address is an IP address or a NetBIOS name; "0.0.0.0" asks for any.
	Address string
}

// String gives a string binding such as ncacn_ip_tcp:127.0.0.1[49152].
func (t Tower) String() string { return fmt.Sprintf("%s:%s[%s]", t.Protocol, t.Address, t.Endpoint) }

// Port is the TCP port, 0 for another protocol.
func (t Tower) Port() uint16 {
	if t.Protocol != "ncacn_ip_tcp" {
		return 0
	}
	n, err := strconv.ParseUint(t.Endpoint, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

func appendFloor(b, left, right []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(left)))
	b = append(b, left...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(right)))
	return append(b, right...)
}

func appendSyntax(b []byte, s dcerpc.SyntaxID) []byte {
	left := append([]byte{protocolUUID}, s.UUID[:]...)
	left = binary.LittleEndian.AppendUint16(left, s.Major)
	return appendFloor(b, left, binary.LittleEndian.AppendUint16(nil, s.Minor))
}

// encode writes the five floors of ncacn_ip_tcp, the only protocol that is written.
func (t Tower) encode() []byte {
	b := []byte{5, 0}
	b = appendSyntax(b, t.Interface)
	b = appendSyntax(b, t.Transfer)
	b = appendFloor(b, []byte{protocolCO}, []byte{0, 0})
	b = appendFloor(b, []byte{protocolTCP}, binary.BigEndian.AppendUint16(nil, t.Port()))
	var ip [4]byte
	if a, err := netip.ParseAddr(t.Address); err == nil && a.Unmap().Is4() {
		ip = a.Unmap().As4()
	}
	return appendFloor(b, []byte{protocolIP}, ip[:])
}

// decodeTower reads the octets of a tower. Protocols that are not known give a Tower with an empty Protocol.
func decodeTower(b []byte) (Tower, error) {
	var t Tower
	if len(b) < 2 {
		return t, errTower
	}
	floors := int(binary.LittleEndian.Uint16(b))
	b = b[2:]
	var sequence []byte
	for i := range floors {
		left, right, rest, ok := cutFloor(b)
		if !ok || len(left) == 0 {
			return t, errTower
		}
		b = rest
		if i < 2 {
			s, ok := syntaxFloor(left, right)
			if !ok {
				return t, errTower
			}
			if i == 0 {
				t.Interface = s
			} else {
				t.Transfer = s
			}
			continue
		}
		sequence = append(sequence, left[0])
		t.address(left[0], right)
	}
	if floors < 3 {
		return t, errTower
	}
	t.Protocol = sequences[string(sequence)]
	return t, nil
}

var errTower = fmt.Errorf("%w: tower", ndr.ErrBadStub)

var sequences = map[string]string{
	string([]byte{protocolCO, protocolTCP, protocolIP}):         "ncacn_ip_tcp",
	string([]byte{protocolCO, protocolPipe, protocolNetBIOS}):   "ncacn_np",
	string([]byte{protocolCO, protocolHTTP, protocolIP}):        "ncacn_http",
	string([]byte{protocolCL, protocolUDP, protocolIP}):         "ncadg_ip_udp",
	string([]byte{protocolLocal, protocolPipeNB}):               "ncalrpc",
	string([]byte{protocolCO, protocolPipeNB, protocolNetBIOS}): "ncacn_np",
}

func cutFloor(b []byte) (left, right, rest []byte, ok bool) {
	cut := func() []byte {
		if len(b) < 2 {
			return nil
		}
		n := int(binary.LittleEndian.Uint16(b))
		if n > len(b)-2 {
			return nil
		}
		part := b[2 : 2+n]
		b = b[2+n:]
		return part
	}
	if left = cut(); left == nil {
		return nil, nil, nil, false
	}
	if right = cut(); right == nil {
		return nil, nil, nil, false
	}
	return left, right, b, true
}

func syntaxFloor(left, right []byte) (dcerpc.SyntaxID, bool) {
	var s dcerpc.SyntaxID
	if len(left) != 19 || left[0] != protocolUUID || len(right) < 2 {
		return s, false
	}
	copy(s.UUID[:], left[1:])
	s.Major, s.Minor = binary.LittleEndian.Uint16(left[17:]), binary.LittleEndian.Uint16(right)
	return s, true
}

func (t *Tower) address(protocol byte, right []byte) {
	switch protocol {
	case protocolTCP, protocolUDP, protocolHTTP:
		if len(right) == 2 {
			t.Endpoint = strconv.Itoa(int(binary.BigEndian.Uint16(right)))
		}
	case protocolIP:
		if a, ok := netip.AddrFromSlice(right); ok {
			t.Address = a.String()
		}
	case protocolPipe, protocolPipeNB:
		t.Endpoint = strings.TrimRight(string(right), "\x00")
	case protocolNetBIOS:
		t.Address = strings.TrimRight(string(right), "\x00")
	}
}

// writeTower writes twr_t: what a pointer to a tower points to.
func writeTower(e *ndr.Encoder, tower []byte) {
	e.Count(len(tower))
	e.Uint32(uint32(len(tower)))
	e.Raw(tower)
}

func readTower(d *ndr.Decoder) []byte {
	d.AlignWide(4, 8)
	size := d.Count(maxTower, 1)
	n := d.Uint32()
	if d.Err() == nil && int64(n) != int64(size) {
		d.Fail("a tower of %d octets in an array of %d", n, size)
	}
	return d.Raw(size)
}
