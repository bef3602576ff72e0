package wmio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// wholeObject is an instance with embedded objects and arrays, and its class;
// wholeClass a definition with methods.
func wholeObject() *cim.Instance {
	inner := handClass()
	c := cim.NewClass("Whole", nil).Key("Id", cim.String).Object("One", "T").
		Property("Texts", cim.String|cim.ArrayFlag, cim.Maps("a", "b")).
		Property("Objects", cim.Object|cim.ArrayFlag).Property("Octets", cim.Uint8|cim.ArrayFlag).Property("When", cim.Datetime).
		Property("Ratio", cim.Real64).Property("Sure", cim.Boolean).Build(`root\cimv2`)
	o := handObject(inner)
	i := cim.MakeInstance(c, []cim.Value{
		cim.Str("id"), cim.Obj(o), cim.Strs([]string{"x", "漢字", ""}), cim.Array(cim.Object, []cim.Value{cim.Obj(o), cim.Obj(cim.ClassObject(inner))}),
		cim.Array(cim.Uint8, []cim.Value{cim.U8(1), cim.U8(2)}), cim.Time("20260102030405.000000+000"), cim.Real(cim.Real64, 1), cim.Bool(true),
	})
	i.SetQualifiers(&cim.InstanceQualifiers{Object: cim.Qualifiers{flagged("test", 0)}, Properties: make([]cim.Qualifiers, 8)})
	return i
}

func wholeClass() *cim.Class {
	top := cim.NewClass("Top", nil).Key("Id", cim.Uint32).Method("Stop", cim.Uint32).Build(`root\cimv2`)
	return cim.NewClass("Whole", top).Qualifier(cim.Describes("All of it")).Ref("Other", "Top").
		Add(cim.Property{Name: "Name", Type: cim.String, Default: cim.Str("none")}).
		Method("Start", cim.Uint32, cim.In("How", cim.String|cim.ArrayFlag), cim.InOut("What", cim.Object), cim.Out("Result", cim.Uint64)).Build("")
}

