package wmio

import "github.com/casementhq/casement/cim"

// InstanceBlobs reads and writes the states of instances of one class that a
// refresher sends, the blobs of WBEM_REFRESHED_OBJECT. Both ends know the class
// from the object that was added to the refresher. It may be used by many
// goroutines at once.
type InstanceBlobs struct {
	codec  *Codec
	layout *layout
}

// NewInstanceBlobs makes the InstanceBlobs of a class. A client makes them of
// the class of the object that AddObjectToRefresher gave it.
func (k *Codec) NewInstanceBlobs(class *cim.Class) (*InstanceBlobs, error) {
	l, err := k.layout(class)
	if err != nil {
		return nil, err
	}
	return &InstanceBlobs{codec: k, layout: l}, nil
}

// Append appends a RefreshedSingleInstance, for a blob of type
// WBEM_BLOB_TYPE_ALL. Its leading size is that of the items of the heap, which
// [MS-WMI] 2.2.19 leaves open. An instance of another class fails with
// ErrInvalidClass.
func (r *InstanceBlobs) Append(dst []byte, i *cim.Instance) ([]byte, error) {
	e := encoder{codec: r.codec, b: dst}
	if err := r.append(&e, i); err != nil {
		return dst, err
	}
	return e.b, nil
}

func (r *InstanceBlobs) append(e *encoder, i *cim.Instance) error {
	if i.Class() != r.layout.class {
		return unencodable(cim.ErrInvalidClass, i.Class().Name, "an instance of another class than is refreshed")
	}
	at := e.reserve(4)
	heap, err := e.state(r.layout, i)
	if err != nil {
		return err
	}
	e.setU32(at, uint32(heap))
	return nil
}

// AppendEnum appends a WBEM_INSTANCE_BLOB, for a blob of type
// WBEM_BLOB_TYPE_ENUM. See [MS-WMI] 2.2.16.
func (r *InstanceBlobs) AppendEnum(dst []byte, instances []*cim.Instance) ([]byte, error) {
	e := encoder{codec: r.codec, b: dst}
	e.u32(1) // Version
	e.u32(uint32(len(instances)))
	for _, i := range instances {
		at := e.reserve(4)
		if err := r.append(&e, i); err != nil {
			return dst, err
		}
		e.setU32(at, uint32(len(e.b)-at-4))
	}
	return e.b, nil
}

// Decode reads what Append appends.
func (r *InstanceBlobs) Decode(blob []byte) (*cim.Instance, error) {
	d := decoder{codec: r.codec, budget: newBudget(len(blob))}
	return r.decode(&d, blob)
}

func (r *InstanceBlobs) decode(d *decoder, blob []byte) (*cim.Instance, error) {
	c := cursor{b: blob}
	c.u32() // the heap has its own length
	i := new(cim.Instance)
	if err := d.state(i, r.layout, &c, nil); err != nil {
		return nil, err
	}
	return i, nil
}

// DecodeEnum reads what AppendEnum appends.
func (r *InstanceBlobs) DecodeEnum(blob []byte) ([]*cim.Instance, error) {
	c := cursor{b: blob}
	version, count := c.u32(), c.u32()
	// an instance has at least its two sizes, its tables, no qualifiers and an empty heap
	if c.short || version != 1 || uint64(count)*uint64(4+4+r.layout.table+5+4) > uint64(len(c.b)) {
		return nil, malformed("no blob of instances")
	}
	d := decoder{codec: r.codec, budget: newBudget(len(blob))}
	list := make([]*cim.Instance, 0, count)
	for range count {
		one := c.take(int(c.u32()))
		if c.short {
			return nil, malformed("a blob of instances that is too short")
		}
		i, err := r.decode(&d, one)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}
