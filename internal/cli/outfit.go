package cli

import (
	"io"
	"slices"

	"github.com/casementhq/casement/cim"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// fitting is how a table of many columns is made narrow enough for a terminal. The zero
// value leaves it as it is.
type fitting struct {
	cut   []cut    // columns whose cells may be cut; the first gets most of the room
	spare []string // columns that are left out, in this order, where cutting is not enough
}

// cut is a column, and the width that it keeps.
type cut struct {
	column string
	least  int
}

// terminalWidth is the columns of the terminal that w is, 0 where it is none.
func terminalWidth(w io.Writer) int {
	if fd, ok := terminal(w); ok {
		if width, _, err := term.GetSize(fd); err == nil {
			return width
		}
	}
	return 0
}

// fitted is the listing in at most width columns, and what had to be left out. Where
// that is not possible it is the listing itself.
func (l *listing) fitted(width int, f fitting) (_ *listing, left []string) {
	least := make([]int, len(l.columns))
	natural := make([]int, len(l.columns))
	for n, name := range l.columns {
		natural[n] = text.StringWidth(name)
		for _, row := range l.rows {
			natural[n] = max(natural[n], min(text.StringWidth(printable(cellText(row[n]))), maxCell))
		}
		least[n] = natural[n]
		if i := slices.IndexFunc(f.cut, func(c cut) bool { return c.column == name }); i >= 0 {
			least[n] = min(natural[n], max(f.cut[i].least, text.StringWidth(name)))
		}
	}
	room := func() int {
		room := width + 2
		for n, name := range l.columns {
			if !slices.Contains(left, name) {
				room -= least[n] + 2
			}
		}
		return room
	}
	for _, name := range f.spare {
		if room() >= 0 {
			break
		}
		left = append(left, name)
	}
	spare := room()
	if spare < 0 {
		return l, nil
	}
	for _, c := range f.cut {
		if n := slices.Index(l.columns, c.column); n >= 0 && !slices.Contains(left, c.column) {
			more := min(spare, natural[n]-least[n])
			least[n], spare = least[n]+more, spare-more
		}
	}
	out := &listing{format: l.format}
	keep := func(n int) bool { return !slices.Contains(left, l.columns[n]) }
	for n, name := range l.columns {
		if keep(n) {
			out.columns = append(out.columns, name)
		}
	}
	for _, row := range l.rows {
		var cells []cim.Value
		for n, v := range row {
			if !keep(n) {
				continue
			}
			if cell := printable(cellText(v)); text.StringWidth(cell) > least[n] {
				v = cim.Str(text.Snip(cell, least[n], "…"))
			}
			cells = append(cells, v)
		}
		out.rows = append(out.rows, cells)
	}
	return out, left
}
