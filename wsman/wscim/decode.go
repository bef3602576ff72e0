package wscim

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Limits of one instance.
const (
	maxProperties = 4096
	maxElements   = 1 << 20 // of one array
	// maxReferences bounds references in the keys of references. A path quotes
	// the paths in its keys, which doubles with each level.
	maxReferences = 4
)

// Classes finds the definition of a class that an instance names, so that its
// values can be typed; nil where there is none.
type Classes func(namespace, class string) *cim.Class

// Decoder reads instances. It keeps what it learnt from one instance for the
// next, so that a stream of like instances is read fast. It is not safe for
// concurrent use.
type Decoder struct {
	// Classes types the values; nil leaves every value as text.
	Classes Classes
	// Fallback is the class of elements that name none: the fragments of a
	// projected query. nil makes one of the names that come.
	Fallback *cim.Class
	// Seen, if not nil, is called with the position of each property that the
	// XML of a typed instance holds.
	Seen func(property int)
	// Strict refuses an element that is no property of its class, with
	// ErrInvalidProperty; else it is left out.
	Strict bool

	layouts map[layoutKey]*layout
	last    *layout
	slab    []cim.Instance
	values  []cim.Value
	arena   []byte
	texts   []pendingText
	text    []byte
	depth   int // of embedded objects
	refs    int // of references within references
}

type layoutKey struct{ uri, name string }

// layout is what is known of the elements of one class.
type layout struct {
	key   layoutKey
	class *cim.Class
	typed bool
	nulls []cim.Value // of a typed one: what a property is until its element comes
	names []string    // element names in the order in which they came last
	index []int       // the property of each
}

// pendingText is a value whose text lies in the arena until the instance is
// complete.
type pendingText struct {
	value    int
	from, to int
	typ      cim.Type
}

// SetCapacity tells how many instances are about to come, so that memory for
// them is taken at once.
func (d *Decoder) SetCapacity(instances int) {
	if instances > len(d.slab) && instances <= 1<<16 {
		d.slab = make([]cim.Instance, instances)
	}
}

// Instance reads the instance element at which r stands, up to its end. The
// instance stays valid for as long as it is held.
func (d *Decoder) Instance(r *soap.Reader) (*cim.Instance, error) {
	l, err := d.layout(r)
	if err != nil {
		return nil, err
	}
	if l.typed {
		return d.typed(r, l)
	}
	return d.lexical(r, l)
}

// layout finds what is known of the element's class: by the class of xsi:type
// if there is one, else by the element's own name and namespace.
func (d *Decoder) layout(r *soap.Reader) (*layout, error) {
	uri, name := r.URI(r.Space()), r.Local()
	if t, ok := r.Attr(soap.XSI, "type"); ok {
		if q, ok := r.QName(t); ok && bytes.HasSuffix(q.Local, []byte("_Type")) {
			uri, name = r.URI(q.Space), q.Local[:len(q.Local)-len("_Type")]
		}
	}
	if l := d.last; l != nil && l.key.uri == uri && l.key.name == string(name) {
		return l, nil
	}
	key := layoutKey{uri, string(name)}
	l := d.layouts[key]
	if l == nil {
		l = d.newLayout(key)
		if d.layouts == nil {
			d.layouts = make(map[layoutKey]*layout)
		}
		if len(d.layouts) < 1024 {
			d.layouts[key] = l
		}
	}
	d.last = l
	return l, nil
}

func (d *Decoder) newLayout(key layoutKey) *layout {
	l := &layout{key: key}
	res, ok := ParseURI(key.uri)
	if !ok {
		if d.Fallback != nil {
			return l.typeAs(d.Fallback)
		}
		res = Resource{}
	}
	if ok && d.Classes != nil {
		if c := d.Classes(res.Namespace, key.name); c != nil {
			return l.typeAs(c)
		}
	}
	l.class = (&cim.Class{Name: key.name, Namespace: res.Namespace, Partial: true}).Seal()
	return l
}

