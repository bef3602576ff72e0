package wmio

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/casementhq/casement/cim"
)

// Instances of one class share it, whatever they came in, and where they came
// from stays with them.
func TestClassesAreShared(t *testing.T) {
	c := handClassOfStrings()
	list := processes(c, 3)
	here, there := &Codec{Server: "HOST"}, new(Codec)
	a := must(decodeOnly(there, must(here.AppendUnit(nil, list[0]))))
	b := must(decodeOnly(there, must(here.AppendUnit(nil, list[1]))))
	packet := must(there.NewArrayReader().Append(nil, must(here.NewArrayWriter(PacketIndicate).Append(nil, list))))
	if a.Class() != b.Class() || packet[2].Class() != a.Class() {
		t.Error("instances of one class have several")
	}
	if a.Class().Server != "HOST" || a.Class().Namespace != `root\cimv2` {
		t.Errorf("the class is at %q in %q", a.Class().Server, a.Class().Namespace)
	}
	other := must(decodeOnly(there, must((&Codec{Server: "OTHER"}).AppendUnit(nil, list[0]))))
	if other.Class() == a.Class() || other.Class().Server != "OTHER" {
		t.Error("an instance of another host has the class of this one")
	}
	if path, whole := a.Path(); !whole || path.Server != "HOST" || path.Namespace != `root\cimv2` {
		t.Errorf("path %v %v", path, whole)
	}
}

// An instance without its class may come from another namespace than the one
// that brought the class. See [MS-WMIO] 2.2.3.
func TestInstanceFromElsewhere(t *testing.T) {
	packet := octets(`00000000 5742454D44415441 1A000000 E6000000 00000000 01 01 08000000 DE000000 0C000000 D2000000 02000000
		09000000 83000000 02 18000000 6B000000 ` + handGUID + ` 02 ` + handClassPart + handInstance + `
		09000000 3D000000 03 18000000 25000000 ` + handGUID + ` 06 00 48 6F 73 74 31 00 00 72 6F 6F 74 00 ` + handInstance)
	k := new(Codec)
	list, err := k.NewArrayReader().Append(nil, packet)
	if err != nil {
		t.Fatal(err)
	}
	a, b := list[0].Class(), list[1].Class()
	if a.Server != "" || a.Namespace != "" || b.Server != "Host1" || b.Namespace != "root" || b.Name != "T" {
		t.Errorf("%q %q, %q %q", a.Server, a.Namespace, b.Server, b.Namespace)
	}
	again, err := k.NewArrayReader().Append(nil, packet)
	if err != nil || again[1].Class() != b {
		t.Errorf("the class elsewhere is made twice: %v", err)
	}
	block := must(k.AppendBlock(nil, list[1]))
	same(t, block, octets("06 00 48 6F 73 74 31 00 00 72 6F 6F 74 00 "+handClassPart+handInstance))
}

// A prototype of query results says so. See [MS-WMI] 2.2.4.1.
func TestPrototype(t *testing.T) {
	c := wholeClass().Project([]string{"Name"}, false)
	unit, err := new(Codec).AppendClass(nil, c, nil, Prototype|KeysLeftOut)
	if err != nil {
		t.Fatal(err)
	}
	if unit[8] != 0x01|0x04|0x10|0x40 {
		t.Errorf("flags %#x", unit[8])
	}
	i, flags, err := new(Codec).Decode(unit)
	if err != nil || flags != Prototype|KeysLeftOut || !i.Class().Partial || i.Len() != 1 || i.Class().Properties[0].Name != "Name" {
		t.Errorf("%v %#x %v", i.Class(), flags, err)
	}
}

