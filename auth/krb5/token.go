package krb5

import (
	"encoding/asn1"
	"encoding/binary"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxToken is the longest token that is read, in bytes. A ticket with a full PAC and a forwarded one beside it stay below.
const maxToken = 1 << 17

var (
	oidKerberos   = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}
	oidKerberosMS = asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2} // the same mechanism, a wrong number of Windows 2000
)

// Identifiers of tokens. See [RFC4121] 4.1.
const (
	tokAPReq = 0x0100
	tokAPRep = 0x0200
	tokError = 0x0300
)

// Tags of messages. See [RFC4120] 5.10.
const (
	tagAPReq       = cbasn1.Tag(0x60 | 14)
	tagAPRep       = cbasn1.Tag(0x60 | 15)
	tagTicket      = cbasn1.Tag(0x60 | 1)
	tagKRBCred     = cbasn1.Tag(0x60 | 22)
	tagEncAPRep    = cbasn1.Tag(0x60 | 27)
	tagEncKRBCred  = cbasn1.Tag(0x60 | 29)
	tagKRBError    = cbasn1.Tag(0x60 | 30)
	tagGSS         = cbasn1.Tag(0x60)
	pvno           = 5
	msgAPReq       = 14
	msgAPRep       = 15
	msgKRBCred     = 22
	mutualRequired = 2 // bit of the options of an AP-REQ
	useSessionKey  = 1
)

func tagged(n int) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// frame puts the GSS header before a message. See [RFC2743] 3.1.
func frame(id uint16, msg []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tagGSS, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidKerberos)
		b.AddUint16(id)
		b.AddBytes(msg)
	})
	return b.Bytes()
}

// unframe takes a token apart. A bare message, as DCE style has them, is recognized by its tag. See [MS-KILE] 3.4.5.1.
func unframe(token []byte) (id uint16, msg []byte, err error) {
	if len(token) == 0 || len(token) > maxToken {
		return 0, nil, badToken("a token of %d bytes", len(token))
	}
	switch cbasn1.Tag(token[0]) {
	case tagAPReq:
		return tokAPReq, token, nil
	case tagAPRep:
		return tokAPRep, token, nil
	case tagKRBError:
		return tokError, token, nil
	}
	in := cryptobyte.String(token)
	var inner cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&inner, tagGSS) || !in.Empty() || !inner.ReadASN1ObjectIdentifier(&oid) || !inner.ReadUint16(&id) {
		return 0, nil, badToken("not a GSS token")
	}
	if !oid.Equal(oidKerberos) && !oid.Equal(oidKerberosMS) {
		return 0, nil, badToken("a token of mechanism %v", oid)
	}
	return id, inner, nil
}

// whole says that a message is one DER element of a tag and nothing after it: gokrb5 does not look at what follows.
func whole(msg []byte, tag cbasn1.Tag) bool {
	in := cryptobyte.String(msg)
	var inner cryptobyte.String
	return in.ReadASN1(&inner, tag) && in.Empty()
}

func addInt(b *cryptobyte.Builder, tag int, v int64) {
	b.AddASN1(tagged(tag), func(b *cryptobyte.Builder) { b.AddASN1Int64(v) })
}

func addTime(b *cryptobyte.Builder, tag int, t time.Time) {
	if !t.IsZero() {
		b.AddASN1(tagged(tag), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(t.UTC().Truncate(time.Second)) })
	}
}

func addOctets(b *cryptobyte.Builder, tag int, data []byte) {
	b.AddASN1(tagged(tag), func(b *cryptobyte.Builder) { b.AddASN1OctetString(data) })
}

func addString(b *cryptobyte.Builder, s string) {
	b.AddASN1(cbasn1.GeneralString, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
}

func addKey(b *cryptobyte.Builder, tag int, key types.EncryptionKey) {
	b.AddASN1(tagged(tag), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addInt(b, 0, int64(key.KeyType))
			addOctets(b, 1, key.KeyValue)
		})
	})
}

func addName(b *cryptobyte.Builder, tag int, name types.PrincipalName) {
	b.AddASN1(tagged(tag), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addInt(b, 0, int64(name.NameType))
			b.AddASN1(tagged(1), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, s := range name.NameString {
						addString(b, s)
					}
				})
			})
		})
	})
}

func addEncrypted(b *cryptobyte.Builder, tag int, data types.EncryptedData) {
	b.AddASN1(tagged(tag), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addInt(b, 0, int64(data.EType))
			addOctets(b, 2, data.Cipher)
		})
	})
}

// apRep is the encrypted part of an AP-REP. See [RFC4120] 5.5.2.
type apRep struct {
	ctime  time.Time
	cusec  int
	subkey *types.EncryptionKey
	seq    uint32
	cipher []byte // after seal and openAPRep
}

