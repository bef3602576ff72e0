package cli

import (
	"bytes"
	"io"
	"strings"
	"unicode"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
	"github.com/jedib0t/go-pretty/v6/text"
)

// hostColumn is the name under which rows of several hosts show theirs.
const hostColumn = "Host"

// maxCell bounds a cell of a table on a terminal, in columns.
const maxCell = 60

// tableRows prints aligned columns. Their widths come from the first batch; a
// longer cell moves what follows it to the right. NULL is an empty cell.
type tableRows struct {
	w     io.Writer
	width int  // columns of the terminal, 0 where there is none
	list  bool // one property a line
	began bool

	cols   columns
	widths []int
	buf    []byte
}

func (t *tableRows) write(host string, batch []*cim.Instance) error {
	t.buf = t.buf[:0]
	for n, i := range batch {
		if t.cols.follow(i) {
			t.begin(host, batch[n:])
		}
		if t.list {
			t.listRow(host, i)
		} else {
			t.tableRow(host, i)
		}
	}
	_, err := t.w.Write(t.buf)
	return err
}

func (t *tableRows) close() error { return nil }

// begin measures the rows that follow and prints their heads.
func (t *tableRows) begin(host string, batch []*cim.Instance) {
	names := t.cols.names
	if host != "" {
		names = append([]string{hostColumn}, names...)
	}
	t.widths = make([]int, len(names))
	for n, name := range names {
		t.widths[n] = text.StringWidth(name)
	}
	class := t.cols.class
	for _, i := range batch {
		if i.Class() != class {
			break
		}
		for n := range t.widths {
			t.widths[n] = max(t.widths[n], text.StringWidth(t.cell(host, i, n)))
		}
	}
	total := 2 * (len(names) - 1)
	for n := range t.widths {
		if t.width > 0 {
			t.widths[n] = min(t.widths[n], maxCell)
		}
		total += t.widths[n]
	}
	if len(names) == 0 || t.width > 0 && total > t.width {
		t.list = true
	}
	if t.list {
		return
	}
	if t.began {
		t.buf = append(t.buf, '\n')
	}
	t.began = true
	rule := make([]string, len(names))
	for n, name := range names {
		rule[n] = strings.Repeat("-", text.StringWidth(name))
	}
	t.line(names, func(n int) bool { return t.right(host, n) })
	t.line(rule, func(n int) bool { return t.right(host, n) })
}

// right tells whether a column stands to the right: numbers do.
func (t *tableRows) right(host string, n int) bool {
	if host != "" {
		n--
	}
	if n < 0 {
		return false
	}
	p := t.cols.class.Properties[n].Type
	return p.IsInteger() || p.IsReal()
}

// cell is the text of a column; the host's is the first where there is one.
func (t *tableRows) cell(host string, i *cim.Instance, n int) string {
	if host != "" {
		if n == 0 {
			return printable(host)
		}
		n--
	}
	if sid := sidText(t.cols.names[n], i.At(n)); sid != "" {
		return sid
	}
	return printable(cellText(i.At(n)))
}

// sidText is a SID in its usual form, for the properties that hold one in binary
// form, as CreatorSID does; else "".
func sidText(name string, v cim.Value) string {
	binary, ok := v.Bytes()
	if !ok || !strings.HasSuffix(cim.Fold(name), cim.Fold("SID")) {
		return ""
	}
	sid, size, err := security.DecodeSID(binary)
	if err != nil || size != len(binary) {
		return ""
	}
	return sid.String()
}

func (t *tableRows) tableRow(host string, i *cim.Instance) {
	cells := make([]string, len(t.widths))
	for n := range cells {
		cells[n] = t.cell(host, i, n)
		if t.width > 0 && text.StringWidth(cells[n]) > maxCell {
			cells[n] = text.Snip(cells[n], maxCell, "…")
		}
	}
	t.line(cells, func(n int) bool { return t.right(host, n) })
}

func (t *tableRows) line(cells []string, right func(int) bool) {
	start := len(t.buf)
	for n, cell := range cells {
		if n > 0 {
			t.buf = append(t.buf, "  "...)
		}
		pad := max(0, t.widths[n]-text.StringWidth(cell))
		if right(n) {
			t.pad(pad)
			t.buf = append(t.buf, cell...)
		} else {
			t.buf = append(t.buf, cell...)
			t.pad(pad)
		}
	}
	for len(t.buf) > start && t.buf[len(t.buf)-1] == ' ' {
		t.buf = t.buf[:len(t.buf)-1]
	}
	t.buf = append(t.buf, '\n')
}

func (t *tableRows) pad(n int) {
	for range n {
		t.buf = append(t.buf, ' ')
	}
}

func (t *tableRows) listRow(host string, i *cim.Instance) {
	if t.began {
		t.buf = append(t.buf, '\n')
	}
	t.began = true
	type line struct{ name, value string }
	var lines []line
	width := 0
	put := func(name, value string) {
		name = printable(name)
		width = max(width, text.StringWidth(name))
		lines = append(lines, line{name, value})
	}
	if host != "" {
		put(hostColumn, printable(host))
	}
	if len(t.cols.names) == 0 {
		put(i.Class().Name, "no properties")
	}
	for n, name := range t.cols.names {
		put(name, t.cell("", i, n))
		if o := i.At(n).Object(); o != nil {
			for m, p := range o.Class().Properties {
				if v := o.At(m); !v.IsNull() {
					put(name+"."+p.Name, printable(cellText(v)))
				}
			}
		}
	}
	for _, l := range lines {
		t.buf = append(t.buf, l.name...)
		t.pad(width - text.StringWidth(l.name))
		t.buf = append(t.buf, " : "...)
		t.buf = append(append(t.buf, l.value...), '\n')
	}
}

// cellText is a value for people and for CSV: NULL is empty, datetimes are in
// ISO 8601 form, the elements of an array stand in braces, an embedded object
// shows its path where it has one.
func cellText(v cim.Value) string {
	if v.IsNull() {
		return ""
	}
	if v.Type().IsArray() {
		parts := make([]string, len(v.Elems()))
		for n, e := range v.Elems() {
			parts[n] = cellText(e)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	if d, ok := v.DateTime(); ok {
		return isoTime(d)
	}
	if o := v.Object(); o != nil {
		if path, whole := o.Path(); whole {
			return path.Relative()
		}
	}
	return v.String()
}

// printable keeps what a host sent from steering the terminal.
func printable(s string) string {
	clean := func(r rune) bool { return unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case clean(r):
			return r
		case r == '\n', r == '\r', r == '\t', unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, s)
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for n := range lines {
		lines[n] = printable(lines[n])
	}
	return strings.Join(lines, "\n")
}

// harmless writes a text of lines, with what a host sent in it, to what may be
// a terminal.
type harmless struct{ io.Writer }

func (h harmless) Write(b []byte) (int, error) {
	clean := bytes.Map(func(r rune) rune {
		if unicode.IsGraphic(r) || r == '\n' || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, b)
	if _, err := h.Writer.Write(clean); err != nil {
		return 0, err
	}
	return len(b), nil
}
