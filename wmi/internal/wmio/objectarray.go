package wmio

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"

	"github.com/casementhq/casement/cim"
)

// PacketType says what an ObjectArray travels in.
type PacketType uint8

// The packet types.
const (
	PacketIndicate PacketType = 0 // the optimized IWbemObjectSink::Indicate
	PacketNext     PacketType = 1 // IWbemWCOSmartEnum::Next
)

// The kinds of objects in an ObjectArray, [MS-WMI] 2.2.14.1.
const (
	kindClass           = 1
	kindInstance        = 2
	kindInstanceNoClass = 3
)

// The fixed sizes of an ObjectArray, [MS-WMI] 2.2.14.
const (
	arrayHeader    = 0x1A + 8 + 12
	objectHeader   = 9
	classHeader    = 8
	instanceHeader = 0x18
)

const arraySignature = "WBEMDATA"

// classID names a class within one enumeration.
type classID [16]byte

// ArrayWriter makes the ObjectArray packets of one enumeration, or of one
// call that indicates to a sink: a class goes with its first instance and is
// named by a random GUID from then on. It is for one goroutine at a time. See
// [MS-WMI] 2.2.14.
type ArrayWriter struct {
	codec  *Codec
	packet PacketType
	sent   map[*cim.Class]sentClass
	last   *cim.Class
	lastID sentClass
}

type sentClass struct {
	layout *layout
	id     classID
}

// NewArrayWriter makes an ArrayWriter.
func (k *Codec) NewArrayWriter(packet PacketType) *ArrayWriter {
	return &ArrayWriter{codec: k, packet: packet, sent: map[*cim.Class]sentClass{}}
}

// Append appends a packet of all objects; class objects go as classes. Where
// it fails, dst is unchanged and the enumeration must end, for its reader does
// not know the classes that the packet would have brought.
func (w *ArrayWriter) Append(dst []byte, objects []*cim.Instance) ([]byte, error) {
	p := w.Begin(dst)
	for _, i := range objects {
		if err := p.Add(i); err != nil {
			return dst, err
		}
	}
	return p.End(), nil
}

// Packet is one packet that is being written, for who has its objects one
// after the other.
type Packet struct {
	writer *ArrayWriter
	e      encoder
	start  int
	number int
}

// Begin begins a packet behind dst. One packet is written at a time.
func (w *ArrayWriter) Begin(dst []byte) *Packet {
	p := &Packet{writer: w, e: encoder{codec: w.codec, b: dst}}
	p.start = p.e.reserve(arrayHeader)
	return p
}

// Add adds an object. One that has no form on the wire is not in the packet,
// and what was added before still is.
func (p *Packet) Add(i *cim.Instance) error {
	size := len(p.e.b)
	_, known := p.writer.sent[i.Class()]
	if err := p.writer.object(&p.e, i); err != nil {
		p.e = encoder{codec: p.e.codec, b: p.e.b[:size]}
		if !known { // the class did not go
			delete(p.writer.sent, i.Class())
		}
		p.writer.last = nil
		return err
	}
	p.number++
	return nil
}

// Len is the octets of the packet so far, Objects how many it has.
func (p *Packet) Len() int     { return len(p.e.b) - p.start }
func (p *Packet) Objects() int { return p.number }

// End finishes the packet and gives all octets, those before it too.
func (p *Packet) End() []byte {
	h := p.e.b[p.start : p.start : p.start+arrayHeader]
	size := uint32(p.Len())
	h = append(h, 0, 0, 0, 0)
	h = append(h, arraySignature...)
	h = binary.LittleEndian.AppendUint32(h, 0x1A)
	h = binary.LittleEndian.AppendUint32(h, size-0x1A)
	h = append(h, 0, 0, 0, 0, 1, byte(p.writer.packet))
	h = binary.LittleEndian.AppendUint32(h, 8)
	h = binary.LittleEndian.AppendUint32(h, size-0x1A-8)
	h = binary.LittleEndian.AppendUint32(h, 12)
	h = binary.LittleEndian.AppendUint32(h, size-arrayHeader)
	binary.LittleEndian.AppendUint32(h, uint32(p.number))
	return p.e.b
}

// object appends a WBEM_DATAPACKET_OBJECT.
func (w *ArrayWriter) object(e *encoder, i *cim.Instance) error {
	start := e.reserve(objectHeader)
	e.setU32(start, objectHeader)
	kind, err := w.content(e, i)
	if err != nil {
		return err
	}
	e.setU32(start+4, uint32(len(e.b)-start-objectHeader))
	e.b[start+8] = kind
	return nil
}

