package krb5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/crypto/etype"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Key usage numbers. See [RFC4120] 7.5.1 and [RFC4121] 2.
const (
	usagePATimestamp    = 1
	usageTicket         = 2
	usageASRep          = 3
	usageTGSReqChecksum = 6
	usageTGSReqAuth     = 7
	usageTGSRep         = 8
	usageAuthenticator  = 11
	usageAPRep          = 12
	usageKRBCred        = 14
	usagePAC            = 17
	usageAcceptorSeal   = 22
	usageAcceptorSign   = 23
	usageInitiatorSeal  = 24
	usageInitiatorSign  = 25
	confounderSize      = 16 // of AES
	rc4ConfounderSize   = 8
	rc4ChecksumSize     = 16
	maxCipher           = 1 << 20 // bytes in one encrypted part of a message of Kerberos; a PAC has at most 64 kB
)

var errDecrypt = errors.New("it does not decrypt with this key")

// strong are the encryption types that are always permitted, the best first as Windows orders them. See [MS-KILE] 3.1.5.2.
var strong = []int32{
	etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96,
	etypeID.AES256_CTS_HMAC_SHA384_192, etypeID.AES128_CTS_HMAC_SHA256_128,
}

// permitted says whether keys of a type may be used. DES and triple DES never are.
func permitted(id int32, rc4 bool) bool {
	return slices.Contains(strong, id) || rc4 && id == etypeID.RC4_HMAC
}

// keySize is the length in bytes of a key. What gokrb5 says of AES256-SHA2 is the length of its checksum keys.
func keySize(id int32) int {
	switch id {
	case etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA384_192:
		return 32
	case etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA256_128, etypeID.RC4_HMAC:
		return 16
	}
	return 0
}

// checkKey refuses keys of types that are not permitted and keys of wrong lengths, on which gokrb5 would work or fail in its own ways.
func checkKey(key types.EncryptionKey, rc4 bool) error {
	if !permitted(key.KeyType, rc4) {
		return fmt.Errorf("encryption type %d is not permitted", key.KeyType)
	}
	if n := keySize(key.KeyType); len(key.KeyValue) != n {
		return fmt.Errorf("a key of %d bytes where encryption type %d has %d", len(key.KeyValue), key.KeyType, n)
	}
	return nil
}

func newKey(id int32, random io.Reader) (types.EncryptionKey, error) {
	key := types.EncryptionKey{KeyType: id, KeyValue: make([]byte, keySize(id))}
	_, err := io.ReadFull(random, key.KeyValue)
	return key, err
}

// decrypt opens an encrypted part. gokrb5 slices without looking at lengths, so they are checked here.
func decrypt(key types.EncryptionKey, data types.EncryptedData, usage uint32) ([]byte, error) {
	if data.EType != key.KeyType {
		return nil, fmt.Errorf("encrypted with type %d, the key has type %d", data.EType, key.KeyType)
	}
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, err
	}
	if n := len(data.Cipher); n < et.GetConfounderByteSize()+et.GetHMACBitLength()/8 || n > maxCipher {
		return nil, fmt.Errorf("an encrypted part of %d bytes", n)
	}
	plain, err := et.DecryptMessage(key.KeyValue, data.Cipher, usage)
	if err != nil {
		return nil, errDecrypt
	}
	return plain, nil
}

func encrypt(key types.EncryptionKey, plain []byte, usage uint32) (types.EncryptedData, error) {
	return crypto.GetEncryptedData(plain, key, usage, 0)
}

// messageKeys are what one direction of a session needs of a key: derived once, not for each message. See [RFC3961] 5.3.
type messageKeys struct {
	et          etype.EType
	ke, ki, kc  []byte // encryption, its integrity, checksum alone
	macSize     int
	encryptThen bool // the checksum covers what is encrypted, not the plain text: AES-SHA2, see [RFC8009] 5
}

func deriveKeys(key types.EncryptionKey, seal, sign uint32) (*messageKeys, error) {
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, err
	}
	k := &messageKeys{et: et, macSize: et.GetHMACBitLength() / 8}
	k.encryptThen = key.KeyType == etypeID.AES128_CTS_HMAC_SHA256_128 || key.KeyType == etypeID.AES256_CTS_HMAC_SHA384_192
	var errs [3]error
	k.ke, errs[0] = et.DeriveKey(key.KeyValue, usageBytes(seal, 0xAA))
	k.ki, errs[1] = et.DeriveKey(key.KeyValue, usageBytes(seal, 0x55))
	k.kc, errs[2] = et.DeriveKey(key.KeyValue, usageBytes(sign, 0x99))
	return k, errors.Join(errs[:]...)
}

// usageBytes is the constant that a key is derived with.
func usageBytes(usage uint32, kind byte) []byte {
	return []byte{byte(usage >> 24), byte(usage >> 16), byte(usage >> 8), byte(usage), kind}
}

// randomUint32 gives a sequence number: of 30 bits, because peers of old took it for a signed one, and never zero, which is left out.
func randomUint32(random io.Reader) (uint32, error) {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b[:])&0x3fffffff | 1, nil
}
