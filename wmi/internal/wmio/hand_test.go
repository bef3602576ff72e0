package wmio

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// octets reads hexadecimal text with comments after ;.
func octets(text string) []byte {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, ";")
		for _, field := range strings.Fields(line) {
			b.WriteString(field)
		}
	}
	return must(hex.DecodeString(b.String()))
}

// The class T { uint8 N; } and an instance with N = 42, written by hand from
// the grammar of [MS-WMIO] 6.
const (
	handClassPart = `
		53000000 00              ; EncodingLength, ReservedOctet
		00000000 02000000        ; ClassNameRef, NdTableValueTableLength
		04000000 04000000        ; no superclasses, no qualifiers
		01000000 03000000 06000000 ; one property: its name, its PropertyInfo
		01 FF                    ; NULL by default
		2C000080                 ; ClassHeap
		00 54 00                 ; T
		00 4E 00                 ; N
		11000000 0000 00000000 00000000 ; uint8, the first, at 0, of this class
		11000000 0A000080 03 08000000 25000000 ; CIMTYPE
		00 75 69 6E 74 38 00     ; uint8
	`
	handState = `
		00 2A                    ; not NULL, 42
		04000000 01              ; no qualifiers
		03000080 00 54 00        ; InstanceHeap: T
	`
	handInstance = `17000000 00 00000000` + handState // EncodingLength, InstanceFlags, InstanceClassName
	handParent   = `
		1D000000 00 FFFFFFFF 00000000 04000000 04000000 00000000 00000080
		0C000000 0000 0000 00000080
	`
	handGUID  = `00112233 4455 4677 8899 AABBCCDDEEFF`
	handArray = `
		00000000 5742454D44415441 ; byte order, WBEMDATA
		1A000000 D9000000 00000000 01 01
		08000000 D1000000
		0C000000 C5000000 02000000
		09000000 83000000 02     ; an instance with its class
		18000000 6B000000 ` + handGUID + ` 
		02 ` + handClassPart + handInstance + `
		09000000 30000000 03     ; an instance without
		18000000 18000000 ` + handGUID + `
		02 ` + handInstance
)

func handClass() *cim.Class {
	return (&cim.Class{Name: "T", Properties: []cim.Property{{Name: "N", Type: cim.Uint8, Origin: "T"}}}).Seal()
}

func handObject(c *cim.Class) *cim.Instance { return cim.MakeInstance(c, []cim.Value{cim.U8(42)}) }

func TestByHand(t *testing.T) {
	c := handClass()
	i := handObject(c)
	k := new(Codec)
	t.Run("class", func(t *testing.T) {
		block := octets("01" + handParent + handClassPart + "0C000000 0000 0000 00000080")
		got, err := k.AppendBlock(nil, cim.ClassObject(c))
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, block)
	})
	t.Run("instance", func(t *testing.T) {
		block := octets("02" + handClassPart + handInstance)
		got, err := k.AppendBlock(nil, i)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, block)
		back, _, err := k.DecodeBlock(block)
		if err != nil || !back.Equal(i) {
			t.Errorf("%v %v", back, err)
		}
	})
	t.Run("packet", func(t *testing.T) {
		want := octets(handArray)
		got, err := k.NewArrayWriter(PacketNext).Append(nil, []*cim.Instance{i, i})
		if err != nil {
			t.Fatal(err)
		}
		// The GUID is random; it is the same one in both objects.
		first, second := 0x2E+9+8, 0x2E+9+131+9+8
		if string(got[first:first+16]) != string(got[second:second+16]) || got[first+7]>>4 != 4 {
			t.Errorf("class IDs % x and % x", got[first:first+16], got[second:second+16])
		}
		copy(got[first:], want[first:first+16])
		copy(got[second:], want[second:second+16])
		same(t, got, want)

		r := new(Codec).NewArrayReader()
		back, err := r.Append(nil, want)
		if err != nil || len(back) != 2 || !back[0].Equal(i) || !back[1].Equal(i) || back[0].Class() != back[1].Class() {
			t.Fatalf("%v %v", back, err)
		}
		// a later packet may name a class that an earlier one brought
		later := octets(`00000000 5742454D44415441 1A000000 4D000000 00000000 01 01 08000000 45000000 0C000000 39000000 01000000
			09000000 30000000 03 18000000 18000000 ` + handGUID + ` 02 ` + handInstance)
		if back, err = r.Append(nil, later); err != nil || len(back) != 1 || !back[0].Equal(i) {
			t.Errorf("%v %v", back, err)
		}
		// another enumeration does not know it
		if _, err := new(Codec).NewArrayReader().Append(nil, later); !errors.Is(err, cim.ErrInvalidObject) {
			t.Errorf("a class that did not come: %v", err)
		}
	})
	t.Run("refreshed", func(t *testing.T) {
		one := octets("03000000" + handState)
		blobs := must(k.NewInstanceBlobs(c))
		got, err := blobs.Append(nil, i)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, one)
		if back, err := blobs.Decode(one); err != nil || !back.Equal(i) {
			t.Errorf("%v %v", back, err)
		}
		many := octets("01000000 02000000 12000000 03000000" + handState + "12000000 03000000" + handState)
		if got, err = blobs.AppendEnum(nil, []*cim.Instance{i, i}); err != nil {
			t.Fatal(err)
		}
		same(t, got, many)
		if back, err := blobs.DecodeEnum(many); err != nil || len(back) != 2 || !back[1].Equal(i) {
			t.Errorf("%v %v", back, err)
		}
		for n := range many {
			if _, err := blobs.DecodeEnum(many[:n]); !errors.Is(err, cim.ErrInvalidObject) {
				t.Errorf("the first %d octets: %v", n, err)
			}
		}
		if _, err := blobs.Append(nil, handObject(handClass())); !errors.Is(err, cim.ErrInvalidClass) {
			t.Errorf("another class: %v", err)
		}
	})
}