func (w *ArrayWriter) content(e *encoder, i *cim.Instance) (kind byte, err error) {
	start := len(e.b)
	if i.IsClass() {
		e.reserve(classHeader)
		if err := e.class(i.Class(), nil, 0); err != nil {
			return 0, err
		}
		e.setU32(start, classHeader)
		e.setU32(start+4, uint32(len(e.b)-start-classHeader))
		return kindClass, nil
	}
	if i.Class() != w.last {
		c, known := w.sent[i.Class()]
		if !known {
			if c, err = w.newClass(i.Class()); err != nil {
				return 0, err
			}
		}
		kind = kindInstanceNoClass
		if !known {
			kind = kindInstance
		}
		w.last, w.lastID = i.Class(), c
	} else {
		kind = kindInstanceNoClass
	}
	c := &w.lastID
	e.reserve(8)
	e.b = append(e.b, c.id[:]...)
	e.prologue(i.Class(), flagInstance)
	if kind == kindInstance {
		e.b = append(e.b, c.layout.part...)
	}
	if err := e.instance(c.layout, i); err != nil {
		return 0, err
	}
	e.setU32(start, instanceHeader)
	e.setU32(start+4, uint32(len(e.b)-start-instanceHeader))
	return kind, nil
}

func (w *ArrayWriter) newClass(c *cim.Class) (sentClass, error) {
	if len(w.sent) >= maxClassIDs {
		return sentClass{}, unencodable(cim.ErrTooMuchData, c.Name, "an enumeration of more than 4096 classes")
	}
	l, err := w.codec.layout(c)
	if err != nil {
		return sentClass{}, err
	}
	s := sentClass{layout: l}
	rand.Read(s.id[:])
	s.id[7] = s.id[7]&0x0F | 0x40 // RFC 9562 version 4, in the order of octets of a GUID
	s.id[8] = s.id[8]&0x3F | 0x80
	w.sent[c] = s
	return s, nil
}

// ArrayReader reads the packets of one enumeration, or of one call that
// indicates to a sink, and keeps the classes that they name. It is for one
// goroutine at a time.
type ArrayReader struct {
	codec   *Codec
	classes map[classID]*layout
	octets  int
	// other is the last class that came from one namespace and then from
	// another.
	other struct{ of, there *layout }
}

// NewArrayReader makes an ArrayReader.
func (k *Codec) NewArrayReader() *ArrayReader {
	return &ArrayReader{codec: k, classes: map[classID]*layout{}}
}

// Append appends the objects of a packet to dst; classes come as class
// objects. A packet that is none, or that names a class which did not come,
// fails with ErrInvalidObject; dst is then unchanged.
func (r *ArrayReader) Append(dst []*cim.Instance, packet []byte) ([]*cim.Instance, error) {
	objects, count, err := openArray(packet)
	if err != nil {
		return dst, err
	}
	d := arrayDecoder{decoder: decoder{codec: r.codec, budget: newBudget(len(packet))}, reader: r, slab: make([]cim.Instance, count)}
	if err := d.charge(count * costObject); err != nil {
		return dst, err
	}
	out := append(make([]*cim.Instance, 0, len(dst)+count), dst...)
	for n := range d.slab {
		body, kind, ok := nextObject(&objects)
		if !ok {
			return dst, malformed("a packet of objects that is too short")
		}
		i := &d.slab[n]
		d.left = count - n
		if err := d.object(i, kind, body); err != nil {
			return dst, err
		}
		out = append(out, i)
	}
	return out, nil
}

// openArray reads the header of an ObjectArray.
func openArray(packet []byte) (objects cursor, count int, err error) {
	c := cursor{b: packet}
	ordering, mark := c.u32(), c.take(8)
	size1, data1, flags, version := c.u32(), c.u32(), c.u32(), c.u8()
	c.u8() // the packet type tells the reader nothing
	rest1 := len(c.b)
	size2, data2 := c.u32(), c.u32()
	rest2 := len(c.b)
	size3, data3, number := c.u32(), c.u32(), c.u32()
	switch {
	case c.short || ordering != 0 || !bytes.Equal(mark, []byte(arraySignature)) || flags != 0 || version != 1:
		return c, 0, malformed("no packet of objects")
	case size1 != 0x1A || size2 != 8 || size3 != 12:
		return c, 0, malformed("a packet of objects with other headers")
	case uint64(data1) > uint64(rest1) || uint64(data2) > uint64(rest2) || uint64(data3) > uint64(len(c.b)):
		return c, 0, malformed("a packet of objects that is too short")
	case number > maxObjects || uint64(number)*(objectHeader+classHeader) > uint64(data3):
		return c, 0, malformed("a packet of more objects than it has octets for")
	}
	return cursor{b: c.b[:data3]}, int(number), nil
}

