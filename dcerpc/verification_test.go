package dcerpc

import (
	"bytes"
	"testing"
)

func TestVerification(t *testing.T) {
	v := verified{rep: [4]byte{0x10}, callID: 7, contextID: 3, opnum: 20, abstract: MgmtID, transfer: NDR20, headerSigns: true}
	for stub := range 9 {
		body := bytes.Repeat([]byte{0xee}, stub)
		whole := appendVerification(bytes.Clone(body), 0, &v, true, true, true)
		if rest, ok := cutVerification(whole, &v); !ok || len(rest) != (stub+3)&^3 || !bytes.HasPrefix(rest, body) {
			t.Errorf("a stub of %d octets comes back as %x, %v", stub, rest, ok)
		}
		for name, change := range map[string]func(v *verified){
			"call":            func(v *verified) { v.callID++ },
			"context":         func(v *verified) { v.contextID++ },
			"operation":       func(v *verified) { v.opnum++ },
			"representation":  func(v *verified) { v.rep[0] = 0 },
			"interface":       func(v *verified) { v.abstract.Minor++ },
			"transfer syntax": func(v *verified) { v.transfer = NDR64 },
			"header signing":  func(v *verified) { v.headerSigns = false },
		} {
			other := v
			change(&other)
			if _, ok := cutVerification(whole, &other); ok {
				t.Errorf("another %s passes", name)
			}
		}
		for cut := len(whole) - 1; cut > (stub+3)&^3+len(verificationMark); cut-- {
			if _, ok := cutVerification(whole[:cut], &v); ok {
				t.Errorf("a trailer cut to %d of %d octets passes", cut, len(whole))
			}
		}
	}
	mark := string(verificationMark)
	for trailer, want := range map[string]bool{
		mark + "\x09\x40\x00\x00":                     true,  // not known, and the last
		mark + "\x09\x00\x04\x00abcd\x09\x40\x00\x00": true,  // two of them
		mark + "\x09\xc0\x00\x00":                     false, // not known, and to be processed
		mark + "\x09\x40\x03\x00abc":                  false, // not a multiple of four
		mark + "\x01\x40\x00\x00":                     false, // a bitmask without bits
		mark + "\x09\x00\x00\x00":                     false, // no last one
		"a" + mark + "\x09\xc0\x00\x00abc":            true,  // not aligned: the arguments happen to look so
	} {
		if _, ok := cutVerification([]byte(trailer), &v); ok != want {
			t.Errorf("%q: %v", trailer, ok)
		}
	}
}