// The values of each type in an instance, octet by octet.
func TestValuesByHand(t *testing.T) {
	u := func(typ cim.Type, v ...uint64) (list []cim.Value) {
		for _, n := range v {
			list = append(list, cim.Uint(typ, n))
		}
		return list
	}
	for _, one := range []struct {
		value      cim.Value
		slot, heap string // the heap is what follows the name of the class, at 3
	}{
		{cim.Int(cim.Sint8, -1), "FF", ""},
		{cim.U8(200), "C8", ""},
		{cim.S16(-2), "FEFF", ""},
		{cim.U16(0x1234), "3412", ""},
		{cim.S32(-3), "FDFFFFFF", ""},
		{cim.U32(0x12345678), "78563412", ""},
		{cim.S64(-4), "FCFFFFFFFFFFFFFF", ""},
		{cim.U64(0x123456789ABCDEF0), "F0DEBC9A78563412", ""},
		{cim.Real(cim.Real32, 1.5), "0000C03F", ""},
		{cim.Real(cim.Real64, -2), "00000000000000C0", ""},
		{cim.Bool(true), "FFFF", ""},
		{cim.Bool(false), "0000", ""},
		{cim.Uint(cim.Char16, 'K'), "4B00", ""},
		{cim.Str("ab"), "03000000", "00 61 62 00"},
		{cim.Str(""), "03000000", "00 00"},
		{cim.Str("key"), "03000000", "00 6B 65 79 00"},
		{cim.Str("é"), "03000000", "00 E9 00"},
		{cim.Str("K漢"), "03000000", "01 4B00 226F 0000"},
		{cim.Str("😀"), "03000000", "01 3DD8 00DE 0000"},
		{cim.Time("20260102030405.000000+000"), "03000000", "00" + hex.EncodeToString([]byte("20260102030405.000000+000")) + "00"},
		{cim.Ref(`A.B="c"`), "03000000", "00" + hex.EncodeToString([]byte(`A.B="c"`)) + "00"},
		{cim.Array(cim.Uint8, u(cim.Uint8, 1, 2)), "03000000", "02000000 01 02"},
		{cim.Array(cim.Uint64, u(cim.Uint64, 7)), "03000000", "01000000 0700000000000000"},
		{cim.Array(cim.Char16, u(cim.Char16, 'A', 'B')), "03000000", "02000000 4100 4200"},
		{cim.Array(cim.Boolean, []cim.Value{cim.Bool(true), cim.Bool(false)}), "03000000", "02000000 FFFF 0000"},
		{cim.Array(cim.Real32, nil), "03000000", "00000000"},
		{cim.Strs([]string{"a", "", "b"}), "03000000", "03000000 13000000 16000000 18000000 00 61 00 00 00 00 62 00"},
		{cim.Array(cim.String, []cim.Value{cim.Null(cim.String)}), "03000000", "01000000 FFFFFFFF"},
		{cim.Obj(handObject(handClass())), "03000000", "6B000000 02" + handClassPart + handInstance},
	} {
		c := (&cim.Class{Name: "T", Properties: []cim.Property{{Name: "V", Type: one.value.Type(), Origin: "T"}}}).Seal()
		i := cim.MakeInstance(c, []cim.Value{one.value})
		blobs := must(new(Codec).NewInstanceBlobs(c))
		got, err := blobs.Append(nil, i)
		if err != nil {
			t.Errorf("%v: %v", one.value, err)
			continue
		}
		heap := octets("00 54 00" + one.heap)
		want := append([]byte{byte(len(heap)), byte(len(heap) >> 8), 0, 0, 0}, octets(one.slot)...)
		want = append(want, 4, 0, 0, 0, 1, byte(len(heap)), byte(len(heap)>>8), 0, 0x80)
		want = append(want, heap...)
		if string(got) != string(want) {
			t.Errorf("%s %v:\ngot  % x\nwant % x", one.value.Type(), one.value, got, want)
		}
		if back, err := blobs.Decode(want); err != nil || !sameValue(back.At(0), one.value) {
			t.Errorf("%s %v: decoded %v %v", one.value.Type(), one.value, back, err)
		}
	}
}

