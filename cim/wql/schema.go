package wql

import "github.com/casementhq/casement/cim"

// SchemaQuery is a schema query: SELECT * FROM meta_class [WHERE …]. Its
// results are classes. It is immutable and may be used by several goroutines.
// See spec/wmi.md 3.3.
type SchemaQuery struct {
	Text string
	// Scope says among which classes the results are.
	Scope Scope

	where node // nil: every class is a result
}

// Scope bounds the classes that can be results, so that not all need to be
// looked at. At most one of its members is set; none where every class can be
// a result.
type Scope struct {
	Names    []string // one of these
	Below    string   // this class and those derived from it
	Children string   // the direct subclasses of this class
	Tops     bool     // the classes without a superclass
}

// IsSchema tells whether a query is a SELECT from meta_class.
func IsSchema(query string) bool {
	q, err := Parse(query)
	return err == nil && cim.EqualFold(q.Class, "meta_class")
}

// ParseSchema reads a schema query. It fails as [Parse] does, and with
// ErrInvalidQuery where the query selects anything but * or looks at anything
// but system properties and __this.
func ParseSchema(query string) (*SchemaQuery, error) {
	q, err := Parse(query)
	switch {
	case err != nil:
		return nil, err
	case !cim.EqualFold(q.Class, "meta_class"):
		return nil, invalid(0, "a schema query selects from meta_class")
	case q.Select != nil:
		return nil, invalid(q.Select[0].At, "a schema query selects * only")
	case q.Where == nil:
		return &SchemaQuery{Text: query}, nil
	}
	n, err := (&compiler{}).compile(q.Where)
	if err != nil {
		return nil, err
	}
	return &SchemaQuery{Text: query, Scope: scopeOf(q.Where), where: n}, nil
}

// Match tells whether a class is a result. It allocates nothing, but for a
// condition over __PATH or __DERIVATION.
func (q *SchemaQuery) Match(c *cim.Class) bool {
	return q.where == nil || q.where.eval(object{class: c})
}

// scopeOf finds a bound in a condition.
func scopeOf(e Expr) Scope {
	switch x := e.(type) {
	case *And:
		for _, one := range x.List {
			if s := scopeOf(one); s.set() {
				return s
			}
		}
	case *Or:
		var names []string
		for _, one := range x.List {
			s := scopeOf(one)
			if s.Names == nil {
				return Scope{}
			}
			names = append(names, s.Names...)
		}
		return Scope{Names: names}
	case *IsA:
		return Scope{Below: x.Class}
	case *IsNull:
		return Scope{Tops: systemOf(x.Name.Parts[0]) == sysSuperclass}
	case *Compare:
		name := x.Value.String()
		switch {
		case x.Op != Equal:
		case systemOf(x.Name.Parts[0]) == sysClass:
			return Scope{Names: []string{name}}
		case systemOf(x.Name.Parts[0]) == sysDynasty:
			return Scope{Below: name}
		case systemOf(x.Name.Parts[0]) == sysSuperclass:
			return Scope{Children: name}
		}
	}
	return Scope{}
}

func (s Scope) set() bool { return s.Names != nil || s.Below != "" || s.Children != "" || s.Tops }
