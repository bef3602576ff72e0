package console

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// place is where a query is wrong: lines and columns count from 1, columns in
// characters, as an editor shows them.
type place struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

// String is the place as people read it.
func (p place) String() string {
	return "Line " + strconv.Itoa(p.Line) + " col " + strconv.Itoa(p.Column) + ": " + p.Text + "."
}

// atColumn is how the errors of cim/wql, which every Casement host gives, end.
var atColumn = regexp.MustCompile(`^(.*) at column ([0-9]{1,6})$`)

// placeOf finds out where a query is wrong that a server refused. Servers of Windows
// tell that it is wrong and not where, so that it is read here once more; nil where
// nothing is found.
func placeOf(query string, err error) *place {
	var known *cim.Error
	if !errors.As(err, &known) || known.Status != cim.ErrInvalidQuery {
		return nil
	}
	switch {
	case wql.IsAssociators(query):
		_, err = wql.ParseAssociators(query)
	case wql.IsSchema(query):
		_, err = wql.ParseSchema(query)
	default:
		_, err = wql.Parse(query)
	}
	detail := known.Detail
	if errors.As(err, &known) {
		detail = known.Detail
	}
	m := atColumn.FindStringSubmatch(strings.TrimSuffix(strings.TrimSpace(detail), "."))
	if m == nil {
		return nil
	}
	at, err := strconv.Atoi(m[2])
	if err != nil || at < 1 || at > len(query)+1 {
		return nil
	}
	before := strings.ToValidUTF8(query[:at-1], "?")
	p := &place{Line: 1 + strings.Count(before, "\n"), Text: m[1] + " (0x80041017 WBEM_E_INVALID_QUERY)"}
	p.Column = 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return p
}
