package mof

import (
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// ParseLocale reads the name of a locale, "MS_409": the hexadecimal number of
// a language. The namespace of its texts is the name in lower case.
func ParseLocale(name string) (language uint16, ok bool) {
	if len(name) < 4 || !strings.EqualFold(name[:3], "MS_") {
		return 0, false
	}
	n, err := strconv.ParseUint(name[3:], 16, 16)
	return uint16(n), err == nil && n != 0
}

// Split takes a text apart: the neutral text is everything without the
// qualifiers that have the flavor Amended, the localized one has only those, in
// the child namespaces that carry the name of the locale ("MS_409"; "" takes
// that of #pragma amendment, and fails with ErrMofInvalidAmendmentSyntax where
// there is none). Both are MOF again, to be compiled in this order. See
// spec/wmi.md 2.8.
//
// A class that loses qualifiers says by Locale where they went. In the localized
// text it has the qualifier Amendment, and of its elements those that have
// something to say; a superclass is named where the text has it too.
func Split(f *File, locale string) (neutral, localized []byte, err error) {
	if locale == "" {
		locale = f.Amendment
	}
	language, ok := ParseLocale(locale)
	if !ok {
		return nil, nil, &Error{Code: cim.ErrMofInvalidAmendmentSyntax, Position: Position{f.Name, 1, 1},
			Detail: "a locale is MS_ and the hexadecimal number of a language, as in MS_409"}
	}
	s := splitter{child: cim.Fold(locale), language: cim.Qualifier{Name: "Locale", Value: cim.S32(int32(language))}}
	if f.Autorecover {
		s.neutral.text("#pragma autorecover\n")
		s.localized.text("#pragma autorecover\n")
	}
	s.findAmended(f)
	for i := range f.Objects {
		s.object(&f.Objects[i])
	}
	return s.neutral.b, s.localized.b, nil
}

type splitter struct {
	neutral, localized printer
	child              string
	language           cim.Qualifier
	// amended are the classes that go to the localized text: those with an
	// amended qualifier, and those above them.
	amended map[string]bool
	// what the last pragmas said
	namespace, localizedNamespace string
	class, instance               Flags
}

// findAmended fills s.amended.
func (s *splitter) findAmended(f *File) {
	s.amended = map[string]bool{}
	super := map[string]string{}
	for i := range f.Objects {
		if c := f.Objects[i].Class; c != nil {
			super[classKey(&f.Objects[i], c.Declared.Name)] = c.Declared.Superclass
		}
	}
	for i := range f.Objects {
		o := &f.Objects[i]
		if o.Class == nil || !isAmended(o.Class.Declared) {
			continue
		}
		for name := o.Class.Declared.Name; name != "" && !s.amended[classKey(o, name)]; name = super[classKey(o, name)] {
			if _, here := super[classKey(o, name)]; !here {
				break
			}
			s.amended[classKey(o, name)] = true
		}
	}
}

func classKey(o *Object, name string) string { return memoryKey(o.Namespace, name) }

func (s *splitter) object(o *Object) {
	s.pragmas(o)
	switch {
	case o.Class != nil:
		s.splitClass(o)
	case o.Instance != nil:
		s.neutral.instance(o.Instance, 0)
		s.neutral.text(";\n")
	default:
		s.neutral.deletion(o.Delete)
	}
}

// pragmas puts the pragmas that o needs in front of it.
func (s *splitter) pragmas(o *Object) {
	s.neutral.text("\n")
	if o.Namespace != s.namespace {
		s.namespace = o.Namespace
		s.neutral.namespace(o.Namespace)
	}
	if o.ClassFlags != s.class {
		s.class = o.ClassFlags
		s.neutral.flags("classflags", o.ClassFlags)
	}
	if o.InstanceFlags != s.instance {
		s.instance = o.InstanceFlags
		s.neutral.flags("instanceflags", o.InstanceFlags)
	}
}

func (s *splitter) splitClass(o *Object) {
	c := *o.Class
	d := c.Declared
	if !s.amended[classKey(o, d.Name)] {
		s.neutral.class(&c)
		return
	}
	c.Declared = withoutAmended(d)
	if _, has := c.Declared.Qualifiers.Get("Locale"); !has {
		c.Declared.Qualifiers = append(c.Declared.Qualifiers, s.language)
	}
	s.neutral.class(&c)

	namespace := o.Namespace
	if namespace == "" {
		namespace = DefaultNamespace
	}
	if namespace != s.localizedNamespace {
		s.localizedNamespace = namespace
		s.localized.text("\n")
		s.localized.namespace(namespace)
		s.localized.text("instance of __Namespace\n{\n  Name = \"", s.child, "\";\n};\n")
		s.localized.namespace(namespace + `\` + s.child)
	}
	local := onlyAmended(d)
	local.Qualifiers = append(local.Qualifiers, cim.Qualifier{Name: "Amendment", Value: cim.Bool(true)}, s.language)
	if s.amended[classKey(o, d.Superclass)] {
		local.Superclass = d.Superclass
	}
	s.localized.text("\n")
	s.localized.class(&Class{Declared: local})
}

func hasAmended(q cim.Qualifiers) bool {
	return slices.ContainsFunc(q, func(one cim.Qualifier) bool { return one.Flavor&cim.Amended != 0 })
}

// neutralQualifiers are those that stay, localQualifiers those that go, with
// what the parser needs to know the element again.
func neutralQualifiers(q cim.Qualifiers) cim.Qualifiers {
	return slices.DeleteFunc(slices.Clone(q), func(one cim.Qualifier) bool { return one.Flavor&cim.Amended != 0 })
}

func localQualifiers(q cim.Qualifiers, keep ...string) cim.Qualifiers {
	return slices.DeleteFunc(slices.Clone(q), func(one cim.Qualifier) bool {
		return one.Flavor&cim.Amended == 0 && !slices.ContainsFunc(keep, func(name string) bool { return cim.EqualFold(name, one.Name) })
	})
}

// withoutAmended is a declaration without its amended qualifiers.
func withoutAmended(d *cim.Class) *cim.Class {
	out := *d
	out.Qualifiers = neutralQualifiers(d.Qualifiers)
	out.Properties = slices.Clone(d.Properties)
	for i := range out.Properties {
		out.Properties[i].Qualifiers = neutralQualifiers(out.Properties[i].Qualifiers)
	}
	out.Methods = slices.Clone(d.Methods)
	for i := range out.Methods {
		m := &out.Methods[i]
		m.Qualifiers = neutralQualifiers(m.Qualifiers)
		m.In = eachParameter(m.In, neutralQualifiers)
		m.Out = eachParameter(m.Out, neutralQualifiers)
	}
	return &out
}

// onlyAmended is a declaration of the elements that have amended qualifiers.
func onlyAmended(d *cim.Class) *cim.Class {
	out := &cim.Class{Name: d.Name, Qualifiers: localQualifiers(d.Qualifiers)}
	for _, p := range d.Properties {
		if hasAmended(p.Qualifiers) {
			p.Qualifiers = localQualifiers(p.Qualifiers, "Key")
			p.Default = cim.Null(p.Type)
			out.Properties = append(out.Properties, p)
		}
	}
	amended := func(p cim.Parameter) bool { return hasAmended(p.Qualifiers) }
	for _, m := range d.Methods {
		if hasAmended(m.Qualifiers) || slices.ContainsFunc(m.In, amended) || slices.ContainsFunc(m.Out, amended) {
			local := func(q cim.Qualifiers) cim.Qualifiers { return localQualifiers(q, "In", "Out", "ID") }
			m.Qualifiers = localQualifiers(m.Qualifiers, "Static")
			m.In, m.Out = eachParameter(m.In, local), eachParameter(m.Out, local)
			out.Methods = append(out.Methods, m)
		}
	}
	return out
}

func eachParameter(list []cim.Parameter, change func(cim.Qualifiers) cim.Qualifiers) []cim.Parameter {
	list = slices.Clone(list)
	for i := range list {
		list[i].Qualifiers = change(list[i].Qualifiers)
	}
	return list
}

func (p *printer) namespace(namespace string) {
	if namespace == "" {
		return
	}
	p.text("#pragma namespace(")
	p.quoted(`\\.\` + namespace)
	p.text(")\n")
}

func (p *printer) flags(pragma string, flags Flags) {
	p.text("#pragma ", pragma, "(")
	sep := ""
	for _, f := range [...]struct {
		flag Flags
		name string
	}{{CreateOnly, "createonly"}, {UpdateOnly, "updateonly"}, {SafeUpdate, "safeupdate"}, {ForceUpdate, "forceupdate"}} {
		if flags&f.flag != 0 {
			p.text(sep)
			p.quoted(f.name)
			sep = ", "
		}
	}
	p.text(")\n")
}

func (p *printer) deletion(d *Deletion) {
	if d.Class != "" {
		p.text("#pragma deleteclass(")
		p.quoted(d.Class)
	} else {
		p.text("#pragma deleteinstance(")
		p.quoted(d.Path.Relative())
	}
	if d.NoFail {
		p.text(", NOFAIL)\n")
	} else {
		p.text(", FAIL)\n")
	}
}
