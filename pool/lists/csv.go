package lists

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/casementhq/casement/pool"
)

// The columns of our CSV. The last two are not read: who imports has added.
var csvColumns = []string{"name", "address", "endpoint", "transport", "resolver_port", "thumbprint", "tags", "credential", "paused", "note", "added", "added_by"}

// tagSeparators stand between tags; we write the first.
const tagSeparators = "|,;"

// table is a CSV with a head.
type table struct {
	csv  *csv.Reader
	head map[string]int
	row  []string
}

// openTable reads the head. The separator is a semicolon where the head has more of
// these, as spreadsheets of some countries write it.
func openTable(b *builder, text string, known []string) (*table, error) {
	first, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	t := &table{csv: csv.NewReader(strings.NewReader(text)), head: map[string]int{}}
	t.csv.FieldsPerRecord, t.csv.ReuseRecord = -1, true
	if strings.Count(first, ";") > strings.Count(first, ",") {
		t.csv.Comma = ';'
	}
	row, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, &Error{Detail: "the list is empty: a CSV begins with the names of its columns"}
	}
	if err != nil {
		return nil, csvError(err)
	}
	for i, name := range row {
		line, column := t.csv.FieldPos(i)
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := t.head[name]; twice {
			return nil, wrong(line, column, "the column %s is there twice", quoted(name))
		}
		t.head[name] = i
		if !slices.Contains(known, name) {
			b.note(line, "the column %s is not taken", quoted(name))
		}
	}
	if _, ok := t.head["name"]; !ok {
		return nil, wrong(1, 1, "no column is called name; the columns are %s", strings.Join(known, ","))
	}
	return t, nil
}

// next reads a row; false is the end.
func (t *table) next() (bool, error) {
	row, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, csvError(err)
	}
	if t.row = row; len(row) != len(t.head) {
		line, _ := t.csv.FieldPos(0)
		return false, wrong(line, 1, "the line has %d fields, the first has %d", len(row), len(t.head))
	}
	return true, nil
}

func csvError(err error) error {
	if p := (*csv.ParseError)(nil); errors.As(err, &p) {
		return wrong(p.Line, p.Column, "%v", p.Err)
	}
	return err
}

// get is a field, and where it stands.
func (t *table) get(name string) (value string, line, column int) {
	i, ok := t.head[name]
	if !ok {
		return "", 0, 0
	}
	line, column = t.csv.FieldPos(i)
	return strings.TrimSpace(plain(t.row[i])), line, column
}

func readCSV(b *builder, text string) error {
	t, err := openTable(b, text, csvColumns)
	if err != nil {
		return err
	}
	for {
		if more, err := t.next(); err != nil || !more {
			return err
		}
		var s pool.Server
		name, line, column := t.get("name")
		s.Name = name
		for _, f := range []struct {
			name string
			to   *string
		}{{"address", &s.Address}, {"endpoint", &s.Endpoint}, {"thumbprint", &s.Thumbprint}, {"credential", &s.Credential}, {"note", &s.Note}} {
			*f.to, _, _ = t.get(f.name)
		}
		transport, _, _ := t.get("transport")
		s.Transport = pool.Transport(strings.ToLower(transport))
		if port, l, c := t.get("resolver_port"); port != "" {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				return wrong(l, c, "%s is not a port", quoted(port))
			}
			s.ResolverPort = uint16(n)
		}
		if paused, l, c := t.get("paused"); paused != "" {
			if s.Paused, err = strconv.ParseBool(strings.ToLower(paused)); err != nil {
				return wrong(l, c, "%s is neither true nor false", quoted(paused))
			}
		}
		tags, l, _ := t.get("tags")
		s.Tags = b.tags(l, strings.FieldsFunc(tags, func(r rune) bool { return strings.ContainsRune(tagSeparators, r) }))
		if err := b.add(line, column, s); err != nil {
			return err
		}
	}
}

func writeCSV(w io.Writer, servers []pool.Server) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvColumns); err != nil {
		return err
	}
	for _, s := range servers {
		row := []string{s.Name, s.Address, s.Endpoint, string(s.Transport), "", s.Thumbprint, strings.Join(s.Tags, "|"), s.Credential, "", s.Note, "", s.AddedBy}
		if s.ResolverPort != 0 {
			row[4] = strconv.Itoa(int(s.ResolverPort))
		}
		if s.Paused {
			row[8] = "true"
		}
		if !s.Added.IsZero() {
			row[10] = s.Added.UTC().Format(time.RFC3339)
		}
		for i, f := range row {
			row[i] = Defused(oneLine(f))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// oneLine has spaces for what is no character of a line.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}

// formulas are what a spreadsheet takes a cell for a formula by.
const formulas = "=+-@\t\r"

// Defused is a field of a CSV that no spreadsheet takes for a formula: it has an
// apostrophe before it where it would be one. A field that looks defused by itself
// gets one too, so that what is read is what was written. See spec/console.md 4.
func Defused(field string) string {
	if field != "" && (strings.IndexByte(formulas, field[0]) >= 0 || isDefused(field)) {
		return "'" + field
	}
	return field
}

func isDefused(field string) bool {
	return len(field) > 1 && field[0] == '\'' && (field[1] == '\'' || strings.IndexByte(formulas, field[1]) >= 0)
}

// plain undoes Defused.
func plain(field string) string {
	if isDefused(field) {
		return field[1:]
	}
	return field
}

// The columns of Windows Admin Center, and the kinds of its connections.
var adminCenterColumns = []string{"name", "type", "tags", "groupid"}

const (
	kindPrefix = "msft.sme.connection-type."
	kindServer = kindPrefix + "server"
	kindClient = kindPrefix + "windows-client"
)

// readAdminCenter leaves computers out that are no servers, and says so.
func readAdminCenter(b *builder, text string) error {
	t, err := openTable(b, text, adminCenterColumns)
	if err != nil {
		return err
	}
	for {
		if more, err := t.next(); err != nil || !more {
			return err
		}
		name, line, column := t.get("name")
		kind, _, _ := t.get("type")
		switch kind = strings.ToLower(kind); {
		case kind == kindClient:
			b.note(line, "%s has a client operating system and is left out", quoted(name))
			continue
		case kind == kindServer, kind == "":
		case strings.HasPrefix(kind, kindPrefix) && strings.HasSuffix(kind, "cluster"):
			b.note(line, "%s is a cluster; it is taken as a server of this name, without its nodes", quoted(name))
		default:
			b.note(line, "%s is a connection of the kind %s and is left out", quoted(name), quoted(kind))
			continue
		}
		tags, l, _ := t.get("tags")
		s := pool.Server{Name: name, Tags: b.tags(l, strings.FieldsFunc(tags, func(r rune) bool { return strings.ContainsRune(tagSeparators, r) }))}
		if err := b.add(line, column, s); err != nil {
			return err
		}
	}
}

func writeAdminCenter(w io.Writer, servers []pool.Server) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"name", "type", "tags", "groupId"}); err != nil {
		return err
	}
	for _, s := range servers {
		if err := out.Write([]string{Defused(s.Name), kindServer, Defused(strings.Join(s.Tags, "|")), ""}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
