package cli

import (
	"math"
	"time"

	"github.com/casementhq/casement/cim"
)

// reshaped prints other rows than those that came: what people need to see of
// them. XML shows everything as it came.
type reshaped struct {
	rowWriter
	shape func(*cim.Instance) *cim.Instance
}

func (r *reshaped) write(host string, batch []*cim.Instance) error {
	rows := make([]*cim.Instance, len(batch))
	for n, i := range batch {
		rows[n] = r.shape(i)
	}
	return r.rowWriter.write(host, rows)
}

// classRows prints the results of a schema query, which are classes: a row of
// their properties would be empty.
func classRows(format string, out rowWriter) rowWriter {
	if format == "xml" {
		return out
	}
	row := (&cim.Class{Name: "meta_class", Properties: []cim.Property{
		{Name: "__CLASS", Type: cim.String}, {Name: "__SUPERCLASS", Type: cim.String}, {Name: "__NAMESPACE", Type: cim.String},
	}}).Seal()
	return &reshaped{out, func(i *cim.Instance) *cim.Instance {
		c := i.Class()
		super := cim.Null(cim.String)
		if c.Superclass != "" {
			super = cim.Str(c.Superclass)
		}
		return cim.MakeInstance(row, []cim.Value{cim.Str(c.Name), super, cim.Str(c.Namespace)})
	}}
}

// eventRows prints events with the name of their class, which says what
// happened, and the moment as such. The descriptor that guards them is left out.
func eventRows(format string, out rowWriter) rowWriter {
	if format == "xml" {
		return out
	}
	type column struct {
		index  int
		moment bool
	}
	var last, row *cim.Class
	var columns []column
	return &reshaped{out, func(i *cim.Instance) *cim.Instance {
		if c := i.Class(); c != last {
			last, columns = c, columns[:0]
			row = &cim.Class{Name: c.Name, Properties: []cim.Property{{Name: "__CLASS", Type: cim.String}}}
			for n, p := range c.Properties {
				moment := cim.EqualFold(p.Name, "TIME_CREATED") && p.Type == cim.Uint64
				switch {
				case cim.EqualFold(p.Name, "SECURITY_DESCRIPTOR"):
					continue
				case moment:
					p = cim.Property{Name: p.Name, Type: cim.Datetime}
				}
				columns = append(columns, column{n, moment})
				row.Properties = append(row.Properties, cim.Property{Name: p.Name, Type: p.Type})
			}
			row.Seal()
		}
		cells := []cim.Value{cim.Str(last.Name)}
		for _, c := range columns {
			v := i.At(c.index)
			if c.moment {
				v = momentOf(v)
			}
			cells = append(cells, v)
		}
		return cim.MakeInstance(row, cells)
	}}
}

// momentOf is a FILETIME, counted in 100 ns since 1601, as a datetime.
func momentOf(v cim.Value) cim.Value {
	ticks, ok := v.Uint()
	if !ok || ticks < unixEpoch || ticks-unixEpoch > math.MaxInt64/100 {
		return cim.Null(cim.Datetime)
	}
	return cim.Time(cim.AtTime(time.Unix(0, int64(ticks-unixEpoch)*100).UTC())) // #nosec G115 -- bounded above
}

// unixEpoch is 1970 as a FILETIME.
const unixEpoch = 116444736000000000
