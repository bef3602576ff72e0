package lists

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/casementhq/casement/pool"
)

// jsonSchema names the document that is written.
const jsonSchema = "casement.servers/1"

// readJSON takes the document that writeJSON writes, or its array of servers alone.
func readJSON(b *builder, text string) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	where := &cursor{text: text, line: 1}
	at := func(err error) error {
		line, column := where.to(errorOffset(err, d.InputOffset()))
		detail := strings.TrimPrefix(err.Error(), "json: ")
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			detail = "the document ends too early"
		}
		return wrong(line, column, "%s", detail)
	}
	token, err := d.Token()
	if err != nil {
		return at(err)
	}
	object := token == json.Delim('{')
	if object {
		for found := false; !found; {
			if token, err = d.Token(); err != nil {
				return at(err)
			}
			switch token {
			case "servers":
				found = true
			case "schema":
				var schema string
				if err := d.Decode(&schema); err != nil {
					return at(err)
				}
				if schema != jsonSchema {
					return at(errors.New("the document is " + quoted(schema) + ", not " + jsonSchema))
				}
			default:
				return at(errors.New("the document has no servers"))
			}
		}
		if token, err = d.Token(); err != nil {
			return at(err)
		}
	}
	if token != json.Delim('[') {
		return at(errors.New("an array of servers is expected here"))
	}
	for d.More() {
		start := d.InputOffset()
		for start < int64(len(text)) && strings.IndexByte(" \t\r\n,", text[start]) >= 0 {
			start++
		}
		var s pool.Server
		if err := d.Decode(&s); err != nil {
			return at(err)
		}
		s.Added, s.AddedBy = time.Time{}, ""
		line, column := where.to(start)
		s.Tags = b.tags(line, s.Tags)
		if err := b.add(line, column, s); err != nil {
			return err
		}
	}
	ends := 1
	if object {
		ends = 2
	}
	for ; ends > 0; ends-- {
		if token, err = d.Token(); err != nil {
			return at(err)
		}
		if _, ok := token.(json.Delim); !ok {
			return at(errors.New("nothing may follow the servers"))
		}
	}
	if _, err = d.Token(); !errors.Is(err, io.EOF) {
		return at(errors.New("nothing may follow the document"))
	}
	return nil
}

func errorOffset(err error, here int64) int64 {
	if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
		return max(here, s.Offset-1)
	}
	return here
}

// cursor tells lines and columns of offsets that grow.
type cursor struct {
	text      string
	at        int // counted up to here
	line      int
	lineStart int
}

func (c *cursor) to(offset int64) (line, column int) {
	for end := min(int(offset), len(c.text)); c.at < end; c.at++ {
		if c.text[c.at] == '\n' {
			c.line, c.lineStart = c.line+1, c.at+1
		}
	}
	return c.line, c.at - c.lineStart + 1
}

func writeJSON(w io.Writer, servers []pool.Server) error {
	if servers == nil {
		servers = []pool.Server{}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	return out.Encode(struct {
		Schema  string        `json:"schema"`
		Servers []pool.Server `json:"servers"`
	}{jsonSchema, servers})
}
