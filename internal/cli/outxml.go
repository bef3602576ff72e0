package cli

import (
	"bytes"
	"encoding/xml"
	"io"

	"github.com/casementhq/casement/cim"
)

// xmlRows prints instances in CIM-XML (DSP0201): INSTANCE elements below one
// IRETURNVALUE. A NULL property has no VALUE.
type xmlRows struct {
	w     io.Writer
	began bool
	buf   bytes.Buffer
}

func (x *xmlRows) begin() {
	if !x.began {
		x.buf.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<IRETURNVALUE>\n")
	}
	x.began = true
}

func (x *xmlRows) write(host string, batch []*cim.Instance) error {
	x.buf.Reset()
	for _, i := range batch {
		x.begin()
		x.instance(host, i)
		x.buf.WriteByte('\n')
	}
	_, err := x.w.Write(x.buf.Bytes())
	return err
}

func (x *xmlRows) close() error {
	x.buf.Reset()
	x.begin()
	x.buf.WriteString("</IRETURNVALUE>\n")
	_, err := x.w.Write(x.buf.Bytes())
	return err
}

func (x *xmlRows) instance(host string, i *cim.Instance) {
	x.open("INSTANCE", "CLASSNAME", i.Class().Name)
	if host != "" {
		x.property(hostColumn, cim.Str(host))
	}
	for n := range i.Class().Properties {
		x.property(i.Class().Properties[n].Name, i.At(n))
	}
	x.buf.WriteString("</INSTANCE>")
}

func (x *xmlRows) property(name string, v cim.Value) {
	t := v.Type()
	element := "PROPERTY"
	switch {
	case t == cim.Reference:
		x.open("PROPERTY.REFERENCE", "NAME", name)
		x.value(v)
		x.buf.WriteString("</PROPERTY.REFERENCE>")
		return
	case t.IsArray():
		element = "PROPERTY.ARRAY"
	}
	attrs := []string{"NAME", name, "TYPE", xmlType(t.Elem())}
	if t.Elem() == cim.Object {
		attrs = append(attrs, "EmbeddedObject", "object")
	}
	x.open(element, attrs...)
	switch {
	case v.IsNull():
	case t.IsArray():
		x.buf.WriteString("<VALUE.ARRAY>")
		for _, e := range v.Elems() {
			if e.IsNull() {
				x.buf.WriteString("<VALUE.NULL/>")
			} else {
				x.value(e)
			}
		}
		x.buf.WriteString("</VALUE.ARRAY>")
	default:
		x.value(v)
	}
	x.buf.WriteString("</" + element + ">")
}

// value writes a VALUE. An embedded object is text in it: escaped XML.
func (x *xmlRows) value(v cim.Value) {
	if v.IsNull() {
		return
	}
	x.buf.WriteString("<VALUE>")
	if o := v.Object(); o != nil {
		inner := xmlRows{}
		inner.instance("", o)
		x.text(inner.buf.String())
	} else {
		x.text(string(scalarText(v)))
	}
	x.buf.WriteString("</VALUE>")
}

func scalarText(v cim.Value) []byte {
	if s, ok := v.Str(); ok {
		return []byte(s)
	}
	return v.AppendText(nil)
}

// xmlType is the TYPE of a property; objects and untyped values travel as strings.
func xmlType(t cim.Type) string {
	if t == cim.Object || t == cim.Untyped || t == cim.Reference {
		return "string"
	}
	return t.String()
}

func (x *xmlRows) open(element string, attrs ...string) {
	x.buf.WriteString("<" + element)
	for n := 0; n+1 < len(attrs); n += 2 {
		x.buf.WriteString(" " + attrs[n] + `="`)
		x.text(attrs[n+1])
		x.buf.WriteByte('"')
	}
	x.buf.WriteByte('>')
}

func (x *xmlRows) text(s string) { _ = xml.EscapeText(&x.buf, []byte(s)) } // a buffer does not fail
