package soap

import (
	"bytes"
	"encoding/xml"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// The scans that look at eight bytes at a time agree with the definitions, read
// one character at a time, wherever the odd byte lies. See XML 1.0 sections 2.2
// and 2.4.
func TestWideScans(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- a test
	odd := [][]byte{{0}, {8}, {9}, {10}, {11}, {13}, {0x1F}, {0x20}, {0x7F}, {0x80}, {0xFF}, []byte("é"), []byte("\uFFFE"),
		[]byte("€"), []byte("\U0010FFFF"), {0xED, 0xA0, 0x80}, {'<'}, {'&'}, {']'}, {'>'}, {'='}, {'%'}, {0xBC}, {0xDD}}
	for range 20000 {
		b := bytes.Repeat([]byte("abcdefgh"), 1+rng.IntN(12))
		b = b[:rng.IntN(len(b)+1)]
		for range rng.IntN(4) {
			at := rng.IntN(len(b) + 1)
			b = append(b[:at:at], append(bytes.Clone(odd[rng.IntN(len(odd))]), b[at:]...)...)
		}
		if got, want := invalidChar(b), slowInvalid(b); got != want {
			t.Fatalf("invalidChar(%q) = %d, want %d", b, got, want)
		}
		from := rng.IntN(len(b) + 1)
		stop := from + rng.IntN(len(b)-from+1)
		want := bytes.IndexAny(b[from:stop], "<&\r]")
		if utf8.Valid(b) {
			if want < 0 {
				want = stop - from
			}
			if got := special(b, from, stop) - from; got != want {
				t.Fatalf("special(%q, %d, %d) = %d, want %d", b, from, stop, got, want)
			}
		}
	}
}

// slowInvalid asks encoding/xml, an independent reader, about each character.
func slowInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		var out bytes.Buffer
		// EscapeText replaces what is no character of XML by U+FFFD.
		_ = xml.EscapeText(&out, b[i:i+n])
		if r == utf8.RuneError && n == 1 || r != utf8.RuneError && out.String() == "\uFFFD" {
			return i
		}
		i += n
	}
	return -1
}
