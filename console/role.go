package console

import (
	"fmt"
	"strings"

	"github.com/casementhq/casement/security"
)

// Role is what somebody may do. A greater one may all that a lesser one may.
type Role int

// The roles of spec/console.md 4.
const (
	NoRole        Role = iota
	Reader             // sees all pages, runs the doctor and read-only queries
	Operator           // also changes servers
	Administrator      // also keeps credentials, roles and settings, and reads the audit log
)

var roleNames = map[Role]string{Reader: "Reader", Operator: "Operator", Administrator: "Administrator"}

// String is the name of a role, "" of none.
func (r Role) String() string { return roleNames[r] }

// ParseRole reads the name of a role, in any case.
func ParseRole(s string) (Role, error) {
	for r, name := range roleNames {
		if strings.EqualFold(s, name) {
			return r, nil
		}
	}
	return NoRole, fmt.Errorf("%q is no role, want Reader, Operator or Administrator", s)
}

// Account is who the service says that somebody is.
type Account struct {
	User   string // DOMAIN\user
	SID    string
	Groups []Group
}

// Group is a group of an account.
type Group struct {
	SID  string
	Name string // with or without its domain
}

// The groups whose members have a role unless the settings say otherwise.
const (
	OperatorsGroup = "Casement Operators"
	ReadersGroup   = "Casement Readers"
)

// defaultRoles is the map of groups to roles of a new console.
func defaultRoles() map[string]string {
	return map[string]string{OperatorsGroup: Operator.String(), ReadersGroup: Reader.String()}
}

// roleOf is the greatest role that the groups of an account give. Administrators
// of this machine are Administrator, whatever the map says, so that nobody can
// lock everybody out.
func roleOf(a Account, groups map[string]string) Role {
	best := NoRole
	for _, g := range a.Groups {
		if g.SID == security.SIDAdministrators.String() {
			return Administrator
		}
		_, plain, found := strings.Cut(g.Name, `\`)
		if !found {
			plain = g.Name
		}
		for name, role := range groups {
			if strings.EqualFold(name, g.SID) || strings.EqualFold(name, g.Name) || strings.EqualFold(name, plain) {
				if r, err := ParseRole(role); err == nil {
					best = max(best, r)
				}
			}
		}
	}
	return best
}
