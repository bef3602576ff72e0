package krb5

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/auth"
)

// Tokens of [RFC4121] 4.2.6, which keys of AES have.
const (
	cfxHeader               = 16
	tokMIC                  = 0x0404
	tokWrap                 = 0x0504
	flagSentByAcceptor      = 1
	flagSealed              = 2
	flagAcceptorSubkey      = 4
	cfxBlock                = 16 // the extra count of DCE style: Windows wants one block
	maxMessage              = 1 << 26
	cfxFiller          byte = 0xFF
)

var (
	errHeader  = errors.New("the token's header is not the expected one")
	errNumber  = errors.New("the sequence number is not the expected one")
	errLength  = errors.New("the token's length does not fit")
	errForgery = errors.New("the checksum is wrong")
)

// scratch has memory for messages while they are put together; what stays in it is encrypted.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// cfx protects one direction with AES.
type cfx struct {
	keys   *messageKeys
	flags  byte // of tokens of this direction, without flagSealed
	dce    bool
	random io.Reader
}

func newCFX(key types.EncryptionKey, fromInitiator, acceptorSubkey, dce bool) (*cfx, error) {
	c := &cfx{dce: dce, random: rand.Reader}
	seal, sign := uint32(usageInitiatorSeal), uint32(usageInitiatorSign)
	if !fromInitiator {
		seal, sign = usageAcceptorSeal, usageAcceptorSign
		c.flags = flagSentByAcceptor
	}
	if acceptorSubkey {
		c.flags |= flagAcceptorSubkey
	}
	var err error
	c.keys, err = deriveKeys(key, seal, sign)
	return c, err
}

func (c *cfx) sizes() (sign, seal int) {
	return cfxHeader + c.keys.macSize, cfxHeader + confounderSize + c.extra() + cfxHeader + c.keys.macSize
}

func (c *cfx) number(signature []byte) uint64 {
	if len(signature) < cfxHeader {
		return 0
	}
	return binary.BigEndian.Uint64(signature[8:])
}

// extra is the extra count of what we seal.
func (c *cfx) extra() int {
	if c.dce {
		return cfxBlock
	}
	return 0
}

func (c *cfx) header(id uint16, flags byte, ec, rrc uint16, sequence uint64) [cfxHeader]byte {
	var h [cfxHeader]byte
	binary.BigEndian.PutUint16(h[0:], id)
	h[2], h[3] = flags, cfxFiller
	binary.BigEndian.PutUint16(h[4:], ec)
	binary.BigEndian.PutUint16(h[6:], rrc)
	binary.BigEndian.PutUint64(h[8:], sequence)
	return h
}

// mac is the checksum of a sealed message. prefix and suffix are the confounder and the trailer around the data, plain for AES-SHA1
// and encrypted for AES-SHA2, whose checksum begins with the cipher state; bufs hold the data in the same form.
func (c *cfx) mac(prefix []byte, bufs []auth.Buffer, suffix []byte) []byte {
	h := hmac.New(c.keys.et.GetHashFunc(), c.keys.ki)
	if c.keys.encryptThen {
		var state [16]byte
		h.Write(state[:])
	}
	h.Write(prefix)
	for i := range bufs {
		h.Write(bufs[i].Data)
	}
	h.Write(suffix)
	return h.Sum(nil)[:c.keys.macSize]
}

func sealedSize(bufs []auth.Buffer) int {
	n := 0
	for i := range bufs {
		if !bufs[i].SignOnly {
			n += len(bufs[i].Data)
		}
	}
	return n
}

// gather copies the encrypted parts of a message to dst; scatter copies them back.
func gather(dst []byte, bufs []auth.Buffer) {
	for i := range bufs {
		if !bufs[i].SignOnly {
			dst = dst[copy(dst, bufs[i].Data):]
		}
	}
}

func scatter(src []byte, bufs []auth.Buffer) {
	for i := range bufs {
		if !bufs[i].SignOnly {
			src = src[copy(bufs[i].Data, src):]
		}
	}
}

