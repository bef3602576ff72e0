package wmio

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/casementhq/casement/cim"
)

// fixture reads the octets of an object that Windows made.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES does not name the folder of the recordings")
	}
	b, err := os.ReadFile(filepath.Join(dir, "wmio", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t testing.TB, k *Codec, unit []byte) *cim.Instance {
	t.Helper()
	i, flags, err := k.Decode(unit)
	if err != nil {
		t.Fatal(err)
	}
	if flags != 0 {
		t.Fatalf("flags %#x", flags)
	}
	return i
}

// wantProperty is a property as [MS-WMIO] 3 describes it.
type wantProperty struct {
	name, typ, refClass, origin string
	def                         cim.Value
	key                         bool
	qualifiers                  cim.Qualifiers
}

func checkClass(t *testing.T, c *cim.Class, name, super string, derivation []string, q cim.Qualifiers, want []wantProperty) {
	t.Helper()
	if c.Name != name || c.Superclass != super || !slices.Equal(c.Derivation, derivation) {
		t.Errorf("class %s : %s %v", c.Name, c.Superclass, c.Derivation)
	}
	checkQualifiers(t, name, c.Qualifiers, q)
	if len(c.Properties) != len(want) {
		t.Fatalf("%s has %d properties", name, len(c.Properties))
	}
	for i, w := range want {
		p := c.Properties[i]
		if p.Name != w.name || p.Type.String() != w.typ || p.RefClass != w.refClass || p.Origin != w.origin || p.Key != w.key {
			t.Errorf("%s: property %d is %+v", name, i, p)
		}
		if !p.Default.Equal(w.def) {
			t.Errorf("%s.%s: default %v", name, p.Name, p.Default)
		}
		checkQualifiers(t, name+"."+p.Name, p.Qualifiers, w.qualifiers)
	}
}

func checkQualifiers(t *testing.T, where string, got, want cim.Qualifiers) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has the qualifiers %v", where, got)
		return
	}
	for i := range got {
		if got[i].Name != want[i].Name || got[i].Flavor != want[i].Flavor || !got[i].Value.Equal(want[i].Value) {
			t.Errorf("%s: qualifier %+v, want %+v", where, got[i], want[i])
		}
	}
}

func flagged(name string, f cim.Flavor) cim.Qualifier {
	return cim.Qualifier{Name: name, Value: cim.Bool(true), Flavor: f}
}

// The properties of MyClass in the order of their declaration, as the MOF and
// the tables of [MS-WMIO] 3 have them.
func propertiesOfMyClass() []wantProperty {
	return []wantProperty{
		{name: "Id", typ: "sint32", origin: "Base", def: cim.Null(cim.Sint32), key: true, qualifiers: cim.Qualifiers{flagged("key", 0x33)}},
		{name: "Data1", typ: "string", origin: "MyClass", def: cim.Null(cim.String), qualifiers: cim.Qualifiers{flagged("read", 0), flagged("write", 0)}},
		{name: "Data2", typ: "string", origin: "MyClass", def: cim.Str("defaultValue")},
		{name: "Array", typ: "uint32[]", origin: "MyClass", def: cim.Null(cim.Uint32.Array())},
	}
}

func description() cim.Qualifiers {
	return cim.Qualifiers{{Name: "Description", Value: cim.Str("MyClass Example")}}
}

