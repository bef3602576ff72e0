package wmio

import "github.com/casementhq/casement/cim"

// Flags say what an object is. See [MS-WMIO] 2.2.6.
type Flags uint8

const (
	flagClass      Flags = 0x01
	flagInstance   Flags = 0x02
	flagDecoration Flags = 0x04
	// Prototype marks a class that shows what the results of a query will look
	// like.
	Prototype Flags = 0x10
	// KeysLeftOut marks a prototype without some of the keys of the class.
	KeysLeftOut Flags = 0x40
)

// Decode reads an EncodingUnit: the data of an OBJREF_CUSTOM of an
// IWbemClassObject. A class comes as its class object ([cim.ClassObject]), of
// which Class is the definition; it is Partial where it is a prototype. The
// flags are Prototype and KeysLeftOut. Octets that are no object fail with
// ErrInvalidObject. See [MS-WMIO] 2.2.1.
func (k *Codec) Decode(unit []byte) (*cim.Instance, Flags, error) {
	c := cursor{b: unit}
	if c.u32() != signature {
		return nil, 0, malformed("no object: the signature is missing")
	}
	// The length is a bound only: the one in the example of [MS-WMIO] 3 is
	// longer than the example.
	length := c.u32()
	block := c.b[:min(uint64(length), uint64(len(c.b)))]
	return k.DecodeBlock(block)
}

// DecodeBlock is Decode for an ObjectBlock without its envelope. See [MS-WMIO]
// 2.2.2.
func (k *Codec) DecodeBlock(block []byte) (*cim.Instance, Flags, error) {
	d := decoder{codec: k, budget: newBudget(len(block))}
	i, flags, err := d.block(block)
	return i, flags & (Prototype | KeysLeftOut), err
}

// prologue is what stands before the class or the instance.
type prologue struct {
	flags             Flags
	server, namespace string
	decoration        []byte
}

func (c *cursor) prologue() (p prologue, err error) {
	p.flags = Flags(c.u8())
	start := c.b
	if p.flags&flagDecoration != 0 {
		// empty where it is not text yet: most objects have the head of the one before
		for range 2 {
			if c.take(stringLength(c.b)) == nil {
				c.short = true
			}
		}
	}
	p.decoration = start[:len(start)-len(c.b)]
	kind := p.flags & (flagClass | flagInstance)
	if c.short || kind == 0 || kind == flagClass|flagInstance {
		return p, malformed("an object that is neither a class nor an instance")
	}
	return p, nil
}

// names reads the decoration.
func (p *prologue) names() {
	if len(p.decoration) > 0 {
		c := cursor{b: p.decoration}
		p.server, p.namespace = c.encodedString(), c.encodedString()
	}
}

// block reads an ObjectBlock.
func (d *decoder) block(b []byte) (*cim.Instance, Flags, error) {
	if d.depth++; d.depth > maxDepth {
		return nil, 0, malformed("objects in objects, too deep")
	}
	defer func() { d.depth-- }()
	c := cursor{b: b}
	p, err := c.prologue()
	if err != nil {
		return nil, 0, err
	}
	if p.flags&flagClass != 0 {
		l, err := d.definition(p, c.b)
		if err != nil {
			return nil, 0, err
		}
		return cim.ClassObject(l.class), p.flags, nil
	}
	l, err := d.classOfInstance(p, b, &c)
	if err != nil {
		return nil, 0, err
	}
	i := new(cim.Instance)
	if err := d.instance(i, l, c.b, nil); err != nil {
		return nil, 0, err
	}
	return i, p.flags, nil
}

// classOfInstance takes the CurrentClass of an instance from c, which stands
// behind the prologue of b. A class that was received before in the same octets
// is the same class.
func (d *decoder) classOfInstance(p prologue, b []byte, c *cursor) (*layout, error) {
	head := len(b) - len(c.b)
	part := (&cursor{b: c.b}).u32()
	if c.take(int(part)); c.short || part < 4 {
		return nil, malformed("a class that is too short")
	}
	key := b[:len(b)-len(c.b)]
	if l := d.codec.received(key); l != nil {
		return l, nil
	}
	if err := d.charge(len(key) + costObject); err != nil {
		return nil, err
	}
	text := string(key)
	l, err := d.classPart(key[head:], text[head:])
	if err != nil {
		return nil, err
	}
	p.names()
	l.class.Server, l.class.Namespace, l.head = p.server, p.namespace, text[:head]
	d.codec.remember(l, text)
	return l, nil
}

