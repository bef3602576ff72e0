package wscim

import (
	"bytes"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// field is one element of an instance whose class is not known.
type field struct {
	name  string
	value cim.Value
}

// lexical reads an instance of a class of which only the name is known: every
// value is text, but for what the XML itself tells (datetimes, references,
// embedded objects, null). The class is made of the names that come and is
// shared for as long as they stay the same.
func (d *Decoder) lexical(r *soap.Reader, l *layout) (*cim.Instance, error) {
	inst := d.instance()
	texts, arena := len(d.texts), len(d.arena)
	values := d.take(max(len(l.names), 8))[:0]
	var location *cim.ObjectPath
	same := true
	for {
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
		if len(values) >= maxProperties {
			return nil, &cim.Error{Status: cim.ErrTooMuchData, Path: l.key.name, Detail: "too many properties"}
		}
		n := len(values)
		if n > 0 && l.names[n-1] == string(r.Local()) {
			v, err := d.lexicalValue(r, -1)
			if err != nil {
				return nil, err
			}
			values[n-1] = d.appendLexical(values[n-1], n-1, v)
			continue
		}
		if n >= len(l.names) || l.names[n] != string(r.Local()) {
			l.names = append(l.names[:n:n], string(r.Local()))
			same = false
		}
		values = append(values, cim.Value{})
		v, err := d.lexicalValue(r, n)
		if err != nil {
			return nil, err
		}
		values[n] = v
	}
	if len(values) != len(l.names) {
		l.names, same = l.names[:len(values):len(values)], false
	}
	d.settle(values, texts, arena)
	if !same || len(l.class.Properties) != len(values) {
		l.class = untypedClass(l)
	}
	cim.ResetInstance(inst, l.class, values)
	if location != nil {
		inst.SetPath(*location)
	}
	return inst, nil
}

func untypedClass(l *layout) *cim.Class {
	c := &cim.Class{Name: l.class.Name, Namespace: l.class.Namespace, Partial: true}
	for _, n := range l.names {
		c.Properties = append(c.Properties, cim.Property{Name: n})
	}
	return c.Seal()
}

// appendLexical makes an array of an element that came again. The first one's
// text may still be pending in the arena.
func (d *Decoder) appendLexical(have cim.Value, n int, v cim.Value) cim.Value {
	if last := len(d.texts) - 1; last >= 0 && d.texts[last].value == n {
		have = pendingValue(d.texts[last].typ, string(d.arena[d.texts[last].from:d.texts[last].to]))
		d.arena = d.arena[:d.texts[last].from]
		d.texts = d.texts[:last]
	}
	if have.Type().IsArray() && !have.IsNull() {
		return cim.Array(have.Type().Elem(), append(have.Elems(), v))
	}
	return cim.Array(have.Type(), []cim.Value{have, v})
}

// lexicalValue reads the element at which r stands. A text is left in the
// arena for property pend, or made at once where pend is negative.
func (d *Decoder) lexicalValue(r *soap.Reader, pend int) (cim.Value, error) {
	if isNil(r) {
		t := cim.Untyped
		if v, ok := r.Attr(soap.WSMV, "IsNullArray"); ok && string(v) == "true" {
			t = cim.Untyped.Array()
		}
		return cim.Null(t), r.Skip()
	}
	if isClassTyped(r) {
		return d.single(r, cim.Object)
	}
	depth := r.Depth()
	from := len(d.arena)
	for {
		k, err := r.Next()
		if err != nil {
			return cim.Value{}, err
		}
		switch k {
		case soap.Text:
			d.arena = append(d.arena, r.Text()...)
		case soap.EndElement:
			if pend >= 0 {
				d.texts = append(d.texts, pendingText{pend, from, len(d.arena), cim.Untyped})
				return cim.Text(""), nil
			}
			text := string(d.arena[from:])
			d.arena = d.arena[:from]
			return cim.Text(text), nil
		case soap.StartElement:
			text := d.arena[from:]
			d.arena = d.arena[:from]
			if !soap.IsSpace(text) {
				return cim.Value{}, &cim.Error{Status: cim.ErrInvalidObject, Detail: "text beside elements"}
			}
			return d.lexicalComplex(r, depth, pend)
		}
	}
}

// isClassTyped tells whether the xsi:type of an element names a class.
func isClassTyped(r *soap.Reader) bool {
	if len(r.Attrs()) == 0 {
		return false
	}
	t, ok := r.Attr(soap.XSI, "type")
	if !ok {
		return false
	}
	q, ok := r.QName(t)
	if !ok || !bytes.HasSuffix(q.Local, []byte("_Type")) {
		return false
	}
	_, ok = ParseURI(r.URI(q.Space))
	return ok
}

// lexicalComplex reads an element with children; r stands at the first child.
func (d *Decoder) lexicalComplex(r *soap.Reader, depth, pend int) (cim.Value, error) {
	switch {
	case r.Space() == soap.CIM && isDateTimeName(string(r.Local())):
		text, err := r.ReadText()
		if err != nil {
			return cim.Value{}, err
		}
		text = append(d.text[:0], soap.TrimSpace(text)...)
		d.text = text
		for r.Depth() >= depth {
			if _, err := r.Next(); err != nil {
				return cim.Value{}, err
			}
		}
		if pend >= 0 {
			return cim.Null(cim.Datetime), d.pendDateTime(pend, text)
		}
		dt, err := parseDateTime(string(text))
		return cim.Time(dt), err
	case r.Space() == soap.Addressing:
		p, err := d.eprRest(r, depth)
		if err != nil {
			return cim.Value{}, err
		}
		return cim.Ref(p.String()), nil
	}
	return d.lexicalObject(r, depth)
}

func isDateTimeName(s string) bool {
	switch s {
	case "Datetime", "DateTime", "Interval", "CIM_DateTime", "Date", "Time":
		return true
	}
	return false
}

// lexicalObject reads an embedded object without a known class; r stands at
// its first property.
func (d *Decoder) lexicalObject(r *soap.Reader, depth int) (cim.Value, error) {
	if d.depth >= maxNesting {
		return cim.Value{}, ErrNesting
	}
	d.depth++
	defer func() { d.depth-- }()
	var fields []field
	for {
		name := string(r.Local())
		v, err := d.lexicalValue(r, -1)
		if err != nil {
			return cim.Value{}, err
		}
		if n := len(fields); n > 0 && fields[n-1].name == name {
			fields[n-1].value = d.appendLexical(fields[n-1].value, -1, v)
		} else if n >= maxProperties {
			return cim.Value{}, &cim.Error{Status: cim.ErrTooMuchData, Detail: "too many properties"}
		} else {
			fields = append(fields, field{name, v})
		}
		more, err := r.Child()
		if err != nil {
			return cim.Value{}, err
		}
		if !more {
			break
		}
	}
	c := &cim.Class{Partial: true}
	values := make([]cim.Value, len(fields))
	for i, f := range fields {
		c.Properties = append(c.Properties, cim.Property{Name: f.name})
		values[i] = f.value
	}
	return cim.Obj(cim.MakeInstance(c.Seal(), values)), nil
}
