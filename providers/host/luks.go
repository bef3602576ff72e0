package host

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// luksHeader is how a LUKS container is encrypted.
type luksHeader struct {
	cipher  string // "aes-xts-plain64"
	keyBits int    // of the key of the volume; xts splits it in two halves
}

var errNotLUKS = errors.New("host: no LUKS header")

const (
	luksMagic     = "LUKS\xba\xbe"
	luks2JSON     = 4096    // where the text of a header of version 2 begins
	luks2MaxBytes = 4 << 20 // and what it takes at most
)

// readLUKS reads the header at the beginning of a container. See the LUKS On-Disk Format Specification 1.2.3, 2.1, and
// LUKS2 On-Disk Format Specification 1.1.3, 2.2 and 3.
func readLUKS(r io.ReaderAt) (luksHeader, error) {
	head := make([]byte, 112)
	if _, err := r.ReadAt(head, 0); err != nil {
		return luksHeader{}, err
	}
	if string(head[:6]) != luksMagic {
		return luksHeader{}, errNotLUKS
	}
	switch binary.BigEndian.Uint16(head[6:]) {
	case 1:
		bits := binary.BigEndian.Uint32(head[108:])
		if bits == 0 || bits > 512 {
			return luksHeader{}, errNotLUKS
		}
		return luksHeader{cipher: cText(head[8:40]) + "-" + cText(head[40:72]), keyBits: int(bits) * 8}, nil
	case 2:
		size := binary.BigEndian.Uint64(head[8:])
		if size <= luks2JSON || size > luks2MaxBytes {
			return luksHeader{}, errNotLUKS
		}
		text := make([]byte, size-luks2JSON)
		if _, err := r.ReadAt(text, luks2JSON); err != nil {
			return luksHeader{}, err
		}
		return luks2(text)
	}
	return luksHeader{}, errNotLUKS
}

// luks2 reads the text of a header: the cipher of its first segment that is encrypted, and the size of the key that the
// key slots hold.
func luks2(text []byte) (luksHeader, error) {
	text, _, _ = bytes.Cut(text, []byte{0})
	var meta struct {
		Keyslots map[string]struct {
			KeySize int `json:"key_size"`
		} `json:"keyslots"`
		Segments map[string]struct {
			Type       string `json:"type"`
			Encryption string `json:"encryption"`
		} `json:"segments"`
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return luksHeader{}, err
	}
	var h luksHeader
	for _, s := range meta.Segments {
		if s.Type == "crypt" && (h.cipher == "" || s.Encryption < h.cipher) {
			h.cipher = s.Encryption
		}
	}
	for _, k := range meta.Keyslots {
		if k.KeySize > 0 && k.KeySize <= 512 {
			h.keyBits = max(h.keyBits, k.KeySize*8)
		}
	}
	if h.cipher == "" {
		return luksHeader{}, errNotLUKS
	}
	return h, nil
}

// cText is the text before the first zero byte.
func cText(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

// method is the documented number of the algorithm; ok is false for one that has none.
func (h luksHeader) method() (n uint32, ok bool) {
	name, mode, _ := strings.Cut(h.cipher, "-")
	mode, _, _ = strings.Cut(mode, "-")
	switch {
	case name != "aes":
	case mode == "cbc" && h.keyBits == 128:
		return 3, true
	case mode == "cbc" && h.keyBits == 256:
		return 4, true
	case mode == "xts" && h.keyBits == 256:
		return 6, true
	case mode == "xts" && h.keyBits == 512:
		return 7, true
	}
	return 0, false
}
