package iwbem_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

const guidOfContext = "\x01\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// The octets follow [MS-WMI] 2.2.13.1 to 2.2.13.4.
var contexts = []struct {
	name   string
	octets string
	values cim.NamedArray
}{
	{"a number", guidOfContext + "\x01\x00\x00\x00" + "\x01\x00\x00\x00A\x00" + "\x00\x00\x00\x00" + "\x03\x00" + "\xfe\xff\xff\xff\x00\x00\x00\x00", cim.NamedArray{{Name: "A", Value: cim.S32(-2)}}},
	{
		"a string and a boolean",
		guidOfContext + "\x02\x00\x00\x00" + "\x01\x00\x00\x00A\x00" + "\x00\x00\x00\x00" + "\x08\x00" + "\x02\x00\x00\x00h\x00i\x00" +
			"\x02\x00\x00\x00B\x00c\x00" + "\x00\x00\x00\x00" + "\x0b\x00" + "\xff\xff\x00\x00\x00\x00\x00\x00",
		cim.NamedArray{{Name: "A", Value: cim.Str("hi")}, {Name: "Bc", Value: cim.Bool(true)}},
	},
	{"NULL", guidOfContext + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x01\x00", cim.NamedArray{{}}},
	{"a real", guidOfContext + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x04\x00" + "\x00\x00\xc0\x3f\x00\x00\x00\x00", cim.NamedArray{{Value: cim.Real(cim.Real32, 1.5)}}},
	{"a long real", guidOfContext + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x05\x00" + "\x00\x00\x00\x00\x00\x00\xf8\x3f", cim.NamedArray{{Value: cim.Real(cim.Real64, 1.5)}}},
	{
		"an array of strings", guidOfContext + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x08\x20" + "\x02\x00\x00\x00" + "\x04\x00\x00\x00" +
			"\x01\x00\x00\x00x\x00" + "\x00\x00\x00\x00",
		cim.NamedArray{{Value: cim.Strs([]string{"x", ""})}},
	},
	{
		"an array of numbers", guidOfContext + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x12\x20" + "\x02\x00\x00\x00" + "\x02\x00\x00\x00" +
			"\x01\x00" + "\xff\xff",
		cim.NamedArray{{Value: cim.Array(cim.Uint16, []cim.Value{cim.U16(1), cim.U16(65535)})}},
	},
	{
		"an array of reals", guidOfContext + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x04\x20" + "\x01\x00\x00\x00" + "\x08\x00\x00\x00" +
			"\x00\x00\xc0\x3f\x00\x00\x00\x00",
		cim.NamedArray{{Value: cim.Array(cim.Real32, []cim.Value{cim.Real(cim.Real32, 1.5)})}},
	},
}

func TestContexts(t *testing.T) {
	for _, c := range contexts {
		t.Run(c.name, func(t *testing.T) {
			written, err := iwbem.NewContext(c.values)
			if err != nil || string(written) != c.octets {
				t.Errorf("written as %x, %v, want %x", []byte(written), err, c.octets)
			}
			read, err := iwbem.Context(c.octets).Values()
			if err != nil || len(read) != len(c.values) {
				t.Fatalf("read as %v, %v", read, err)
			}
			for i, v := range c.values {
				if read[i].Name != v.Name || !read[i].Value.Equal(v.Value) {
					t.Errorf("read as %v %v, want %v %v", read[i].Name, read[i].Value, v.Name, v.Value)
				}
			}
			for n := range len(c.octets) {
				if _, err := (iwbem.Context(c.octets[:n])).Values(); !errors.Is(err, cim.ErrInvalidContext) {
					t.Errorf("%d of %d octets: %v", n, len(c.octets), err)
				}
			}
		})
	}
}

func TestWhatAContextHasNoTypeForIsText(t *testing.T) {
	c, err := iwbem.NewContext(cim.NamedArray{{Name: "n", Value: cim.U64(1 << 63)}, {Name: "t", Value: cim.Time("20260102030405.000000+000")}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Values()
	if n, _ := v.Get("n").Str(); err != nil || n != "9223372036854775808" {
		t.Errorf("%v, %v", v, err)
	}
	if s, _ := v.Get("t").Str(); s != "20260102030405.000000+000" {
		t.Errorf("%v", v)
	}
}

// [MS-WMI] 2.2.4: the marshaling buffer of an object is its encoding unit, whose layout package wmio proves. With an OBJREF_CUSTOM around it it is read, too.
func TestObjectsInAContext(t *testing.T) {
	class := cim.NewClass("C", nil).Key("N", cim.Uint32).Build(`root\test`)
	one, two := cim.MakeInstance(class, []cim.Value{cim.U32(1)}), cim.MakeInstance(class, []cim.Value{cim.U32(2)})
	c, err := iwbem.NewContext(cim.NamedArray{{Name: "o", Value: cim.Obj(one)}, {Name: "a", Value: cim.Array(cim.Object, []cim.Value{cim.Obj(one), cim.Obj(two)})}, {Name: "z", Value: cim.S32(9)}})
	if err != nil {
		t.Fatal(err)
	}
	unit, err := new(wmio.Codec).AppendUnit(nil, one)
	if err != nil {
		t.Fatal(err)
	}
	head := guidOfContext + "\x03\x00\x00\x00" + "\x01\x00\x00\x00o\x00" + "\x00\x00\x00\x00" + "\x0d\x00"
	if !bytes.HasPrefix(c, append([]byte(head), unit...)) {
		t.Errorf("written as %x", []byte(c))
	}
	wrapped := (&dcom.ObjRef{Kind: dcom.ObjRefCustom, IID: wmi.IIDClassObject, CLSID: wmi.CLSIDClassObject, Data: unit}).Append(nil)
	for _, octets := range []iwbem.Context{c, append(append([]byte(head), wrapped...), c[len(head)+len(unit):]...)} {
		v, err := octets.Values()
		if err != nil || len(v) != 3 {
			t.Fatalf("%v, %v", v, err)
		}
		a := v.Get("a").Elems()
		if v.Get("o").Object().Get("N").String() != "1" || len(a) != 2 || a[1].Object().Get("N").String() != "2" || v.Get("z").String() != "9" {
			t.Errorf("read as %v", v)
		}
		for n := range len(octets) {
			if _, err := octets[:n].Values(); !errors.Is(err, cim.ErrInvalidContext) {
				t.Fatalf("%d of %d octets: %v", n, len(octets), err)
			}
		}
	}
}

func TestNoContext(t *testing.T) {
	if c, err := iwbem.NewContext(nil); c != nil || err != nil {
		t.Errorf("%x, %v", []byte(c), err)
	}
	if v, err := iwbem.Context(nil).Values(); v != nil || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}

func FuzzContext(f *testing.F) {
	for _, c := range contexts {
		f.Add([]byte(c.octets))
	}
	object := cim.MakeInstance(cim.NewClass("C", nil).Key("N", cim.Uint32).Build(""), []cim.Value{cim.U32(1)})
	if c, err := iwbem.NewContext(cim.NamedArray{{Name: "o", Value: cim.Obj(object)}}); err == nil {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := iwbem.Context(b).Values()
		if err != nil || len(values) == 0 {
			return
		}
		written, err := iwbem.NewContext(values)
		if err != nil {
			t.Fatal(err)
		}
		again, err := written.Values()
		if err != nil {
			t.Fatal(err)
		}
		twice, err := iwbem.NewContext(again)
		if err != nil || !bytes.Equal(twice, written) {
			t.Errorf("%x, then %x, %v", []byte(written), []byte(twice), err)
		}
	})
}
