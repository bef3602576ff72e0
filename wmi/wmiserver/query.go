package wmiserver

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/wmi"
)

// query runs a data or schema query. What is no query at all is refused before the operation begins; an unknown class or property
// shows in its results. See [MS-WMI] 3.1.4.3.18.
func query(language, text string, flags uint32, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{"ExecQuery", text}}
	if err := checkQuery(language, text); err != nil {
		return op, err
	}
	only, locatable := "", ""
	switch {
	case wql.IsAssociators(text):
		if _, err := wql.ParseAssociators(text); err != nil {
			return op, err
		}
	case wql.IsSchema(text):
		if _, err := wql.ParseSchema(text); err != nil {
			return op, err
		}
	default:
		q, err := wql.Parse(text)
		if err != nil {
			return op, err
		}
		if flags&wmi.FlagDirectRead != 0 {
			only = q.Class
		}
		if flags&wmi.FlagEnsureLocatable != 0 && q.Select != nil {
			locatable = q.Class
		}
	}
	o := cim.QueryOptions{
		OperationOptions: cim.OperationOptions{Context: values}, Language: language,
		Prototype: flags&wmi.FlagPrototype != 0, Amended: flags&wmi.FlagUseAmendedQualifiers != 0,
	}
	op.run = func(ctx context.Context, s cim.Session) (outcome, error) {
		asked := text
		if locatable != "" {
			asked = withKeys(ctx, s, text, locatable)
		}
		enum, err := s.Query(ctx, asked, o)
		if err != nil {
			return outcome{}, err
		}
		if only != "" {
			enum = &ofClass{enum, only, nil}
		}
		if !o.Prototype {
			enum = amend(enum, s, flags)
		}
		return outcome{enum: enum}, nil
	}
	return op, nil
}

// withKeys is a query with a list of properties that has the keys of its class in it too: what a client makes the path of an object of,
// which WBEM_FLAG_ENSURE_LOCATABLE asks for. Where the class is not to be had, the query fails by itself.
func withKeys(ctx context.Context, s cim.Session, text, class string) string {
	c, err := s.GetClass(ctx, class, cim.GetOptions{})
	if err != nil || len(c.Keys()) == 0 {
		return text
	}
	text = strings.TrimLeft(text, " \t\r\n")
	keys := ""
	for _, k := range c.Keys() {
		keys += " " + c.Properties[k].Name + ","
	}
	return text[:len("SELECT")] + keys + text[len("SELECT"):]
}

// checkQuery: WQL, in either case, is the only language.
func checkQuery(language, text string) error {
	if language == "" || text == "" {
		return refuse(cim.ErrInvalidParameter, "a query and its language must be given")
	}
	if !cim.EqualFold(language, "WQL") {
		return refuse(cim.ErrInvalidQueryType, "the only query language is WQL")
	}
	return within(text, maxQuery, "the query")
}

// ofClass is an enumerator without the objects of derived classes, for WBEM_FLAG_DIRECT_READ.
type ofClass struct {
	cim.Enumerator
	class string
	batch []*cim.Instance
}

// Next gives objects of the class alone; it waits until there is one.
func (e *ofClass) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	for {
		batch, err := e.Enumerator.Next(ctx, limit)
		e.batch = e.batch[:0]
		for _, i := range batch {
			if cim.EqualFold(i.Class().Name, e.class) {
				e.batch = append(e.batch, i)
			}
		}
		if len(e.batch) > 0 || err != nil {
			return e.batch, err
		}
	}
}
