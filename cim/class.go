package cim

// Qualifier is one piece of metadata on a class, property, method or parameter.
type Qualifier struct {
	Name   string
	Value  Value
	Flavor Flavor
}

// Flavor says where a qualifier goes and who may change it. See [MS-WMIO] 2.2.62.
type Flavor uint8

// The flavor bits.
const (
	ToInstance     Flavor = 0x01
	ToSubClass     Flavor = 0x02
	NotOverridable Flavor = 0x10
	Propagated     Flavor = 0x20
	System         Flavor = 0x40
	Amended        Flavor = 0x80
)

// Qualifiers are the qualifiers of one element, in declaration order.
type Qualifiers []Qualifier

// Get finds a qualifier by name, case-blind.
func (q Qualifiers) Get(name string) (Value, bool) {
	for i := range q {
		if EqualFold(q[i].Name, name) {
			return q[i].Value, true
		}
	}
	return Value{}, false
}

// True tells whether a boolean qualifier is there and true.
func (q Qualifiers) True(name string) bool {
	v, _ := q.Get(name)
	b, _ := v.Bool()
	return b
}

// Text is the text of a string qualifier, "" where it is absent.
func (q Qualifiers) Text(name string) string {
	v, _ := q.Get(name)
	s, _ := v.Str()
	return s
}

// Property is one property of a class.
type Property struct {
	Name string
	Type Type
	// RefClass is the class that a reference or embedded object is declared
	// with; "" means any.
	RefClass   string
	Default    Value // NULL of Type where there is none
	Qualifiers Qualifiers
	Key        bool   // has the Key qualifier
	Origin     string // the class that declared it
}

// Parameter is one parameter of a method.
type Parameter struct {
	Name       string
	Type       Type
	RefClass   string
	Default    Value // what a caller takes who gives none; NULL where there is none
	Qualifiers Qualifiers
	Optional   bool
}

// Method is one method of a class. A parameter that is both in and out stands
// in both lists. Return is Untyped for a method without a return value.
type Method struct {
	Name       string
	In, Out    []Parameter
	Return     Type
	Static     bool
	Qualifiers Qualifiers
	Origin     string
}

// Class is the definition of a class. It is immutable once [Class.Seal] was
// called; every Class that a Session returns is sealed and may be shared.
type Class struct {
	Name       string
	Superclass string
	Derivation []string // nearest parent first
	Namespace  string   // "root\cimv2"; may be empty
	Server     string
	Qualifiers Qualifiers
	Properties []Property // inherited ones first
	Methods    []Method
	// Partial marks a class of which only the names of some properties are
	// known: a projection, or what a peer sent without metadata.
	Partial bool

	index map[string]int
	keys  []int
}

// Seal makes c ready for lookups and returns it; c must not change afterwards.
func (c *Class) Seal() *Class {
	c.index = make(map[string]int, len(c.Properties))
	c.keys = nil
	for i := range c.Properties {
		p := &c.Properties[i]
		c.index[Fold(p.Name)] = i
		if p.Key {
			c.keys = append(c.keys, i)
		}
		if p.Default.Type() != p.Type {
			p.Default = Null(p.Type)
		}
	}
	return c
}

// PropertyIndex is the position of a property, found case-blind, or -1.
func (c *Class) PropertyIndex(name string) int {
	var buf [96]byte
	if f, ok := foldInto(buf[:], name); ok {
		if i, ok := c.index[string(f)]; ok {
			return i
		}
		return -1
	}
	if i, ok := c.index[Fold(name)]; ok {
		return i
	}
	return -1
}

// Property finds a property by name, case-blind, or nil.
func (c *Class) Property(name string) *Property {
	if i := c.PropertyIndex(name); i >= 0 {
		return &c.Properties[i]
	}
	return nil
}

// Method finds a method by name, case-blind, or nil.
func (c *Class) Method(name string) *Method {
	for i := range c.Methods {
		if EqualFold(c.Methods[i].Name, name) {
			return &c.Methods[i]
		}
	}
	return nil
}

// Keys are the positions of the key properties. The slice is shared.
func (c *Class) Keys() []int { return c.keys }

// IsSingleton tells whether the class has the Singleton qualifier.
func (c *Class) IsSingleton() bool { return c.Qualifiers.True("Singleton") }

// IsAssociation tells whether the class has the Association qualifier.
func (c *Class) IsAssociation() bool { return c.Qualifiers.True("Association") }

// IsAbstract tells whether the class has the Abstract qualifier.
func (c *Class) IsAbstract() bool { return c.Qualifiers.True("Abstract") }

// IsA tells whether c is the named class or derived from it.
func (c *Class) IsA(name string) bool {
	if EqualFold(c.Name, name) {
		return true
	}
	for _, d := range c.Derivation {
		if EqualFold(d, name) {
			return true
		}
	}
	return false
}

// Dynasty is the name of the top class of c's line.
func (c *Class) Dynasty() string {
	if n := len(c.Derivation); n > 0 {
		return c.Derivation[n-1]
	}
	return c.Name
}

// Project is c with only the named properties, in the order of names, each
// once; a name that c does not have is left out. Key properties that were not
// named are appended when withKeys is set.
func (c *Class) Project(names []string, withKeys bool) *Class {
	p := &Class{
		Name: c.Name, Superclass: c.Superclass, Derivation: c.Derivation, Namespace: c.Namespace,
		Server: c.Server, Qualifiers: c.Qualifiers, Methods: c.Methods, Partial: true,
	}
	taken := make([]bool, len(c.Properties))
	take := func(i int) {
		if i >= 0 && !taken[i] {
			taken[i] = true
			p.Properties = append(p.Properties, c.Properties[i])
		}
	}
	for _, n := range names {
		take(c.PropertyIndex(n))
	}
	if withKeys {
		for _, k := range c.keys {
			take(k)
		}
	}
	return p.Seal()
}
