package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// maxRows bounds a query on each server.
const maxRows = 10_000

// QueryParameters are those of KindQuery. The output is one JSON object a line,
// with the properties in the order of the answer; Code is the number of rows.
type QueryParameters struct {
	Namespace string `json:"namespace,omitempty"` // "" is root\cimv2
	WQL       string `json:"wql"`
	// Limit is how many rows are wanted from each server; 0 is 10,000.
	Limit int `json:"limit,omitempty"`
}

var actQuery = act{repeats: true, limit: 2 * time.Minute, check: checkQuery, do: doQuery}

func checkQuery(raw json.RawMessage) error {
	p, err := parse[QueryParameters](raw)
	switch {
	case err != nil:
		return err
	case strings.TrimSpace(p.WQL) == "":
		return invalid("the query is empty")
	case p.Limit < 0 || p.Limit > maxRows:
		return invalid(fmt.Sprintf("at most %d rows can be asked for", maxRows))
	}
	return nil
}

func doQuery(ctx context.Context, j *job) (Result, error) {
	p, err := parse[QueryParameters](j.parameters)
	if err != nil {
		return Result{}, err
	}
	if p.Limit == 0 {
		p.Limit = maxRows
	}
	s, err := j.session(ctx, p.Namespace)
	if err != nil {
		return Result{}, err
	}
	defer s.Close() //nolint:errcheck // the rows are there
	rows, err := s.Query(ctx, p.WQL, cim.QueryOptions{})
	if err != nil {
		return Result{}, err
	}
	defer rows.Close() //nolint:errcheck // the rows are there
	r := Result{State: Done}
	var out strings.Builder
	n := 0
	for !r.Cut {
		page, err := rows.Next(ctx, min(pageRows, p.Limit-n+1))
		for _, i := range page {
			if n == p.Limit {
				r.Cut = true
				break
			}
			line := rowOf(i)
			if out.Len()+len(line)+1 > MaxOutput {
				r.Cut = true
				break
			}
			out.Write(line)
			out.WriteByte('\n')
			n++
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Result{}, err
		}
	}
	r.Output, r.Code, r.Words = out.String(), fmt.Sprint(n), "rows"
	return r, nil
}

// rowOf is a row as a JSON object. Numbers of 64 bits are texts: scripts would
// round them.
func rowOf(i *cim.Instance) []byte {
	b := []byte{'{'}
	for n, p := range i.Class().Properties {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendJSON(append(appendJSON(b, p.Name), ':'), plain(i.At(n)))
	}
	return append(b, '}')
}

func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}

func plain(v cim.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Type().IsArray():
		list := make([]any, len(v.Elems()))
		for n, e := range v.Elems() {
			list[n] = plain(e)
		}
		return list
	}
	if b, ok := v.Bool(); ok {
		return b
	}
	if u, ok := v.Uint(); ok && u < 1<<53 {
		return u
	}
	if i, ok := v.Int(); ok && i > -1<<53 && i < 1<<53 {
		return i
	}
	if s, ok := v.Str(); ok {
		return s
	}
	return v.String()
}
