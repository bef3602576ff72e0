package wsmanclient

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wscim"
)

// maxPathNesting bounds references within the keys of references.
const maxPathNesting = 8

// epr is the endpoint reference of an object path, without its address.
func (s *Session) epr(ctx context.Context, p cim.ObjectPath, depth int) (wsman.EPR, error) {
	if p.Server != "" && p.Server != "." && depth == 0 {
		return wsman.EPR{}, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: p.String(),
			Detail: "the path names a server; open a session there"}
	}
	if p.Class == "" || depth > maxPathNesting {
		return wsman.EPR{}, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: p.String(), Detail: "the path names no class"}
	}
	namespace := p.Namespace
	if namespace == "" {
		namespace = s.namespace
	}
	e := wsman.EPR{Address: wsman.Anonymous, ResourceURI: wscim.ClassURI(namespace, p.Class)}
	for _, k := range p.Keys {
		name := k.Name
		if name == "" {
			var err error
			if name, err = s.onlyKey(ctx, namespace, p.Class); err != nil {
				return e, err
			}
		}
		sel := wsman.Selector{Name: name}
		text, isText := k.Value.Str()
		switch {
		case k.Value.Type() == cim.Reference && isText:
			inner, err := cim.ParsePath(text)
			if err != nil {
				return e, err
			}
			epr, err := s.epr(ctx, inner, depth+1)
			if err != nil {
				return e, err
			}
			sel.EPR = &epr
		case isText:
			sel.Value = text
		default:
			sel.Value = string(k.Value.AppendText(nil))
		}
		e.Selectors = append(e.Selectors, sel)
	}
	return e, nil
}

// onlyKey is the name of the key that a path left out.
func (s *Session) onlyKey(ctx context.Context, namespace, class string) (string, error) {
	c, err := s.c.loadClass(ctx, namespace, class)
	if err != nil {
		return "", err
	}
	keys := c.Keys()
	if len(keys) != 1 {
		return "", &cim.Error{Status: cim.ErrInvalidObjectPath, Path: class, Detail: "the path does not name its key"}
	}
	return c.Properties[keys[0]].Name, nil
}

// pathOf is the object path of an endpoint reference, typed where the class is
// known.
func (s *Session) pathOf(ctx context.Context, e *wsman.EPR) (cim.ObjectPath, error) {
	res, ok := wscim.ParseURI(e.ResourceURI)
	if !ok || res.Class == "" {
		return cim.ObjectPath{}, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: clip(e.ResourceURI), Detail: "not the resource URI of a class"}
	}
	var selectors []wscim.Selector
	for _, sel := range e.Selectors {
		v := sel.Value
		if sel.EPR != nil {
			inner, err := s.pathOf(ctx, sel.EPR)
			if err != nil {
				return cim.ObjectPath{}, err
			}
			v = inner.String()
		}
		selectors = append(selectors, wscim.Selector{Name: sel.Name, Value: v})
	}
	p := wscim.PathOf(res, selectors)
	if c := s.c.class(ctx, p.Namespace, p.Class); c != nil {
		if typed, err := wscim.TypeKeys(p, c); err == nil {
			p = typed
		}
		p.Singleton = len(p.Keys) == 0 && c.IsSingleton()
	}
	return p, nil
}
