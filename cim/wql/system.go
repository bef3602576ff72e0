package wql

import "github.com/casementhq/casement/cim"

// system is one of the system properties, which every object has besides
// those of its class. See spec/wmi.md 2.3.
type system uint8

const (
	notSystem system = iota
	sysClass
	sysSuperclass
	sysDynasty
	sysDerivation
	sysGenus
	sysPropertyCount
	sysNamespace
	sysServer
	sysRelpath
	sysPath
	sysNothing // a system property that is NULL where it stands
)

var systems = map[string]system{
	"__class": sysClass, "__superclass": sysSuperclass, "__dynasty": sysDynasty, "__derivation": sysDerivation,
	"__genus": sysGenus, "__property_count": sysPropertyCount, "__namespace": sysNamespace, "__server": sysServer,
	"__relpath": sysRelpath, "__path": sysPath,
}

// systemOf is the system property of that name, if it is one.
func systemOf(name string) system { return systems[cim.Fold(name)] }

// SystemProperty is the system property of that name, "__CLASS" for instance,
// of an object; ok is false where there is none of that name.
func SystemProperty(i *cim.Instance, name string) (v cim.Value, ok bool) {
	y := systemOf(name)
	if y == notSystem {
		return v, false
	}
	return y.value(objectOf(i)), true
}

// kind is the type of the property.
func (y system) kind() cim.Type {
	switch y {
	case sysDerivation:
		return cim.String.Array()
	case sysGenus, sysPropertyCount:
		return cim.Sint32
	}
	return cim.String
}

// ofClass tells whether the property is the same for all instances of a class.
func (y system) ofClass() bool { return y != sysRelpath && y != sysPath }

// value is the property of an object. It allocates for __PATH and __RELPATH
// of an instance, and for __PATH of a class.
func (y system) value(o object) cim.Value {
	text := cim.Null(cim.String)
	switch c := o.class; y {
	case sysClass:
		return cim.Str(c.Name)
	case sysSuperclass:
		if c.Superclass != "" {
			return cim.Str(c.Superclass)
		}
	case sysDynasty:
		return cim.Str(c.Dynasty())
	case sysDerivation:
		return cim.Strs(append([]string{}, c.Derivation...))
	case sysGenus:
		if o.instance == nil || o.instance.IsClass() {
			return cim.S32(1)
		}
		return cim.S32(2)
	case sysPropertyCount:
		return cim.S32(int32(len(c.Properties)))
	case sysNamespace:
		return cim.Str(c.Namespace)
	case sysServer:
		return cim.Str(c.Server)
	case sysRelpath:
		if o.instance == nil {
			return cim.Str(c.Name)
		}
		if p, whole := o.instance.Path(); whole {
			return cim.Str(p.Relative())
		}
	case sysPath:
		if o.instance == nil {
			return cim.Str(cim.ObjectPath{Server: c.Server, Namespace: c.Namespace, Class: c.Name}.String())
		}
		if p, whole := o.instance.Path(); whole {
			return cim.Str(p.String())
		}
	}
	return text
}

// ofPlace tells whether the property says where an object is, which an event
// is nowhere. See spec/wmi.md 2.3.
func (y system) ofPlace() bool {
	return y == sysNamespace || y == sysServer || y == sysRelpath || y == sysPath
}
