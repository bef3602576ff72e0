package dcerpc

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/casementhq/casement/auth"
)

// Security is one identity on one connection: provider, level, and the context that protects fragments. A client makes one with
// Conn.NewSecurity, and the first Bind that uses it proves it; a server makes one for each exchange that a client begins, and hands it to
// calls once it is proved. The methods of a nil Security describe a call without any.
type Security struct {
	id    uint32
	kind  AuthType
	level Level

	initiator auth.Initiator // of a client, until proved
	acceptor  auth.Acceptor  // of a server, until proved
	context   auth.Context   // once proved
	failed    error          // the exchange failed, and nothing may use it
	confirmed atomic.Bool    // at a client: the server answered a call of it
	sizes     struct{ sign, seal int }
	whole     bool // header and trailer are signed, whether that was negotiated or not

	// One goroutine at a time protects, one verifies.
	outBufs, inBufs [3]auth.Buffer

	mu    sync.Mutex
	value any
}

// Type is the provider, AuthNone for a nil Security.
func (s *Security) Type() AuthType {
	if s == nil {
		return AuthNone
	}
	return s.kind
}

// Level is the level of protection, LevelNone for a nil Security.
func (s *Security) Level() Level {
	if s == nil {
		return LevelNone
	}
	return s.level
}

// Identity is who the peer proved to be (server) or who was presented (client). It is anonymous for a nil Security and before the proof.
func (s *Security) Identity() auth.Identity {
	if s == nil || s.context == nil {
		return auth.Identity{Anonymous: true}
	}
	return s.context.Identity()
}

// SessionKey is a copy of the key that the exchange made, or nil.
func (s *Security) SessionKey() []byte {
	if s == nil || s.context == nil {
		return nil
	}
	return s.context.SessionKey()
}

// Value gives what the owner keeps with this identity, such as its token. The first call makes it; an error is not kept. Calls wait for each other.
func (s *Security) Value(make func() (any, error)) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.value != nil {
		return s.value, nil
	}
	v, err := make()
	if err == nil {
		s.value = v
	}
	return v, err
}

// effective is the level that counts for permission: who is anonymous has none.
func (s *Security) effective() Level {
	if s == nil || s.context == nil || s.context.Identity().Anonymous {
		return LevelNone
	}
	return s.level
}

// established takes over a context and checks that it can do what the level promises.
func (s *Security) established(c auth.Context) error {
	if c == nil {
		return fmt.Errorf("the exchange ended without a context: %w", auth.ErrBadToken)
	}
	size := c.SignatureSize()
	s.sizes.sign, s.sizes.seal = size, size
	if v, ok := c.(auth.VariableSizes); ok {
		s.sizes.sign, s.sizes.seal = v.SignatureSizes()
	}
	// A server learns only from the first fragment that a client did not mean to sign.
	if s.level == LevelPrivacy && !c.Identity().Protected || s.initiator != nil && s.level >= LevelPacket && s.sizes.sign == 0 {
		return fmt.Errorf("level %v: %w", s.level, auth.ErrNotProtected)
	}
	// NTLM at Windows and its peers signs every buffer that it is shown.
	s.whole = c.Identity().Mechanism == auth.NTLM
	s.context, s.acceptor, s.initiator = c, nil, nil
	return nil
}

// protects tells whether fragments carry a signature.
func (s *Security) protects() bool { return s != nil && s.level >= LevelPacket }

func (s *Security) signature() int {
	if s.level == LevelPrivacy {
		return s.sizes.seal
	}
	return s.sizes.sign
}

var zeros [padTo]byte

// connectMark stands for a signature at level Connect, where there is none: what a client sends whose connection has several identities. See
// [MS-RPCE] 3.3.1.5.4.
var connectMark = [16]byte{1}

// room is how much of a stub fits into a fragment that has n octets for it and its protection.
func (s *Security) room(n int) int {
	switch {
	case s == nil:
		return n &^ 7
	case !s.protects():
		return (n - trailerSize - len(connectMark)) &^ (padTo - 1)
	}
	return (n - trailerSize - s.signature()) &^ (padTo - 1)
}

// protect appends padding, trailer and signature to the fragment that begins at b[at:] and whose stub begins at b[body:], and completes its
// header. What is signed and what is encrypted: [MS-RPCE] 3.3.1.5.2.2. mark names the identity also at level Connect.
func (s *Security) protect(b []byte, at, body int, signHeaders, mark bool) ([]byte, error) {
	if !s.protects() && !(mark && s != nil) {
		finishHeader(b[at:], 0)
		return b, nil
	}
	pad := -(len(b) - body) & (padTo - 1)
	b = append(b, zeros[:pad]...)
	end := len(b)
	b = trailer{kind: s.kind, level: s.level, pad: uint8(pad), contextID: s.id}.append(b)
	if !s.protects() {
		b = append(b, connectMark[:]...)
		finishHeader(b[at:], len(connectMark))
		return b, nil
	}
	size := s.signature()
	for n := size; n > 0; n -= len(zeros) {
		b = append(b, zeros[:min(n, len(zeros))]...)
	}
	finishHeader(b[at:], size)
	bufs := s.buffers(&s.outBufs, b[at:body], b[body:end], b[end:end+trailerSize], signHeaders)
	var sig []byte
	var err error
	if s.level == LevelPrivacy {
		sig, err = s.context.Seal(bufs)
	} else {
		sig, err = s.context.Sign(bufs)
	}
	if err != nil || len(sig) > size {
		return b, fmt.Errorf("dcerpc: protecting a fragment (%d octets of %d): %w", len(sig), size, err)
	}
	copy(b[end+trailerSize:], sig)
	return b, nil
}

// buffers lists what is protected: the body alone, or header, body and trailer.
func (s *Security) buffers(bufs *[3]auth.Buffer, head, body, trailer []byte, signHeaders bool) []auth.Buffer {
	bufs[0] = auth.Buffer{Data: head, SignOnly: true}
	bufs[1] = auth.Buffer{Data: body}
	bufs[2] = auth.Buffer{Data: trailer, SignOnly: true}
	if signHeaders || s.whole {
		return bufs[:]
	}
	return bufs[1:2]
}

// verify checks a fragment whose stub begins at head, decrypts it in place, and gives the stub without padding.
func (s *Security) verify(p *pdu, head int, signHeaders bool) ([]byte, error) {
	if head > headerSize+len(p.body) {
		return nil, violation("a fragment of %d octets", len(p.raw))
	}
	end := headerSize + len(p.body)
	stub := p.raw[head:end]
	if s.protects() {
		bufs := s.buffers(&s.inBufs, p.raw[:head], stub, p.raw[end:end+trailerSize], signHeaders)
		var err error
		if s.level == LevelPrivacy {
			err = s.context.Unseal(bufs, p.token)
		} else {
			err = s.context.Verify(bufs, p.token)
		}
		if err != nil {
			return nil, err
		}
	}
	if int(p.trailer.pad) > len(stub) {
		return nil, violation("%d octets of padding in a stub of %d", p.trailer.pad, len(stub))
	}
	return stub[:len(stub)-int(p.trailer.pad)], nil
}

// step feeds the peer's token to the exchange.
func (s *Security) step(ctx context.Context, token []byte) (out []byte, done bool, err error) {
	var c auth.Context
	if s.initiator != nil {
		if out, done, err = s.initiator.Step(ctx, token); done {
			c = s.initiator.Context()
		}
	} else if out, done, err = s.acceptor.Step(ctx, token); done {
		c = s.acceptor.Context()
	}
	if err == nil && done {
		err = s.established(c)
	}
	return out, done, err
}
