package dcerpc

import (
	"fmt"
	"math"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// Bounds of the arrays in a bind. What a peer proposes beyond them is a violation.
const (
	maxBindContexts  = 64
	maxBindTransfers = 32
)

// proposal is p_cont_elem_t: one interface in one or more representations.
type proposal struct {
	contextID uint16
	abstract  SyntaxID
	transfers []SyntaxID
}

// bind is the body of bind and alter_context. See [C706] 12.6.4.3 and 12.6.4.1.
type bind struct {
	maxXmit, maxRecv uint16
	association      uint32
	proposals        []proposal
}

func (b *bind) encode(e *ndr.Encoder) {
	e.Uint16(b.maxXmit)
	e.Uint16(b.maxRecv)
	e.Uint32(b.association)
	e.Uint32(uint32(len(b.proposals))) // one octet and three reserved
	for _, p := range b.proposals {
		e.Uint16(p.contextID)
		e.Uint16(uint16(len(p.transfers))) // one octet and one reserved
		p.abstract.encode(e)
		for _, t := range p.transfers {
			t.encode(e)
		}
	}
}

func (b *bind) decode(d *ndr.Decoder) error {
	*b = bind{maxXmit: d.Uint16(), maxRecv: d.Uint16(), association: d.Uint32()}
	n := int(d.Uint8())
	if n == 0 {
		return d.Err() // some peers leave the reserved octets out
	}
	d.Raw(3)
	if n > maxBindContexts {
		d.Fail("%d presentation contexts, at most %d are read", n, maxBindContexts)
	}
	for i := 0; i < n && d.Err() == nil; i++ {
		d.Align(4)
		p := proposal{contextID: d.Uint16()}
		transfers := int(d.Uint8())
		d.Uint8()
		p.abstract = decodeSyntax(d)
		if transfers > maxBindTransfers {
			d.Fail("%d transfer syntaxes, at most %d are read", transfers, maxBindTransfers)
		}
		for j := 0; j < transfers && d.Err() == nil; j++ {
			p.transfers = append(p.transfers, decodeSyntax(d))
		}
		b.proposals = append(b.proposals, p)
	}
	return d.Err()
}

// Results of a presentation context. See [C706] 12.6.3.1, p_cont_def_result_t, and [MS-RPCE] 2.2.2.4.
const (
	resultAccepted         = 0
	resultProviderRejected = 2
	resultNegotiateAck     = 3
)

// result is p_result_t. For a negotiate_ack the reason is the bitmask of features.
type result struct {
	result, reason uint16
	transfer       SyntaxID
}

// bindAck is the body of bind_ack and alter_context_resp. See [C706] 12.6.4.4.
type bindAck struct {
	maxXmit, maxRecv uint16
	association      uint32
	address          string // secondary address; none is written for an empty one in alter_context_resp
	results          []result
}

func (a *bindAck) encode(e *ndr.Encoder) {
	e.Uint16(a.maxXmit)
	e.Uint16(a.maxRecv)
	e.Uint32(a.association)
	if a.address == "" {
		e.Uint16(0)
	} else {
		e.Uint16(uint16(len(a.address) + 1))
		e.Raw([]byte(a.address))
		e.Uint8(0)
	}
	e.Align(4)
	e.Uint32(uint32(len(a.results))) // one octet and three reserved
	for _, r := range a.results {
		e.Uint16(r.result)
		e.Uint16(r.reason)
		r.transfer.encode(e)
	}
}

func (a *bindAck) decode(d *ndr.Decoder) error {
	*a = bindAck{maxXmit: d.Uint16(), maxRecv: d.Uint16(), association: d.Uint32()}
	if addr := d.Raw(int(d.Uint16())); len(addr) > 0 {
		a.address = string(addr[:len(addr)-1])
	}
	d.Align(4)
	n := int(d.Uint8())
	d.Raw(3)
	for i := 0; i < n && d.Err() == nil; i++ {
		a.results = append(a.results, result{result: d.Uint16(), reason: d.Uint16(), transfer: decodeSyntax(d)})
	}
	return d.Err()
}

// bindNak is the body of bind_nak. See [MS-RPCE] 2.2.2.9; extended error information is ignored.
type bindNak struct {
	reason   uint16
	versions [][2]uint8
}

func (n *bindNak) encode(e *ndr.Encoder) {
	e.Uint16(n.reason)
	e.Uint8(uint8(len(n.versions)))
	for _, v := range n.versions {
		e.Raw(v[:])
	}
	e.Align(4)
	if len(n.versions) == 1 {
		return
	}
}

func (n *bindNak) decode(d *ndr.Decoder) error {
	*n = bindNak{reason: d.Uint16()}
	if d.Err() == nil && d.Left() == 0 {
		return nil // as some servers send it
	}
	for range d.Uint8() {
		if v := d.Raw(2); v != nil {
			n.versions = append(n.versions, [2]uint8(v))
		}
	}
	return d.Err()
}

func (n *bindNak) err() error {
	e := &BindError{Reason: n.reason}
	for _, v := range n.versions {
		e.Versions = append(e.Versions, fmt.Sprintf("%d.%d", v[0], v[1]))
	}
	return e
}

// fragmentSize keeps a proposed size within what the runtime handles, on a boundary of eight. Windows answers between 2048 and its own limit.
func fragmentSize(proposed uint16, limit int) uint16 {
	return uint16(min(max(int(proposed), minFragment), limit, math.MaxUint16) &^ 7)
}

// minFragment is the least size that is answered, whatever a peer proposes.
const minFragment = 2048

var nilGUID security.GUID
