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

const (
	// MaxRows is the most that Query gives.
	MaxRows = 10000
	// maxTable bounds the texts of all rows together, in octets.
	maxTable = 32 << 20
)

// Query runs a WQL query and gives each row to take as soon as it is there, with the
// columns, at most limit rows. The table that is returned has everything but Rows and
// Paths. It ends with the first error of take.
func Query(ctx context.Context, s cim.Session, wql string, limit int, take func(columns []string, path string, values []*string) error) (*Table, error) {
	if limit <= 0 || limit > MaxRows {
		limit = MaxRows
	}
	t := &Table{}
	start := time.Now()
	e, err := s.Query(ctx, wql, cim.QueryOptions{})
	if err != nil {
		t.TookMS = time.Since(start).Milliseconds()
		return t, err
	}
	n, size := 0, 0
	err = cim.Each(ctx, e, func(i *cim.Instance) error {
		if n++; n > limit || size > maxTable {
			return errEnough{}
		}
		if t.Columns == nil {
			t.Columns = []string{}
			for n := range i.Class().Properties[:min(len(i.Class().Properties), maxValues)] {
				t.Columns = append(t.Columns, bounded(i.Class().Properties[n].Name))
			}
		}
		values := make([]*string, len(t.Columns))
		for n, name := range t.Columns {
			if v := i.Get(name); !v.IsNull() {
				text := bounded(v.String())
				values[n] = &text
				size += len(text)
			}
		}
		path := ""
		if p, whole := i.Path(); whole {
			path = bounded(p.String())
		}
		return take(t.Columns, path, values)
	})
	if _, enough := err.(errEnough); enough { //nolint:errorlint // it is ours, as it is
		t.Cut, err = true, nil
	}
	t.TookMS = time.Since(start).Milliseconds()
	return t, err
}