// The objects of [MS-WMIO] 3 have the values that its text gives them.
func TestSpecificationExamplesDecode(t *testing.T) {
	t.Run("base", func(t *testing.T) {
		i := decode(t, new(Codec), fixture(t, "ms-wmio-3-class-base.bin"))
		checkClass(t, i.Class(), "Base", "", nil, nil, []wantProperty{
			{name: "Id", typ: "sint32", origin: "Base", def: cim.Null(cim.Sint32), key: true, qualifiers: cim.Qualifiers{flagged("key", 0x13)}},
		})
		if c := i.Class(); !i.IsClass() || c.Server != "DPRAVAT-DEV" || c.Namespace != "ROOT" {
			t.Errorf("class object %v at %s in %s", i.IsClass(), c.Server, c.Namespace)
		}
	})
	t.Run("MyClass", func(t *testing.T) {
		i := decode(t, new(Codec), fixture(t, "ms-wmio-3-class-MyClass.bin"))
		checkClass(t, i.Class(), "MyClass", "Base", []string{"Base"}, description(), propertiesOfMyClass())
	})
	t.Run("instance", func(t *testing.T) {
		i := decode(t, new(Codec), fixture(t, "ms-wmio-3-instance-MyClass.bin"))
		checkClass(t, i.Class(), "MyClass", "Base", []string{"Base"}, description(), propertiesOfMyClass())
		if c := i.Class(); i.IsClass() || c.Server != "DPRAVAT-DEV" || c.Namespace != "ROOT" {
			t.Errorf("class object %v at %s in %s", i.IsClass(), c.Server, c.Namespace)
		}
		for name, want := range map[string]cim.Value{
			"Id": cim.S32(123), "Data2": cim.Str("defaultValue"),
			"Array": cim.Array(cim.Uint32, []cim.Value{cim.U32(1), cim.U32(2), cim.U32(3)}),
			"Data1": cim.Str("StringField"),
		} {
			if got := i.Get(name); !got.Equal(want) {
				t.Errorf("%s is %v", name, got)
			}
		}
	})
	t.Run("MyClass2", func(t *testing.T) {
		i := decode(t, new(Codec), fixture(t, "ms-wmio-3-class-MyClass2-with-method.bin"))
		want := propertiesOfMyClass()
		want[1].qualifiers = nil // read and write do not descend
		checkClass(t, i.Class(), "MyClass2", "MyClass", []string{"MyClass", "Base"}, nil, want)
		if len(i.Class().Methods) != 1 {
			t.Fatalf("%d methods", len(i.Class().Methods))
		}
		m := &i.Class().Methods[0]
		if m.Name != "Restart" || m.Origin != "MyClass2" || m.Return != cim.Uint32 || m.Static {
			t.Errorf("method %+v", m)
		}
		checkQualifiers(t, "Restart", m.Qualifiers, cim.Qualifiers{
			flagged("execute", 0), {Name: "performance", Value: cim.Strs([]string{"fast", "sideffects"})},
		})
		if len(m.In) != 1 || len(m.Out) != 1 {
			t.Fatalf("%d parameters in, %d out", len(m.In), len(m.Out))
		}
		id := func(n int32) cim.Qualifier { return cim.Qualifier{Name: "ID", Value: cim.S32(n), Flavor: 0x11} }
		if p := m.In[0]; p.Name != "ServiceName" || p.Type != cim.String {
			t.Errorf("in %+v", p)
		}
		checkQualifiers(t, "ServiceName", m.In[0].Qualifiers, cim.Qualifiers{flagged("in", 0), id(0)})
		// The MOF says sint32; the octets say an object of class "int", which is
		// what the compiler made of the text.
		if p := m.Out[0]; p.Name != "Status" || p.Type != cim.Object || p.RefClass != "int" {
			t.Errorf("out %+v", p)
		}
		checkQualifiers(t, "Status", m.Out[0].Qualifiers, cim.Qualifiers{flagged("out", 0), id(1)})
	})
}

// What a Windows client sends to start a process.
func TestWin32ProcessCreateDecodes(t *testing.T) {
	i := decode(t, new(Codec), fixture(t, "win32_process-create-inparams.wmio.bin"))
	maps := func(s string) cim.Qualifier {
		return cim.Qualifier{Name: "MappingStrings", Value: cim.Strs([]string{s}), Flavor: 2}
	}
	id := func(n int32) cim.Qualifier { return cim.Qualifier{Name: "ID", Value: cim.S32(n), Flavor: 0x11} }
	checkClass(t, i.Class(), "__PARAMETERS", "", nil, cim.Qualifiers{flagged("abstract", 0)}, []wantProperty{
		{name: "CommandLine", typ: "string", origin: "__PARAMETERS", def: cim.Null(cim.String), qualifiers: cim.Qualifiers{
			flagged("In", 0), maps("Win32API|Process and Thread Functions|lpCommandLine "), id(0)}},
		{name: "CurrentDirectory", typ: "string", origin: "__PARAMETERS", def: cim.Null(cim.String), qualifiers: cim.Qualifiers{
			flagged("In", 0), maps("Win32API|Process and Thread Functions|CreateProcess|lpCurrentDirectory "), id(1)}},
		{name: "ProcessStartupInformation", typ: "object", refClass: "Win32_ProcessStartup", origin: "__PARAMETERS", def: cim.Null(cim.Object), qualifiers: cim.Qualifiers{
			flagged("In", 0), maps("WMI|Win32_ProcessStartup"), id(2)}},
	})
	args := Arguments(i)
	if len(args) != 1 || args[0].Name != "CommandLine" || !args[0].Value.Equal(cim.Str("cmd.exe /c hostname")) {
		t.Errorf("arguments %v", args)
	}
	// the same object stands in the stub of the call
	stub := fixture(t, "iwbemservices-execmethod-win32_process-create.stub.bin")
	at := bytes.Index(stub, []byte{0x78, 0x56, 0x34, 0x12})
	if at < 0 || !decode(t, new(Codec), stub[at:]).Equal(i) {
		t.Error("the object in the stub is another one")
	}
}

