package wmio

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// layout is a class together with its octets.
type layout struct {
	class *cim.Class
	// part is the ClassPart, the octets that go with every instance. See
	// [MS-WMIO] 2.2.15.
	part string
	// head is what stood before part where it was received: ObjectFlags and
	// Decoration.
	head string
	// whole is the ClassType, where the class was received as a definition.
	whole string

	nd     int     // octets of the NdTable
	table  int     // octets of NdTable and ValueTable
	fields []field // in the order of the class's properties
	sorted []int   // the fields in the order of the PropertyLookupTable

	// in and out are the signatures of the class's methods, nil where the
	// class was not received or the method has none.
	in, out []*layout
}

// field is where the value of a property is.
type field struct {
	typ    cim.Type
	as     cim.Type // the property's type: a text may stand there as another one
	bits   int      // the number of the property in the NdTable
	offset int      // in NdTable and ValueTable
	size   int      // slotSize(typ)
}

// The bits of the NdTable, [MS-WMIO] 2.2.27.
const (
	ndNull    = 1
	ndDefault = 2
)

// ndSize is the octets of the NdTable of n properties.
func ndSize(n int) int { return (n + 3) / 4 }

// size is what the layout costs to keep, in octets.
func (l *layout) size() int {
	n := len(l.part) + len(l.whole) + len(l.class.Properties)*(costProperty+costQualifier) + len(l.class.Methods)*4*costMethod + costObject
	return n
}

// elsewhere is the layout of the same class at another server or in another
// namespace.
func (l *layout) elsewhere(head, server, namespace string) *layout {
	other, class := *l, *l.class
	class.Server, class.Namespace = server, namespace
	other.class, other.head, other.whole = &class, head, ""
	return &other
}

// cimtype is the text of the CIMTYPE qualifier of a property. A reference to
// any class is "ref:object", [MS-WMIO] 2.3.2.
func cimtype(t cim.Type, class string) string {
	p := cim.Property{Type: t, RefClass: class}
	if s := p.CIMType(); s != "ref" {
		return s
	}
	return "ref:object"
}

// refClass is the class that a CIMTYPE names, "" for any.
func refClass(cimtype string) string {
	_, class, _ := strings.Cut(cimtype, ":")
	if class = strings.TrimSpace(class); cim.EqualFold(class, "object") {
		return ""
	}
	return class
}
