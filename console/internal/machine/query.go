package machine

import (
	"context"
	"time"

	"github.com/casementhq/casement/cim"
)

// Table is the result of a query.
type Table struct {
	Columns []string `json:"columns"`
	// Rows have a value for each column, as text; nil is NULL. An unsigned 64-bit
	// number stays text, whole.
	Rows [][]*string `json:"rows"`
	// Paths name the objects, "" where one has no path.
	Paths []string `json:"paths"`
	// Cut tells that there were more rows than were asked for.
	Cut    bool  `json:"cut"`
	TookMS int64 `json:"took_ms"`
}

// MaxRows is the most that Query gives.
const MaxRows = 10000

// Query runs a WQL query and gives each row to take as soon as it is there, at
// most limit rows. The table that is returned has everything but Rows and Paths.
func Query(ctx context.Context, s cim.Session, wql string, limit int, take func(path string, values []*string) error) (*Table, error) {
	if limit <= 0 || limit > MaxRows {
		limit = MaxRows
	}
	t := &Table{}
	start := time.Now()
	var failed error
	cut, err := rows(ctx, s, wql, limit, func(r row) {
		if failed != nil {
			return
		}
		if t.Columns == nil {
			for n := range r.Class().Properties {
				t.Columns = append(t.Columns, bounded(r.Class().Properties[n].Name))
			}
		}
		values := make([]*string, len(t.Columns))
		for n, name := range t.Columns {
			if v := r.Get(name); !v.IsNull() {
				text := bounded(v.String())
				values[n] = &text
			}
		}
		path := ""
		if p, whole := r.Path(); whole {
			path = bounded(p.String())
		}
		failed = take(path, values)
	})
	if failed != nil {
		err = failed
	}
	t.Cut, t.TookMS = cut, time.Since(start).Milliseconds()
	return t, err
}
