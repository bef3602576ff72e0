package cim

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestParseValue(t *testing.T) {
	tests := []struct {
		typ  Type
		in   string
		want string
		ok   bool
	}{
		{Uint8, "255", "255", true},
		{Uint8, "256", "", false},
		{Sint8, "-128", "-128", true},
		{Sint8, "-129", "", false},
		{Uint16, "010", "10", true}, // decimal, whatever the zero
		{Uint32, "0xFFFFFFFF", "4294967295", true},
		{Uint64, "18446744073709551615", "18446744073709551615", true},
		{Uint64, "-1", "", false},
		{Sint64, "-9223372036854775808", "-9223372036854775808", true},
		{Uint32, "1_000", "", false},
		{Boolean, "TRUE", "true", true},
		{Boolean, "1", "true", true},
		{Boolean, "yes", "", false},
		{Real64, "1.5e3", "1500", true},
		{Real32, "0.1", "0.1", true},
		{Datetime, "20240102030405.000000+060", "20240102030405.000000+060", true},
		{Datetime, "2024-01-02", "", false},
		{Char16, "65535", "65535", true},
	}
	for _, tt := range tests {
		v, err := ParseValue(tt.typ, tt.in)
		if (err == nil) != tt.ok {
			t.Errorf("ParseValue(%v, %q): %v", tt.typ, tt.in, err)
			continue
		}
		if err != nil {
			if !errors.Is(err, ErrTypeMismatch) {
				t.Errorf("ParseValue(%v, %q) fails with %v, want WBEM_E_TYPE_MISMATCH", tt.typ, tt.in, err)
			}
			continue
		}
		if v.String() != tt.want || v.Type() != tt.typ {
			t.Errorf("ParseValue(%v, %q) = %v %q, want %q", tt.typ, tt.in, v.Type(), v, tt.want)
		}
	}
}

func TestAs(t *testing.T) {
	tests := []struct {
		from Value
		to   Type
		want Value
		ok   bool
	}{
		{Text("7"), Uint32, U32(7), true},
		{U64(7), Sint8, Int(Sint8, 7), true},
		{U64(1 << 40), Uint32, Value{}, false},
		{S32(-1), Uint32, Value{}, false},
		{Null(String), Uint16, Null(Uint16), true},
		{Str("a"), String.Array(), Strs([]string{"a"}), true},
		{Array(Untyped, []Value{Text("1"), Text("2")}), Uint8.Array(), Array(Uint8, []Value{U8(1), U8(2)}), true},
		{Strs([]string{"a"}), String, Value{}, false},
		{Bool(true), Uint8, U8(1), true},
		{U32(5), String, Str("5"), true},
	}
	for _, tt := range tests {
		got, err := tt.from.As(tt.to)
		if (err == nil) != tt.ok || tt.ok && !got.Equal(tt.want) {
			t.Errorf("%v (%v) as %v = %v, %v; want %v", tt.from, tt.from.Type(), tt.to, got, err, tt.want)
		}
	}
}

func TestBytes(t *testing.T) {
	want := []byte{0, 1, 0x7F, 0x80, 0xFF}
	v := Bytes(want)
	if got, ok := v.Bytes(); !ok || !bytes.Equal(got, want) || v.String() != "{0, 1, 127, 128, 255}" {
		t.Errorf("%v is %v, %v", v, got, ok)
	}
	if got, ok := Bytes(nil).Bytes(); !ok || len(got) > 0 || Bytes(nil).IsNull() {
		t.Errorf("nothing is %v, %v", got, ok)
	}
	for _, v := range []Value{{}, Null(Uint8.Array()), U8(1), Array(Uint16, []Value{Uint(Uint16, 1)}), Array(Untyped, []Value{Text("1")}), Str("a")} {
		if got, ok := v.Bytes(); ok {
			t.Errorf("%v (%v) has the bytes %v", v, v.Type(), got)
		}
	}
}

func TestDateTime(t *testing.T) {
	d, err := ParseDateTime("19980525133015.012345-300")
	if err != nil {
		t.Fatal(err)
	}
	at, ok := d.Time()
	want := time.Date(1998, 5, 25, 18, 30, 15, 12345000, time.UTC)
	if !ok || !at.Equal(want) {
		t.Errorf("%s is %v, want %v", d, at, want)
	}
	if back := AtTime(at); back != d {
		t.Errorf("%v prints as %s, want %s", at, back, d)
	}
	i, err := ParseDateTime("00000001132312.000001:000")
	if err != nil {
		t.Fatal(err)
	}
	length, ok := i.Duration()
	if wantLength := 37*time.Hour + 23*time.Minute + 12*time.Second + time.Microsecond; !ok || length != wantLength {
		t.Errorf("%s is %v, want %v", i, length, wantLength)
	}
	if back := Interval(length); back != i {
		t.Errorf("%v prints as %s, want %s", length, back, i)
	}
	for _, bad := range []string{
		"", "19980525133015.012345-30", "19981325133015.012345-300", "1998052513301*.012345-300",
		"19980525133015,012345-300", "00000001242312.000001:000", "00000001132312.******:000",
	} {
		if d, err := ParseDateTime(bad); err == nil {
			t.Errorf("%q is accepted as %v", bad, d)
		}
	}
	for _, good := range []string{"19980416******.000000+***", "********133000.******+000"} {
		if d, err := ParseDateTime(good); err != nil || !d.HasWildcards() {
			t.Errorf("%q: %v", good, err)
		}
	}
}
