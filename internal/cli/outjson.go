package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

// jsonRows prints one array of objects, an object a line.
type jsonRows struct {
	w     io.Writer
	began bool
	buf   []byte
}

func (j *jsonRows) write(host string, batch []*cim.Instance) error {
	j.buf = j.buf[:0]
	for _, i := range batch {
		if j.began {
			j.buf = append(j.buf, ",\n"...)
		} else {
			j.buf = append(j.buf, "[\n"...)
		}
		j.began = true
		j.buf = appendObject(j.buf, host, i)
	}
	_, err := j.w.Write(j.buf)
	return err
}

func (j *jsonRows) close() error {
	end := "\n]\n"
	if !j.began {
		end = "[]\n"
	}
	_, err := io.WriteString(j.w, end)
	return err
}

func appendObject(b []byte, host string, i *cim.Instance) []byte {
	b = append(b, '{')
	if host != "" {
		b = appendString(append(appendString(b, hostColumn), ':'), host)
	}
	for n := range i.Class().Properties {
		if n > 0 || host != "" {
			b = append(b, ',')
		}
		b = append(appendString(b, i.Class().Properties[n].Name), ':')
		b = appendJSON(b, i.At(n))
	}
	return append(b, '}')
}

// appendJSON appends a value: null for NULL, numbers as they are, datetimes in
// ISO 8601 form, embedded objects as objects, all else as strings.
func appendJSON(b []byte, v cim.Value) []byte {
	t := v.Type()
	switch {
	case v.IsNull():
		return append(b, "null"...)
	case t.IsArray():
		b = append(b, '[')
		for n, e := range v.Elems() {
			if n > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e)
		}
		return append(b, ']')
	case v.Object() != nil:
		return appendObject(b, "", v.Object())
	case t.IsInteger(), t == cim.Boolean, t == cim.Char16:
		return v.AppendText(b)
	case t.IsReal():
		if f, _ := v.Float(); math.IsInf(f, 0) || math.IsNaN(f) {
			return appendString(b, v.String())
		}
		return v.AppendText(b)
	case t == cim.Datetime:
		d, _ := v.DateTime()
		return appendString(b, isoTime(d))
	}
	s, _ := v.Str()
	return appendString(b, s)
}

// appendString appends a JSON string. encoding/json leaves the control characters
// above ASCII as they are; terminals may not.
func appendString(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...) // a string always marshals
	}
	if bytes.IndexFunc(text, unicode.IsControl) < 0 {
		return append(b, text...)
	}
	for _, r := range string(text) {
		if unicode.IsControl(r) {
			b = fmt.Appendf(b, `\u%04x`, r)
			continue
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// isoTime is a datetime in ISO 8601 form: 2026-11-20T10:30:00.5+01:00, an interval
// as P1DT2H3M4.5S. One with asterisks stays as it is.
func isoTime(d cim.DateTime) string {
	if t, ok := d.Time(); ok {
		return t.Format(time.RFC3339Nano)
	}
	length, ok := d.Duration()
	if !ok {
		return string(d)
	}
	var s strings.Builder
	s.WriteByte('P')
	if days := length / (24 * time.Hour); days > 0 {
		fmt.Fprintf(&s, "%dD", days)
	}
	rest := length % (24 * time.Hour)
	if rest == 0 && s.Len() > 1 {
		return s.String()
	}
	s.WriteByte('T')
	if h := rest / time.Hour; h > 0 {
		fmt.Fprintf(&s, "%dH", h)
	}
	if m := rest % time.Hour / time.Minute; m > 0 {
		fmt.Fprintf(&s, "%dM", m)
	}
	if sec := rest % time.Minute; sec > 0 || rest == 0 {
		s.WriteString(strconv.FormatFloat(sec.Seconds(), 'f', -1, 64) + "S")
	}
	return s.String()
}