// The superclass that goes with a class is the one that is given, or what the
// class shows of it.
func TestParentClass(t *testing.T) {
	top := cim.NewClass("Top", nil).Key("Id", cim.Uint32).Property("Kind", cim.String).Method("Stop", cim.Uint32).Build(`root\cimv2`)
	below := cim.NewClass("Below", top).Property("Own", cim.String).Build("")
	below.Properties[1].Default = cim.Str("another default")
	// encode encodes the class, and returns the superclass in it and the NdTable.
	encode := func(super *cim.Class) (*cim.Class, byte) {
		unit := must(new(Codec).AppendClass(nil, below, super, 0))
		c := cursor{b: unit[8:]}
		must(c.prologue())
		b := c.b
		c.counted()
		part := b[:len(b)-len(c.b)]
		b = c.b
		c.counted()
		methods := b[:len(b)-len(c.b)]
		d := decoder{codec: new(Codec), budget: newBudget(len(unit))}
		l := must(d.classPart(part, string(part)))
		if err := d.methods(l, methods, string(methods)); err != nil {
			t.Fatal(err)
		}
		l.class.Namespace = top.Namespace
		c.take(13) // ClassHeader
		c.counted()
		c.counted()
		c.take(4 + 3*8) // PropertyLookupTable
		return l.class, c.u8()
	}
	given, nd := encode(top)
	if err := sameClass(given, top, true); err != nil {
		t.Error(err)
	}
	// Id: NULL, inherited. Kind: not NULL, its own. Own: NULL, its own.
	if nd != 0b01_00_11 {
		t.Errorf("NdTable %06b", nd)
	}
	made, nd := encode(nil)
	if made.Name != "Top" || len(made.Properties) != 2 || len(made.Methods) != 1 || made.Methods[0].Name != "Stop" {
		t.Errorf("superclass %+v", made)
	}
	if nd != 0b01_10_11 { // whether Kind is its own cannot be told
		t.Errorf("NdTable %06b", nd)
	}
}

// The object of a call to a method is made of the signature that came with the
// class, octet for octet. See [MS-WMIO] 2.3.4.
func TestInParamsOfWindowsClass(t *testing.T) {
	unit := fixture(t, "ms-wmio-3-class-MyClass2-with-method.bin")
	k := new(Codec)
	c := decode(t, k, unit).Class()
	in, err := k.InParams(c, "restart", cim.Arguments{{Name: "servicename", Value: cim.Str("Spooler")}})
	if err != nil {
		t.Fatal(err)
	}
	got := must(k.AppendUnit(nil, in))
	// the class part of the signature is 0x1B2 octets
	at := bytes.Index(unit, []byte{0xB2, 0x01, 0, 0})
	part := unit[at : at+0x1B2]
	want := append(octets("78563412 00000000 06 00 44 50 2D 4D 00 00 52 4F 4F 54 5C 64 65 66 61 75 6C 74 00"), part...)
	want = append(want, octets(`2E000000 00 00000000 00 0E000000 04000000 01 17000080
		00 5F 5F 50 41 52 41 4D 45 54 45 52 53 00 00 53 70 6F 6F 6C 65 72 00`)...)
	want[4], want[5] = byte(len(want)-8), byte((len(want)-8)>>8)
	same(t, got, want)

	if _, err := k.InParams(c, "Start", nil); !errors.Is(err, cim.ErrInvalidMethod) {
		t.Errorf("a method that is none: %v", err)
	}
	if _, err := k.InParams(c, "Restart", cim.Arguments{{Name: "Status"}}); !errors.Is(err, cim.ErrInvalidMethodParameters) {
		t.Errorf("a parameter that goes out: %v", err)
	}
}

// Arguments and results go through an object and come out as they were.
func TestMethodCall(t *testing.T) {
	c := wholeClass()
	here := new(Codec)
	there := new(Codec)
	got := decode(t, there, must(here.AppendUnit(nil, cim.ClassObject(c)))).Class()
	for _, class := range []*cim.Class{c, got} {
		k := map[*cim.Class]*Codec{c: here, got: there}[class]
		in, err := k.InParams(class, "Start", cim.Arguments{{Name: "What", Value: cim.Obj(handObject(handClass()))}})
		if err != nil {
			t.Fatal(err)
		}
		args := Arguments(decode(t, new(Codec), must(k.AppendUnit(nil, in))))
		if len(args) != 1 || args[0].Name != "What" || !args[0].Value.Object().Equal(handObject(handClass())) {
			t.Errorf("arguments %v", args)
		}
		out, err := k.OutParams(class, "Start", cim.Result{ReturnValue: cim.U32(5), Out: cim.NamedArray{{Name: "Result", Value: cim.U64(7)}}})
		if err != nil {
			t.Fatal(err)
		}
		r := Result(decode(t, new(Codec), must(k.AppendUnit(nil, out))))
		if !r.ReturnValue.Equal(cim.U32(5)) || !r.Out.Get("Result").Equal(cim.U64(7)) || !r.Out.Has("What") || len(r.Out) != 2 {
			t.Errorf("result %+v", r)
		}
		if in, err := k.InParams(class, "Stop", nil); in != nil || err != nil {
			t.Errorf("a method without parameters takes %v %v", in, err)
		}
	}
	// What goes in and out has one ID, and out parameters come after.
	m := got.Method("Start")
	for _, want := range []struct {
		p  cim.Parameter
		id int32
	}{{m.In[0], 0}, {m.In[1], 1}, {m.Out[0], 1}, {m.Out[1], 2}} {
		if id, _ := want.p.Qualifiers.Get("ID"); !id.Equal(cim.S32(want.id)) {
			t.Errorf("%s has the ID %v", want.p.Name, id)
		}
	}
	if r := Result(nil); !r.ReturnValue.IsNull() || Arguments(nil) != nil {
		t.Error("nothing is something")
	}
}