func (l *layout) typeAs(c *cim.Class) *layout {
	l.class, l.typed = c, true
	l.nulls = make([]cim.Value, len(c.Properties))
	for n := range l.nulls {
		l.nulls[n] = cim.Null(c.Properties[n].Type)
	}
	return l
}

// property finds the property of the element at which r stands; at is the
// element's position within the instance. It is -1 for an unknown one.
func (l *layout) property(r *soap.Reader, at int) int {
	local := r.Local()
	if at < len(l.names) && l.names[at] == string(local) {
		return l.index[at]
	}
	i := l.class.PropertyIndex(string(local))
	l.names = append(l.names[:min(at, len(l.names))], string(local))
	l.index = append(l.index[:len(l.names)-1], i)
	return i
}

func (d *Decoder) instance() *cim.Instance {
	if len(d.slab) == 0 {
		d.slab = make([]cim.Instance, 16)
	}
	i := &d.slab[0]
	d.slab = d.slab[1:]
	return i
}

func (d *Decoder) take(n int) []cim.Value {
	if n > len(d.values) {
		d.values = make([]cim.Value, max(n, 16*n))
	}
	v := d.values[:n:n]
	d.values = d.values[n:]
	return v
}

// typed reads an instance of a known class.
func (d *Decoder) typed(r *soap.Reader, l *layout) (*cim.Instance, error) {
	values := d.take(len(l.class.Properties))
	copy(values, l.nulls)
	inst := d.instance()
	texts, arena := len(d.texts), len(d.arena)
	var location *cim.ObjectPath
	for at := 0; ; at++ {
		more, err := r.Child()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if r.Space() == soap.CIM && string(r.Local()) == "Location" {
			p, err := d.epr(r)
			if err != nil {
				return nil, err
			}
			location = &p
			continue
		}
		n := l.property(r, at)
		if n < 0 {
			if d.Strict {
				return nil, &cim.Error{Status: cim.ErrInvalidProperty, Path: l.class.Name, Detail: l.class.Name + " has no " + string(r.Local())}
			}
			// The class at hand may be older than the host's.
			if err := r.Skip(); err != nil {
				return nil, err
			}
			continue
		}
		if d.Seen != nil && d.depth == 0 {
			d.Seen(n)
		}
		if err := d.value(r, values, n, l.class.Properties[n].Type); err != nil {
			return nil, locate(err, l.class, n)
		}
	}
	d.settle(values, texts, arena)
	cim.ResetInstance(inst, l.class, values)
	if location != nil {
		inst.SetPath(*location)
	}
	return inst, nil
}

func locate(err error, c *cim.Class, n int) error {
	e, ok := err.(*cim.Error)
	if !ok || e.Path != "" || e == ErrNesting {
		return err
	}
	// The error may be one that others hold too.
	located := *e
	located.Path = c.Name + "." + c.Properties[n].Name
	return &located
}

// settle turns the texts of one instance into one string and hands out its
// parts.
func (d *Decoder) settle(values []cim.Value, texts, arena int) {
	if len(d.texts) == texts {
		return
	}
	all := string(d.arena[arena:])
	for _, t := range d.texts[texts:] {
		values[t.value] = pendingValue(t.typ, all[t.from-arena:t.to-arena])
	}
	d.texts, d.arena = d.texts[:texts], d.arena[:arena]
}

func pendingValue(t cim.Type, s string) cim.Value {
	switch t {
	case cim.Datetime:
		return cim.Time(cim.DateTime(s))
	case cim.Untyped:
		return cim.Text(s)
	}
	return cim.Str(s)
}

func (d *Decoder) pend(value int, typ cim.Type, text []byte) {
	from := len(d.arena)
	d.arena = append(d.arena, text...)
	d.texts = append(d.texts, pendingText{value, from, len(d.arena), typ})
}

