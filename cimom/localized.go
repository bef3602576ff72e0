package cimom

import (
	"slices"

	"github.com/casementhq/casement/cim"
)

// fallbackLocale is what is read where the caller's locales have nothing.
const fallbackLocale = "ms_409"

// localized is a class with the amended qualifiers of the caller's locale,
// which stand in a child namespace called like it. See spec/wmi.md 2.8.
func (s *session) localized(c *cim.Class, amended bool) *cim.Class {
	if !amended {
		return c
	}
	for _, locale := range append(slices.Clip(s.options.Locales), fallbackLocale) {
		if !isLocalized(locale) {
			continue
		}
		ns := s.manager.namespace(s.ns.name + `\` + locale)
		if ns == nil || ns.check(s.caller, rightEnable) != nil {
			continue
		}
		for _, name := range append([]string{c.Name}, c.Derivation...) {
			if e := ns.find(name); e != nil {
				return amend(c, e.class)
			}
		}
	}
	return c
}

// amend puts the amended qualifiers of a localized class into c.
func amend(c, local *cim.Class) *cim.Class {
	out := *c
	out.Qualifiers = amendQualifiers(c.Qualifiers, local.Qualifiers)
	out.Properties = slices.Clone(c.Properties)
	for i := range out.Properties {
		p := &out.Properties[i]
		if q := local.Property(p.Name); q != nil {
			p.Qualifiers = amendQualifiers(p.Qualifiers, q.Qualifiers)
		}
	}
	out.Methods = slices.Clone(c.Methods)
	for i := range out.Methods {
		m := &out.Methods[i]
		if n := local.Method(m.Name); n != nil {
			m.Qualifiers = amendQualifiers(m.Qualifiers, n.Qualifiers)
			m.In = amendParameters(m.In, n.In)
			m.Out = amendParameters(m.Out, n.Out)
		}
	}
	return out.Seal()
}

func amendParameters(list, local []cim.Parameter) []cim.Parameter {
	list = slices.Clone(list)
	for i := range list {
		if p := findParameter(local, list[i].Name); p != nil {
			list[i].Qualifiers = amendQualifiers(list[i].Qualifiers, p.Qualifiers)
		}
	}
	return list
}

func amendQualifiers(list, local cim.Qualifiers) cim.Qualifiers {
	list = slices.Clone(list)
	for _, q := range local {
		if q.Flavor&cim.Amended == 0 {
			continue
		}
		n := slices.IndexFunc(list, func(o cim.Qualifier) bool { return cim.EqualFold(o.Name, q.Name) })
		if n < 0 {
			list = append(list, q)
		} else {
			list[n] = q
		}
	}
	return list
}