// A signature without parameters is a reference to nothing, or one of length 0.
func TestAbsentSignatures(t *testing.T) {
	c := (&cim.Class{Name: "T", Methods: []cim.Method{{Name: "Do", Origin: "T"}}}).Seal()
	for _, one := range []struct {
		empty bool
		want  string
	}{
		{false, `2C000000 0100 0000 00000000 00 000000 00000000 04000000 FFFFFFFF FFFFFFFF 08000080 00 44 6F 00 04000000`},
		{true, `34000000 0100 0000 00000000 00 000000 00000000 0C000000 04000000 08000000 10000080 00 44 6F 00 00000000 00000000 04000000`},
	} {
		k := &Codec{EmptySignatures: one.empty}
		b := must(k.AppendBlock(nil, cim.ClassObject(c)))
		want := octets(one.want)
		same(t, b[len(b)-len(want):], want)
		i, _, err := new(Codec).DecodeBlock(b)
		if err != nil || i.Class().Methods[0].In != nil || i.Class().Methods[0].Out != nil || i.Class().Methods[0].Return != cim.Untyped {
			t.Errorf("%v %v", i, err)
		}
	}
}

// An error object is an instance like any other. See [MS-WMI] 2.2.4.
func TestExtendedStatus(t *testing.T) {
	c := cim.NewClass("__ExtendedStatus", nil).Property("StatusCode", cim.Uint32).Property("Description", cim.String).
		Property("Operation", cim.String).Property("ParameterInfo", cim.String).Property("ProviderName", cim.String).Build("")
	i := cim.MakeInstance(c, []cim.Value{cim.U32(0x80041010), cim.Null(cim.String), cim.Str("ExecQuery"), cim.Str("select * from None"), cim.Str("WinMgmt")})
	got := decode(t, new(Codec), must(new(Codec).AppendUnit(nil, i)))
	if err := sameInstance(got, i); err != nil {
		t.Error(err)
	}
}

// The PropertyLookupTable is sorted without regard to case, and values and
// marks stay with their properties.
func TestLookupTableIsSorted(t *testing.T) {
	var p []cim.Property
	for _, name := range []string{"CSName", "caption", "CreationClassName", "BootDevice", "b_2", "B1", "Zz"} {
		p = append(p, cim.Property{Name: name, Type: cim.String, Origin: "T"})
	}
	l := must(new(Codec).compile((&cim.Class{Name: "T", Properties: p}).Seal()))
	var names []string
	for _, n := range l.sorted {
		names = append(names, p[n].Name)
	}
	if want := []string{"B1", "b_2", "BootDevice", "caption", "CreationClassName", "CSName", "Zz"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

// An instance of a known class costs no more than its values, its texts and
// itself; one that is encoded nothing.
func TestAllocations(t *testing.T) {
	o := processes(processLike(), 1)[0]
	k := new(Codec)
	l := must(k.layout(o.Class()))
	e := encoder{codec: k}
	if err := e.instance(l, o); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		d := decoder{codec: k, budget: newBudget(len(e.b))}
		if err := d.instance(new(cim.Instance), l, e.b, nil); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("decoding allocates %v times", n)
	}
	buf := make([]byte, 0, len(e.b))
	if n := testing.AllocsPerRun(100, func() {
		f := encoder{codec: k, b: buf[:0]}
		if err := f.instance(l, o); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("encoding allocates %v times", n)
	}
}

// Many goroutines may use one codec.
func TestManyAtOnce(t *testing.T) {
	k := &Codec{MaxClasses: 4}
	unit := must(k.AppendUnit(nil, wholeObject()))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				i, err := decodeOnly(k, unit)
				if err != nil {
					t.Error(err)
					return
				}
				if again, err := k.AppendUnit(nil, i); err != nil || !bytes.Equal(again, unit) {
					t.Errorf("other octets: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}
