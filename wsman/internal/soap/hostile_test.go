package soap

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
)

// An attacker cuts a text of half a megabyte into single letters with comments.
// Reading it must cost memory in proportion to its length, not to its square.
func TestTextInPiecesCostsNoSquare(t *testing.T) {
	const pieces = 1 << 15
	for name, piece := range map[string]string{"comments": "a<!---->", "sections": "<![CDATA[a]]>"} {
		doc := []byte("<x>" + strings.Repeat(piece, pieces) + "</x>")
		r := NewReader(doc, Limits{})
		if err := r.Root(); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		text, err := r.ReadText()
		runtime.ReadMemStats(&after)
		if err != nil || !bytes.Equal(text, bytes.Repeat([]byte("a"), pieces)) {
			t.Fatalf("%s: %d bytes, %v", name, len(text), err)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 16*pieces {
			t.Errorf("%s: %d bytes of text took %d bytes of memory", name, pieces, spent)
		}
	}
}

// What ReadText joined must not change the document, which others read too.
func TestTextInPiecesLeavesTheDocument(t *testing.T) {
	doc := []byte("<x><a>one<!-- -->two</a><b>three</b></x>")
	want := bytes.Clone(doc)
	r := NewReader(doc, Limits{})
	if err := r.Root(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"onetwo", "three"} {
		if more, err := r.Child(); !more || err != nil {
			t.Fatal(more, err)
		}
		if got, err := r.ReadText(); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if !bytes.Equal(doc, want) {
		t.Errorf("the document became %s", doc)
	}
}
