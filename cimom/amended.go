package cimom

import (
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
)

// isLocalized tells whether a namespace holds the texts of a locale, "ms_409":
// there classes carry amended qualifiers and have no instances. See
// spec/wmi.md 2.8.
func isLocalized(namespace string) bool {
	last := cim.Fold(namespace[strings.LastIndexByte(namespace, '\\')+1:])
	digits, ok := strings.CutPrefix(last, "ms_")
	return ok && digits != "" && strings.Trim(digits, "0123456789abcdef") == ""
}

// unamended is a copy of a class that is to be stored, without its amended
// qualifiers: they belong into a localized namespace. Without leave it is an
// error to have any.
func (s *session) unamended(class *cim.Class, leave bool) (*cim.Class, error) {
	out := *class
	if isLocalized(s.ns.name) {
		return &out, nil
	}
	found := false
	strip := func(q cim.Qualifiers) cim.Qualifiers {
		return slices.DeleteFunc(slices.Clone(q), func(one cim.Qualifier) bool {
			amended := one.Flavor&cim.Amended != 0
			found = found || amended
			return amended
		})
	}
	parameters := func(list []cim.Parameter) []cim.Parameter {
		list = slices.Clone(list)
		for i := range list {
			list[i].Qualifiers = strip(list[i].Qualifiers)
		}
		return list
	}
	out.Qualifiers = strip(class.Qualifiers)
	out.Properties = slices.Clone(class.Properties)
	for i := range out.Properties {
		out.Properties[i].Qualifiers = strip(out.Properties[i].Qualifiers)
	}
	out.Methods = slices.Clone(class.Methods)
	for i := range out.Methods {
		m := &out.Methods[i]
		m.Qualifiers, m.In, m.Out = strip(m.Qualifiers), parameters(m.In), parameters(m.Out)
	}
	if found && !leave {
		return nil, &cim.Error{Status: cim.ErrAmendedObject, Path: class.Name, Detail: "the class carries amended qualifiers; the flag for amended qualifiers stores it without them"}
	}
	return &out, nil
}
