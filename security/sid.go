package security

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxSubAuthorities is the largest number of sub-authorities of a SID. See [MS-DTYP] 2.4.2.2.
const MaxSubAuthorities = 15

// maxSIDBytes is the binary length of a SID with all sub-authorities.
const maxSIDBytes = 8 + 4*MaxSubAuthorities

// maxAuthority is the largest identifier authority, which has 48 bits.
const maxAuthority = 1<<48 - 1

// ErrBadSID is matched by every error about a malformed SID, in text or in binary.
var ErrBadSID = errors.New("malformed SID")

// SID is a security identifier. It is a comparable value: == compares two SIDs and a SID works as a map key. The
// zero value is no SID at all; it equals no real SID and is in no token. See [MS-DTYP] 2.4.2.
type SID struct {
	authority uint64
	revision  uint8
	count     uint8
	sub       [MaxSubAuthorities]uint32
}

// NewSID makes a SID from an identifier authority (48 bits) and at most 15 sub-authorities. It fails with
// ErrBadSID when either is out of range.
func NewSID(authority uint64, sub ...uint32) (SID, error) {
	if authority > maxAuthority {
		return SID{}, fmt.Errorf("%w: authority 0x%x has more than 48 bits", ErrBadSID, authority)
	}
	if len(sub) > MaxSubAuthorities {
		return SID{}, fmt.Errorf("%w: %d sub-authorities, at most %d are allowed", ErrBadSID, len(sub), MaxSubAuthorities)
	}
	s := SID{authority: authority, revision: 1, count: uint8(len(sub))}
	copy(s.sub[:], sub)
	return s, nil
}

// mustSID makes a SID from constants of this package.
func mustSID(authority uint64, sub ...uint32) SID {
	s, err := NewSID(authority, sub...)
	if err != nil {
		panic(err)
	}
	return s
}

// ParseSID reads the text form S-1-authority-sub-…. The authority is decimal, or 0x and hexadecimal digits. It
// does not know SDDL aliases; ParseSIDAlias does. Errors match ErrBadSID. See [MS-DTYP] 2.4.2.1.
func ParseSID(text string) (SID, error) {
	if len(text) > 200 || len(text) < 4 || !strings.EqualFold(text[:4], "S-1-") {
		return SID{}, fmt.Errorf("%w: %.60q does not begin with S-1-", ErrBadSID, text)
	}
	first, rest, more := strings.Cut(text[4:], "-")
	authority, err := parseAuthority(first)
	if err != nil {
		return SID{}, fmt.Errorf("%w: %.60q: identifier authority %q is not a number of at most 48 bits", ErrBadSID, text, first)
	}
	s := SID{authority: authority, revision: 1}
	for more {
		if s.count == MaxSubAuthorities {
			return SID{}, fmt.Errorf("%w: %.60q has more than %d sub-authorities", ErrBadSID, text, MaxSubAuthorities)
		}
		first, rest, more = strings.Cut(rest, "-")
		v, err := parseDecimal(first)
		if err != nil {
			return SID{}, fmt.Errorf("%w: %.60q: sub-authority %q is not a 32-bit decimal number", ErrBadSID, text, first)
		}
		s.sub[s.count] = v
		s.count++
	}
	return s, nil
}

// parseAuthority reads the identifier authority of a SID text.
func parseAuthority(text string) (uint64, error) {
	if len(text) > 2 && (text[:2] == "0x" || text[:2] == "0X") {
		v, err := strconv.ParseUint(text[2:], 16, 64)
		if err == nil && (v > maxAuthority || len(text) > 14) {
			err = strconv.ErrRange
		}
		return v, err
	}
	v, err := parseDecimal(text)
	return uint64(v), err
}

// parseDecimal reads a 32-bit number of 1 to 10 digits without sign or leading zeros.
func parseDecimal(text string) (uint32, error) {
	if len(text) == 0 || len(text) > 10 || (len(text) > 1 && text[0] == '0') || text[0] < '0' || text[0] > '9' {
		return 0, strconv.ErrSyntax
	}
	v, err := strconv.ParseUint(text, 10, 32)
	return uint32(v), err
}

