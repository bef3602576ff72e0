package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
)

// get reads a class, an instance, or for no path a class that is empty. See [MS-WMI] 3.1.4.3.4.
func get(path string, flags uint32, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{"GetObject", path}}
	if err := within(path, maxPath, "the path"); err != nil {
		return op, err
	}
	if path == "" {
		op.run = func(context.Context, cim.Session) (outcome, error) {
			return outcome{object: cim.ClassObject((&cim.Class{}).Seal())}, nil
		}
		return op, nil
	}
	p, err := cim.ParsePath(path)
	if err != nil {
		return op, err
	}
	o := cim.GetOptions{OperationOptions: cim.OperationOptions{Context: values}, Amended: flags&wmi.FlagUseAmendedQualifiers != 0}
	op.run = func(ctx context.Context, s cim.Session) (out outcome, err error) {
		if p.IsClass() {
			out.object, err = getClass(ctx, s, p, o)
			return out, err
		}
		if out.object, err = s.Get(ctx, p, o); err != nil {
			return out, err
		}
		if flags&wmi.FlagDirectRead != 0 && !cim.EqualFold(out.object.Class().Name, p.Class) {
			return outcome{}, &cim.Error{Status: cim.ErrNotFound, Path: path, Detail: "the instance is of a derived class"}
		}
		if o.Amended {
			out.object = newLocalizer(s).localize(ctx, out.object)
		}
		return out, nil
	}
	return op, nil
}

func getClass(ctx context.Context, s cim.Session, p cim.ObjectPath, o cim.GetOptions) (*cim.Instance, error) {
	if err := here(s, p); err != nil {
		return nil, err
	}
	class, err := s.GetClass(ctx, p.Class, o)
	if err != nil {
		return nil, err
	}
	return cim.ClassObject(class), nil
}

// here refuses a path into another namespace, where the operation has no class or instance to look for.
func here(s cim.Session, p cim.ObjectPath) error {
	if p.Class == "" {
		return &cim.Error{Status: cim.ErrInvalidObjectPath, Path: p.String(), Detail: "the path names no class"}
	}
	if p.Namespace != "" && !cim.EqualFold(p.Namespace, s.Namespace()) {
		return &cim.Error{Status: cim.ErrInvalidNamespace, Path: p.String(), Detail: "the path leads to another namespace"}
	}
	return nil
}
