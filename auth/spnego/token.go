// Package spnego implements both ends of the Simple and Protected GSS-API Negotiation Mechanism: the choice
// among mechanisms, the protection of that choice, and the variations of Windows. Mechanisms are given as
// initiators and acceptors; the package knows none of them. See [RFC4178] and [MS-SPNG].
package spnego

import (
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/casementhq/casement/auth"
)

// Identifiers of mechanisms. See [MS-SPNG] 1.9.1 and 3.1.5.2.
var (
	OIDNTLM       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10}
	OIDKerberos   = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}
	OIDKerberosMS = asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2} // the same mechanism, a wrong number of Windows 2000
)

var oidSPNEGO = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2}

const (
	maxToken = 1 << 17 // bytes; Kerberos tokens with large group lists stay below 64 kB
	maxMechs = 32
)

// hintName is what every acceptor since Windows Vista says. See [MS-SPNG] 3.2.5.2.
const hintName = "not_defined_in_RFC4178@please_ignore"

// negState of a negTokenResp. See [RFC4178] 4.2.2.
type negState int

const (
	stateAbsent      negState = -1
	acceptCompleted  negState = 0
	acceptIncomplete negState = 1
	reject           negState = 2
	requestMIC       negState = 3
)

// negTokenInit is the first token, of either side: from an acceptor it carries hints (NegTokenInit2).
type negTokenInit struct {
	mechs    []asn1.ObjectIdentifier
	mechList []byte // the DER encoding of mechs, over which the MIC goes
	token    []byte
	mic      []byte
	hints    bool
}

// negTokenResp is every further token.
type negTokenResp struct {
	state negState
	mech  asn1.ObjectIdentifier // nil if absent
	token []byte
	mic   []byte
}

func tagged(n int) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

var tagApplication0 = cbasn1.Tag(0x60)

func bad(format string, args ...any) error {
	return fmt.Errorf("spnego: %s: %w", fmt.Sprintf(format, args...), auth.ErrBadToken)
}

// encodeMechs gives the DER encoding of a MechTypeList.
func encodeMechs(mechs []asn1.ObjectIdentifier) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, m := range mechs {
			b.AddASN1ObjectIdentifier(m)
		}
	})
	return b.Bytes()
}

func addOctets(b *cryptobyte.Builder, tag int, data []byte) {
	if data == nil {
		return
	}
	b.AddASN1(tagged(tag), func(b *cryptobyte.Builder) { b.AddASN1OctetString(data) })
}

func (m *negTokenInit) encode() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tagApplication0, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSPNEGO)
		b.AddASN1(tagged(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tagged(0), func(b *cryptobyte.Builder) { b.AddBytes(m.mechList) })
				addOctets(b, 2, m.token)
				if !m.hints {
					addOctets(b, 3, m.mic)
					return
				}
				b.AddASN1(tagged(3), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(tagged(0), func(b *cryptobyte.Builder) {
							b.AddASN1(cbasn1.GeneralString, func(b *cryptobyte.Builder) { b.AddBytes([]byte(hintName)) })
						})
					})
				})
				addOctets(b, 4, m.mic)
			})
		})
	})
	return b.Bytes()
}

// gssOID reads the identifier of an initial GSS token and returns what follows it; nil if it is none.
func gssOID(b []byte) (asn1.ObjectIdentifier, cryptobyte.String) {
	in := cryptobyte.String(b)
	var inner cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&inner, tagApplication0) || !inner.ReadASN1ObjectIdentifier(&oid) {
		return nil, nil
	}
	if !in.Empty() {
		return nil, nil
	}
	return oid, inner
}

