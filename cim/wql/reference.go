package wql

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// sameReference tells whether two references name the same object: as text, or as paths with the same class and keys
// whose namespaces and servers do not contradict each other. Scripts write
// Win32_Group.Domain='host',Name='Administrators' where the object has its whole path.
func sameReference(a, b string) bool {
	if a == b || strings.EqualFold(a, b) {
		return true
	}
	p, err := cim.ParsePath(a)
	if err != nil {
		return false
	}
	q, err := cim.ParsePath(b)
	if err != nil {
		return false
	}
	if p.Namespace == "" || q.Namespace == "" {
		p.Namespace, q.Namespace = "", ""
	}
	if isLocal(p.Server) || isLocal(q.Server) {
		p.Server, q.Server = "", ""
	}
	return p.Equal(q)
}

func isLocal(server string) bool { return server == "" || server == "." }

// referenceNode is = or <> of a reference and a text.
type referenceNode struct {
	operand operand
	path    string
	not     bool
}

func (n *referenceNode) eval(o object) bool {
	v, ok := n.operand.value(o)
	if !ok {
		return false
	}
	s, ok := v.Str()
	return ok && sameReference(s, n.path) != n.not
}
