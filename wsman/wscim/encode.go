package wscim

import (
	"math"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// maxNesting bounds embedded objects within embedded objects.
const maxNesting = 32

// ErrNesting is returned for objects that are embedded too deeply.
var ErrNesting = &cim.Error{Status: cim.ErrInvalidObject, Detail: "objects are embedded too deeply"}

// Encoders makes and keeps the encoders of the classes that pass by. It is
// safe for concurrent use. DMTF makes them write DMTF URIs.
type Encoders struct {
	DMTF    bool
	byClass sync.Map // *cim.Class -> *Encoder
	kept    atomic.Int32
}

// maxKept bounds the encoders that are kept: a peer may name as many classes as
// it likes.
const maxKept = 4096

// For is the encoder of a class.
func (s *Encoders) For(class *cim.Class) *Encoder {
	if e, ok := s.byClass.Load(class); ok {
		return e.(*Encoder)
	}
	if s.kept.Add(1) > maxKept {
		s.byClass.Clear()
		s.kept.Store(1)
	}
	e, _ := s.byClass.LoadOrStore(class, newEncoder(s, class))
	return e.(*Encoder)
}

// ofEmbedded is the encoder of an embedded object. A class that was made of the
// names that a peer sent is its object's alone and is not kept.
func (s *Encoders) ofEmbedded(class *cim.Class) *Encoder {
	if class.Partial {
		return newEncoder(s, class)
	}
	return s.For(class)
}

// Encoder writes instances of one class. It is immutable.
type Encoder struct {
	set   *Encoders
	class *cim.Class
	uri   string
	open  []byte // the start tag with its declarations
	close []byte
	bare  []encodedProperty // unprefixed, for projections
	props []encodedProperty // in alphabetical order, as Windows writes them
}

type encodedProperty struct {
	index           int
	start, end, nil []byte
	nilArray        []byte
	objectStart     []byte // without the >
	objectEnd       []byte
}

const declarations = ` xmlns:xsi="` + soap.URIXSI + `" xmlns:cim="` + soap.URICIM + `"`

func newEncoder(set *Encoders, class *cim.Class) *Encoder {
	e := &Encoder{set: set, class: class, uri: set.uri(class)}
	e.open = append([]byte("<p:"+class.Name+` xmlns:p="`), soap.AppendAttr(nil, e.uri)...)
	e.open = append(e.open, `"`+declarations+` xsi:type="p:`+class.Name+`_Type">`...)
	e.close = []byte("</p:" + class.Name + ">")
	outer := ` xmlns:o="` + string(soap.AppendAttr(nil, e.uri)) + `"`
	for i := range class.Properties {
		name := class.Properties[i].Name
		e.props = append(e.props, encodeProperty(i, "p:"+name, "o:"+name, outer))
		e.bare = append(e.bare, encodeProperty(i, name, name, ""))
	}
	alphabetical := func(p []encodedProperty) func(a, b int) bool {
		return func(a, b int) bool {
			return cim.Fold(class.Properties[p[a].index].Name) < cim.Fold(class.Properties[p[b].index].Name)
		}
	}
	sort.Slice(e.props, alphabetical(e.props))
	sort.Slice(e.bare, alphabetical(e.bare))
	return e
}

func encodeProperty(index int, name, objectName, objectDecl string) encodedProperty {
	return encodedProperty{
		index: index,
		start: []byte("<" + name + ">"),
		end:   []byte("</" + name + ">"),
		nil:   []byte("<" + name + ` xsi:nil="true"/>`),
		nilArray: []byte("<" + name + ` xmlns:m="` + soap.URIWSMV +
			`" xsi:nil="true" m:IsNullArray="true"/>`),
		objectStart: []byte("<" + objectName + objectDecl),
		objectEnd:   []byte("</" + objectName + ">"),
	}
}

func (s *Encoders) uri(class *cim.Class) string {
	if s.DMTF {
		return DMTFClassURI(class.Name)
	}
	return ClassURI(class.Namespace, class.Name)
}

// URI is the resource URI of the class.
func (e *Encoder) URI() string { return e.uri }

// Class is the class whose instances e writes.
func (e *Encoder) Class() *cim.Class { return e.class }

// AppendInstance appends i, which must be an instance of the encoder's class.
// It fails with ErrNesting, and with ErrInvalidObjectPath for a reference that
// is no object path.
func (e *Encoder) AppendInstance(dst []byte, i *cim.Instance) ([]byte, error) {
	return e.appendObject(dst, i, 0)
}

func (e *Encoder) appendObject(dst []byte, i *cim.Instance, depth int) (_ []byte, err error) {
	dst = append(dst, e.open...)
	if dst, err = e.appendProperties(dst, e.props, i, depth); err != nil {
		return dst, err
	}
	return append(dst, e.close...), nil
}

// AppendProperty appends the element of one property, as it stands within an
// instance; index, from 1 on, chooses an element of an array, 0 all of them.
func (e *Encoder) AppendProperty(dst []byte, i *cim.Instance, property, index int) ([]byte, error) {
	for n := range e.props {
		p := &e.props[n]
		if p.index != property {
			continue
		}
		if index == 0 {
			return e.appendProperties(dst, e.props[n:n+1], i, 0)
		}
		elems := i.At(property).Elems()
		if index > len(elems) {
			return dst, nil
		}
		return e.appendElement(dst, p, elems[index-1], 0)
	}
	return dst, nil
}

// Namespaces are the declarations that AppendProperty relies on, as attributes.
func (e *Encoder) Namespaces() []byte {
	return append(append([]byte(` xmlns:p="`), soap.AppendAttr(nil, e.uri)...), `"`+declarations...)
}

// AppendText appends the bare text of a scalar, as a fragment path that ends
// in text() asks for it.
func (e *Encoder) AppendText(dst []byte, v cim.Value) ([]byte, error) {
	if v.IsNull() || v.Type().IsArray() || v.Type() == cim.Object {
		return dst, nil
	}
	return e.appendContent(dst, v)
}

// AppendFragment appends a projected instance as Windows does for a query that
// names its properties: w:XmlFragment around elements without a namespace, in
// alphabetical order. See [MS-WSMV] 3.1.4.1.13, notes 58 and 59.
func (e *Encoder) AppendFragment(dst []byte, i *cim.Instance) (_ []byte, err error) {
	dst = append(dst, `<w:XmlFragment xmlns:w="`+soap.URIWSMan+`"`+declarations+`>`...)
	if dst, err = e.appendProperties(dst, e.bare, i, 0); err != nil {
		return dst, err
	}
	return append(dst, "</w:XmlFragment>"...), nil
}

func (e *Encoder) appendProperties(dst []byte, props []encodedProperty, i *cim.Instance, depth int) (_ []byte, err error) {
	for n := range props {
		p := &props[n]
		v := i.At(p.index)
		switch {
		case v.IsNull():
			if v.Type().IsArray() {
				dst = append(dst, p.nilArray...)
			} else {
				dst = append(dst, p.nil...)
			}
		case v.Type().IsArray():
			for _, elem := range v.Elems() {
				if dst, err = e.appendElement(dst, p, elem, depth); err != nil {
					return dst, err
				}
			}
		default:
			if dst, err = e.appendElement(dst, p, v, depth); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func (e *Encoder) appendElement(dst []byte, p *encodedProperty, v cim.Value, depth int) (_ []byte, err error) {
	if v.Type() == cim.Object && !v.IsNull() {
		return e.set.appendEmbedded(dst, p, v.Object(), depth+1)
	}
	dst = append(dst, p.start...)
	if dst, err = e.appendContent(dst, v); err != nil {
		return dst, err
	}
	return append(dst, p.end...), nil
}

// appendEmbedded appends an embedded object: the property's element with the
// xsi:type of the object's class, around the object's properties. Inside, the
// prefix p means the object's class; the element itself uses another one.
func (s *Encoders) appendEmbedded(dst []byte, p *encodedProperty, i *cim.Instance, depth int) (_ []byte, err error) {
	if depth > maxNesting {
		return dst, ErrNesting
	}
	inner := s.ofEmbedded(i.Class())
	dst = append(dst, p.objectStart...)
	dst = append(dst, ` xmlns:p="`...)
	dst = soap.AppendAttr(dst, inner.uri)
	dst = append(dst, `" xsi:type="p:`...)
	dst = append(dst, i.Class().Name...)
	dst = append(dst, `_Type">`...)
	if dst, err = inner.appendProperties(dst, inner.props, i, depth); err != nil {
		return dst, err
	}
	return append(dst, p.objectEnd...), nil
}

// appendContent appends the text of a scalar. A reference without a namespace
// is one into the namespace of the class.
func (e *Encoder) appendContent(dst []byte, v cim.Value) ([]byte, error) {
	switch t := v.Type(); t {
	case cim.String, cim.Untyped:
		text, _ := v.Str()
		return soap.AppendText(dst, text), nil
	case cim.Datetime:
		d, _ := v.DateTime()
		return appendDateTime(dst, d), nil
	case cim.Reference:
		text, _ := v.Str()
		path, err := cim.ParsePath(text)
		if err != nil {
			return dst, err
		}
		if path.Namespace == "" {
			path.Namespace = e.class.Namespace
		}
		return e.set.AppendEPR(dst, path), nil
	case cim.Char16:
		n, _ := v.Uint()
		r := rune(n)
		if !utf8.ValidRune(r) {
			r = utf8.RuneError
		}
		return soap.AppendText(dst, string(r)), nil
	case cim.Real32, cim.Real64:
		f, _ := v.Float()
		return appendReal(dst, f, t.Bits()), nil
	}
	return v.AppendText(dst), nil
}

func appendReal(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "INF"...)
	case math.IsInf(f, -1):
		return append(dst, "-INF"...)
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

// AppendEPR appends the content of an endpoint reference to an instance or a
// class: address, resource URI and selectors. A path without a namespace is
// taken to be in root\cimv2. The namespace selector goes with DMTF URIs only
// ([MS-WSMV] note 46).
func (s *Encoders) AppendEPR(dst []byte, p cim.ObjectPath) []byte {
	namespace := p.Namespace
	if namespace == "" {
		namespace = `root\cimv2`
	}
	uri := ClassURI(namespace, p.Class)
	if s.DMTF {
		uri = DMTFClassURI(p.Class)
	}
	dst = append(dst, `<a:Address xmlns:a="`+soap.URIAddressing+`">`+anonymous+`</a:Address><a:ReferenceParameters xmlns:a="`+
		soap.URIAddressing+`" xmlns:w="`+soap.URIWSMan+`"><w:ResourceURI>`...)
	dst = soap.AppendText(dst, uri)
	dst = append(dst, "</w:ResourceURI>"...)
	if len(p.Keys) > 0 || s.DMTF {
		dst = append(dst, "<w:SelectorSet>"...)
		if s.DMTF {
			dst = appendSelector(dst, NamespaceSelector, strings.ReplaceAll(namespace, `\`, "/"))
		}
		for _, k := range p.Keys {
			dst = s.appendKey(dst, k, namespace)
		}
		dst = append(dst, "</w:SelectorSet>"...)
	}
	return append(dst, "</a:ReferenceParameters>"...)
}

const anonymous = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"

func appendSelector(dst []byte, name, value string) []byte {
	dst = append(dst, `<w:Selector Name="`...)
	dst = soap.AppendAttr(dst, name)
	dst = append(dst, `">`...)
	dst = soap.AppendText(dst, value)
	return append(dst, "</w:Selector>"...)
}

// appendKey appends one key as a selector; a reference becomes an endpoint
// reference inside it, into namespace where it names none; a datetime keeps its
// 25 characters.
func (s *Encoders) appendKey(dst []byte, k cim.Key, namespace string) []byte {
	if k.Value.Type() == cim.Reference {
		text, _ := k.Value.Str()
		if path, err := cim.ParsePath(text); err == nil {
			dst = append(dst, `<w:Selector Name="`...)
			dst = soap.AppendAttr(dst, k.Name)
			if path.Namespace == "" {
				path.Namespace = namespace
			}
			dst = append(dst, `"><a:EndpointReference>`...)
			dst = s.AppendEPR(dst, path)
			return append(dst, "</a:EndpointReference></w:Selector>"...)
		}
	}
	return appendSelector(dst, k.Name, string(k.Value.AppendText(nil)))
}
