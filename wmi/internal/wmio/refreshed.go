package wmio

import "github.com/casementhq/casement/cim"

// AppendRefreshed appends the state of an instance whose class the reader
// knows: a RefreshedSingleInstance, the blob of a WBEM_REFRESHED_OBJECT of
// type WBEM_BLOB_TYPE_ALL. Its leading size is that of the items of the heap,
// which [MS-WMI] 2.2.19 leaves open.
func (k *Codec) AppendRefreshed(dst []byte, i *cim.Instance) ([]byte, error) {
	l, err := k.layout(i.Class())
	if err != nil {
		return dst, err
	}
	e := encoder{codec: k, b: dst}
	if err := e.refreshed(l, i); err != nil {
		return dst, err
	}
	return e.b, nil
}

func (e *encoder) refreshed(l *layout, i *cim.Instance) error {
	at := e.reserve(4)
	heap, err := e.state(l, i)
	if err != nil {
		return err
	}
	e.setU32(at, uint32(heap))
	return nil
}

// AppendRefreshedEnum appends a WBEM_INSTANCE_BLOB: the instances of a
// refreshed enumeration, for a blob of type WBEM_BLOB_TYPE_ENUM. All are of
// one class. See [MS-WMI] 2.2.16.
func (k *Codec) AppendRefreshedEnum(dst []byte, instances []*cim.Instance) ([]byte, error) {
	e := encoder{codec: k, b: dst}
	e.u32(1) // Version
	e.u32(uint32(len(instances)))
	for _, i := range instances {
		l, err := k.layout(i.Class())
		if err != nil {
			return dst, err
		}
		at := e.reserve(4)
		if err := e.refreshed(l, i); err != nil {
			return dst, err
		}
		e.setU32(at, uint32(len(e.b)-at-4))
	}
	return e.b, nil
}

// DecodeRefreshed reads what AppendRefreshed appends, as an instance of class.
func (k *Codec) DecodeRefreshed(class *cim.Class, blob []byte) (*cim.Instance, error) {
	l, err := k.layout(class)
	if err != nil {
		return nil, err
	}
	d := decoder{codec: k, budget: newBudget(len(blob))}
	i := new(cim.Instance)
	return i, d.refreshed(i, l, blob)
}

func (d *decoder) refreshed(i *cim.Instance, l *layout, blob []byte) error {
	c := cursor{b: blob}
	c.u32() // the heap has its own length
	return d.state(i, l, &c, nil)
}

// DecodeRefreshedEnum reads what AppendRefreshedEnum appends.
func (k *Codec) DecodeRefreshedEnum(class *cim.Class, blob []byte) ([]*cim.Instance, error) {
	l, err := k.layout(class)
	if err != nil {
		return nil, err
	}
	c := cursor{b: blob}
	version, count := c.u32(), c.u32()
	if c.short || version != 1 || count > maxObjects || uint64(count)*4 > uint64(len(c.b)) {
		return nil, malformed("no blob of instances")
	}
	d := decoder{codec: k, budget: newBudget(len(blob))}
	list := make([]*cim.Instance, 0, min(int(count), len(blob)/minRefreshed(l)))
	for range count {
		one := c.take(int(c.u32()))
		if c.short {
			return nil, malformed("a blob of instances that is too short")
		}
		i := new(cim.Instance)
		if err := d.refreshed(i, l, one); err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

// minRefreshed is the octets of the shortest instance of a class in a blob.
func minRefreshed(l *layout) int { return 4 + 4 + l.table + 5 + 4 }
