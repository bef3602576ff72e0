package wql

import "github.com/casementhq/casement/cim"

// systemNode decides over a system property that each instance has its own of.
type systemNode struct {
	relative bool
	decide   func(cim.Value) (bool, error)
}

func (n *systemNode) eval(i *cim.Instance) bool {
	v := cim.Null(cim.String)
	if path, whole := i.Path(); whole && n.relative {
		v = cim.Str(path.Relative())
	} else if whole {
		v = cim.Str(path.String())
	}
	ok, err := n.decide(v)
	return ok && err == nil
}

// compileSystem decides a condition over a system property: at once where the
// class has it, otherwise for each instance. See spec/wmi.md 2.3.
func (b *Bound) compileSystem(n Name, decide func(cim.Value) (bool, error)) (node, error) {
	c := b.Class
	var v cim.Value
	switch name := cim.Fold(n.Parts[0]); name {
	case "__class":
		v = cim.Str(c.Name)
	case "__superclass":
		if v = cim.Null(cim.String); c.Superclass != "" {
			v = cim.Str(c.Superclass)
		}
	case "__dynasty":
		v = cim.Str(c.Dynasty())
	case "__namespace":
		v = cim.Str(c.Namespace)
	case "__server":
		v = cim.Str(c.Server)
	case "__genus":
		v = cim.S32(2)
	case "__property_count":
		v = cim.S32(int32(len(c.Properties)))
	case "__path", "__relpath":
		b.Uses = append(b.Uses, c.Keys()...)
		return &systemNode{relative: name == "__relpath", decide: decide}, nil
	default:
		return nil, invalid(n.At, "there is no system property "+n.Parts[0])
	}
	if len(n.Parts) > 1 {
		return nil, fail(cim.ErrPropertyNotAnObject, n.At, n.Parts[0]+" is no embedded object")
	}
	ok, err := decide(v)
	return constNode(ok), err
}
