package wmio

import (
	"fmt"
	"testing"

	"github.com/casementhq/casement/cim"
)

// processLike is a class of 20 properties of the types that Win32_Process has,
// with the usual qualifiers: about 3.6 kB with an instance.
func processLike() *cim.Class {
	types := []cim.Type{cim.String, cim.Uint32, cim.Uint64, cim.Datetime, cim.Uint16, cim.String, cim.Boolean, cim.String, cim.Uint32, cim.Real64}
	b := cim.NewClass("Bench_Process", nil).Dynamic().Key("Handle", cim.String)
	for n := range 19 {
		b.Property(fmt.Sprintf("Property%d", 19-n), types[n%len(types)], cim.Describes("What the property means"), cim.Maps("Win32API|Process|Field"))
	}
	return b.Build(`root\cimv2`)
}

func processes(c *cim.Class, n int) []*cim.Instance {
	list := make([]*cim.Instance, n)
	for i := range list {
		o := cim.NewInstance(c)
		for p := range c.Properties {
			var v cim.Value
			switch t := c.Properties[p].Type; t {
			case cim.String:
				v = cim.Str(fmt.Sprintf("value %d of %d", p, i))
			case cim.Datetime:
				v = cim.Time("20260102030405.123456+060")
			case cim.Boolean:
				v = cim.Bool(true)
			case cim.Real64:
				v = cim.Real(t, 1.5)
			default:
				v = cim.Uint(t, uint64(1000*p+i))
			}
			if err := o.SetAt(p, v); err != nil {
				panic(err)
			}
		}
		list[i] = o
	}
	return list
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func BenchmarkDecode(b *testing.B) {
	o := processes(processLike(), 1)[0]
	k := &Codec{Server: "HOST"}
	l := must(k.layout(o.Class()))
	unit := must(k.AppendUnit(nil, o))
	b.Run("instance of a known class", func(b *testing.B) {
		e := encoder{codec: k}
		if err := e.instance(l, o); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(e.b)))
		b.ReportAllocs()
		for b.Loop() {
			d := decoder{codec: k, budget: newBudget(len(e.b))}
			i := new(cim.Instance)
			if err := d.instance(i, l, e.b, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("with its class, seen before", func(b *testing.B) {
		b.SetBytes(int64(len(unit)))
		b.ReportAllocs()
		there := new(Codec)
		for b.Loop() {
			must(decodeOnly(there, unit))
		}
	})
	b.Run("with its class, new", func(b *testing.B) {
		b.SetBytes(int64(len(unit)))
		b.ReportAllocs()
		for b.Loop() {
			must(decodeOnly(new(Codec), unit))
		}
	})
}

func decodeOnly(k *Codec, unit []byte) (*cim.Instance, error) {
	i, _, err := k.Decode(unit)
	return i, err
}

func BenchmarkEncode(b *testing.B) {
	o := processes(processLike(), 1)[0]
	k := &Codec{Server: "HOST"}
	l := must(k.layout(o.Class()))
	var buf []byte
	b.Run("instance of a known class", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e := encoder{codec: k, b: buf[:0]}
			if err := e.instance(l, o); err != nil {
				b.Fatal(err)
			}
			buf = e.b
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("with its class, seen before", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = must(k.AppendUnit(buf[:0], o))
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("with its class, new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = must((&Codec{Server: "HOST"}).AppendUnit(buf[:0], o))
		}
		b.SetBytes(int64(len(buf)))
	})
}

func BenchmarkObjectArray(b *testing.B) {
	objects := processes(processLike(), 100)
	k := &Codec{Server: "HOST"}
	packet := must(k.NewArrayWriter(PacketNext).Append(nil, objects))
	b.Run("encode 100", func(b *testing.B) {
		b.SetBytes(int64(len(packet)))
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = must(k.NewArrayWriter(PacketNext).Append(buf[:0], objects))
		}
	})
	b.Run("decode 100", func(b *testing.B) {
		b.SetBytes(int64(len(packet)))
		b.ReportAllocs()
		there := new(Codec)
		for b.Loop() {
			must(there.NewArrayReader().Append(nil, packet))
		}
	})
}
