package cim

// Derive makes the whole class that a declaration below super means: what it
// inherits, with the qualifiers that descend, and what it declares or
// overrides. The declaration may repeat what it inherits. super is nil for a
// top class, otherwise sealed; the result is sealed. See spec/wmi.md 2.2 and
// 2.7.
func Derive(super, declared *Class) (*Class, error) {
	b := NewClass(declared.Name, super)
	b.class.Namespace, b.class.Server = declared.Namespace, declared.Server
	for _, q := range declared.Qualifiers {
		b.Qualifier(q)
	}
	for _, p := range declared.Properties {
		b.Add(p)
	}
	for _, m := range declared.Methods {
		b.AddMethod(m)
	}
	return b.Build(""), nil
}
