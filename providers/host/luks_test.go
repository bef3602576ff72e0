package host

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// luks1 is a header of version 1, written by the table of its specification.
func luks1(cipher, mode string, keyBytes uint32) []byte {
	b := make([]byte, 592)
	copy(b, "LUKS\xba\xbe\x00\x01")
	copy(b[8:], cipher)
	copy(b[40:], mode)
	copy(b[72:], "sha256")
	binary.BigEndian.PutUint32(b[108:], keyBytes)
	return b
}

// luks2Bytes is a header of version 2 of 16 KB.
func luks2Bytes(text string) []byte {
	b := make([]byte, 16384)
	copy(b, "LUKS\xba\xbe\x00\x02")
	binary.BigEndian.PutUint64(b[8:], 16384)
	copy(b[4096:], text)
	return b
}

const luks2Text = `{"keyslots":{"0":{"type":"luks2","key_size":64,"area":{"type":"raw","encryption":"aes-xts-plain64","key_size":64}}},` +
	`"tokens":{},"segments":{"0":{"type":"crypt","offset":"16777216","size":"dynamic","iv_tweak":"0","encryption":"aes-xts-plain64","sector_size":512}}}`

func TestEncryptionMethods(t *testing.T) {
	for _, test := range []struct {
		name   string
		header []byte
		method uint32
		ok     bool
	}{
		{"version 2, XTS with two keys of 256 bits", luks2Bytes(luks2Text), 7, true},
		{"version 1, XTS with two keys of 128 bits", luks1("aes", "xts-plain64", 32), 6, true},
		{"version 1, CBC with 256 bits", luks1("aes", "cbc-essiv:sha256", 32), 4, true},
		{"version 1, CBC with 128 bits", luks1("aes", "cbc-plain", 16), 3, true},
		{"another cipher", luks1("serpent", "xts-plain64", 64), 0, false},
	} {
		h, err := readLUKS(bytes.NewReader(test.header))
		if n, ok := h.method(); err != nil || n != test.method || ok != test.ok {
			t.Errorf("%s: %+v is method %d, %v, %v", test.name, h, n, ok, err)
		}
	}
	endless := luks2Bytes(luks2Text)
	binary.BigEndian.PutUint64(endless[8:], 1<<40)
	for name, b := range map[string][]byte{
		"too short": []byte("LUKS\xba\xbe\x00\x01"), "another magic": make([]byte, 592), "version 3": append([]byte("LUKS\xba\xbe\x00\x03"), make([]byte, 600)...),
		"a text without an end": endless, "no text": luks2Bytes(""), "nothing encrypted": luks2Bytes(`{"segments":{"0":{"type":"linear"}}}`), "a key of 4 GB": luks1("aes", "xts", 1<<29),
	} {
		if h, err := readLUKS(bytes.NewReader(b)); err == nil {
			t.Errorf("%s is read as %+v", name, h)
		}
	}
}

func FuzzReadLUKS(f *testing.F) {
	f.Add(luks2Bytes(luks2Text))
	f.Add(luks1("aes", "xts-plain64", 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readLUKS(bytes.NewReader(b))
		if err == nil && (h.cipher == "" || h.keyBits < 0 || h.keyBits > 4096) {
			t.Errorf("a header gives %+v", h)
		}
		h.method()
	})
}
