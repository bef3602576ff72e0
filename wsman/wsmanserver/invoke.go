package wsmanserver

import (
	"context"
	"errors"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/wscim"
)

// cimInvoke runs a method: the action is the class URI and the method's name.
// See [MS-WSMV] 3.1.4.19 and 4.1.4.
func (c *call) cimInvoke(ctx context.Context, session cim.Session, class *cim.Class) (wsman.Body, error) {
	base, name, ok := cutAction(c.msg.Action)
	if !ok || !strings.EqualFold(base, c.msg.ResourceURI) {
		return nil, wsman.NewFault(wsman.CodeActionMismatch, "the action "+clip(c.msg.Action)+" does not belong to the resource")
	}
	m := class.Method(name)
	if m == nil {
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, class.Name+" has no method "+clip(name))
	}
	path := cim.ObjectPath{Namespace: c.resource.cim.Namespace, Class: class.Name}
	if !m.Static || len(c.msg.Selectors.Without(wsman.SelectorNamespace)) > 0 {
		var err error
		if path, err = c.path(class); err != nil {
			return nil, err
		}
	}
	in, err := c.readInput(class, m, func(namespace, name string) *cim.Class {
		if !cim.EqualFold(namespace, c.resource.cim.Namespace) {
			return nil
		}
		k, err := session.GetClass(ctx, name, cim.GetOptions{})
		if err != nil {
			return nil
		}
		return k
	})
	if err != nil {
		return nil, err
	}
	result, err := session.Invoke(ctx, path, m.Name, in, cim.OperationOptions{Timeout: c.timeout()})
	if err != nil {
		return nil, err
	}
	c.effect = true
	out := cim.NewInstance(wscim.ParameterClass(class, m, true))
	for _, p := range result.Out {
		if err := out.Set(p.Name, p.Value); err != nil {
			return nil, err
		}
	}
	if m.Return != cim.Untyped {
		if err := out.Set("ReturnValue", result.ReturnValue); err != nil {
			return nil, err
		}
	}
	xml, err := c.encoders().AppendParameters(nil, out, c.msg.ResourceURI, true)
	if err != nil {
		return nil, err
	}
	return raw(xml), nil
}

// readInput reads METHOD_INPUT, which must be there also where the method has
// no parameters. classes finds those of embedded objects and of references.
func (c *call) readInput(class *cim.Class, m *cim.Method, classes wscim.Classes) (cim.Arguments, error) {
	params := wscim.ParameterClass(class, m, false)
	seen := make([]bool, len(params.Properties))
	d := &wscim.Decoder{
		Classes: func(namespace, name string) *cim.Class {
			if cim.EqualFold(name, params.Name) {
				return params
			}
			return classes(namespace, name)
		},
		Fallback: params, Strict: true,
		Seen: func(n int) { seen[n] = true },
	}
	var in *cim.Instance
	err := c.msg.Body(func(r *soap.Reader) (err error) {
		if in != nil {
			return r.Skip()
		}
		if !cim.EqualFold(string(r.Local()), m.Name+"_INPUT") {
			return wsman.NewFault(wsman.CodeInvalidXMLNamespace, "the body holds "+clip(string(r.Local()))+", want "+m.Name+"_INPUT")
		}
		in, err = d.Instance(r)
		if errors.Is(err, cim.ErrInvalidProperty) {
			err = &cim.Error{Status: cim.ErrInvalidMethodParameters, Path: class.Name + "." + m.Name, Detail: err.Error()}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if in == nil {
		return nil, wsman.NewFault(wsman.CodeInvalidXMLMissingValues, "the body must hold "+m.Name+"_INPUT, also for a method without parameters")
	}
	var args cim.Arguments
	for n, p := range params.Properties {
		if seen[n] {
			args = append(args, cim.NamedValue{Name: p.Name, Value: in.At(n)})
		}
	}
	return args, nil
}

func cutAction(action string) (uri, method string, ok bool) {
	i := strings.LastIndexByte(action, '/')
	if i <= 0 || i == len(action)-1 {
		return "", "", false
	}
	return action[:i], action[i+1:], true
}
