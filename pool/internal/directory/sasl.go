package directory

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
)

// Bounds of what a controller sends.
const (
	mostOctets  = 1 << 30  // over one connection
	mostMessage = 16 << 20 // in one sealed message
	mostToken   = 1 << 20  // in one answer to a bind
)

var errTooMuch = errors.New("the controller sends more than anybody could want")

// bounded reads no more than so much.
type bounded struct {
	net.Conn
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p)
	b.left -= int64(n)
	return n, err
}

// initiator is Kerberos for accounts of a domain, and NTLM.
func (o *Options) initiator(host string) auth.Initiator {
	spn := "ldap/" + host
	var mechs []spnego.InitiatorMechanism
	if o.Tickets.Domain(o.Credentials, host) {
		mechs = append(mechs, spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: func() auth.Initiator {
			client, err := o.Tickets.Client(o.Credentials)
			if err != nil {
				return failing{err}
			}
			return krb5.NewInitiator(krb5.InitiatorOptions{Client: client, SPN: spn})
		}})
	}
	if o.Credentials.Username != "" {
		mechs = append(mechs, spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
			workstation, _ := os.Hostname()
			return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: o.Credentials, TargetName: spn, Workstation: workstation})
		}})
	}
	if len(mechs) == 0 {
		return failing{errors.New("no user is named, and there are no tickets (kinit makes some)")}
	}
	return spnego.NewInitiator(mechs...)
}

// failing is an initiator that cannot begin.
type failing struct{ err error }

func (f failing) Step(context.Context, []byte) ([]byte, bool, error) { return nil, false, f.err }
func (failing) Context() auth.Context                                { return nil }

// Results of a bind. See [RFC4511] 4.1.9.
const (
	success            = 0
	saslBindInProgress = 14
)

// bind signs in by SASL GSS-SPNEGO and returns the connection that seals. go-ldap
// has no layer of security, so this comes before it. See [RFC4513] 5.2, [MS-ADTS]
// 5.1.1.1.2.
func bind(ctx context.Context, conn net.Conn, i auth.Initiator) (net.Conn, error) {
	var in []byte
	for id := byte(1); id < 16; id++ {
		out, done, err := i.Step(ctx, in)
		if err != nil {
			return nil, err
		}
		if done && len(out) == 0 {
			return newSealed(conn, i.Context())
		}
		request := element(0x60, element(2, []byte{3}), element(4), element(0xa3, element(4, []byte("GSS-SPNEGO")), element(4, out)))
		if _, err := conn.Write(element(0x30, element(2, []byte{id}), request)); err != nil {
			return nil, err
		}
		answer, err := readElement(conn)
		if err != nil {
			return nil, fmt.Errorf("the answer to the bind: %w", err)
		}
		code, said, token, err := bindResult(answer)
		switch {
		case err != nil:
			return nil, err
		case code != success && code != saslBindInProgress:
			return nil, fmt.Errorf("the sign-in is refused: LDAP result %d: %.200q", code, said)
		case done && code == success:
			return newSealed(conn, i.Context())
		case done:
			return nil, errors.New("the controller wants more after the proof")
		}
		in = token
	}
	return nil, errors.New("the sign-in does not end")
}

// element is one of BER. The parts are its content.
func element(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	out := []byte{tag}
	if n := len(content); n < 0x80 {
		out = append(out, byte(n))
	} else {
		out = append(out, 0x84)
		out = binary.BigEndian.AppendUint32(out, uint32(n)) // #nosec G115 -- a token of ours is small
	}
	return append(out, content...)
}

var errBER = errors.New("it is not BER")

// readElement reads one element with its head.
func readElement(r io.Reader) ([]byte, error) {
	head := make([]byte, 2, 6)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n := int(head[1])
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 4 {
			return nil, errBER
		}
		head = head[:2+size]
		if _, err := io.ReadFull(r, head[2:]); err != nil {
			return nil, err
		}
		n = 0
		for _, b := range head[2:] {
			n = n<<8 | int(b)
		}
	}
	if n > mostToken {
		return nil, errTooMuch
	}
	out := make([]byte, len(head)+n)
	copy(out, head)
	_, err := io.ReadFull(r, out[len(head):])
	return out, err
}

// next takes an element off the front.
func next(b []byte) (tag byte, content, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, errBER
	}
	n, at := int(b[1]), 2
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 4 || len(b) < 2+size {
			return 0, nil, nil, errBER
		}
		n, at = 0, 2+size
		for _, c := range b[2:at] {
			n = n<<8 | int(c)
		}
	}
	if n > len(b)-at {
		return 0, nil, nil, errBER
	}
	return b[0], b[at : at+n], b[at+n:], nil
}

// bindResult reads the answer to a bind. See [RFC4511] 4.2.2.
func bindResult(message []byte) (code int, said string, token []byte, err error) {
	tag, content, _, err := next(message)
	if err != nil || tag != 0x30 {
		return 0, "", nil, errBER
	}
	_, _, rest, err := next(content) // the identifier: one question at a time
	if err != nil {
		return 0, "", nil, err
	}
	tag, result, _, err := next(rest)
	if err != nil || tag != 0x61 {
		return 0, "", nil, errors.New("the controller answers a bind with something else")
	}
	for n := 0; len(result) > 0; n++ {
		tag, content, result, err = next(result)
		switch {
		case err != nil:
			return 0, "", nil, err
		case n == 0:
			if tag != 0x0a || len(content) != 1 {
				return 0, "", nil, errBER
			}
			code = int(content[0])
		case n == 2:
			said = string(content)
		case tag == 0x87:
			token = content
		}
	}
	return code, said, token, nil
}

// sealed is a connection after the bind: what goes over it is in messages of a
// length, a signature and the octets. See [RFC4422] 3.7.
type sealed struct {
	net.Conn
	context auth.Context
	padding int
	rest    []byte // of the message that came last
}

func newSealed(conn net.Conn, c auth.Context) (net.Conn, error) {
	if c == nil || !c.Identity().Protected {
		return nil, auth.ErrNotProtected
	}
	s := &sealed{Conn: conn, context: c}
	if p, ok := c.(auth.Padder); ok {
		s.padding = p.Padding()
	}
	return s, nil
}

func (s *sealed) Write(p []byte) (int, error) {
	data := append(bytes.Clone(p), make([]byte, s.padding)...)
	signature, err := s.context.Seal([]auth.Buffer{{Data: data}})
	if err != nil {
		return 0, err
	}
	message := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(signature)+len(data)), uint32(len(signature)+len(data))) // #nosec G115 -- our questions are small
	if _, err := s.Conn.Write(append(append(message, signature...), data...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *sealed) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		var head [4]byte
		if _, err := io.ReadFull(s.Conn, head[:]); err != nil {
			return 0, err
		}
		n, size := int64(binary.BigEndian.Uint32(head[:])), s.context.SignatureSize()
		if n > mostMessage {
			return 0, errTooMuch
		}
		if n < int64(size+s.padding) {
			return 0, auth.ErrMessageAltered
		}
		// It grows as it comes, so that a length alone takes no memory.
		message, err := io.ReadAll(io.LimitReader(s.Conn, n))
		if err != nil {
			return 0, err
		}
		if int64(len(message)) < n {
			return 0, io.ErrUnexpectedEOF
		}
		if err := s.context.Unseal([]auth.Buffer{{Data: message[size:]}}, message[:size]); err != nil {
			return 0, err
		}
		s.rest = message[size : len(message)-s.padding]
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
