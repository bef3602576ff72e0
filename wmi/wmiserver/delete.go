package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// deleteInstance removes an instance. See [MS-WMI] 3.1.4.3.14.
func deleteInstance(path string, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{"DeleteInstance", path}}
	if path == "" {
		return op, refuse(cim.ErrInvalidParameter, "a path must be given")
	}
	if err := within(path, maxPath, "the path"); err != nil {
		return op, err
	}
	p, err := cim.ParsePath(path)
	if err != nil {
		return op, err
	}
	if p.Class == "" || p.IsClass() {
		return op, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: path, Detail: "the path names no instance"}
	}
	op.run = func(ctx context.Context, s cim.Session) (outcome, error) {
		return outcome{}, s.Delete(ctx, p, cim.OperationOptions{Context: values})
	}
	return op, nil
}

// deleteClass removes a class. See [MS-WMI] 3.1.4.3.8.
func deleteClass(name string, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{"DeleteClass", name}}
	if name == "" {
		return op, refuse(cim.ErrInvalidParameter, "the name of a class must be given")
	}
	if err := within(name, maxIdentifier, "the name of the class"); err != nil {
		return op, err
	}
	op.run = func(ctx context.Context, s cim.Session) (outcome, error) {
		w, err := classWriter(s)
		if err != nil {
			return outcome{}, err
		}
		return outcome{}, w.DeleteClass(ctx, name, cim.OperationOptions{Context: values})
	}
	return op, nil
}
