package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/spf13/cobra"
)

// formats are the values of -o. list is what table becomes on a terminal that is
// too narrow for it.
var formats = []string{"table", "list", "json", "csv", "xml"}

// formatFlag adds -o and returns the format that it names.
func formatFlag(c *cobra.Command) *string {
	f := formatValue("table")
	c.Flags().VarP(&f, "output", "o", "form of the output: "+strings.Join(formats, ", "))
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return (*string)(&f)
}

// formatValue is a flag that takes one of the formats.
type formatValue string

// Set implements pflag.Value.
func (f *formatValue) Set(s string) error {
	s = strings.ToLower(s)
	if !slices.Contains(formats, s) {
		return fmt.Errorf("want one of %s", strings.Join(formats, ", "))
	}
	*f = formatValue(s)
	return nil
}

// String implements pflag.Value.
func (f *formatValue) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *formatValue) Type() string { return "format" }

// rowWriter prints instances as they come. It is for one goroutine.
type rowWriter interface {
	// write prints a batch that came from host; host is "" where the rows shall
	// not show it.
	write(host string, batch []*cim.Instance) error
	// close prints what ends the output.
	close() error
}

// newRows makes the writer of a format. Every write is one Write on w.
func newRows(format string, w io.Writer) rowWriter {
	switch format {
	case "json":
		return &jsonRows{w: w}
	case "csv":
		return newCSVRows(w)
	case "xml":
		return &xmlRows{w: w}
	case "list":
		return &tableRows{w: w, list: true}
	}
	return &tableRows{w: w, width: terminalWidth(w)}
}

// columns are the property names of a batch of rows.
type columns struct {
	class *cim.Class
	names []string
}

// follow tells whether i has other properties than the rows before it, and
// remembers them.
func (c *columns) follow(i *cim.Instance) (changed bool) {
	class := i.Class()
	if class == c.class {
		return false
	}
	c.class = class
	same := len(class.Properties) == len(c.names) && c.names != nil
	for n := 0; same && n < len(c.names); n++ {
		same = class.Properties[n].Name == c.names[n]
	}
	if same {
		return false
	}
	c.names = make([]string, len(class.Properties))
	for n := range class.Properties {
		c.names[n] = class.Properties[n].Name
	}
	return true
}

// listing is a small table of facts that are at hand.
type listing struct {
	format  string
	columns []string
	rows    [][]cim.Value
}

// add appends a row of strings, booleans, integers and cim values.
func (l *listing) add(cells ...any) {
	row := make([]cim.Value, len(cells))
	for n, cell := range cells {
		switch v := cell.(type) {
		case cim.Value:
			row[n] = v
		case bool:
			row[n] = cim.Bool(v)
		case int:
			row[n] = cim.S64(int64(v))
		case string:
			row[n] = cim.Str(v)
		default:
			panic(fmt.Sprintf("listing of a %T", cell))
		}
	}
	l.rows = append(l.rows, row)
}

func (l *listing) print(w io.Writer) error {
	class := &cim.Class{Name: "Row"}
	for n, name := range l.columns {
		t := cim.String
		if len(l.rows) > 0 {
			t = l.rows[0][n].Type()
		}
		class.Properties = append(class.Properties, cim.Property{Name: name, Type: t})
	}
	class.Seal()
	out := newRows(l.format, w)
	if c, ok := out.(*csvRows); ok && len(l.rows) == 0 {
		return c.heads(l.columns)
	}
	batch := make([]*cim.Instance, len(l.rows))
	for n, row := range l.rows {
		batch[n] = cim.MakeInstance(class, row)
	}
	if err := out.write("", batch); err != nil {
		return err
	}
	return out.close()
}
