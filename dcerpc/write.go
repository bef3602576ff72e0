package dcerpc

import (
	"context"
	"fmt"
	"time"

	"github.com/casementhq/casement/internal/ndr"
)

// flushAt is how much of a message in several fragments is collected before it is written.
const flushAt = 64 << 10

// lastFragments is how long the rest of a request may take whose caller does not wait any more.
const lastFragments = time.Second

// writeCall sends a stub in as many fragments as it takes, each protected by sec, without another PDU between them. mark is
// for Security.protect. Where ctx ends before all is written, the rest has a moment: a peer that reads slowly does not hold a caller.
func (l *link) writeCall(ctx context.Context, kind pduType, callID uint32, r request, stub []byte, sec *Security, mark bool) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	flags := flagFirst
	if r.hasObject {
		flags |= flagObject
	}
	room := sec.room(l.maxXmit - r.head())
	if room <= 0 {
		return fmt.Errorf("dcerpc: fragments of %d octets leave no room", l.maxXmit)
	}
	l.out = l.out[:0]
	timeout, by, sent := l.writeTimeout, time.Time{}, false
	for {
		chunk := stub[:min(len(stub), room)]
		if len(chunk) == len(stub) {
			flags |= flagLast
		}
		at := len(l.out)
		l.out = appendHeader(l.out, kind, flags, callID)
		r.allocHint = uint32(len(stub))
		if kind == pduRequest {
			l.out = r.append(l.out)
		} else {
			l.out = (&response{allocHint: r.allocHint, contextID: r.contextID}).append(l.out)
		}
		body := len(l.out)
		l.out = append(l.out, chunk...)
		var err error
		if l.out, err = sec.protect(l.out, at, body, l.signHeaders.Load(), mark); err != nil {
			return err
		}
		stub = stub[len(chunk):]
		if flags&flagLast != 0 || len(l.out) >= flushAt {
			if by.IsZero() && ctx.Err() != nil {
				by = time.Now().Add(lastFragments)
			}
			if !by.IsZero() {
				timeout = min(timeout, time.Until(by))
			}
			n, err := l.flush(timeout)
			if sent = sent || n > 0; err != nil {
				if !sent {
					err = fmt.Errorf("%w: %w", ErrNotSent, err)
				}
				return err
			}
		}
		if flags&flagLast != 0 {
			return nil
		}
		flags &^= flagFirst
	}
}

// flush writes what was collected and tells how much of it left. wmu is held.
func (l *link) flush(timeout time.Duration) (n int, err error) {
	if err := l.nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	n, err = l.nc.Write(l.out)
	l.out = l.out[:0]
	return n, err
}

// writeFault sends a fault, which is never signed: Windows does not either.
func (l *link) writeFault(callID uint32, contextID uint16, f *Fault) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	flags := flagFirst | flagLast
	if f.DidNotExecute {
		flags |= flagDidNotExecute
	}
	l.out = appendHeader(l.out[:0], pduFault, flags, callID)
	l.out = (&fault{response: response{allocHint: faultSize, contextID: contextID}, status: f.Status}).append(l.out)
	finishHeader(l.out, 0)
	_, err := l.flush(l.writeTimeout)
	return err
}

// encoder is the body of a PDU that builds contexts.
type encoder interface{ encode(e *ndr.Encoder) }

// writeBare sends a PDU with an optional body and an optional token.
func (l *link) writeBare(kind pduType, flags uint8, callID uint32, body encoder, t trailer, token []byte) error {
	b, err := encodeBare(kind, flags, callID, body, t, token)
	if err != nil {
		return err
	}
	l.wmu.Lock()
	defer l.wmu.Unlock()
	l.out = append(l.out[:0], b...)
	_, err = l.flush(l.writeTimeout)
	return err
}

// encodeBare makes such a PDU. The trailer of a bind aligns to four. See [MS-RPCE] 2.2.2.11 and what Windows does.
func encodeBare(kind pduType, flags uint8, callID uint32, body encoder, t trailer, token []byte) ([]byte, error) {
	e := ndr.NewEncoder(nil, ndr.Format{})
	e.Raw(appendHeader(nil, kind, flags, callID))
	if body != nil {
		body.encode(e)
	}
	if token != nil {
		before := e.Len()
		e.Align(4)
		t.pad = uint8(e.Len() - before)
		e.Raw(t.append(nil))
		e.Raw(token)
	}
	if e.Len() > 0xFFFF {
		return nil, fmt.Errorf("dcerpc: %v of %d octets: an authentication token of %d octets is too long", kind, e.Len(), len(token))
	}
	return finishHeader(e.Stub(), len(token)), nil
}

// auth3Pad is the body of an auth3. See [MS-RPCE] 2.2.2.10.
type auth3Pad struct{}

func (auth3Pad) encode(e *ndr.Encoder) { e.Uint32(0) }
