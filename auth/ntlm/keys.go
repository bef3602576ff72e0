package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"strings"
	"time"
	"unicode"
)

// ntowfv2 derives the response key. The domain enters as it stands in the message. See [MS-NLMP] 3.3.2.
func ntowfv2(ntHash [16]byte, user, domain string) []byte {
	return hmacMD5(ntHash[:], utf16le(upper(user)), utf16le(domain))
}

// upper maps a name to upper case as Windows does: character by character, never lengthening it, and leaving
// alone three letters whose capital belongs to another one.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 0xb5, 0x131, 0x17f: // micro sign, dotless i, long s
			return r
		}
		return unicode.ToUpper(r)
	}, s)
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// clientChallenge is the variable part of an NTLMv2 response, "temp" in [MS-NLMP] 3.3.2, laid out in 2.2.2.7.
type clientChallenge struct {
	time      uint64 // FILETIME
	challenge [8]byte
	pairs     avPairs
}

const clientChallengeFixed = 28

func (c *clientChallenge) encode() []byte {
	b := make([]byte, clientChallengeFixed, 256)
	b[0], b[1] = 1, 1
	binary.LittleEndian.PutUint64(b[8:], c.time)
	copy(b[16:], c.challenge[:])
	b = append(b, c.pairs.encode()...)
	return append(b, 0, 0, 0, 0)
}

func (c *clientChallenge) decode(b []byte) error {
	if len(b) < clientChallengeFixed || b[0] != 1 || b[1] != 1 {
		return badToken("not an NTLMv2 response")
	}
	c.time = binary.LittleEndian.Uint64(b[8:])
	copy(c.challenge[:], b[16:])
	var err error
	c.pairs, err = decodeAvPairs(b[clientChallengeFixed:])
	return err
}

// proof computes NTProofStr over the server's challenge and the encoded client challenge.
func proof(responseKey []byte, serverChallenge [8]byte, temp []byte) []byte {
	return hmacMD5(responseKey, serverChallenge[:], temp)
}

// lmv2Response is sent to servers so old that they name no time.
func lmv2Response(responseKey []byte, serverChallenge, client [8]byte) []byte {
	return append(hmacMD5(responseKey, serverChallenge[:], client[:]), client[:]...)
}

// rc4Once encrypts or decrypts a short value with a fresh cipher.
func rc4Once(key, data []byte) []byte {
	out := make([]byte, len(data))
	newRC4(key).XORKeyStream(out, data)
	return out
}

func newRC4(key []byte) *rc4.Cipher {
	c, err := rc4.NewCipher(key)
	if err != nil { // only for a key of an impossible length
		panic(err)
	}
	return c
}

// signKey derives the signing key of one direction. See [MS-NLMP] 3.4.5.2.
func signKey(sessionKey []byte, fromClient bool) []byte {
	return deriveKey(sessionKey, fromClient, "signing")
}

// sealKey derives the sealing key of one direction with 128, 56 or 40 bits of it. See [MS-NLMP] 3.4.5.3.
func sealKey(flags uint32, sessionKey []byte, fromClient bool) []byte {
	switch {
	case flags&flag128 != 0:
	case flags&flag56 != 0:
		sessionKey = sessionKey[:7]
	default:
		sessionKey = sessionKey[:5]
	}
	return deriveKey(sessionKey, fromClient, "sealing")
}

func deriveKey(key []byte, fromClient bool, purpose string) []byte {
	direction := "server-to-client"
	if fromClient {
		direction = "client-to-server"
	}
	h := md5.New()
	h.Write(key)
	h.Write([]byte("session key to " + direction + " " + purpose + " key magic constant\x00"))
	return h.Sum(nil)
}

// filetime converts to 100 ns ticks since 1601.
func filetime(t time.Time) uint64 {
	const epoch = 116444736000000000
	return uint64(t.Unix())*10_000_000 + uint64(t.Nanosecond()/100) + epoch
}