// A string of the dictionary may stand in the place of any reference to a
// string, and NULL and defaults are in the NdTable. See [MS-WMIO] 2.2.80 and
// 2.2.27.
func TestStatesByHand(t *testing.T) {
	c := (&cim.Class{Name: "T", Properties: []cim.Property{
		{Name: "Z", Type: cim.String, Origin: "T", Default: cim.Str("of the class")}, // the last one in the lookup table
		{Name: "A", Type: cim.Uint32, Origin: "T"},
	}}).Seal()
	blobs := must(new(Codec).NewInstanceBlobs(c))
	for _, one := range []struct {
		state string
		z, a  cim.Value
	}{
		{"00 08000080 07000000", cim.Str("cimwin32"), cim.U32(7)},
		{"00 02000080 00000000", cim.Str(""), cim.U32(0)},
		{"00 FFFFFFFF 07000000", cim.Null(cim.String), cim.U32(7)},
		{"01 00000000 07000000", cim.Null(cim.String), cim.U32(7)},
		{"02 00000000 07000000", cim.Str("of the class"), cim.U32(7)},
		{"03 00000000 07000000", cim.Null(cim.String), cim.U32(7)},
		{"06 00000000 07000000", cim.Str("of the class"), cim.Null(cim.Uint32)},
		{"FE 00000000 07000000", cim.Str("of the class"), cim.Null(cim.Uint32)}, // the unused bits say nothing
	} {
		blob := octets("03000000" + one.state + "04000000 01 03000080 00 54 00")
		i, err := blobs.Decode(blob)
		if err != nil || !i.Get("Z").Equal(one.z) || !i.Get("A").Equal(one.a) {
			t.Errorf("%s: %v %v", one.state, i, err)
		}
	}
	for _, one := range []struct {
		spell bool
		z, a  cim.Value
		want  string
	}{
		{false, cim.Str("of the class"), cim.Null(cim.Uint32), "0E 00000000 00000000"},
		{true, cim.Str("of the class"), cim.Null(cim.Uint32), "0C 03000000 00000000"},
		{false, cim.Null(cim.String), cim.U32(7), "01 00000000 07000000"},
	} {
		k := &Codec{SpellDefaults: one.spell}
		got, err := must(k.NewInstanceBlobs(c)).Append(nil, cim.MakeInstance(c, []cim.Value{one.z, one.a}))
		if want := octets(one.want); err != nil || string(got[4:13]) != string(want) {
			t.Errorf("% x, want % x: %v", got[4:13], want, err)
		}
	}
}

// An instance may have qualifiers of its own, and its properties too. See
// [MS-WMIO] 2.2.65 and the end of 3.1.
func TestInstanceQualifiersByHand(t *testing.T) {
	c := (&cim.Class{Name: "T", Properties: []cim.Property{{Name: "B", Type: cim.Uint8, Origin: "T"}, {Name: "A", Type: cim.Uint8, Origin: "T"}}}).Seal()
	i := cim.MakeInstance(c, []cim.Value{cim.U8(1), cim.U8(2)})
	i.SetQualifiers(&cim.InstanceQualifiers{Properties: []cim.Qualifiers{{flagged("test", 0)}, nil}})
	// A comes first in the lookup table
	want := octets(`09000000 00 01 02 04000000 02 04000000 0F000000 03000000 00 0B000000 FFFF 09000080 00 54 00 00 74 65 73 74 00`)
	blobs := must(new(Codec).NewInstanceBlobs(c))
	got, err := blobs.Append(nil, i)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	back, err := blobs.Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := sameInstance(back, i); err != nil {
		t.Error(err)
	}
}

// Names of the dictionary go by their numbers: qualifiers in any case, since
// readers look for "key", all others only as the dictionary has them.
func TestDictionaryByHand(t *testing.T) {
	c := (&cim.Class{Name: "T", Qualifiers: cim.Qualifiers{flagged("Dynamic", 1), flagged("Dynamite", 0)}, Properties: []cim.Property{
		{Name: "Read", Type: cim.Uint8, Origin: "T"}, {Name: "write", Type: cim.Uint8, Origin: "T"},
	}}).Seal()
	l := must(new(Codec).compile(c))
	want := octets(`1A000000 07000080 01 0B000000 FFFF 03000000 00 0B000000 FFFF
		02000000 0D000000 13000000 04000080 39000000`) // the qualifiers and the lookup table
	if got := l.part[17:][:len(want)]; got != string(want) {
		t.Errorf("% x\nwant % x", got, want)
	}
}
