package dcerpc

import (
	"io"
	"math"
	"time"
)

// read waits for the next fragment, as long as await allows when it sets the deadline, and then reads it whole. The result is valid until the
// next call. A violation may come with the header of the fragment, so that it can be answered.
func (l *link) read(await func() error) (*pdu, error) {
	if err := await(); err != nil {
		return nil, err
	}
	if _, err := l.br.Peek(1); err != nil {
		return nil, err
	}
	if err := l.nc.SetReadDeadline(time.Now().Add(l.fragTimeout)); err != nil {
		return nil, err
	}
	var head [headerSize]byte
	if peeked, err := l.br.Peek(headerSize); err != nil {
		return nil, unexpected(err)
	} else {
		copy(head[:], peeked)
	}
	p := &l.pdu
	var err error
	if p.header, err = decodeHeader(head[:]); err != nil {
		return p, err
	}
	if p.fragLen > l.limit(p.kind) {
		return p, violation("a fragment of %d octets (%v), at most %d are accepted", p.fragLen, p.kind, l.limit(p.kind))
	}
	if cap(l.in) < p.fragLen {
		l.in = make([]byte, max(p.fragLen, 2*minFragment))
	}
	raw := l.in[:p.fragLen]
	if _, err := io.ReadFull(l.br, raw); err != nil {
		return nil, unexpected(err)
	}
	return p, p.split(raw)
}

// limit is the longest fragment of a kind. Tickets make the PDUs that build contexts longer than what is negotiated for calls.
func (l *link) limit(kind pduType) int {
	switch kind {
	case pduBind, pduBindAck, pduAlter, pduAlterResp, pduAuth3:
		return math.MaxUint16
	}
	return l.maxRecv
}

func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // bufio and net hand it on as it is
		return io.ErrUnexpectedEOF
	}
	return err
}
