package ntlm

import (
	"encoding/binary"
	"slices"
)

// Identifiers of attributes. See [MS-NLMP] 2.2.2.1.
const (
	avEOL             uint16 = 0
	avNbComputerName  uint16 = 1
	avNbDomainName    uint16 = 2
	avDNSComputerName uint16 = 3
	avDNSDomainName   uint16 = 4
	avDNSTreeName     uint16 = 5
	avFlags           uint16 = 6
	avTimestamp       uint16 = 7
	avSingleHost      uint16 = 8
	avTargetName      uint16 = 9
	avChannelBindings uint16 = 10
)

// bit of avFlags: the message carries a MIC
const avFlagMIC uint32 = 2

// maxAvPairs bounds the list; eleven are defined.
const maxAvPairs = 64

type avPair struct {
	id    uint16
	value []byte
}

// avPairs is a list of attributes without its terminator. No identifier stands twice: a second set of flags
// would let a go-between hide that a MIC was promised.
type avPairs []avPair

// decodeAvPairs reads up to the terminator and ignores what follows it, which Windows pads. Values alias b.
func decodeAvPairs(b []byte) (avPairs, error) {
	var pairs avPairs
	for {
		if len(b) < 4 {
			return nil, badToken("attribute list has no end")
		}
		id, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if id == avEOL {
			return pairs, nil
		}
		if n > len(b)-4 {
			return nil, badToken("attribute %d of %d bytes is cut short", id, n)
		}
		if _, twice := pairs.get(id); twice || len(pairs) == maxAvPairs {
			return nil, badToken("attribute %d stands twice, or there are too many", id)
		}
		if want := avSize(id); want != 0 && n != want {
			return nil, badToken("attribute %d of %d bytes, expected %d", id, n, want)
		}
		pairs = append(pairs, avPair{id, b[4 : 4+n]})
		b = b[4+n:]
	}
}

// avSize gives the size of attributes that have a fixed one, else 0.
func avSize(id uint16) int {
	switch id {
	case avFlags:
		return 4
	case avTimestamp:
		return 8
	case avChannelBindings:
		return 16
	}
	return 0
}

func (p avPairs) get(id uint16) ([]byte, bool) {
	for _, pair := range p {
		if pair.id == id {
			return pair.value, true
		}
	}
	return nil, false
}

// flags returns the value of avFlags, 0 without one.
func (p avPairs) flags() uint32 {
	if v, ok := p.get(avFlags); ok {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

// bindings returns the hash of the channel bindings, zero without one.
func (p avPairs) bindings() (hash [16]byte) {
	v, _ := p.get(avChannelBindings)
	copy(hash[:], v)
	return hash
}

// set replaces an attribute or adds it at the end.
func (p avPairs) set(id uint16, value []byte) avPairs {
	for i := range p {
		if p[i].id == id {
			p[i].value = value
			return p
		}
	}
	return append(p, avPair{id, value})
}

// without returns a copy that lacks the given attributes.
func (p avPairs) without(ids ...uint16) avPairs {
	var out avPairs
	for _, pair := range p {
		if !slices.Contains(ids, pair.id) {
			out = append(out, pair)
		}
	}
	return out
}

func (p avPairs) encode() []byte {
	var b []byte
	for _, pair := range p {
		b = binary.LittleEndian.AppendUint16(b, pair.id)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(pair.value)))
		b = append(b, pair.value...)
	}
	return append(b, 0, 0, 0, 0)
}
