package cimxml

import (
	"strings"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// ResourceURI is the resource of class definitions. BaseURI is its prefix: in
// the reference to a class, the class's name stands in the place of the
// asterisk.
const (
	ResourceURI = soap.URICIMXML + "/*"
	BaseURI     = soap.URICIMXML
)

// Selectors of a Get: the namespace, with slashes, and the class.
const (
	SelectorNamespace = wsman.SelectorNamespace
	SelectorClass     = "ClassName"
)

// Names of the options. See DSP0227 section 15.8.
const (
	OptionQualifiers    = "IncludeQualifiers"
	OptionClassOrigin   = "IncludeClassOrigin"
	OptionInherited     = "IncludeInheritedElements"
	OptionHierarchy     = "IncludeInheritanceHierarchy"
	OptionSubClasses    = "IncludeSubClasses"
	OptionPath          = "IncludePath"
	OptionExcludeDetail = "ExcludeClassSpecification"
)

// Selectors are those of a class of a namespace; class "" leaves the second
// one out.
func Selectors(namespace, class string) wsman.SelectorSet {
	s := wsman.SelectorSet{{Name: SelectorNamespace, Value: strings.ReplaceAll(namespace, `\`, "/")}}
	if class != "" {
		s = append(s, wsman.Selector{Name: SelectorClass, Value: class})
	}
	return s
}

// ParseSelectors is the reverse of Selectors, with backslashes in the
// namespace. class is empty where it is not selected; ok is false without a
// namespace.
func ParseSelectors(s wsman.SelectorSet) (namespace, class string, ok bool) {
	namespace, ok = s.Get(SelectorNamespace)
	class, _ = s.Get(SelectorClass)
	return strings.Trim(strings.ReplaceAll(namespace, "/", `\`), `\`), class, ok && namespace != ""
}

// GetOptions say what the definition of a class includes.
type GetOptions struct {
	IncludeQualifiers  bool
	IncludeClassOrigin bool
	IncludeInherited   bool // properties and methods of superclasses too
	IncludeHierarchy   bool // the line of superclasses
}

// OptionSet is how a client sends them.
func (o GetOptions) OptionSet() wsman.OptionSet {
	var set wsman.OptionSet
	add := func(name string, on bool) {
		if on {
			set = append(set, wsman.Option{Name: name, Value: "true", Type: "xs:boolean"})
		}
	}
	add(OptionQualifiers, o.IncludeQualifiers)
	add(OptionClassOrigin, o.IncludeClassOrigin)
	add(OptionInherited, o.IncludeInherited)
	add(OptionHierarchy, o.IncludeHierarchy)
	return set
}

// ParseGetOptions reads them; what is not there is false.
func ParseGetOptions(set wsman.OptionSet) GetOptions {
	return GetOptions{IncludeQualifiers: on(set, OptionQualifiers), IncludeClassOrigin: on(set, OptionClassOrigin),
		IncludeInherited: on(set, OptionInherited), IncludeHierarchy: on(set, OptionHierarchy)}
}

// EnumerateOptions say which subclasses an Enumerate lists, and how.
type EnumerateOptions struct {
	IncludeSubClasses bool // those of subclasses too, not the direct ones alone
	IncludePath       bool // the path goes with each
	// ExcludeClass leaves the definitions out, so that only paths are sent.
	// This is GetSubClassPaths, the one form that a service must have.
	ExcludeClass bool
}

// OptionSet is how a client sends them.
func (o EnumerateOptions) OptionSet() wsman.OptionSet {
	value := func(b bool) string {
		if b {
			return "true"
		}
		return "false"
	}
	return wsman.OptionSet{{Name: OptionSubClasses, Value: value(o.IncludeSubClasses), Type: "xs:boolean"},
		{Name: OptionPath, Value: value(o.IncludePath), Type: "xs:boolean"},
		{Name: OptionExcludeDetail, Value: value(o.ExcludeClass), Type: "xs:boolean"}}
}

// ParseEnumerateOptions reads them; what is not there is false.
func ParseEnumerateOptions(set wsman.OptionSet) EnumerateOptions {
	return EnumerateOptions{IncludeSubClasses: on(set, OptionSubClasses), IncludePath: on(set, OptionPath),
		ExcludeClass: on(set, OptionExcludeDetail)}
}

func on(set wsman.OptionSet, name string) bool {
	o, ok := set.Get(name)
	v := strings.TrimSpace(o.Value)
	return ok && (v == "1" || strings.EqualFold(v, "true"))
}
