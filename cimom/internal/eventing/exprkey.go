package eventing

import (
	"strconv"

	"github.com/casementhq/casement/cim/wql"
)

// exprKey is a text that is the same for conditions that are the same.
func exprKey(e wql.Expr) string { return string(appendExpr(nil, e)) }

func appendExpr(b []byte, e wql.Expr) []byte {
	switch x := e.(type) {
	case nil:
		return b
	case *wql.And:
		return appendList(append(b, '&'), x.List)
	case *wql.Or:
		return appendList(append(b, '|'), x.List)
	case *wql.Not:
		return appendExpr(append(b, '!'), x.X)
	case *wql.Compare:
		b = appendName(b, x.Name)
		b = strconv.AppendInt(b, int64(x.Op), 10)
		b = strconv.AppendInt(append(b, ' '), int64(x.Value.Type()), 10)
		return strconv.AppendQuote(append(b, ' '), x.Value.String())
	case *wql.CompareNames:
		b = strconv.AppendInt(appendName(b, x.Left), int64(x.Op), 10)
		return appendName(append(b, '='), x.Right)
	case *wql.IsNull:
		return append(appendName(b, x.Name), "null"...)
	case *wql.Like:
		return strconv.AppendQuote(append(appendName(b, x.Name), '~'), x.Pattern)
	case *wql.IsA:
		return strconv.AppendQuote(append(appendName(b, x.Name), ':'), x.Class)
	}
	return b
}

func appendList(b []byte, list []wql.Expr) []byte {
	b = append(b, '(')
	for _, e := range list {
		b = append(appendExpr(b, e), ',')
	}
	return append(b, ')')
}

func appendName(b []byte, n wql.Name) []byte { return strconv.AppendQuote(b, n.String()) }
