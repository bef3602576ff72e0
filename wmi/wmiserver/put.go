package wmiserver

import (
	"context"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
)

// put creates or updates an instance. Its result is the path of the instance. The reserved values of a partial update go to the
// session with the context, too: what they mean beyond the list of properties is the object manager's to know. See [MS-WMI] 3.1.4.3.12.
func put(object *cim.Instance, flags uint32, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{operation: "PutInstance"}}
	switch {
	case object == nil || object.IsClass():
		return op, refuse(cim.ErrInvalidParameter, "an instance must be given")
	case flags&wmi.FlagUpdateOnly != 0 && flags&wmi.FlagCreateOnly != 0:
		return op, refuse(cim.ErrInvalidParameter, "update only and create only exclude each other")
	}
	if flags&wmi.FlagUseAmendedQualifiers == 0 && isAmended(object) {
		return op, refuse(cim.ErrAmendedObject, "the instance carries amended qualifiers; the flag for them leaves them out")
	}
	path, whole := object.Path()
	op.parameter = path.Relative()
	if err := within(op.parameter, maxPath, "the path of the instance"); err != nil {
		return op, err
	}
	partial, _ := values.Get("__PUT_EXTENSIONS").Bool()
	if partial && flags&wmi.FlagUpdateOnly == 0 {
		return op, refuse(cim.ErrInvalidContext, "a partial update needs the flag for updates only")
	}
	o := cim.OperationOptions{Context: values}
	var only []string
	if partial && values.Has("__PUT_EXT_PROPERTIES") {
		only = []string{}
		for _, v := range values.Get("__PUT_EXT_PROPERTIES").Elems() {
			if name, ok := v.Str(); ok && !strings.HasPrefix(name, "__") {
				only = append(only, name)
			}
		}
	}
	op.run = func(ctx context.Context, s cim.Session) (out outcome, err error) {
		if flags&wmi.FlagCreateOnly != 0 {
			made, err := s.Create(ctx, object, o)
			return outcome{text: made.Relative()}, err
		}
		mode := cim.CreateOrUpdate
		if flags&wmi.FlagUpdateOnly != 0 {
			mode = cim.UpdateOnly
		}
		if err := s.Put(ctx, object, cim.PutOptions{OperationOptions: o, Mode: mode, Properties: only}); err != nil {
			return out, err
		}
		if whole {
			out.text = path.Relative()
		}
		return out, nil
	}
	return op, nil
}

// isAmended tells whether an instance carries texts of a locale. See [MS-WMI] 3.1.4.
func isAmended(i *cim.Instance) bool {
	q := i.Qualifiers()
	if q == nil {
		return false
	}
	for _, set := range append([]cim.Qualifiers{q.Object}, q.Properties...) {
		if slices.ContainsFunc(set, func(one cim.Qualifier) bool { return one.Flavor&cim.Amended != 0 }) {
			return true
		}
	}
	return false
}

// putClass creates or updates a class. See [MS-WMI] 3.1.4.3.6.
func putClass(object *cim.Instance, flags uint32, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{operation: "PutClass"}}
	if object == nil || !object.IsClass() {
		return op, refuse(cim.ErrInvalidParameter, "a class must be given")
	}
	class := object.Class()
	op.parameter = class.Name
	o := cim.PutClassOptions{OperationOptions: cim.OperationOptions{Context: values}, Amended: flags&wmi.FlagUseAmendedQualifiers != 0}
	switch flags & (wmi.FlagUpdateOnly | wmi.FlagCreateOnly) {
	case wmi.FlagUpdateOnly:
		o.Mode = cim.ClassUpdateOnly
	case wmi.FlagCreateOnly:
		o.Mode = cim.ClassCreateOnly
	case wmi.FlagUpdateOnly | wmi.FlagCreateOnly:
		return op, refuse(cim.ErrInvalidParameter, "update only and create only exclude each other")
	}
	switch flags & (wmi.FlagSafeMode | wmi.FlagForceMode) {
	case wmi.FlagSafeMode:
		o.Conflict = cim.SafeConflict
	case wmi.FlagForceMode:
		o.Conflict = cim.ForceConflict
	case wmi.FlagSafeMode | wmi.FlagForceMode:
		return op, refuse(cim.ErrInvalidParameter, "safe mode and force mode exclude each other")
	}
	if err := checkClassName(class.Name); err != nil {
		return op, err
	}
	op.run = func(ctx context.Context, s cim.Session) (outcome, error) {
		w, err := classWriter(s)
		if err != nil {
			return outcome{}, err
		}
		return outcome{}, w.PutClass(ctx, class, o)
	}
	return op, nil
}

// checkClassName: the statuses for names that are the system's are these. See [MS-WMI] 3.1.4.3.6.
func checkClassName(name string) error {
	if err := within(name, maxIdentifier, "the name of the class"); err != nil {
		return err
	}
	switch {
	case name == "":
		return refuse(cim.ErrInvalidParameter, "the class has no name")
	case name[0] == '_':
		return &cim.Error{Status: cim.ErrInvalidOperation, Path: name, Detail: "names that begin with an underscore are the system's"}
	case name[len(name)-1] == '_':
		return &cim.Error{Status: cim.ErrInvalidObject, Path: name, Detail: "the name of a class does not end with an underscore"}
	}
	return nil
}

func classWriter(s cim.Session) (cim.ClassWriter, error) {
	w, ok := s.(cim.ClassWriter)
	if !ok {
		return nil, refuse(cim.ErrNotSupported, "classes cannot be written from here")
	}
	return w, nil
}
