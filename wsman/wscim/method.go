package wscim

import (
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// ParameterClass makes the pseudo class whose properties are the parameters of
// a method: METHOD_INPUT, or METHOD_OUTPUT with ReturnValue. A Decoder that is
// given it types the parameters.
func ParameterClass(class *cim.Class, m *cim.Method, output bool) *cim.Class {
	c := &cim.Class{Name: m.Name + "_INPUT", Namespace: class.Namespace, Partial: true}
	params := m.In
	if output {
		c.Name, params = m.Name+"_OUTPUT", m.Out
	}
	for _, p := range params {
		c.Properties = append(c.Properties, cim.Property{Name: p.Name, Type: p.Type, RefClass: p.RefClass})
	}
	if output && m.Return != cim.Untyped {
		c.Properties = append(c.Properties, cim.Property{Name: "ReturnValue", Type: m.Return})
	}
	return c.Seal()
}

// AppendParameters appends an instance of a parameter class as the body of an
// Invoke or of its response. uri is the resource URI of the class that has the
// method. Parameters that are NULL are left out of an input.
func (s *Encoders) AppendParameters(dst []byte, i *cim.Instance, uri string, output bool) (_ []byte, err error) {
	name := i.Class().Name
	dst = append(dst, "<p:"...)
	dst = append(dst, name...)
	dst = append(dst, ` xmlns:p="`...)
	dst = soap.AppendAttr(dst, uri)
	dst = append(dst, `"`+declarations+`>`...)
	outer := ` xmlns:o="` + string(soap.AppendAttr(nil, uri)) + `"`
	resource, _ := ParseURI(uri)
	owner := &cim.Class{Namespace: resource.Namespace} // into whose namespace references are
	for n, p := range i.Class().Properties {
		if i.At(n).IsNull() && !output {
			continue
		}
		e := Encoder{set: s, class: owner, props: []encodedProperty{encodeProperty(n, "p:"+p.Name, "o:"+p.Name, outer)}}
		if dst, err = e.appendProperties(dst, e.props, i, 0); err != nil {
			return dst, err
		}
	}
	dst = append(dst, "</p:"...)
	dst = append(dst, name...)
	return append(dst, '>'), nil
}
