package repository

import (
	"crypto/sha256"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// layout is the hash of the names and types of the properties of one version of
// a class. An instance record begins with it.
type layout [8]byte

var errNoLayout = errors.New("the record of its class version is lost")

func (l layout) key(kind byte) []byte { return append([]byte{kind}, l[:]...) }

// layoutOf is the layout of a class and its content.
func layoutOf(class *cim.Class) (l layout, content []byte) {
	var e encoder
	e.uint(uint64(len(class.Properties)))
	for i := range class.Properties {
		e.text(class.Properties[i].Name)
		e.uint(uint64(class.Properties[i].Type))
	}
	sum := sha256.Sum256(e.b)
	copy(l[:], sum[:])
	return l, e.b
}

// storeLayout writes a layout, twice: every instance of the class version
// depends on it.
func storeLayout(tx *store.Tx, l layout, content []byte) error {
	for _, kind := range []byte{kindLayout, kindLayout2} {
		key := l.key(kind)
		if old, err := tx.Get(key); err != nil || old != nil {
			return err
		}
		if err := tx.Put(key, end(key, append(begin(nil), content...))); err != nil {
			return err
		}
	}
	return nil
}

// slot says what to do with one value of a record.
type slot struct {
	property int // of the class; -1: the class has it no more
	typ      cim.Type
	convert  bool
}

// plan reads the records of one layout as instances of one class.
type plan struct {
	slots   []slot
	missing []int // properties of the class that the records do not have
}

type planKey struct {
	class  *cim.Class
	layout layout
}

// maxPlans bounds the plans that are kept; beyond it they are made anew.
const maxPlans = 1024

func (r *Repository) plan(tx *store.Tx, class *cim.Class, l layout) (*plan, error) {
	k := planKey{class, l}
	r.plansMu.Lock()
	p := r.plans[k]
	r.plansMu.Unlock()
	if p != nil {
		return p, nil
	}
	b, err := loadLayout(tx, l)
	if err != nil {
		return nil, err
	}
	d := decoder{b: b}
	p = &plan{}
	had := make([]bool, len(class.Properties))
	for range d.count(2) {
		name, t := d.text(), d.typ()
		s := slot{property: class.PropertyIndex(name), typ: t}
		if s.property >= 0 && had[s.property] {
			s.property = -1
		}
		if s.property >= 0 {
			had[s.property] = true
			s.convert = class.Properties[s.property].Type != t
		}
		p.slots = append(p.slots, s)
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	for i, ok := range had {
		if !ok {
			p.missing = append(p.missing, i)
		}
	}
	r.plansMu.Lock()
	defer r.plansMu.Unlock()
	if len(r.plans) >= maxPlans {
		clear(r.plans)
	}
	r.plans[k] = p
	return p, nil
}

// loadLayout reads the first of the two records of a layout that is whole.
func loadLayout(tx *store.Tx, l layout) ([]byte, error) {
	for _, kind := range []byte{kindLayout, kindLayout2} {
		key := l.key(kind)
		record, err := tx.Get(key)
		if err != nil {
			return nil, err
		}
		if b, err := content(key, record); err == nil {
			return b, nil
		}
	}
	return nil, errNoLayout
}

// decode reads a record of the plan into values, one for each property of class.
func (p *plan) decode(d *decoder, class *cim.Class, values []cim.Value) error {
	for _, s := range p.slots {
		v := d.value(s.typ)
		if s.property < 0 {
			continue
		}
		if s.convert {
			def := &class.Properties[s.property]
			w, err := v.As(def.Type)
			if err != nil {
				w = def.Default
			}
			v = w
		}
		values[s.property] = v
	}
	for _, i := range p.missing {
		values[i] = class.Properties[i].Default
	}
	return d.end()
}

// reader decodes instance records of one class.
type reader struct {
	r      *Repository
	tx     *store.Tx
	class  *cim.Class
	layout layout
	plan   *plan // of layout
	values []cim.Value
	dec    decoder
	inst   cim.Instance
}

// decode reads a record. The instance and its texts are valid until the next
// call and the end of the transaction.
func (x *reader) decode(key, record []byte) (*cim.Instance, error) {
	b, err := content(key, record)
	if err != nil {
		return nil, damagedObject(key, err)
	}
	if len(b) < len(x.layout) {
		return nil, damagedObject(key, errContent)
	}
	if l := layout(b); x.plan == nil || l != x.layout {
		p, err := x.r.plan(x.tx, x.class, l)
		if err != nil {
			return nil, damagedObject(key, err)
		}
		x.layout, x.plan = l, p
	}
	if x.values == nil {
		x.values = make([]cim.Value, len(x.class.Properties))
	}
	x.dec = decoder{b: b[len(x.layout):]}
	if err := x.plan.decode(&x.dec, x.class, x.values); err != nil {
		return nil, damagedObject(key, err)
	}
	cim.ResetInstance(&x.inst, x.class, x.values)
	return &x.inst, nil
}
