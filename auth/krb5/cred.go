package krb5

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A KRB-CRED carries a forwarded ticket-granting ticket with its session key. gokrb5 encodes none, and names realms in a type of string
// that MIT does not read. See [RFC4120] 5.8.

// sealCred encodes one credential for a peer that shares key.
func sealCred(c *credential, key types.EncryptionKey) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tagEncKRBCred, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tagged(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addCredInfo(b, c) })
				})
			})
		})
	})
	plain, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	sealed, err := encrypt(key, plain, usageKRBCred)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(tagKRBCred, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addInt(b, 0, pvno)
			addInt(b, 1, msgKRBCred)
			b.AddASN1(tagged(2), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(c.ticket) })
			})
			addEncrypted(b, 3, sealed)
		})
	})
	msg, err := out.Bytes()
	if err == nil && len(msg) > 0xFFFF {
		return nil, errors.New("the ticket is too large to be forwarded")
	}
	return msg, err
}

func addCredInfo(b *cryptobyte.Builder, c *credential) {
	addKey(b, 0, c.key)
	b.AddASN1(tagged(1), func(b *cryptobyte.Builder) { addString(b, c.client.realm) })
	addName(b, 2, c.client.PrincipalName)
	b.AddASN1(tagged(3), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) {
			b.AddUint8(0)
			b.AddUint32(c.flags)
		})
	})
	addTime(b, 4, c.auth)
	addTime(b, 5, c.start)
	addTime(b, 6, c.end)
	addTime(b, 7, c.renewUntil)
	b.AddASN1(tagged(8), func(b *cryptobyte.Builder) { addString(b, c.server.realm) })
	addName(b, 9, c.server.PrincipalName)
}

var errCred = errors.New("the KRB-CRED is malformed")

// openCred decodes the first credential of a KRB-CRED. Peers encrypt it in the session key, some in their sub-key.
func openCred(msg []byte, keys ...types.EncryptionKey) (*credential, error) {
	in := cryptobyte.String(msg)
	var app, seq, tickets, ticket cryptobyte.String
	var version, kind int64
	if !in.ReadASN1(&app, tagKRBCred) || !in.Empty() || !app.ReadASN1(&seq, cbasn1.SEQUENCE) || !app.Empty() ||
		!readInt(&seq, &version, 0) || !readInt(&seq, &kind, 1) || version != pvno || kind != msgKRBCred {
		return nil, errCred
	}
	var field cryptobyte.String
	if !seq.ReadASN1(&field, tagged(2)) || !field.ReadASN1(&tickets, cbasn1.SEQUENCE) || !field.Empty() ||
		!tickets.ReadASN1Element(&ticket, tagTicket) {
		return nil, errCred
	}
	var data types.EncryptedData
	var part cryptobyte.String
	var etype int64
	if !seq.ReadASN1(&field, tagged(3)) || !seq.Empty() || !field.ReadASN1(&part, cbasn1.SEQUENCE) || !field.Empty() ||
		!readInt(&part, &etype, 0) || !part.SkipOptionalASN1(tagged(1)) || !readOctets(&part, &data.Cipher, 2) || !part.Empty() {
		return nil, errCred
	}
	data.EType = int32(etype)
	for _, key := range keys {
		if plain, err := decrypt(key, data, usageKRBCred); err == nil {
			c, err := readCredInfo(plain)
			if err == nil {
				c.ticket = append([]byte(nil), ticket...)
			}
			return c, err
		}
	}
	return nil, errDecrypt
}

func readCredInfo(plain []byte) (*credential, error) {
	in := cryptobyte.String(plain)
	var app, seq, list, infos, info, field, bits cryptobyte.String
	if !in.ReadASN1(&app, tagEncKRBCred) || !in.Empty() || !app.ReadASN1(&seq, cbasn1.SEQUENCE) || !app.Empty() ||
		!seq.ReadASN1(&list, tagged(0)) || !list.ReadASN1(&infos, cbasn1.SEQUENCE) || !infos.ReadASN1(&info, cbasn1.SEQUENCE) {
		return nil, errCred
	}
	c := new(credential)
	var key cryptobyte.String
	var etype int64
	if !info.ReadASN1(&field, tagged(0)) || !field.ReadASN1(&key, cbasn1.SEQUENCE) || !field.Empty() ||
		!readInt(&key, &etype, 0) || !readOctets(&key, &c.key.KeyValue, 1) || !key.Empty() {
		return nil, errCred
	}
	c.key.KeyType = int32(etype)
	var present bool
	if !readRealm(&info, &c.client.realm, 1) || !readName(&info, &c.client.PrincipalName, 2) ||
		!info.ReadOptionalASN1(&field, &present, tagged(3)) {
		return nil, errCred
	}
	if present {
		var unused uint8
		if !field.ReadASN1(&bits, cbasn1.BIT_STRING) || !field.Empty() || !bits.ReadUint8(&unused) || len(bits) > 8 {
			return nil, errCred
		}
		var b [4]byte
		copy(b[:], bits)
		c.flags = binary.BigEndian.Uint32(b[:])
	}
	for i, t := range []*time.Time{&c.auth, &c.start, &c.end, &c.renewUntil} {
		if !info.ReadOptionalASN1(&field, &present, tagged(4+i)) || present && (!field.ReadASN1GeneralizedTime(t) || !field.Empty()) {
			return nil, errCred
		}
	}
	if !readRealm(&info, &c.server.realm, 8) || !readName(&info, &c.server.PrincipalName, 9) {
		return nil, errCred
	}
	if len(c.client.NameString) == 0 || len(c.server.NameString) == 0 || c.client.realm == "" || c.server.realm == "" {
		return nil, errCred
	}
	return c, nil
}

func readInt(in *cryptobyte.String, out *int64, tag int) bool {
	var field cryptobyte.String
	return in.ReadASN1(&field, tagged(tag)) && field.ReadASN1Integer(out) && field.Empty()
}

func readOctets(in *cryptobyte.String, out *[]byte, tag int) bool {
	var field cryptobyte.String
	return in.ReadASN1(&field, tagged(tag)) && field.ReadASN1Bytes(out, cbasn1.OCTET_STRING) && field.Empty()
}

func readRealm(in *cryptobyte.String, out *string, tag int) bool {
	var field cryptobyte.String
	var present bool
	var b []byte
	if !in.ReadOptionalASN1(&field, &present, tagged(tag)) {
		return false
	}
	if !present {
		return true
	}
	ok := field.ReadASN1Bytes(&b, cbasn1.GeneralString) && field.Empty()
	*out = string(b)
	return ok
}

func readName(in *cryptobyte.String, out *types.PrincipalName, tag int) bool {
	var field, seq, list cryptobyte.String
	var present bool
	var kind int64
	if !in.ReadOptionalASN1(&field, &present, tagged(tag)) {
		return false
	}
	if !present {
		return true
	}
	if !field.ReadASN1(&seq, cbasn1.SEQUENCE) || !field.Empty() || !readInt(&seq, &kind, 0) ||
		!seq.ReadASN1(&field, tagged(1)) || !seq.Empty() || !field.ReadASN1(&list, cbasn1.SEQUENCE) || !field.Empty() {
		return false
	}
	out.NameType = int32(kind)
	for !list.Empty() {
		var b []byte
		if len(out.NameString) == maxComponents || !list.ReadASN1Bytes(&b, cbasn1.GeneralString) {
			return false
		}
		out.NameString = append(out.NameString, string(b))
	}
	return true
}