func (m *negTokenInit) decode(b []byte) error {
	oid, body := gssOID(b)
	if !oid.Equal(oidSPNEGO) {
		return bad("not an initial SPNEGO token")
	}
	var choice, seq, field, list cryptobyte.String
	var present bool
	switch {
	case !body.ReadASN1(&choice, tagged(0)) || !body.Empty(),
		!choice.ReadASN1(&seq, cbasn1.SEQUENCE) || !choice.Empty(),
		!seq.ReadASN1(&field, tagged(0)):
		return bad("negTokenInit is malformed")
	}
	m.mechList = field
	if !field.ReadASN1(&list, cbasn1.SEQUENCE) || !field.Empty() {
		return bad("list of mechanisms is malformed")
	}
	for !list.Empty() {
		var mech asn1.ObjectIdentifier
		if len(m.mechs) == maxMechs || !list.ReadASN1ObjectIdentifier(&mech) {
			return bad("list of mechanisms is malformed or too long")
		}
		m.mechs = append(m.mechs, mech)
	}
	if len(m.mechs) == 0 {
		return bad("list of mechanisms is empty")
	}
	// reqFlags are not protected and no longer used: read and forgotten.
	if !seq.ReadOptionalASN1(&field, &present, tagged(1)) {
		return bad("reqFlags are malformed")
	}
	if !readOctets(&seq, &m.token, 2) {
		return bad("mechToken is malformed")
	}
	if !m.decodeTail(&seq) || !seq.Empty() {
		return bad("end of negTokenInit is malformed")
	}
	return nil
}

// decodeTail reads fields 3 and 4: a MIC, or hints and a MIC.
func (m *negTokenInit) decodeTail(seq *cryptobyte.String) bool {
	var field cryptobyte.String
	var present bool
	if !seq.ReadOptionalASN1(&field, &present, tagged(3)) {
		return false
	}
	if !present {
		return readOctets(seq, &m.mic, 4)
	}
	if field.PeekASN1Tag(cbasn1.SEQUENCE) {
		var hints cryptobyte.String
		m.hints = true
		return field.ReadASN1(&hints, cbasn1.SEQUENCE) && field.Empty() && readOctets(seq, &m.mic, 4)
	}
	var mic cryptobyte.String
	if !field.ReadASN1(&mic, cbasn1.OCTET_STRING) || !field.Empty() {
		return false
	}
	m.mic = mic
	return true
}

// readOctets reads an optional field [tag] OCTET STRING. An absent one leaves out nil.
func readOctets(seq *cryptobyte.String, out *[]byte, tag int) bool {
	var field, data cryptobyte.String
	var present bool
	if !seq.ReadOptionalASN1(&field, &present, tagged(tag)) {
		return false
	}
	if !present {
		return true
	}
	if !field.ReadASN1(&data, cbasn1.OCTET_STRING) || !field.Empty() {
		return false
	}
	*out = data
	return true
}

func (m *negTokenResp) encode() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tagged(1), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if m.state != stateAbsent {
				b.AddASN1(tagged(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(m.state)) })
			}
			if m.mech != nil {
				b.AddASN1(tagged(1), func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(m.mech) })
			}
			addOctets(b, 2, m.token)
			addOctets(b, 3, m.mic)
		})
	})
	return b.Bytes()
}

func (m *negTokenResp) decode(b []byte) error {
	in := cryptobyte.String(b)
	var choice, seq, field cryptobyte.String
	var present bool
	if !in.ReadASN1(&choice, tagged(1)) || !in.Empty() || !choice.ReadASN1(&seq, cbasn1.SEQUENCE) || !choice.Empty() {
		return bad("negTokenResp is malformed")
	}
	m.state = stateAbsent
	if !seq.ReadOptionalASN1(&field, &present, tagged(0)) {
		return bad("negState is malformed")
	}
	if present {
		var state int
		if !field.ReadASN1Enum(&state) || !field.Empty() || state < 0 || state > int(requestMIC) {
			return bad("negState is malformed")
		}
		m.state = negState(state)
	}
	if !seq.ReadOptionalASN1(&field, &present, tagged(1)) {
		return bad("supportedMech is malformed")
	}
	if present && (!field.ReadASN1ObjectIdentifier(&m.mech) || !field.Empty()) {
		return bad("supportedMech is malformed")
	}
	if !readOctets(&seq, &m.token, 2) || !readOctets(&seq, &m.mic, 3) || !seq.Empty() {
		return bad("end of negTokenResp is malformed")
	}
	// Peers of old repeat the token where the MIC belongs.
	if m.mic != nil && string(m.mic) == string(m.token) {
		m.mic = nil
	}
	return nil
}