// nextObject takes a WBEM_DATAPACKET_OBJECT.
func nextObject(c *cursor) (body []byte, kind byte, ok bool) {
	header, size := c.u32(), c.u32()
	kind = c.u8()
	body = c.take(int(size))
	return body, kind, !c.short && header == objectHeader
}

// arrayDecoder decodes one packet. The instances are pieces of one slab, and
// so are the values of instances of one class that follow each other.
type arrayDecoder struct {
	decoder
	reader *ArrayReader
	slab   []cim.Instance
	left   int // objects that are still to come, this one included
	of     *layout
	run    int // instances of that class that the last slab was for
	values []cim.Value
}

// valuesOf is room for the values of an instance. The slabs grow with the
// instances of one class that follow each other.
func (d *arrayDecoder) valuesOf(l *layout) []cim.Value {
	n := len(l.fields)
	if d.of != l {
		d.of, d.run, d.values = l, 0, nil
	}
	if len(d.values) < n {
		d.run = max(1, 2*d.run)
		d.values = make([]cim.Value, n*min(d.left, d.run))
	}
	v := d.values[:n:n]
	d.values = d.values[n:]
	return v
}

// object reads one object into i.
func (d *arrayDecoder) object(i *cim.Instance, kind byte, body []byte) error {
	c := cursor{b: body}
	header, size := c.u32(), c.u32()
	var id classID
	want := uint32(classHeader)
	if kind != kindClass {
		copy(id[:], c.take(len(id)))
		want = instanceHeader
	}
	block := c.take(int(size))
	if c.short || header != want {
		return malformed("an object in a packet that is too short")
	}
	switch kind {
	case kindClass:
		o, _, err := d.block(block)
		if err == nil && !o.IsClass() {
			err = malformed("an instance in the place of a class")
		}
		if err == nil {
			*i = *o
		}
		return err
	case kindInstance:
		return d.withClass(i, id, block)
	case kindInstanceNoClass:
		return d.withoutClass(i, id, block)
	}
	return malformed("an object that is neither a class nor an instance")
}

// withClass reads a WBEMOBJECT_INSTANCE.
func (d *arrayDecoder) withClass(i *cim.Instance, id classID, block []byte) error {
	c := cursor{b: block}
	p, err := c.prologue()
	if err == nil && p.flags&flagInstance == 0 {
		err = malformed("a class in the place of an instance")
	}
	if err != nil {
		return err
	}
	l, err := d.classOfInstance(p, block, &c)
	if err != nil {
		return err
	}
	if err := d.reader.learn(id, l); err != nil {
		return err
	}
	return d.instance(i, l, c.b, d.valuesOf(l))
}

// learn keeps the class of an id, within the limits of what is remembered.
func (r *ArrayReader) learn(id classID, l *layout) error {
	if old := r.classes[id]; old != nil {
		r.octets -= old.size()
	}
	r.octets += l.size()
	limit := r.codec.MaxOctets
	if limit == 0 {
		limit = defaultOctets
	}
	if len(r.classes) >= maxClassIDs || r.octets > limit {
		return &cim.Error{Status: cim.ErrTooMuchData, Detail: "an enumeration of too many classes"}
	}
	r.classes[id] = l
	return nil
}

// withoutClass reads a WBEMOBJECT_INSTANCE_NOCLASS: the class is inserted
// behind the decoration. See [MS-WMIO] 2.2.3.
func (d *arrayDecoder) withoutClass(i *cim.Instance, id classID, block []byte) error {
	l := d.reader.classes[id]
	if l == nil {
		return malformed("an instance of a class that did not come")
	}
	c := cursor{b: block}
	p, err := c.prologue()
	if err == nil && p.flags&flagInstance == 0 {
		err = malformed("a class in the place of an instance")
	}
	if err != nil {
		return err
	}
	if head := block[:len(block)-len(c.b)]; string(head) != l.head {
		if l, err = d.elsewhere(l, head, &p); err != nil {
			return err
		}
	}
	return d.instance(i, l, c.b, d.valuesOf(l))
}

// elsewhere is the layout of the class of l in another namespace.
func (d *arrayDecoder) elsewhere(l *layout, head []byte, p *prologue) (*layout, error) {
	r := d.reader
	if r.other.of == l && string(head) == r.other.there.head {
		return r.other.there, nil
	}
	if err := d.charge(l.size()); err != nil {
		return nil, err
	}
	octets := string(head) + l.part
	there := d.codec.received([]byte(octets))
	if there == nil {
		p.names()
		there = l.elsewhere(octets[:len(head)], p.server, p.namespace)
		d.codec.remember(there, octets)
	}
	r.other.of, r.other.there = l, there
	return there, nil
}