// value reads the property element at which r stands into values[n].
func (d *Decoder) value(r *soap.Reader, values []cim.Value, n int, t cim.Type) error {
	if isNil(r) {
		// A null array stands once, and so does a null scalar.
		return r.Skip()
	}
	if t.IsArray() {
		v, err := d.single(r, t.Elem())
		if err != nil {
			return err
		}
		elems := values[n].Elems()
		if len(elems) >= maxElements {
			return &cim.Error{Status: cim.ErrTooMuchData, Detail: "an array is too long"}
		}
		values[n] = cim.Array(t.Elem(), append(elems, v))
		return nil
	}
	switch t {
	case cim.Datetime:
		text, err := d.readThrough(r)
		if err != nil {
			return err
		}
		return d.pendDateTime(n, text)
	case cim.Object, cim.Reference:
		v, err := d.single(r, t)
		values[n] = v
		return err
	}
	text, err := r.ReadText()
	if err != nil {
		return err
	}
	if t == cim.String {
		d.pend(n, t, text)
		return nil
	}
	values[n], err = parseScalar(t, text)
	return err
}

func isNil(r *soap.Reader) bool {
	if len(r.Attrs()) == 0 {
		return false
	}
	v, ok := r.Attr(soap.XSI, "nil")
	if !ok {
		return false
	}
	v = soap.TrimSpace(v)
	return string(v) == "true" || string(v) == "1"
}

// single reads one value of a scalar type to the end of its element.
func (d *Decoder) single(r *soap.Reader, t cim.Type) (cim.Value, error) {
	switch t {
	case cim.Object:
		if d.depth >= maxNesting {
			return cim.Value{}, ErrNesting
		}
		d.depth++
		last := d.last
		i, err := d.Instance(r)
		d.last = last
		d.depth--
		if err != nil {
			return cim.Value{}, err
		}
		return cim.Obj(i), nil
	case cim.Reference:
		p, err := d.epr(r)
		if err != nil {
			return cim.Value{}, err
		}
		return cim.Ref(p.String()), nil
	case cim.Datetime:
		text, err := d.readThrough(r)
		if err != nil {
			return cim.Value{}, err
		}
		dt, err := parseDateTime(string(text))
		if err != nil {
			return cim.Value{}, err
		}
		return cim.Time(dt), nil
	}
	text, err := r.ReadText()
	if err != nil {
		return cim.Value{}, err
	}
	if t == cim.String {
		return cim.Str(string(text)), nil
	}
	return parseScalar(t, text)
}

// pendDateTime leaves a datetime in the arena for property n.
func (d *Decoder) pendDateTime(n int, text []byte) error {
	from := len(d.arena)
	var ok bool
	if d.arena, ok = appendFast(d.arena, text); !ok {
		dt, err := parseDateTime(string(text))
		if err != nil {
			return err
		}
		d.arena = append(d.arena, dt...)
	}
	d.texts = append(d.texts, pendingText{n, from, len(d.arena), cim.Datetime})
	return nil
}

// readThrough reads an element that holds text, or one child with text: a
// datetime comes as either. The text is valid until the next call.
func (d *Decoder) readThrough(r *soap.Reader) ([]byte, error) {
	depth := r.Depth()
	text := d.text[:0]
	for {
		k, err := r.Next()
		if err != nil {
			return nil, err
		}
		switch k {
		case soap.Text:
			text = append(text, soap.TrimSpace(r.Text())...)
		case soap.StartElement:
			if r.Depth() > depth+1 {
				return nil, &cim.Error{Status: cim.ErrTypeMismatch, Detail: "elements where a datetime should be"}
			}
		case soap.EndElement:
			if r.Depth() < depth {
				d.text = text
				return text, nil
			}
		}
	}
}

// parseScalar is cim.ParseValue for the bytes of a document.
func parseScalar(t cim.Type, text []byte) (cim.Value, error) {
	text = soap.TrimSpace(text)
	switch {
	case t == cim.Boolean:
		if string(text) == "true" {
			return cim.Bool(true), nil
		}
		if string(text) == "false" {
			return cim.Bool(false), nil
		}
	case t.IsUnsigned():
		if n, ok := parseUint(text); ok && (t.Bits() == 64 || n>>t.Bits() == 0) {
			return cim.Uint(t, n), nil
		}
	case t == cim.Char16:
		r, size := utf8.DecodeRune(text)
		if size == len(text) && r <= 0xFFFF && r != utf8.RuneError && (r < '0' || r > '9') {
			return cim.Uint(cim.Char16, uint64(r)), nil
		}
		if len(text) == 1 {
			return cim.Uint(cim.Char16, uint64(text[0])), nil
		}
	}
	return cim.ParseValue(t, string(text))
}

