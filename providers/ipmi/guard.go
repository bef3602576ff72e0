package ipmi

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"net"

	"github.com/bougou/go-ipmi/pkg/crypto"
	"github.com/bougou/go-ipmi/pkg/types"
)

// dialer opens the sockets of one client of the library.
type dialer func(network, address string) (net.Conn, error)

// Dial opens a socket.
func (d dialer) Dial(network, address string) (net.Conn, error) { return d(network, address) }

// guarded makes the sockets to a BMC guards.
func guarded(ctx context.Context, d Device) dialer {
	return func(network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &guard{Conn: conn, user: d.User, password: d.Password}, nil
	}
}

// guard is a socket that gives the library only packets that it may trust. The library takes what claims to be an
// answer, decrypts it without a look at its length, and takes any algorithms that the other end names: one packet of
// somebody else would stop this process, or pass for the BMC. So the guard follows the way into the session, [IPMI]
// 13.17 to 13.24: the algorithms must be those that were asked for, and within the session every packet must be
// encrypted, of whole blocks, newer than the last one and carry the right integrity check.
type guard struct {
	net.Conn
	user, password string

	console uint32  // session ID of this side
	asked   [3]byte // algorithms: authentication, integrity, confidentiality
	random  []byte  // of this side
	role    byte
	k1, k2  []byte
	within  bool   // the session is open
	last    uint32 // sequence number of the BMC
}

// Positions in packets of RMCP+. See [IPMI] 13.6.
const (
	rmcpSize    = 4
	headerSize  = 12 // of the session
	payloadFrom = rmcpSize + headerSize
	encrypted   = 0x80
	signed      = 0x40
	typeMask    = 0x3f
	formatPlus  = 6 // RMCP+
)

// Payload types. See [IPMI] table 13-16.
const (
	payloadIPMI         = 0x00
	payloadOpenRequest  = 0x10
	payloadOpenResponse = 0x11
	payloadRAKP1        = 0x12
	payloadRAKP2        = 0x13
	payloadRAKP4        = 0x15
)

// payload is the payload of a packet of RMCP+; ok is false for others, and for those that are cut.
func payload(p []byte) (kind byte, body []byte, ok bool) {
	if len(p) < payloadFrom || p[rmcpSize] != formatPlus {
		return 0, nil, false
	}
	size := int(binary.LittleEndian.Uint16(p[rmcpSize+10:]))
	if len(p) < payloadFrom+size {
		return 0, nil, false
	}
	return p[rmcpSize+1], p[payloadFrom : payloadFrom+size], true
}

// Write sends a packet and notes what the answers must fit.
func (g *guard) Write(p []byte) (int, error) {
	switch kind, body, ok := payload(p); {
	case ok && kind == payloadOpenRequest && len(body) >= 32:
		g.console, g.asked = binary.LittleEndian.Uint32(body[4:]), [3]byte{body[12], body[20], body[28]}
		g.k1, g.k2, g.within, g.last = nil, nil, false, 0
	case ok && kind == payloadRAKP1 && len(body) >= 28:
		g.random, g.role = append([]byte(nil), body[8:24]...), body[24]
	}
	return g.Conn.Write(p)
}

// Read receives the next packet that may be trusted.
func (g *guard) Read(p []byte) (int, error) {
	for {
		n, err := g.Conn.Read(p)
		if err != nil || g.admit(p[:n]) {
			return n, err
		}
	}
}

// admit tells whether the library may see a packet.
func (g *guard) admit(p []byte) bool {
	const version, classMask, classIPMI, noAuthentication = 6, 0x1f, 7, 0
	if len(p) <= rmcpSize || p[0] != version || p[3]&classMask != classIPMI {
		return false
	}
	if p[rmcpSize] != formatPlus { // the question before the session has the format of IPMI 1.5
		return !g.within && p[rmcpSize] == noAuthentication
	}
	kind, body, ok := payload(p)
	if !ok {
		return false
	}
	switch kind {
	case payloadOpenResponse:
		return !g.within && g.opened(body)
	case payloadRAKP2:
		return !g.within && g.agreed(body)
	case payloadRAKP4:
		const least = 8
		if g.within || len(body) < least {
			return false
		}
		g.within = body[1] == 0 && g.k1 != nil
		return g.within || body[1] != 0
	case payloadIPMI | encrypted | signed:
		return g.within && g.answer(p, body)
	}
	return false
}

// opened checks an RMCP+ Open Session Response: it may name no other algorithms.
func (g *guard) opened(body []byte) bool {
	const refused, whole = 2, 36
	if len(body) >= refused && body[1] != 0 {
		return true
	}
	return len(body) >= whole && [3]byte{body[16], body[24], body[32]} == g.asked
}

// agreed takes the keys of the session from RAKP Message 2. The library checks that the BMC knows the password.
func (g *guard) agreed(body []byte) bool {
	const refused, whole = 2, 40
	if len(body) >= refused && body[1] != 0 {
		return true
	}
	if len(body) < whole || g.random == nil {
		return false
	}
	algorithm := types.AuthAlg(g.asked[0])
	sik, err := crypto.DeriveSIK(algorithm, g.random, body[8:24], g.role, g.user, crypto.PadPassword20([]byte(g.password)))
	if err != nil {
		return false
	}
	if g.k1, err = crypto.DeriveK1(algorithm, sik); err != nil {
		return false
	}
	g.k2, err = crypto.DeriveK2(algorithm, sik)
	return err == nil
}

// answer checks a packet within the session. See [IPMI] 13.28.4 and 13.29.
func (g *guard) answer(p, body []byte) bool {
	const block = 16
	console, sequence := binary.LittleEndian.Uint32(p[rmcpSize+2:]), binary.LittleEndian.Uint32(p[rmcpSize+6:])
	if console != g.console || sequence <= g.last || len(body) < 2*block || len(body)%block != 0 || len(g.k2) < block {
		return false
	}
	size, ok := map[byte]int{1: 12, 4: 16}[g.asked[1]] // HMAC-SHA1-96, HMAC-SHA256-128
	if !ok || len(p) < payloadFrom+len(body)+size {
		return false
	}
	from := len(p) - size
	mac, err := crypto.SessionIntegrityAuthCode(types.IntegrityAlg(g.asked[1]), p[rmcpSize:from], g.k1, g.password)
	if err != nil || len(mac) < size || subtle.ConstantTimeCompare(mac[:size], p[from:]) != 1 {
		return false
	}
	plain, err := crypto.DecryptAES(body[block:], g.k2[:block], body[:block])
	if err != nil || int(plain[len(plain)-1])+1 > len(plain) { // the number of bytes of padding is the last byte
		return false
	}
	g.last = sequence
	return true
}
