package cli

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
)

// clixmlMark begins what PowerShell writes to the standard error when that is no console.
const clixmlMark = "#< CLIXML"

// maxCLIXML bounds how much of the standard error is held to be decoded, in bytes.
const maxCLIXML = 8 << 20

// clixmlWriter takes the standard error of PowerShell. What begins with the mark is
// held and written as plain text by Close; all else passes through at once.
type clixmlWriter struct {
	w     io.Writer
	held  []byte
	plain bool
}

// Write implements io.Writer.
func (c *clixmlWriter) Write(b []byte) (int, error) {
	if c.plain {
		return c.w.Write(b)
	}
	c.held = append(c.held, b...)
	head := bytes.TrimPrefix(c.held, []byte("\xEF\xBB\xBF"))
	if n := min(len(head), len(clixmlMark)); string(head[:n]) != clixmlMark[:n] || len(c.held) > maxCLIXML {
		c.plain = true
		_, err := c.w.Write(c.held)
		c.held = nil
		return len(b), err
	}
	return len(b), nil
}

// Close writes what was held.
func (c *clixmlWriter) Close() error {
	if len(c.held) == 0 {
		return nil
	}
	text := decodeCLIXML(c.held)
	c.held = nil
	_, err := io.WriteString(c.w, text)
	return err
}

// decodeCLIXML gives the texts of errors, warnings and other streams as PowerShell would
// have shown them; progress is left out. What cannot be read comes as it is.
func decodeCLIXML(b []byte) string {
	b = bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF"))
	body := bytes.TrimLeft(bytes.TrimPrefix(b, []byte(clixmlMark)), "\r\n")
	var out strings.Builder
	d := xml.NewDecoder(bytes.NewReader(body))
	depth := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			return out.String() + string(body[min(int(d.InputOffset()), len(body)):])
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth++; depth != 2 || t.Name.Local != "S" {
				continue
			}
			var text string
			if err := d.DecodeElement(&text, &t); err != nil {
				return out.String() + string(body)
			}
			depth--
			out.WriteString(streamLabel(t) + unescapeCLIXML(text))
		case xml.EndElement:
			depth--
		case xml.Directive:
			return out.String() + string(body)
		}
	}
}

// streamLabel is what PowerShell puts before a line of a stream other than that of errors.
func streamLabel(e xml.StartElement) string {
	for _, a := range e.Attr {
		if a.Name.Local != "S" {
			continue
		}
		switch strings.ToLower(a.Value) {
		case "warning", "verbose", "debug":
			return strings.ToUpper(a.Value) + ": "
		}
	}
	return ""
}

// unescapeCLIXML undoes _xHHHH_, a UTF-16 unit in hexadecimal. See [MS-PSRP] 2.2.5.3.2.
func unescapeCLIXML(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		unit, ok := clixmlUnit(s[i:])
		if !ok {
			out.WriteByte(s[i])
			i++
			continue
		}
		i += 7
		r := rune(unit)
		if low, ok := clixmlUnit(s[i:]); ok && utf16.IsSurrogate(r) {
			if pair := utf16.DecodeRune(r, rune(low)); pair != '\uFFFD' {
				r = pair
				i += 7
			}
		}
		out.WriteRune(r)
	}
	return out.String()
}

func clixmlUnit(s string) (unit uint16, ok bool) {
	if len(s) < 7 || s[0] != '_' || s[1] != 'x' || s[6] != '_' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return uint16(n), err == nil
}