// No octet that is not what it should be makes the decoder fail otherwise than
// with an error, or cost much.
func TestFlippedOctets(t *testing.T) {
	writer := (&Codec{Server: "HOST"}).NewArrayWriter(PacketNext)
	for name, one := range map[string]struct {
		octets []byte
		decode func([]byte) error
	}{
		"instance": {must(new(Codec).AppendUnit(nil, wholeObject())), decodeNew},
		"class":    {must(new(Codec).AppendUnit(nil, cim.ClassObject(wholeClass()))), decodeNew},
		"many":     {must(new(Codec).AppendUnit(nil, processes(processLike(), 1)[0])), decodeNew},
		"packet":   {must(writer.Append(nil, append(processes(handClassOfStrings(), 9), wholeObject()))), decodePacket},
	} {
		t.Run(name, func(t *testing.T) {
			b := one.octets
			if err := one.decode(b); err != nil {
				t.Fatal(err)
			}
			limit := uint64(16 * len(b))
			for n := range b {
				was := b[n]
				for _, flipped := range [...]byte{was ^ 0xFF, was + 1, 0} {
					b[n] = flipped
					before := allocated()
					err := one.decode(b)
					if cost := allocated() - before; cost > limit {
						t.Errorf("octet %d = %#x costs %d octets, %d times the input", n, flipped, cost, cost/uint64(len(b)))
					}
					if err != nil && cim.StatusOf(err) != cim.ErrInvalidObject {
						t.Errorf("octet %d = %#x: %v", n, flipped, err)
					}
				}
				b[n] = was
			}
			for n := range b {
				_ = one.decode(b[:n:n])
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func handClassOfStrings() *cim.Class {
	return cim.NewClass("Strings", nil).Key("A", cim.String).Property("B", cim.String).Build(`root\cimv2`)
}

func decodeNew(b []byte) error {
	_, err := decodeOnly(new(Codec), b)
	return err
}

func decodePacket(b []byte) error {
	_, err := new(Codec).NewArrayReader().Append(nil, b)
	return err
}

// Objects that are made to cost much fail, and soon.
func TestCostlyObjects(t *testing.T) {
	u32 := func(n int) string { return fmt.Sprintf("%08x", swap(uint32(n))) }
	// class has one property of a type; state is its value and the heap
	instance := func(typ cim.Type, heap string) []byte {
		c := (&cim.Class{Name: "T", Properties: []cim.Property{{Name: "V", Type: typ, Origin: "T"}}}).Seal()
		part := must(new(Codec).compile(c)).part
		h := "005400" + heap
		state := "00 03000000 04000000 01" + u32(len(octets(h))|1<<31) + h
		return append(append([]byte{2}, part...), octets(u32(len(octets(state))+9)+"00 00000000"+state)...)
	}
	deep := octets("02" + handClassPart + handInstance)
	for range maxDepth {
		deep = instance(cim.Object, u32(len(deep))+fmt.Sprintf("%x", deep))
	}
	long := strings.Repeat("61", 100_000)
	for name, block := range map[string][]byte{
		"an array of one string, over and over": instance(cim.String|cim.ArrayFlag, u32(100_000)+strings.Repeat(u32(3+4+400_000), 100_000)+"00"+long+"00"),
		"an array of one object, over and over": instance(cim.Object|cim.ArrayFlag, u32(100_000)+strings.Repeat(u32(3+4+400_000), 100_000)+u32(107)+"02"+handClassPart+handInstance),
		"an object in itself":                   instance(cim.Object, "10000000 02"),
		"an array longer than the heap":         instance(cim.Uint8|cim.ArrayFlag, u32(1<<31-1)),
		"an array whose size overflows":         instance(cim.Uint64|cim.ArrayFlag, u32(1<<29)),
		"objects in objects":                    deep,
		"a string without an end":               instance(cim.String, "00 61 62"),
		"a wide string without an end":          instance(cim.String, "01 6100 6200 00"),
		"a heap of 2 GiB":                       octets("02" + handClassPart + "17000000 00 00000000 00 2A 04000000 01 FFFFFFFF 00 54 00"),
		"a class longer than the object":        octets("02 FFFFFF7F 00"),
		"a class of no octets":                  octets("02 00000000"),
		"neither":                               octets("00" + handClassPart),
		"both":                                  octets("03" + handClassPart + handInstance),
		"nothing":                               nil,
	} {
		t.Run(name, func(t *testing.T) {
			start, before := time.Now(), allocated()
			_, _, err := new(Codec).DecodeBlock(block)
			if !errors.Is(err, cim.ErrInvalidObject) {
				t.Errorf("%v", err)
			}
			if cost := allocated() - before; cost > uint64(allowance+2*growth*len(block)) {
				t.Errorf("%d octets for %d", cost, len(block))
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func swap(n uint32) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], n)
	return binary.BigEndian.Uint32(b[:])
}

// A class that says one thing in two ways, or points out of itself, is none.
func TestClassesThatAreNone(t *testing.T) {
	k := new(Codec)
	c := (&cim.Class{Name: "T", Properties: []cim.Property{
		{Name: "A", Type: cim.Uint8, Origin: "T"}, {Name: "B", Type: cim.String, Origin: "T"},
	}}).Seal()
	part := []byte(must(k.compile(c)).part)
	const count, lookup, tables = 21, 25, 41
	heap := tables + 1 + 5 + 4
	info := func(n int) int { return heap + int(binary.LittleEndian.Uint32(part[lookup+8*n+4:])) }
	for name, spoil := range map[string]func(b []byte){
		"two properties of one name":        func(b []byte) { copy(b[lookup:], b[lookup+8:lookup+12]) },
		"two properties in one place":       func(b []byte) { b[info(1)+4] = 0 },
		"a property without a place":        func(b []byte) { b[info(1)+4] = 4 },
		"a value outside of the table":      func(b []byte) { b[info(1)+6] = 2 },
		"a value far outside":               func(b []byte) { copy(b[info(1)+6:], "\xFF\xFF\xFF\xFF") },
		"a type that does not exist":        func(b []byte) { b[info(0)] = 1 },
		"a type with an unknown flag":       func(b []byte) { b[info(0)+1] = 0x10 },
		"more properties than octets":       func(b []byte) { b[count+1] = 2 },
		"more properties than a class has":  func(b []byte) { b[count+3] = 1 },
		"a property without a name":         func(b []byte) { copy(b[lookup:], "\xFF\xFF\xFF\xFF") },
		"a name outside of the dictionary":  func(b []byte) { copy(b[lookup:], "\x0B\x00\x00\x80") },
		"a property outside of the heap":    func(b []byte) { b[lookup+6] = 1 },
		"a class without a table":           func(b []byte) { copy(b[9:], "\x00\x00\x00\x00") },
		"a superclass list of no octets":    func(b []byte) { b[13] = 0 },
		"a superclass list that runs over":  func(b []byte) { b[13] = 6 },
		"a qualifier set that runs over":    func(b []byte) { b[17] = 40 },
		"qualifiers that run out of theirs": func(b []byte) { b[info(0)+14] = 0x10 },
	} {
		spoiled := append([]byte{byte(flagInstance)}, part...)
		spoil(spoiled[1:])
		_, _, err := new(Codec).DecodeBlock(append(spoiled, octets("1C000000 00 00000000 0F 0000000000 04000000 01 03000080 00 54 00")...))
		if !errors.Is(err, cim.ErrInvalidObject) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the wire has no form for is refused, and nothing is written.
func TestRefusedObjects(t *testing.T) {
	with := func(typ cim.Type, v cim.Value) *cim.Instance {
		return cim.MakeInstance((&cim.Class{Name: "T", Properties: []cim.Property{{Name: "V", Type: typ, Origin: "T"}}}).Seal(), []cim.Value{v})
	}
	deep := handObject(handClass())
	for range maxDepth {
		deep = with(cim.Object, cim.Obj(deep))
	}
	for name, one := range map[string]struct {
		i    *cim.Instance
		want cim.Status
	}{
		"NULL in an array of numbers":   {with(cim.Uint8.Array(), cim.Array(cim.Uint8, []cim.Value{cim.Null(cim.Uint8)})), cim.ErrInvalidObject},
		"a value of another type":       {with(cim.Uint8, cim.Str("many")), cim.ErrTypeMismatch},
		"a property without a type":     {with(cim.Untyped, cim.Text("x")), cim.ErrInvalidCimType},
		"objects in objects":            {deep, cim.ErrInvalidObject},
		"a class without a name":        {cim.NewInstance((&cim.Class{Properties: []cim.Property{{Name: "V", Type: cim.Uint8}}}).Seal()), cim.ErrInvalidObject},
		"a name with an end in it":      {cim.NewInstance((&cim.Class{Name: "A\x00B"}).Seal()), cim.ErrInvalidObject},
		"a property without a name":     {cim.NewInstance((&cim.Class{Name: "A", Properties: []cim.Property{{Type: cim.Uint8}}}).Seal()), cim.ErrInvalidObject},
		"a qualifier that is an object": {cim.NewInstance((&cim.Class{Name: "A", Qualifiers: cim.Qualifiers{{Name: "Q", Value: cim.Obj(deep)}}}).Seal()), cim.ErrInvalidQualifierType},
	} {
		got, err := new(Codec).AppendUnit([]byte("before"), one.i)
		if cim.StatusOf(err) != one.want || string(got) != "before" {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if got, err = new(Codec).NewArrayWriter(PacketNext).Append([]byte("before"), []*cim.Instance{one.i}); cim.StatusOf(err) != one.want || string(got) != "before" {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

// What is remembered stays within its bounds, and what was forgotten is made
// anew.
func TestMemoryIsBounded(t *testing.T) {
	here, there := &Codec{MaxClasses: 8}, &Codec{MaxClasses: 8, MaxOctets: 1 << 20}
	var first *cim.Instance
	var unit []byte
	for n := range 100 {
		c := (&cim.Class{Name: fmt.Sprintf("T%d", n), Properties: []cim.Property{{Name: "N", Type: cim.Uint8, Origin: "T"}}}).Seal()
		b := must(here.AppendUnit(nil, handObject(c)))
		i := must(decodeOnly(there, b))
		if n == 0 {
			first, unit = i, b
		}
		for _, k := range []*Codec{here, there} {
			if n := len(k.young.byClass) + len(k.old.byClass); n > 8 {
				t.Fatalf("%d classes are remembered", n)
			}
		}
	}
	if b, err := there.AppendUnit(nil, first); err != nil || string(b) != string(unit) {
		same(t, b, unit)
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(octets("78563412 6B000000 02" + handClassPart + handInstance))
	f.Add(octets("78563412 8D000000 01" + handParent + handClassPart + "0C000000 0000 0000 00000080"))
	f.Add(octets("78563412 7C000000 06 00 48 00 00 72 00" + handClassPart + handInstance))
	f.Add(must(new(Codec).AppendUnit(nil, wholeObject())))
	f.Add(must(new(Codec).AppendUnit(nil, cim.ClassObject(wholeClass()))))
	f.Fuzz(func(t *testing.T, unit []byte) {
		k := new(Codec)
		i, _, err := k.Decode(unit)
		if err != nil {
			if !errors.Is(err, cim.ErrInvalidObject) {
				t.Fatal(err)
			}
			return
		}
		// What was understood can mostly be said again, by one that has only the
		// values, and means the same.
		again, err := new(Codec).AppendUnit(nil, i)
		if err != nil {
			return
		}
		back, _, err := new(Codec).Decode(again)
		if err != nil || back.Len() != i.Len() || back.IsClass() != i.IsClass() {
			t.Fatalf("%v: % x", err, again)
		}
	})
}

func FuzzObjectArray(f *testing.F) {
	f.Add(octets(handArray), []byte(nil))
	f.Add(octets(handArray), octets(handArray))
	w := new(Codec).NewArrayWriter(PacketIndicate)
	f.Add(must(w.Append(nil, []*cim.Instance{wholeObject(), cim.ClassObject(wholeClass())})), must(w.Append(nil, []*cim.Instance{wholeObject()})))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		r := new(Codec).NewArrayReader()
		for _, packet := range [][]byte{one, two} {
			list, err := r.Append(nil, packet)
			if err != nil {
				if len(list) != 0 {
					t.Fatal("objects of a packet that is none")
				}
				continue
			}
			for _, i := range list {
				_ = i.Class().Name
				for n := range i.Len() {
					_ = i.At(n).String()
				}
			}
		}
	})
}

// What an object may cost grows with its octets, and ends where a machine would be full: an octet in an array costs a cim.Value.
func TestCostOfLongObjects(t *testing.T) {
	for octets, want := range map[int]int{0: 64 << 10, 1 << 20: 64<<20 + 64<<10, 4 << 20: 256<<20 + 64<<10, 64 << 20: 256<<20 + 64<<10} {
		b := newBudget(octets)
		if err := b.charge(want); err != nil {
			t.Errorf("%d octets: %v", octets, err)
		}
		if err := b.charge(1); cim.StatusOf(err) != cim.ErrInvalidObject {
			t.Errorf("%d octets may cost more than %d: %v", octets, want, err)
		}
	}
}
