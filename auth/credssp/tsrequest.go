package credssp

import (
	"math"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// tsRequest is the one message of both sides. What is absent is nil. See [MS-CSSP] 2.2.1.
type tsRequest struct {
	version    int
	negoToken  []byte
	authInfo   []byte
	pubKeyAuth []byte
	errorCode  uint32 // NTSTATUS; 0: absent
	nonce      []byte
}

// nonceSize is the length of clientNonce in bytes. See [MS-CSSP] 2.2.1.
const nonceSize = 32

func field(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }

func addOctets(b *cryptobyte.Builder, n uint8, octets []byte) {
	if octets == nil {
		return
	}
	b.AddASN1(field(n), func(b *cryptobyte.Builder) { b.AddASN1OctetString(octets) })
}

func (r *tsRequest) encode() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(field(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(r.version)) })
		if r.negoToken != nil {
			b.AddASN1(field(1), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { addOctets(b, 0, r.negoToken) })
				})
			})
		}
		addOctets(b, 2, r.authInfo)
		addOctets(b, 3, r.pubKeyAuth)
		if r.errorCode != 0 { // a status is a number with a sign
			b.AddASN1(field(4), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(int32(r.errorCode))) })
		}
		addOctets(b, 5, r.nonce)
	})
	return b.Bytes()
}

// readOctets reads an optional field; ok is false where it is there and wrong.
func readOctets(s *cryptobyte.String, n uint8, out *[]byte) (ok bool) {
	var inner cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&inner, &present, field(n)) {
		return false
	}
	if !present {
		return true
	}
	var octets cryptobyte.String
	if !inner.ReadASN1(&octets, asn1.OCTET_STRING) || !inner.Empty() {
		return false
	}
	*out = append([]byte{}, octets...)
	return true
}

// decode reads a whole request of at most maxToken bytes, strictly.
func (r *tsRequest) decode(b []byte) error {
	*r = tsRequest{}
	s, body := cryptobyte.String(b), cryptobyte.String(nil)
	if len(b) > maxToken {
		return bad("request of %d bytes", len(b))
	}
	if !s.ReadASN1(&body, asn1.SEQUENCE) || !s.Empty() {
		return bad("request is no sequence")
	}
	var version cryptobyte.String
	if !body.ReadASN1(&version, field(0)) || !version.ReadASN1Integer(&r.version) || !version.Empty() || r.version < 0 {
		return bad("version of the request")
	}
	if !r.readNego(&body) {
		return bad("negoTokens of the request")
	}
	if !readOctets(&body, 2, &r.authInfo) || !readOctets(&body, 3, &r.pubKeyAuth) {
		return bad("authInfo or pubKeyAuth of the request")
	}
	if !r.readError(&body) || !readOctets(&body, 5, &r.nonce) || !body.Empty() {
		return bad("errorCode, clientNonce, or what follows in the request")
	}
	if r.nonce != nil && len(r.nonce) != nonceSize {
		return bad("nonce of %d bytes", len(r.nonce))
	}
	return nil
}

// readNego reads the one token that negoTokens has; an empty one counts as none, and is sent as that.
func (r *tsRequest) readNego(s *cryptobyte.String) bool {
	var tokens cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&tokens, &present, field(1)) {
		return false
	}
	if !present {
		return true
	}
	var list, one cryptobyte.String
	return tokens.ReadASN1(&list, asn1.SEQUENCE) && tokens.Empty() &&
		list.ReadASN1(&one, asn1.SEQUENCE) && list.Empty() &&
		readOctets(&one, 0, &r.negoToken) && one.Empty() && r.trimNego()
}

func (r *tsRequest) trimNego() bool {
	present := r.negoToken != nil
	if len(r.negoToken) == 0 {
		r.negoToken = nil
	}
	return present
}

// readError reads errorCode, which some write as a number without sign.
func (r *tsRequest) readError(s *cryptobyte.String) bool {
	var inner cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&inner, &present, field(4)) {
		return false
	}
	if !present {
		return true
	}
	var code int64
	if !inner.ReadASN1Integer(&code) || !inner.Empty() || code < math.MinInt32 || code > math.MaxUint32 || code == 0 {
		return false
	}
	r.errorCode = uint32(code & math.MaxUint32)
	return true
}

// wipe overwrites a plaintext that held secrets.
func wipe(b []byte) { clear(b[:cap(b)]) }