// definition reads a ClassType. The parent class in front of it is skipped: it
// is the superclass as the sender had it, of which the class repeats all. See
// [MS-WMIO] 2.2.11.
func (d *decoder) definition(p prologue, b []byte) (*layout, error) {
	c := cursor{b: b}
	c.counted()
	c.counted()
	from := len(b) - len(c.b)
	c.counted()
	middle := len(b) - len(c.b)
	c.counted()
	if c.short {
		return nil, malformed("a class that is too short")
	}
	b = b[:len(b)-len(c.b)]
	if err := d.charge(len(b) + costObject); err != nil {
		return nil, err
	}
	text := string(b)
	l, err := d.classPart(b[from:middle], text[from:middle])
	if err != nil {
		return nil, err
	}
	if l.class.Name == "" && len(l.class.Properties) > 0 { // without both it is the empty class, [MS-WMI] 3.1.4.3.4
		return nil, malformed("a class without a name")
	}
	if err := d.methods(l, b[middle:], text[middle:]); err != nil {
		return nil, err
	}
	p.names()
	l.class.Server, l.class.Namespace, l.class.Partial = p.server, p.namespace, p.flags&Prototype != 0
	l.whole = text
	d.codec.remember(l, "")
	return l, nil
}

// instance reads what follows the class of an instance into i. values is room
// for its values, or nil. See [MS-WMIO] 2.2.53.
func (d *decoder) instance(i *cim.Instance, l *layout, b []byte, values []cim.Value) error {
	c := cursor{b: b}
	c = cursor{b: c.counted()}
	c.take(5) // InstanceFlags, InstanceClassName
	return d.state(i, l, &c, values)
}

// state reads NdTable, InstanceData, InstanceQualifierSet and InstanceHeap.
func (d *decoder) state(i *cim.Instance, l *layout, c *cursor, values []cim.Value) error {
	table, set := c.take(l.table), c.counted()
	var sets []byte
	if c.u8() == 2 {
		start := c.b
		for range l.fields {
			c.counted()
		}
		sets = start[:len(start)-len(c.b)]
	}
	h := c.heap()
	if c.short {
		return malformed("an instance that is too short")
	}
	if values == nil {
		values = make([]cim.Value, len(l.fields))
	}
	if err := d.charge(len(values)*costValue + costObject); err != nil {
		return err
	}
	for n := range l.fields {
		f, v := &l.fields[n], &values[n]
		switch nd := nullness(table, f.bits); {
		case nd&ndNull != 0:
			*v = cim.Null(f.as)
		case nd&ndDefault != 0:
			*v = l.class.Properties[n].Default
		default:
			if err := d.value(v, f.typ, table[f.offset:f.offset+f.size], &h); err != nil {
				return err
			}
			if f.as != f.typ {
				*v = retyped(*v, f.as)
			}
		}
	}
	cim.ResetInstance(i, l.class, values)
	if len(set) > 0 || len(sets) > 0 {
		return d.instanceQualifiers(i, l, set, sets, &h)
	}
	return nil
}

// instanceQualifiers reads the sets of an InstanceQualifierSet; those of the
// properties stand in the order of the PropertyLookupTable. See [MS-WMIO]
// 2.2.57 and 2.2.65.
func (d *decoder) instanceQualifiers(i *cim.Instance, l *layout, set, sets []byte, h *heap) (err error) {
	var q cim.InstanceQualifiers
	if q.Object, err = d.qualifiers(set, h, nil); err != nil {
		return err
	}
	if len(sets) > 0 {
		if err := d.charge(len(l.fields) * costValue); err != nil {
			return err
		}
		q.Properties = make([]cim.Qualifiers, len(l.fields))
	}
	c := cursor{b: sets}
	for n := range q.Properties {
		if q.Properties[l.sorted[n]], err = d.qualifiers(c.counted(), h, nil); err != nil {
			return err
		}
	}
	i.SetQualifiers(&q)
	return nil
}