// What Windows made goes out in the same octets. What cannot is listed, with
// the reason.
func TestReencodeIsExact(t *testing.T) {
	for _, one := range []struct {
		name string
		// what the decoder does not keep
		edit func(b []byte) []byte
		why  string
	}{
		{name: "ms-wmio-3-instance-MyClass.bin"},
		{"ms-wmio-3-class-base.bin", func(b []byte) []byte { return b[:0xB7] },
			"17 octets behind the object, which the declared length of 208 does not even cover"},
		{"ms-wmio-3-class-MyClass.bin", func(b []byte) []byte { return b[:0x210] }, "38 octets behind the object"},
		{"ms-wmio-3-class-MyClass2-with-method.bin", func(b []byte) []byte { return b[:0x889] }, "63 octets behind the object, two more than it declares"},
		{"win32_process-create-inparams.wmio.bin", func(b []byte) []byte {
			at := 9 + 1619 // the instance follows the class part
			binary.LittleEndian.PutUint32(b[at:], 66)
			return b[:at+66]
		}, "46 octets of unused room behind the heap of the instance, which are counted in its length"},
	} {
		t.Run(one.name, func(t *testing.T) {
			want := fixture(t, one.name)
			k := new(Codec)
			got, err := k.AppendUnit(nil, decode(t, k, want))
			if err != nil {
				t.Fatal(err)
			}
			if one.edit != nil {
				want = one.edit(want)
				binary.LittleEndian.PutUint32(want[4:], uint32(len(want)-8))
			}
			same(t, got, want)
		})
	}
}

// A class that is made anew has the octets that Windows made, up to what has
// no meaning: unused bits, padding of random value, room at the end of heaps.
func TestNewEncodingIsThatOfWindows(t *testing.T) {
	class := func(name string) *cim.Class { return decode(t, new(Codec), fixture(t, name)).Class() }
	base, myClass, myClass2 := class("ms-wmio-3-class-base.bin"), class("ms-wmio-3-class-MyClass.bin"), class("ms-wmio-3-class-MyClass2-with-method.bin")

	t.Run("base", func(t *testing.T) {
		want := fixture(t, "ms-wmio-3-class-base.bin")[:0xB7]
		want[4] = 0xAF     // the length, which was too long
		want[0x66] &= 0x03 // unused bits of the NdTable
		want[0xB1] = 0     // MethodCountPadding
		newClass(t, want, base, nil)
	})
	t.Run("MyClass", func(t *testing.T) {
		want := fixture(t, "ms-wmio-3-class-MyClass.bin")[:0x210]
		want[0x3D] &= 0x03                       // unused bits of the NdTable of Base
		want[0x88], want[0x20B] = 0, 0           // MethodCountPadding
		want = slices.Delete(want, 0x1FE, 0x204) // room at the end of the heap
		want[0x8E], want[0xEF] = 0x70, 0x0B      // and its length, in that of the class and of the heap
		binary.LittleEndian.PutUint32(want[4:], uint32(len(want)-8))
		newClass(t, want, myClass, base)
	})
	t.Run("MyClass2", func(t *testing.T) {
		// up to the methods: the heaps of the signatures are full of fragments
		want := fixture(t, "ms-wmio-3-class-MyClass2-with-method.bin")[:0x31E]
		want = want[:0x2DA]                      // room at the end of the heap of MyClass2
		want = slices.Delete(want, 0x18C, 0x192) // and at that of MyClass
		want[0x1C], want[0x7D] = 0x70, 0x0B
		want[0x193] = 0 // MethodCountPadding
		got, err := new(Codec).AppendClass(nil, myClass2, myClass, 0)
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(want[4:], uint32(len(got)-8))
		// two lengths that count the room
		part := 0x198
		binary.LittleEndian.PutUint32(want[part:], binary.LittleEndian.Uint32(got[part:]))
		heap := 0x1F8
		binary.LittleEndian.PutUint32(want[heap:], binary.LittleEndian.Uint32(got[heap:]))
		same(t, got[:len(want)], want)
	})
	t.Run("instance", func(t *testing.T) {
		unit := fixture(t, "ms-wmio-3-instance-MyClass.bin")
		got, err := new(Codec).AppendUnit(nil, decode(t, new(Codec), unit))
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Delete(unit, 0x18C, 0x192)
		want[0x1C], want[0x7D] = 0x70, 0x0B
		binary.LittleEndian.PutUint32(want[4:], uint32(len(want)-8))
		same(t, got, want)
	})
}

func newClass(t *testing.T, want []byte, c, super *cim.Class) {
	t.Helper()
	got, err := new(Codec).AppendClass(nil, c, super, 0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

func same(t *testing.T, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	t.Fatalf("%d octets, want %d; the first difference is at %#x:\ngot  % x\nwant % x", len(got), len(want), n,
		got[max(0, n-16):min(len(got), n+48)], want[max(0, n-16):min(len(want), n+48)])
}
