package ndr_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// The bytes follow [C706] 14.3.4 (a conformant varying string) and [MS-RPCE] 2.2.5.3 (the same with eight octets for counts and pointers).
var strings = []struct {
	name   string
	format ndr.Format
	stub   string
}{
	{"NDR20", ndr.Format{}, "\x00\x00\x02\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00" + "h\x00i\x00\x00\x00" + "\x00\x00" + "\x07\x00\x00\x00"},
	{"NDR64", ndr.Format{Wide: true}, "\x00\x00\x02\x00\x00\x00\x00\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00" +
		"h\x00i\x00\x00\x00" + "\x00\x00" + "\x07\x00\x00\x00"},
	{"big-endian", ndr.Format{BigEndian: true}, "\x00\x02\x00\x00" + "\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x03" + "\x00h\x00i\x00\x00" + "\x00\x00" + "\x00\x00\x00\x07"},
}

func TestString(t *testing.T) {
	for _, c := range strings {
		t.Run(c.name, func(t *testing.T) {
			d := ndr.NewDecoder([]byte(c.stub), c.format)
			if !d.Pointer() || d.ConformantWideString(10) != "hi" || d.Uint32() != 7 || d.Err() != nil || d.Left() != 0 {
				t.Errorf("the stub is not read: %v, %d octets left", d.Err(), d.Left())
			}
			if c.format.BigEndian {
				return
			}
			e := ndr.NewEncoder([]byte("before"), c.format)
			e.Pointer(true)
			e.ConformantWideString("hi")
			e.Uint32(7)
			if string(e.Stub()) != c.stub || !bytes.HasPrefix(e.Buffer(), []byte("before")) {
				t.Errorf("written as %x, want %x", e.Stub(), c.stub)
			}
		})
	}
}

func TestGUIDOfABigEndianPeer(t *testing.T) {
	want, _ := security.ParseGUID("00112233-4455-6677-8899-aabbccddeeff")
	d := ndr.NewDecoder([]byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"), ndr.Format{BigEndian: true})
	if got := d.GUID(); got != want {
		t.Errorf("read %v, want %v", got, want)
	}
}

func TestCountsAreBounded(t *testing.T) {
	for name, read := range map[string]func(d *ndr.Decoder){
		"more octets than there are":   func(d *ndr.Decoder) { d.Bytes(1 << 30) },
		"more elements than permitted": func(d *ndr.Decoder) { d.Count(3, 0) },
		"a string past the end":        func(d *ndr.Decoder) { d.Uint32(); d.ConformantWideString(1 << 30) },
	} {
		d := ndr.NewDecoder([]byte("\x04\x00\x00\x00\xff\xff\xff\x00\x00\x00\x00\x00\xff\xff\xff\x00"), ndr.Format{})
		d.Uint32()
		read(d)
		if !errors.Is(d.Err(), ndr.ErrBadStub) {
			t.Errorf("%s: %v", name, d.Err())
		}
		if d.Uint32() != 0 || d.Raw(1) != nil {
			t.Errorf("%s: reading goes on after the error", name)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, c := range strings {
		f.Add([]byte(c.stub), c.format.Wide, c.format.BigEndian)
	}
	f.Fuzz(func(t *testing.T, stub []byte, wide, big bool) {
		d := ndr.NewDecoder(stub, ndr.Format{Wide: wide, BigEndian: big})
		for d.Err() == nil && d.Left() > 0 {
			d.Pointer()
			s := d.ConformantWideString(1000)
			if len(s) > 3*len(stub) {
				t.Fatalf("%d octets of text out of %d", len(s), len(stub))
			}
			d.GUID()
			d.Bytes(100)
		}
	})
}
