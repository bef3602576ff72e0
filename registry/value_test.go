package registry

import (
	"bytes"
	"slices"
	"testing"
)

// Data as Windows stores it: strings UTF-16LE with their terminator, numbers
// little-endian ([MS-RRP] 3.1.1.5).
func TestValueBytes(t *testing.T) {
	for _, row := range []struct {
		v    Value
		want string
	}{
		{SZ("aé"), "a\x00\xE9\x00\x00\x00"},
		{SZ("😀"), "\x3D\xD8\x00\xDE\x00\x00"},
		{ExpandSZ("%a%"), "%\x00a\x00%\x00\x00\x00"},
		{MultiSZ("a", "", "b"), "a\x00\x00\x00b\x00\x00\x00\x00\x00"},
		{MultiSZ(), "\x00\x00"},
		{DWORD(0x01020304), "\x04\x03\x02\x01"},
		{QWORD(0x0102030405060708), "\x08\x07\x06\x05\x04\x03\x02\x01"},
		{Binary([]byte{1, 2}), "\x01\x02"},
		{None(nil), ""},
	} {
		if got := row.v.Bytes(); string(got) != row.want {
			t.Errorf("%v %v: % x, want % x", row.v.Type(), row.v, got, row.want)
		}
		if back, err := FromBytes(row.v.Type(), []byte(row.want)); err != nil || back != row.v {
			t.Errorf("% x: %v (%v), want %v", row.want, back, err, row.v)
		}
	}
	for _, row := range []struct {
		t Type
		b string
	}{{TypeDWORD, "abc"}, {TypeQWORD, "abcd"}, {TypeSZ, "a"}, {TypeMultiSZ, "abc"}} {
		if _, err := FromBytes(row.t, []byte(row.b)); err == nil {
			t.Errorf("%v of %d bytes was accepted", row.t, len(row.b))
		}
	}
}

func TestValueAccessors(t *testing.T) {
	if _, ok := DWORD(1).Text(); ok {
		t.Error("a number has text")
	}
	if _, ok := SZ("1").Uint(); ok {
		t.Error("a string has a number")
	}
	if s, ok := SZ("a\x00b").Text(); !ok || s != "a" {
		t.Errorf("text behind a NUL survives: %q", s)
	}
	list, ok := MultiSZ("x", "y").Strings()
	if !ok || !slices.Equal(list, []string{"x", "y"}) {
		t.Errorf("list %q", list)
	}
	b := []byte{1}
	v := Binary(b)
	b[0] = 2
	if !bytes.Equal(v.Bytes(), []byte{1}) {
		t.Error("a value changed with the slice that made it")
	}
}
