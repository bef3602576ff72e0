package mof

import "github.com/casementhq/casement/cim"

// The flavors that a qualifier has where the text gives none. WMI's own
// default is no propagation at all; the qualifiers that WMI and DSP0004 give a
// meaning go where that meaning is needed, so that a text need not repeat it.
// See spec/wmi.md 2.7, DSP0004 2.2 5.6 and [MS-WMIO] 2.2.62.
const (
	fixed   = cim.ToInstance | cim.ToSubClass | cim.NotOverridable
	descend = cim.ToSubClass | cim.NotOverridable
	inform  = cim.ToSubClass
)

var defaultFlavors = map[string]cim.Flavor{
	// what an element is
	"association": fixed, "indication": fixed, "singleton": fixed, "key": fixed, "indexed": fixed,
	"id": descend, "aggregation": descend, "aggregate": descend, "static": descend, "in": descend, "out": descend,
	// where the instances of a class are; a subclass says it anew
	"dynamic": cim.ToInstance, "provider": cim.ToInstance,
	// what people and programs read about an element
	"alias": inform, "arraytype": inform, "bitmap": inform, "bitvalues": inform, "cim_key": inform,
	"embeddedinstance": inform, "max": inform, "maxlen": inform, "maxvalue": inform, "min": inform,
	"minvalue": inform, "not_null": inform, "nullvalue": descend, "optional": inform, "privileges": inform,
	"read": inform, "required": inform, "subtype": inform, "units": inform, "unknownvalues": descend,
	"unsupportedvalues": descend, "valuemap": inform, "values": inform, "weak": descend, "write": inform,
	"writeprivileges": inform,
}

// defaultFlavor is the flavor of a qualifier without one. What is not in the
// table (Abstract, Implemented, Description, UUID and every own one) stays
// where it was declared.
func defaultFlavor(name string) cim.Flavor { return defaultFlavors[cim.Fold(name)] }

// flavors collects the flavor words behind a qualifier.
type flavors struct {
	set, clear cim.Flavor // bits that were named
	restricted bool
	enable     bool
}

// add takes one flavor word; code is 0 where it is none and where it
// contradicts none before it.
func (f *flavors) add(word string) (known bool, code cim.Status) {
	switch cim.Fold(word) {
	case "toinstance":
		f.set |= cim.ToInstance
	case "tosubclass":
		f.set |= cim.ToSubClass
	case "nottoinstance":
		f.clear |= cim.ToInstance
	case "nottosubclass":
		f.clear |= cim.ToSubClass
	case "restricted":
		f.restricted = true
	case "enableoverride":
		f.enable = true
	case "disableoverride":
		f.set |= cim.NotOverridable
	case "amended", "translatable": // Translatable is DSP0004's word for it
		f.set |= cim.Amended
	default:
		return false, 0
	}
	switch {
	case f.enable && f.set&cim.NotOverridable != 0:
		return true, cim.ErrMofIncompatibleFlavorTypes
	case f.restricted && f.set&(cim.ToInstance|cim.ToSubClass) != 0, f.set&f.clear != 0:
		return true, cim.ErrMofIncompatibleFlavorTypes2
	}
	return true, 0
}

// over is the flavor that the words make of a default: words about propagation
// replace its propagation, words about overriding replace that.
func (f flavors) over(base cim.Flavor) cim.Flavor {
	const propagation = cim.ToInstance | cim.ToSubClass
	if f.set&propagation != 0 || f.restricted {
		base &^= propagation
	}
	if f.enable {
		base &^= cim.NotOverridable
	}
	return base&^f.clear | f.set
}

// presenceIsTrue is the quirk of the MOF compiler since Windows 8: Key and
// Static count as true when they are merely there, whatever their value. Every
// other boolean qualifier has the value that is written. See spec/wmi.md 2.7.
func presenceIsTrue(name string) bool {
	return cim.EqualFold(name, "Key") || cim.EqualFold(name, "Static")
}