// DecodeSID reads one binary SID from the beginning of b and returns it with the number of bytes it took.
// Errors match ErrBadSID. See [MS-DTYP] 2.4.2.2.
func DecodeSID(b []byte) (SID, int, error) {
	if len(b) < 8 {
		return SID{}, 0, fmt.Errorf("%w: %d bytes, at least 8 are needed", ErrBadSID, len(b))
	}
	if b[0] != 1 {
		return SID{}, 0, fmt.Errorf("%w: revision %d, only 1 is known", ErrBadSID, b[0])
	}
	n := int(b[1])
	if n > MaxSubAuthorities {
		return SID{}, 0, fmt.Errorf("%w: %d sub-authorities, at most %d are allowed", ErrBadSID, n, MaxSubAuthorities)
	}
	size := 8 + 4*n
	if len(b) < size {
		return SID{}, 0, fmt.Errorf("%w: %d bytes for %d sub-authorities, %d are needed", ErrBadSID, len(b), n, size)
	}
	s := SID{revision: 1, count: uint8(n)}
	s.authority = uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
	for i := range n {
		s.sub[i] = binary.LittleEndian.Uint32(b[8+4*i:])
	}
	return s, size, nil
}

// AppendBinary appends the binary form of s to b. The zero SID appends nothing. The error is always nil; it is
// there for encoding.BinaryAppender. See [MS-DTYP] 2.4.2.2.
func (s SID) AppendBinary(b []byte) ([]byte, error) {
	if s.IsZero() {
		return b, nil
	}
	b = append(b, s.revision, s.count)
	b = binary.BigEndian.AppendUint16(b, uint16(s.authority>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(s.authority))
	for _, v := range s.sub[:s.count] {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b, nil
}

// Bytes returns the binary form of s in a new slice, empty for the zero SID.
func (s SID) Bytes() []byte {
	b, _ := s.AppendBinary(make([]byte, 0, s.Size()))
	return b
}

// Size returns the length of the binary form in bytes, 0 for the zero SID.
func (s SID) Size() int {
	if s.IsZero() {
		return 0
	}
	return 8 + 4*int(s.count)
}

// String returns the text form S-1-…, or the empty string for the zero SID.
func (s SID) String() string {
	if s.IsZero() {
		return ""
	}
	b := make([]byte, 0, 48)
	b = append(b, "S-1-"...)
	if s.authority > 0xFFFFFFFF {
		b = fmt.Appendf(b, "0x%012X", s.authority)
	} else {
		b = strconv.AppendUint(b, s.authority, 10)
	}
	for _, v := range s.sub[:s.count] {
		b = append(b, '-')
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}

// MarshalText is String, for JSON and the like.
func (s SID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseSID, except that an empty text gives the zero SID.
func (s *SID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = SID{}
		return nil
	}
	v, err := ParseSID(string(text))
	if err == nil {
		*s = v
	}
	return err
}

// Equal reports whether both SIDs are the same; it is the same as ==.
func (s SID) Equal(o SID) bool { return s == o }

// IsZero reports whether s is the zero value, which stands for "no SID".
func (s SID) IsZero() bool { return s.revision == 0 }

// Authority returns the 48-bit identifier authority, 5 for the NT authority.
func (s SID) Authority() uint64 { return s.authority }

// SubAuthorities returns the sub-authorities in a new slice.
func (s SID) SubAuthorities() []uint32 { return append([]uint32(nil), s.sub[:s.count]...) }

// RID returns the last sub-authority, the relative identifier; 0 when there is none.
func (s SID) RID() uint32 {
	if s.count == 0 {
		return 0
	}
	return s.sub[s.count-1]
}

// WithRID returns the SID of an account of the domain or machine s, which is s with one more sub-authority.
// It returns the zero SID when s is zero or full.
func (s SID) WithRID(rid uint32) SID {
	if s.IsZero() || s.count >= MaxSubAuthorities {
		return SID{}
	}
	s.sub[s.count] = rid
	s.count++
	return s
}

// Domain returns s without its last sub-authority: the domain or machine of an account. It returns the zero
// SID when s has no sub-authority.
func (s SID) Domain() SID {
	if s.count == 0 {
		return SID{}
	}
	s.count--
	s.sub[s.count] = 0
	return s
}
