package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
)

// enumerate lists the instances of a class. See [MS-WMI] 3.1.4.3.16.
func enumerate(class string, flags uint32, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{"CreateInstanceEnum", class}}
	if class == "" {
		return op, refuse(cim.ErrInvalidParameter, "the name of a class is missing")
	}
	if err := within(class, maxIdentifier, "the name of the class"); err != nil {
		return op, err
	}
	o := cim.EnumerateOptions{OperationOptions: cim.OperationOptions{Context: values}}
	if flags&(wmi.FlagShallow|wmi.FlagDirectRead) != 0 {
		o.Polymorphism = cim.Shallow
	}
	o.Properties, o.KeysOnly = partialRead(values)
	op.run = func(ctx context.Context, s cim.Session) (outcome, error) {
		enum, err := s.Enumerate(ctx, class, o)
		if err != nil {
			return outcome{}, err
		}
		return outcome{enum: amend(enum, s, flags)}, nil
	}
	return op, nil
}

// partialRead reads the reserved values of a context that ask for some properties only. See spec/wmi.md 4.7.
func partialRead(values cim.NamedArray) (properties []string, keysOnly bool) {
	if on, _ := values.Get("__GET_EXTENSIONS").Bool(); !on {
		return nil, false
	}
	if values.Has("__GET_EXT_PROPERTIES") {
		properties = []string{}
		for _, v := range values.Get("__GET_EXT_PROPERTIES").Elems() {
			if name, ok := v.Str(); ok && (len(name) < 2 || name[:2] != "__") {
				properties = append(properties, name)
			}
		}
	}
	keysOnly, _ = values.Get("__GET_EXT_KEYS_ONLY").Bool()
	return properties, keysOnly
}

// enumerateClasses lists the classes below a class, or from the top. See [MS-WMI] 3.1.4.3.10.
func enumerateClasses(superclass string, flags uint32) (operation, error) {
	op := operation{subject: subject{"CreateClassEnum", superclass}}
	if err := within(superclass, maxIdentifier, "the name of the class"); err != nil {
		return op, err
	}
	op.run = func(ctx context.Context, s cim.Session) (outcome, error) {
		classes, err := s.EnumerateClasses(ctx, superclass, flags&wmi.FlagShallow == 0)
		if err != nil {
			return outcome{}, err
		}
		list := make([]*cim.Instance, len(classes))
		for n, c := range classes {
			list[n] = cim.ClassObject(c)
		}
		return outcome{enum: amend(cim.SliceEnumerator(list, nil), s, flags)}, nil
	}
	return op, nil
}