// seal encrypts confounder, data, filler and header as one, and returns
//
//	header | filler | encrypted header | checksum | encrypted confounder
//
// which is the token rotated until the data stands last. Windows rotates by RRC+EC where it says RRC. See [MS-KILE] 3.4.5.4.1.
func (c *cfx) seal(bufs []auth.Buffer, sequence uint64) ([]byte, error) {
	ec := c.extra()
	data := sealedSize(bufs)
	inner := c.header(tokWrap, c.flags|flagSealed, uint16(ec), 0, sequence)
	plain := make([]byte, confounderSize+data+ec+cfxHeader)
	if _, err := io.ReadFull(c.random, plain[:confounderSize]); err != nil {
		return nil, err
	}
	gather(plain[confounderSize:], bufs)
	tail := confounderSize + data
	for i := range ec {
		plain[tail+i] = cfxFiller
	}
	copy(plain[tail+ec:], inner[:])
	var sum []byte
	if !c.keys.encryptThen {
		sum = c.mac(plain[:confounderSize], bufs, plain[tail:])
	}
	_, sealed, err := c.keys.et.EncryptData(c.keys.ke, plain)
	if err != nil {
		return nil, err
	}
	scatter(sealed[confounderSize:tail], bufs)
	if c.keys.encryptThen {
		sum = c.mac(sealed[:confounderSize], bufs, sealed[tail:])
	}
	outer := c.header(tokWrap, c.flags|flagSealed, uint16(ec), uint16(cfxHeader+len(sum)), sequence)
	token := append(make([]byte, 0, cfxHeader+len(sealed)-data+len(sum)), outer[:]...)
	token = append(token, sealed[tail:]...)
	token = append(token, sum...)
	return append(token, sealed[:confounderSize]...), nil
}

// unseal opens such a token of any rotation.
func (c *cfx) unseal(bufs []auth.Buffer, signature []byte, sequence uint64) error {
	if len(signature) < cfxHeader {
		return errLength
	}
	ec, rrc := int(binary.BigEndian.Uint16(signature[4:])), int(binary.BigEndian.Uint16(signature[6:]))
	outer := c.header(tokWrap, c.flags|flagSealed, uint16(ec), uint16(rrc), 0)
	if string(signature[:8]) != string(outer[:8]) {
		return errHeader
	}
	if binary.BigEndian.Uint64(signature[8:]) != sequence {
		return errNumber
	}
	data := sealedSize(bufs)
	overhead := confounderSize + ec + cfxHeader + c.keys.macSize
	if len(signature)-cfxHeader != overhead || data > maxMessage {
		return errLength
	}
	// Undo the rotation while copying: what was sent first were the last rrc bytes.
	held, _ := scratch.Get().(*[]byte)
	defer scratch.Put(held)
	*held = slices.Grow((*held)[:0], overhead+data)[:overhead+data]
	token := *held
	if c.dce {
		rrc += ec
	}
	at := (len(token) - rrc%len(token)) % len(token)
	put := func(b []byte) {
		n := copy(token[at:], b)
		at = (at + n + copy(token, b[n:])) % len(token)
	}
	put(signature[cfxHeader:])
	for i := range bufs {
		if !bufs[i].SignOnly {
			put(bufs[i].Data)
		}
	}
	sealed, sum := token[:len(token)-c.keys.macSize], token[len(token)-c.keys.macSize:]
	tail := confounderSize + data
	if c.keys.encryptThen {
		scatter(sealed[confounderSize:tail], bufs)
		if !hmac.Equal(sum, c.mac(sealed[:confounderSize], bufs, sealed[tail:])) {
			return errForgery
		}
	}
	plain, err := c.keys.et.DecryptData(c.keys.ke, sealed)
	if err != nil || len(plain) != len(sealed) {
		return errForgery
	}
	scatter(plain[confounderSize:tail], bufs)
	if !c.keys.encryptThen && !hmac.Equal(sum, c.mac(plain[:confounderSize], bufs, plain[tail:])) {
		return errForgery
	}
	inner := c.header(tokWrap, c.flags|flagSealed, uint16(ec), 0, sequence)
	if string(plain[tail+ec:]) != string(inner[:]) {
		return errHeader
	}
	return nil
}

// sign makes a MIC token: the checksum is over the data and then the header.
func (c *cfx) sign(bufs []auth.Buffer, sequence uint64) ([]byte, error) {
	header := c.header(tokMIC, c.flags, 0xFFFF, 0xFFFF, sequence)
	return append(header[:], c.checksum(bufs, header[:])...), nil
}

func (c *cfx) checksum(bufs []auth.Buffer, header []byte) []byte {
	h := hmac.New(c.keys.et.GetHashFunc(), c.keys.kc)
	for i := range bufs {
		h.Write(bufs[i].Data)
	}
	h.Write(header)
	return h.Sum(nil)[:c.keys.macSize]
}

func (c *cfx) verify(bufs []auth.Buffer, signature []byte, sequence uint64) error {
	header := c.header(tokMIC, c.flags, 0xFFFF, 0xFFFF, sequence)
	switch {
	case len(signature) != cfxHeader+c.keys.macSize:
		return errLength
	case string(signature[:8]) != string(header[:8]):
		return errHeader
	case string(signature[8:cfxHeader]) != string(header[8:]):
		return errNumber
	case !hmac.Equal(signature[cfxHeader:], c.checksum(bufs, header[:])):
		return errForgery
	}
	return nil
}
