package wql

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// Query is a data query: SELECT … FROM class [WHERE …]. See spec/wmi.md 3.2.
type Query struct {
	Text   string
	Select []Name // nil for *
	Class  string
	Where  Expr // nil without WHERE
}

// Name names a property; what follows the first part reaches into embedded
// objects.
type Name struct {
	Parts []string
	At    int // byte of the query
}

// String is the name with its dots.
func (n Name) String() string { return strings.Join(n.Parts, ".") }

// Expr is a condition: *And, *Or, *Not, *Compare, *CompareNames, *IsNull,
// *Like or *IsA.
type Expr interface{ expr() }

// And is met when all of List are.
type And struct{ List []Expr }

// Or is met when one of List is.
type Or struct{ List []Expr }

// Not is met when X is not.
type Not struct{ X Expr }

// Compare compares a property with a constant. A constant on the left of the
// query has been turned to the right.
type Compare struct {
	Name  Name
	Op    Op
	Value cim.Value // string, sint64, uint64, real64 or boolean
	At    int       // byte of the operator
}

// CompareNames compares two properties of an event, such as one of
// TargetInstance with the same one of PreviousInstance. Data queries have none.
type CompareNames struct {
	Left, Right Name
	Op          Op
	At          int // byte of the operator
}

// IsNull is met by NULL; a property that compares with NULL by = becomes one.
type IsNull struct{ Name Name }

// Like is met by a string that fits the pattern.
type Like struct {
	Name    Name
	Pattern string
	At      int
}

// IsA is met by an embedded object of the class or of one derived from it.
type IsA struct {
	Name  Name
	Class string
}

func (*And) expr()          {}
func (*Or) expr()           {}
func (*Not) expr()          {}
func (*Compare) expr()      {}
func (*CompareNames) expr() {}
func (*IsNull) expr()       {}
func (*Like) expr()         {}
func (*IsA) expr()          {}

// Op is a comparison.
type Op uint8

// The comparisons.
const (
	Equal Op = iota
	NotEqual
	Less
	Greater
	LessOrEqual
	GreaterOrEqual
)

var ops = map[string]Op{
	"=": Equal, "!=": NotEqual, "<>": NotEqual, "<": Less, ">": Greater, "<=": LessOrEqual, ">=": GreaterOrEqual,
}

// turned is the comparison with its sides exchanged.
func (o Op) turned() Op {
	switch o {
	case Less:
		return Greater
	case Greater:
		return Less
	case LessOrEqual:
		return GreaterOrEqual
	case GreaterOrEqual:
		return LessOrEqual
	}
	return o
}

// orders tells whether the comparison needs an order rather than equality.
func (o Op) orders() bool { return o >= Less }

// holds tells whether the comparison is met by a result of comparing.
func (o Op) holds(c int) bool {
	switch o {
	case Equal:
		return c == 0
	case NotEqual:
		return c != 0
	case Less:
		return c < 0
	case Greater:
		return c > 0
	case LessOrEqual:
		return c <= 0
	}
	return c >= 0
}