func parseUint(text []byte) (n uint64, ok bool) {
	if len(text) == 0 || len(text) > 19 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// typeKeys gives the keys of a reference the types of its class where the
// class is known. Otherwise they stay strings: the XML does not tell.
func (d *Decoder) typeKeys(p cim.ObjectPath) cim.ObjectPath {
	if d.Classes != nil {
		if c := d.Classes(p.Namespace, p.Class); c != nil {
			if typed, err := TypeKeys(p, c); err == nil {
				return typed
			}
		}
	}
	for i := range p.Keys {
		if s, ok := p.Keys[i].Value.Str(); ok {
			p.Keys[i].Value = cim.Str(s)
		}
	}
	return p
}

// EPR reads the endpoint reference at which r stands into an object path, to
// the end of its element.
func (d *Decoder) EPR(r *soap.Reader) (cim.ObjectPath, error) { return d.epr(r) }

// epr reads an endpoint reference, or an element that holds the content of
// one. A peer may also have written the object path itself.
func (d *Decoder) epr(r *soap.Reader) (cim.ObjectPath, error) {
	depth := r.Depth()
	if _, err := r.Next(); err != nil {
		return cim.ObjectPath{}, err
	}
	return d.eprRest(r, depth)
}

// eprRest is epr from its first token on; the reference's element is at depth.
func (d *Decoder) eprRest(r *soap.Reader, depth int) (cim.ObjectPath, error) {
	var uri string
	var selectors []Selector
	var text []byte
	for first := true; ; first = false {
		k := r.Kind()
		if !first {
			var err error
			if k, err = r.Next(); err != nil {
				return cim.ObjectPath{}, err
			}
		}
		switch {
		case k == soap.EndElement && r.Depth() < depth:
			if uri == "" {
				return cim.ParsePath(strings.TrimSpace(string(text)))
			}
			res, ok := ParseURI(strings.TrimSpace(uri))
			if !ok {
				return cim.ObjectPath{}, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: uri, Detail: "not the resource URI of a class"}
			}
			return d.typeKeys(PathOf(res, selectors)), nil
		case k == soap.Text && uri == "":
			text = append(text, r.Text()...)
		case k == soap.StartElement && r.Is(soap.WSMan, "ResourceURI"):
			b, err := r.ReadText()
			if err != nil {
				return cim.ObjectPath{}, err
			}
			uri = string(b)
		case k == soap.StartElement && r.Is(soap.WSMan, "Selector"):
			s, err := d.selector(r)
			if err != nil {
				return cim.ObjectPath{}, err
			}
			if len(selectors) >= 256 {
				return cim.ObjectPath{}, &cim.Error{Status: cim.ErrInvalidObjectPath, Detail: "too many selectors"}
			}
			selectors = append(selectors, s)
		}
	}
}

func (d *Decoder) selector(r *soap.Reader) (Selector, error) {
	name, _ := r.Attr(soap.None, "Name")
	s := Selector{Name: string(name), Null: isNil(r)}
	depth := r.Depth()
	var text []byte
	for {
		k, err := r.Next()
		if err != nil {
			return s, err
		}
		switch {
		case k == soap.Text:
			text = append(text, r.Text()...)
		case k == soap.StartElement && r.Is(soap.Addressing, "EndpointReference"):
			if d.refs >= maxReferences {
				return s, ErrNesting
			}
			d.refs++
			p, err := d.epr(r)
			d.refs--
			if err != nil {
				return s, err
			}
			text = append(text[:0], p.String()...)
		case k == soap.EndElement && r.Depth() < depth:
			s.Value = string(text)
			return s, nil
		}
	}
}
