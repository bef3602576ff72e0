package cim

// Instance is one object: a class and a value for each of its properties.
// Instances of one enumeration share their Class. An instance that an
// [Enumerator] returned is valid until the next call of Next, unless cloned.
type Instance struct {
	class  *Class
	values []Value
	path   *ObjectPath
	// definition: see ClassObject.
	definition bool
	qualifiers *InstanceQualifiers
}

// InstanceQualifiers are qualifiers that one instance has beside those of its
// class. See [MS-WMIO] 2.2.57.
type InstanceQualifiers struct {
	Object     Qualifiers
	Properties []Qualifiers // one set for each property in order; nil where no property has any
}

// Qualifiers are the qualifiers of i itself, nil where it has none. They are
// shared and must not be changed.
func (i *Instance) Qualifiers() *InstanceQualifiers { return i.qualifiers }

// SetQualifiers gives i qualifiers of its own; nil takes them away.
func (i *Instance) SetQualifiers(q *InstanceQualifiers) { i.qualifiers = q }

// NewInstance is an instance of class with every property at its default.
// class must be sealed.
func NewInstance(class *Class) *Instance {
	i := &Instance{class: class, values: make([]Value, len(class.Properties))}
	for n := range i.values {
		i.values[n] = class.Properties[n].Default
	}
	return i
}

// MakeInstance is an instance of class that takes values as they are, one for
// each property in order; missing ones are NULL. The slice is kept.
func MakeInstance(class *Class, values []Value) *Instance {
	for n := len(values); n < len(class.Properties); n++ {
		values = append(values, Null(class.Properties[n].Type))
	}
	return &Instance{class: class, values: values[:len(class.Properties)]}
}

// ResetInstance makes i an instance of class over values, so that a decoder
// can fill one slab of instances without allocating each.
func ResetInstance(i *Instance, class *Class, values []Value) {
	*i = Instance{class: class, values: values}
}

// Class is the definition that the values follow.
func (i *Instance) Class() *Class { return i.class }

// Len is the number of properties.
func (i *Instance) Len() int { return len(i.values) }

// At is the value of property n.
func (i *Instance) At(n int) Value { return i.values[n] }

// SetAt sets property n; a value of another type is converted.
func (i *Instance) SetAt(n int, v Value) error {
	p := &i.class.Properties[n]
	if p.Type != Untyped && v.typ != p.Type {
		w, err := v.As(p.Type)
		if err != nil {
			return err
		}
		v = w
	}
	i.values[n], i.path = v, nil
	return nil
}

// Get is the value of a property found by name, case-blind; an untyped NULL
// where the class has none of that name.
func (i *Instance) Get(name string) Value {
	if n := i.class.PropertyIndex(name); n >= 0 {
		return i.values[n]
	}
	return Value{}
}

// Set sets a property by name. It fails with ErrInvalidProperty or
// ErrTypeMismatch.
func (i *Instance) Set(name string, v Value) error {
	n := i.class.PropertyIndex(name)
	if n < 0 {
		return &Error{Status: ErrInvalidProperty, Path: i.class.Name + "." + name}
	}
	return i.SetAt(n, v)
}

// SetPath gives i a path other than the one that its keys make.
func (i *Instance) SetPath(p ObjectPath) { i.path = &p }

// Path is the path of i: the one that was set, or the class with the key
// properties. Whole is false where a key is NULL or the class has no keys and
// is no singleton, so that the path names the class only.
func (i *Instance) Path() (path ObjectPath, whole bool) {
	if i.path != nil {
		return *i.path, true
	}
	path = ObjectPath{Server: i.class.Server, Namespace: i.class.Namespace, Class: i.class.Name}
	if i.definition {
		return path, true
	}
	if i.class.IsSingleton() {
		path.Singleton = true
		return path, true
	}
	for _, k := range i.class.keys {
		v := i.values[k]
		if v.IsNull() {
			return ObjectPath{Server: path.Server, Namespace: path.Namespace, Class: path.Class}, false
		}
		path.Keys = append(path.Keys, Key{Name: i.class.Properties[k].Name, Value: v})
	}
	return path, len(path.Keys) > 0
}

// Clone is a copy that stays valid; embedded objects are copied too.
func (i *Instance) Clone() *Instance {
	c := &Instance{class: i.class, values: make([]Value, len(i.values)), path: i.path, definition: i.definition, qualifiers: i.qualifiers}
	for n, v := range i.values {
		c.values[n] = v.clone()
	}
	return c
}

func (v Value) clone() Value {
	if v.box == nil {
		return v
	}
	b := &box{}
	if v.box.object != nil {
		b.object = v.box.object.Clone()
	}
	if v.box.elems != nil {
		b.elems = make([]Value, len(v.box.elems))
		for n, e := range v.box.elems {
			b.elems[n] = e.clone()
		}
	}
	v.box = b
	return v
}

// Equal tells whether two instances are of the same class and every property
// has an equal value; properties are matched by name.
func (i *Instance) Equal(j *Instance) bool {
	if i == nil || j == nil {
		return i == j
	}
	if !EqualFold(i.class.Name, j.class.Name) || len(i.values) != len(j.values) {
		return false
	}
	for n := range i.values {
		m := n
		if i.class != j.class {
			if m = j.class.PropertyIndex(i.class.Properties[n].Name); m < 0 {
				return false
			}
		}
		if !i.values[n].Equal(j.values[m]) {
			return false
		}
	}
	return true
}
