package httpauth

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

const (
	delimiter  = "--" + boundary
	octets     = "\tContent-Type: application/octet-stream\r\n"
	maxParts   = 4096
	maxLine    = 512 // bytes of a part's header line
	lengthName = "length="
)

// Part is one sealed piece of a message. The parts look like MIME and are not: header lines are indented by
// a tab, and no blank line precedes the data. See [MS-WSMV] 2.2.9.1.1.
type Part struct {
	// Type is the media type of the plaintext with its charset.
	Type string
	// Length is the size of the plaintext in bytes.
	Length int
	// Field is the number before the data: the length of the signature, or of the trailer under CredSSP.
	Field uint32
	// Data is what follows Field.
	Data []byte
}

// appendHead writes everything of a part that precedes its data.
func appendHead(dst []byte, p Protocol, part *Part) []byte {
	dst = append(dst, delimiter+"\r\n\tContent-Type: "...)
	dst = append(dst, p...)
	dst = append(dst, "\r\n\tOriginalContent: type="...)
	dst = append(dst, part.Type...)
	dst = append(dst, ";Length="...)
	dst = strconv.AppendInt(dst, int64(part.Length), 10)
	dst = append(dst, "\r\n"+delimiter+"\r\n"+octets...)
	return binary.LittleEndian.AppendUint32(dst, part.Field)
}

func appendEnd(dst []byte) []byte { return append(dst, delimiter+"--\r\n"...) }

// EncodeParts lays out parts as Windows does.
func EncodeParts(p Protocol, parts []Part) []byte {
	var dst []byte
	for i := range parts {
		dst = append(appendHead(dst, p, &parts[i]), parts[i].Data...)
	}
	return appendEnd(dst)
}

// DecodeParts reads a sealed body whose plaintexts may have limit bytes together. The boundary may be written
// with a space behind its dashes. Data alias body. Only CredSSP has more than one part.
func DecodeParts(p Protocol, body []byte, limit int) ([]Part, error) {
	d := decoder{rest: body}
	if !d.delimiter() {
		return nil, malformed("no boundary at the beginning")
	}
	var parts []Part
	total := 0
	for {
		var part Part
		if err := d.meta(p, &part); err != nil {
			return nil, err
		}
		if total += part.Length; total > limit || part.Length > limit {
			return nil, ErrTooLarge
		}
		more, err := d.data(p, &part)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if !more {
			return parts, nil
		}
		if len(parts) == maxParts {
			return nil, malformed("more than %d parts", maxParts)
		}
	}
}

type decoder struct{ rest []byte }

// delimiter skips "--Encrypted Boundary" and its line end.
func (d *decoder) delimiter() bool {
	for _, s := range []string{delimiter + "\r\n", "-- " + boundary + "\r\n"} {
		if bytes.HasPrefix(d.rest, []byte(s)) {
			d.rest = d.rest[len(s):]
			return true
		}
	}
	return false
}

// line returns the next header line without indentation and line end.
func (d *decoder) line() (name, value string, err error) {
	head := d.rest[:min(len(d.rest), maxLine)]
	n := bytes.Index(head, []byte("\r\n"))
	if n < 0 {
		return "", "", malformed("header line of a part has no end")
	}
	text := strings.TrimLeft(string(head[:n]), "\t ")
	d.rest = d.rest[n+2:]
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return "", "", malformed("header line of a part %q", text)
	}
	return name, strings.TrimSpace(value), nil
}

// meta reads the part that describes: two lines, in either order, and the boundary behind them.
func (d *decoder) meta(p Protocol, part *Part) error {
	typed, sized := false, false
	for !typed || !sized {
		name, value, err := d.line()
		if err != nil {
			return err
		}
		switch {
		case strings.EqualFold(name, "Content-Type") && !typed:
			if !strings.EqualFold(value, string(p)) {
				return malformed("part of type %q in a message of %q", value, p)
			}
			typed = true
		case strings.EqualFold(name, "OriginalContent") && !sized:
			if err := part.original(value); err != nil {
				return err
			}
			sized = true
		default:
			return malformed("unexpected header %q", name)
		}
	}
	if !d.delimiter() {
		return malformed("no boundary before the data")
	}
	return nil
}

// original reads "type=application/soap+xml;charset=UTF-8;Length=123".
func (part *Part) original(value string) error {
	at := strings.LastIndexByte(value, ';')
	if at < 0 || len(value)-at-1 < len(lengthName) {
		return malformed("OriginalContent %q", value)
	}
	length := strings.TrimSpace(value[at+1:])
	if !strings.HasPrefix(strings.ToLower(length), lengthName) {
		return malformed("OriginalContent %q", value)
	}
	n, err := strconv.ParseUint(length[len(lengthName):], 10, 31)
	if err != nil {
		return malformed("OriginalContent %q", value)
	}
	part.Length = int(n)
	part.Type = strings.TrimPrefix(strings.TrimSpace(value[:at]), "type=")
	return nil
}

// data reads the part that is sealed, and reports whether another follows.
func (d *decoder) data(p Protocol, part *Part) (more bool, err error) {
	name, value, err := d.line()
	if err != nil {
		return false, err
	}
	if !strings.EqualFold(name, "Content-Type") || !strings.EqualFold(value, "application/octet-stream") {
		return false, malformed("data of type %q", value)
	}
	if len(d.rest) < 4 {
		return false, malformed("data are cut short")
	}
	part.Field = binary.LittleEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	if p == ProtocolCredSSP {
		if n := nextPart(d.rest); n >= 0 {
			part.Data, d.rest = d.rest[:n], d.rest[n:]
			return d.delimiter(), nil
		}
	}
	part.Data, err = trimEnd(d.rest)
	return false, err
}

// nextPart finds the boundary of a further description. Ciphertext does not contain so long a text by chance.
func nextPart(b []byte) int {
	for _, s := range []string{delimiter, "-- " + boundary} {
		if n := bytes.Index(b, []byte(s+"\r\n\tContent-Type: "+string(ProtocolCredSSP))); n >= 0 {
			return n
		}
	}
	return -1
}

// trimEnd takes the closing boundary off.
func trimEnd(b []byte) ([]byte, error) {
	b = bytes.TrimSuffix(b, []byte("\r\n"))
	for _, s := range []string{delimiter + "--", "-- " + boundary + "--"} {
		if data, ok := bytes.CutSuffix(b, []byte(s)); ok {
			return data, nil
		}
	}
	return nil, malformed("no closing boundary")
}
