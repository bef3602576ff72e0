package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// The parts of the Internet Printing Protocol that asking CUPS for its printers takes. See RFC 8010, section 3.

const (
	ippVersion        = 0x0101
	ippGetDefault     = 0x4001 // operations of CUPS
	ippGetPrinters    = 0x4002
	ippOperationGroup = 0x01
	ippEndOfGroups    = 0x03
	ippPrinterGroup   = 0x04
	ippFirstValue     = 0x10 // below it are the beginnings of groups

	ippTextWithLanguage = 0x35
	ippNameWithLanguage = 0x36

	ippKeyword  = 0x44
	ippCharset  = 0x47
	ippLanguage = 0x48

	ippNotFound = 0x0406
	ippFirstBad = 0x0300 // statuses below it are successes
)

// maxIPP bounds an answer, in bytes.
const maxIPP = 8 << 20

// ippTimeout is how long CUPS may take to answer.
const ippTimeout = 5 * time.Second

var errIPP = errors.New("host: the answer is no answer of the Internet Printing Protocol")

// ippGroup are the attributes of one group: all values of each name.
type ippGroup map[string][][]byte

func (g ippGroup) text(name string) string {
	if v := g[name]; len(v) > 0 {
		return string(v[0])
	}
	return ""
}

func (g ippGroup) texts(name string) []string {
	out := make([]string, 0, len(g[name]))
	for _, v := range g[name] {
		out = append(out, string(v))
	}
	return out
}

// number is an integer or an enum; of a range of integers its upper end.
func (g ippGroup) number(name string) (uint32, bool) {
	v := g[name]
	if len(v) == 0 || len(v[0]) != 4 && len(v[0]) != 8 {
		return 0, false
	}
	n := binary.BigEndian.Uint32(v[0][len(v[0])-4:])
	return n, n <= 1<<31-1
}

func (g ippGroup) boolean(name string) (value, ok bool) {
	v := g[name]
	if len(v) == 0 || len(v[0]) != 1 {
		return false, false
	}
	return v[0][0] != 0, true
}

// resolution are the dots per inch to both sides.
func (g ippGroup) resolution(name string) (x, y uint32, ok bool) {
	v := g[name]
	const perInch, perCentimetre = 3, 4
	if len(v) == 0 || len(v[0]) != 9 {
		return 0, 0, false
	}
	x, y = binary.BigEndian.Uint32(v[0]), binary.BigEndian.Uint32(v[0][4:])
	switch v[0][8] {
	case perInch:
		return x, y, true
	case perCentimetre:
		return uint32(uint64(x) * 254 / 100), uint32(uint64(y) * 254 / 100), true
	}
	return 0, 0, false
}

// ippRequest encodes a request for attributes.
func ippRequest(operation uint16, attributes ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, ippVersion)
	b = binary.BigEndian.AppendUint16(b, operation)
	b = binary.BigEndian.AppendUint32(b, 1)
	put := func(tag byte, name, value string) {
		b = append(b, tag)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(name))), name...)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
	}
	b = append(b, ippOperationGroup)
	put(ippCharset, "attributes-charset", "utf-8")
	put(ippLanguage, "attributes-natural-language", "en")
	name := "requested-attributes"
	for _, a := range attributes {
		put(ippKeyword, name, a)
		name = "" // one more value
	}
	return append(b, ippEndOfGroups)
}

// parseIPP reads an answer: its status and the groups of printers. The values refer to b.
func parseIPP(b []byte) (status uint16, printers []ippGroup, err error) {
	if len(b) < 9 {
		return 0, nil, errIPP
	}
	status, b = binary.BigEndian.Uint16(b[2:]), b[8:]
	var group ippGroup
	last := ""
	for len(b) > 0 {
		tag := b[0]
		b = b[1:]
		switch {
		case tag == ippEndOfGroups:
			return status, printers, nil
		case tag < ippFirstValue:
			group, last = nil, ""
			if tag == ippPrinterGroup {
				group = ippGroup{}
				printers = append(printers, group)
			}
			continue
		}
		name, rest, ok := ippChunk(b)
		if !ok || len(name) == 0 && last == "" && group != nil {
			return 0, nil, errIPP
		}
		value, rest, ok := ippChunk(rest)
		if !ok {
			return 0, nil, errIPP
		}
		b = rest
		if len(name) > 0 {
			last = string(name)
		}
		if tag == ippTextWithLanguage || tag == ippNameWithLanguage {
			if value, ok = withoutLanguage(value); !ok {
				return 0, nil, errIPP
			}
		}
		if group != nil {
			group[last] = append(group[last], value)
		}
	}
	return 0, nil, errIPP // without an end
}

// ippChunk cuts off a value behind its length.
func ippChunk(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// withoutLanguage is the text of a value that names its language first.
func withoutLanguage(value []byte) (text []byte, ok bool) {
	_, rest, ok := ippChunk(value)
	if ok {
		text, rest, ok = ippChunk(rest)
	}
	return text, ok && len(rest) == 0
}

// askCUPS sends a request to the socket of CUPS below the root; none, where nothing is found.
func (p *Provider) askCUPS(ctx context.Context, request []byte) ([]ippGroup, error) {
	ctx, cancel := context.WithTimeout(ctx, ippTimeout)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(p.root, "run/cups/cups.sock"))
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/", bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ipp")
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("host: CUPS answers %s", answer.Status)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxIPP))
	if err != nil {
		return nil, err
	}
	status, printers, err := parseIPP(b)
	switch {
	case err != nil:
		return nil, err
	case status == ippNotFound: // there are no printers
		return nil, nil
	case status >= ippFirstBad:
		return nil, fmt.Errorf("host: CUPS answers with status %#04x", status)
	}
	return printers, nil
}
