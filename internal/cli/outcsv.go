package cli

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"

	"github.com/casementhq/casement/cim"
)

// csvRows prints the lines of RFC 4180 with a head of property names. The columns
// are those of the first row. NULL is an empty field.
type csvRows struct {
	w    io.Writer
	buf  bytes.Buffer
	csv  *csv.Writer
	cols columns
	head []string // nil before the first row
	more string   // a class that had properties without a column
	safe bool     // the output is a terminal, which no field may steer
}

func newCSVRows(w io.Writer) *csvRows {
	c := &csvRows{w: w}
	_, c.safe = terminal(w)
	c.csv = csv.NewWriter(&c.buf)
	return c
}

func (c *csvRows) write(host string, batch []*cim.Instance) error {
	c.buf.Reset()
	for _, i := range batch {
		if changed := c.cols.follow(i); changed && c.head == nil {
			c.head = c.cols.names
			if err := c.line(host, hostColumn, c.head); err != nil {
				return err
			}
		}
		fields := make([]string, len(c.head))
		for n, name := range c.head {
			if fields[n] = cellText(i.Get(name)); c.safe {
				fields[n] = printable(fields[n])
			}
		}
		for _, p := range i.Class().Properties {
			if c.more == "" && !containsFold(c.head, p.Name) {
				c.more = i.Class().Name
			}
		}
		if err := c.line(host, host, fields); err != nil {
			return err
		}
	}
	c.csv.Flush()
	_, err := c.w.Write(c.buf.Bytes())
	return err
}

// heads prints the names of columns where there are no rows, so that who reads the output
// finds what it expects.
func (c *csvRows) heads(names []string) error {
	if err := c.csv.Write(names); err != nil {
		return err
	}
	c.csv.Flush()
	_, err := c.w.Write(c.buf.Bytes())
	return err
}

func (c *csvRows) line(host, first string, fields []string) error {
	if host != "" {
		fields = append([]string{first}, fields...)
	}
	return c.csv.Write(fields)
}

func (c *csvRows) close() error {
	if c.more != "" {
		return fmt.Errorf("instances of %s have properties that the first row has not, which CSV leaves out; -o json shows all", c.more)
	}
	return nil
}

func containsFold(list []string, name string) bool {
	for _, s := range list {
		if cim.EqualFold(s, name) {
			return true
		}
	}
	return false
}