// seal gives the AP-REP.
func (r *apRep) seal(key types.EncryptionKey) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tagEncAPRep, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, 0, r.ctime)
			addInt(b, 1, int64(r.cusec))
			if r.subkey != nil {
				addKey(b, 2, *r.subkey)
			}
			addInt(b, 3, int64(r.seq))
		})
	})
	plain, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	sealed, err := encrypt(key, plain, usageAPRep)
	if err != nil {
		return nil, err
	}
	r.cipher = sealed.Cipher
	var out cryptobyte.Builder
	out.AddASN1(tagAPRep, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addInt(b, 0, pvno)
			addInt(b, 1, msgAPRep)
			addEncrypted(b, 2, sealed)
		})
	})
	return out.Bytes()
}

// openAPRep decrypts an AP-REP.
func openAPRep(msg []byte, key types.EncryptionKey) (*apRep, error) {
	var rep messages.APRep
	if !whole(msg, tagAPRep) {
		return nil, badToken("the AP-REP is malformed")
	}
	if err := rep.Unmarshal(msg); err != nil || rep.PVNO != pvno {
		return nil, badToken("the AP-REP is malformed")
	}
	plain, err := decrypt(key, rep.EncPart, usageAPRep)
	if err != nil {
		return nil, err
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return nil, badToken("the inner part of the AP-REP is malformed")
	}
	out := &apRep{ctime: part.CTime, cusec: part.Cusec, seq: uint32(part.SequenceNumber), cipher: rep.EncPart.Cipher}
	if len(part.Subkey.KeyValue) > 0 {
		out.subkey = &part.Subkey
	}
	return out, nil
}

// Flags of the authenticator's checksum. See [RFC4121] 4.1.1.1 and [RFC4757] 7.1.
const (
	flagDelegate  = 0x0001
	flagMutual    = 0x0002
	flagReplay    = 0x0004
	flagSequence  = 0x0008
	flagConf      = 0x0010
	flagInteg     = 0x0020
	flagDCE       = 0x1000
	checksumGSS   = 0x8003
	checksumFixed = 24
)

// gssChecksum is what the initiator says beside its proof, in the field of the authenticator that once was a checksum.
// See [RFC4121] 4.1.1.
type gssChecksum struct {
	bindings [16]byte
	flags    uint32
	cred     []byte // KRB-CRED, nil without delegation
}

func (c *gssChecksum) encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 16)
	b = append(b, c.bindings[:]...)
	b = binary.LittleEndian.AppendUint32(b, c.flags)
	if c.flags&flagDelegate != 0 {
		b = binary.LittleEndian.AppendUint16(b, 1)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(c.cred)))
		b = append(b, c.cred...)
	}
	return b // extensions could follow; there are none that we know
}

func (c *gssChecksum) decode(b []byte) error {
	if len(b) < checksumFixed || binary.LittleEndian.Uint32(b) != 16 {
		return badToken("the authenticator's checksum has %d bytes", len(b))
	}
	copy(c.bindings[:], b[4:20])
	c.flags = binary.LittleEndian.Uint32(b[20:])
	if c.flags&flagDelegate == 0 {
		return nil
	}
	b = b[checksumFixed:]
	if len(b) < 4 || binary.LittleEndian.Uint16(b) != 1 || int(binary.LittleEndian.Uint16(b[2:])) > len(b)-4 {
		return badToken("the delegated credentials are malformed")
	}
	c.cred = b[4 : 4+int(binary.LittleEndian.Uint16(b[2:]))]
	return nil
}

// Authorization data of an authenticator. See [RFC4120] 5.2.6, [MS-KILE] 3.2.5.8.
const (
	adIfRelevant    = 1
	adWin2kPAC      = 128
	adAPOptions     = 143
	apOptionsCBT    = 0x4000
	maxAuthDataInto = 32 // elements of one list that are looked at
)

// ifRelevant encodes one entry inside AD-IF-RELEVANT.
func ifRelevant(kind int32, data []byte) (types.AuthorizationData, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addInt(b, 0, int64(kind))
			addOctets(b, 1, data)
		})
	})
	inner, err := b.Bytes()
	return types.AuthorizationData{{ADType: adIfRelevant, ADData: inner}}, err
}

// relevant finds the first entry of a kind inside the AD-IF-RELEVANT elements of a list.
func relevant(list types.AuthorizationData, kind int32) (data []byte, found bool) {
	for _, outer := range list[:min(len(list), maxAuthDataInto)] {
		var inner types.AuthorizationData
		if outer.ADType != adIfRelevant || !whole(outer.ADData, cbasn1.SEQUENCE) || inner.Unmarshal(outer.ADData) != nil {
			continue
		}
		for _, e := range inner[:min(len(inner), maxAuthDataInto)] {
			if e.ADType == kind {
				return e.ADData, true
			}
		}
	}
	return nil, false
}
