package wsmanserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/wscim"
)

// cimPut changes an instance and answers with the changed one. See [MS-WSMV]
// 3.1.4.3.
func (c *call) cimPut(ctx context.Context, session cim.Session, class *cim.Class) (wsman.Body, error) {
	path, err := c.path(class)
	if err != nil {
		return nil, err
	}
	if c.msg.Header.Fragment != nil {
		return c.putFragment(ctx, session, class, path)
	}
	i, seen, err := c.readInstance(class)
	if err != nil {
		return nil, err
	}
	return c.put(ctx, session, path, i, seen)
}

// put stores the properties that were named, but for the keys.
func (c *call) put(ctx context.Context, session cim.Session, path cim.ObjectPath, i *cim.Instance, names []string) (wsman.Body, error) {
	if err := setKeys(i, path); err != nil {
		return nil, err
	}
	o := cim.PutOptions{OperationOptions: cim.OperationOptions{Timeout: c.timeout()}, Mode: cim.UpdateOnly, Properties: []string{}}
	for _, n := range names {
		if !i.Class().Property(n).Key {
			o.Properties = append(o.Properties, n)
		}
	}
	if err := session.Put(ctx, i, o); err != nil {
		return nil, err
	}
	c.effect = true
	changed, err := session.Get(ctx, path, cim.GetOptions{})
	if err != nil {
		f := wsman.NewFault(wsman.CodeUnreportableSuccess, "the instance was changed and cannot be read now")
		f.Err = err
		return nil, f
	}
	if c.msg.Header.Fragment != nil {
		part, err := parseFragment(c.msg.Header.Fragment, changed.Class())
		if err != nil {
			return nil, err
		}
		return c.fragmentBody(changed, part)
	}
	return c.instanceBody(changed), nil
}

func setKeys(i *cim.Instance, path cim.ObjectPath) error {
	for _, k := range path.Keys {
		if have := i.Get(k.Name); !have.IsNull() && !sameKey(have, k.Value) {
			return wsman.NewFault(wsman.CodeInvalidXMLValues, "the key "+k.Name+" of the body differs from the selector")
		}
		if err := i.Set(k.Name, k.Value); err != nil {
			return err
		}
	}
	return nil
}

// sameKey compares keys as WMI does: strings case-blind.
func sameKey(a, b cim.Value) bool {
	return cim.EqualFold(string(a.AppendText(nil)), string(b.AppendText(nil)))
}

// readInstance reads the instance in the body and the names of the properties
// that it holds.
func (c *call) readInstance(class *cim.Class) (i *cim.Instance, names []string, err error) {
	d := &wscim.Decoder{
		Classes: func(namespace, name string) *cim.Class {
			if cim.EqualFold(name, class.Name) {
				return class
			}
			return nil
		},
		Strict: true,
		Seen:   func(n int) { names = append(names, class.Properties[n].Name) },
	}
	err = c.msg.Body(func(r *soap.Reader) error {
		if i != nil {
			return r.Skip()
		}
		if !cim.EqualFold(string(r.Local()), class.Name) {
			return wsman.NewFault(wsman.CodeInvalidXMLNamespace, "the body holds "+clip(string(r.Local()))+", the URI names "+class.Name)
		}
		var err error
		i, err = d.Instance(r)
		return err
	})
	if err == nil && i == nil {
		err = wsman.NewFault(wsman.CodeInvalidXMLMissingValues, "the body holds no instance")
	}
	if err == nil && i.Class() != class {
		err = wsman.NewFault(wsman.CodeInvalidXMLNamespace, "the instance is not in the namespace of its resource URI")
	}
	return i, names, err
}

// putFragment changes one property.
func (c *call) putFragment(ctx context.Context, session cim.Session, class *cim.Class, path cim.ObjectPath) (wsman.Body, error) {
	part, err := parseFragment(c.msg.Header.Fragment, class)
	if err != nil {
		return nil, err
	}
	prop := class.Properties[part.property]
	one := class.Project([]string{prop.Name}, false)
	d := &wscim.Decoder{Fallback: one, Strict: true}
	var value cim.Value
	err = c.msg.Expect(soap.WSMan, "XmlFragment", func(r *soap.Reader) error {
		if part.text {
			text, err := r.ReadText()
			if err == nil {
				value, err = cim.ParseValue(prop.Type.Elem(), string(text))
			}
			return err
		}
		i, err := d.Instance(r)
		if err == nil {
			value = i.At(0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	i := cim.NewInstance(class)
	if part.index > 0 && prop.Type.IsArray() {
		if value, err = replaceElement(ctx, session, path, prop, part.index, value); err != nil {
			return nil, err
		}
	}
	if err := i.Set(prop.Name, value); err != nil {
		return nil, err
	}
	return c.put(ctx, session, path, i, []string{prop.Name})
}

// replaceElement is the present array with one element changed, or appended
// just behind the last.
func replaceElement(ctx context.Context, session cim.Session, path cim.ObjectPath, prop cim.Property, index int, v cim.Value) (cim.Value, error) {
	now, err := session.Get(ctx, path, cim.GetOptions{})
	if err != nil {
		return v, err
	}
	elems := append([]cim.Value(nil), now.Get(prop.Name).Elems()...)
	if index > len(elems)+1 {
		return v, wsman.NewFault(wsman.CodeInvalidFragmentPath, "the array has fewer elements").WithSubcode("w:CannotProcessFilter", wsman.Sender)
	}
	if v.Type().IsArray() {
		if len(v.Elems()) != 1 {
			return v, wsman.NewFault(wsman.CodeInvalidXMLValues, "the fragment must hold one element")
		}
		v = v.Elems()[0]
	}
	if index == len(elems)+1 {
		elems = append(elems, v)
	} else {
		elems[index-1] = v
	}
	return cim.Array(prop.Type.Elem(), elems), nil
}
