package answerfile

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// Bounds of a file: its octets, elements and depth.
const (
	maxFile     = 1 << 20
	maxElements = 10000
	maxDepth    = 32
)

// element is one XML element with its text.
type element struct {
	name  xml.Name
	attrs []xml.Attr
	text  string
	kids  []*element
	line  int
}

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// is compares names of the namespace of answer files without case: the documents spell
// settings in more than one way.
func (e *element) is(name string) bool {
	return e.name.Space == namespace && strings.EqualFold(e.name.Local, name)
}

// read reads a whole file as one tree. A document type is refused, so that there are no
// entities but those of XML.
func read(r io.Reader) (*element, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("the file has more than %d bytes", maxFile)
	}
	if b, err = utf8Of(b); err != nil {
		return nil, err
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "utf-16") {
			return in, nil // utf8Of did it
		}
		return nil, fmt.Errorf("the encoding %q is not known, want utf-8 or utf-16", charset)
	}
	var root *element
	var open []*element
	n := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := d.InputPos()
		switch t := token.(type) {
		case xml.Directive:
			return nil, fmt.Errorf("line %d: a document type does not belong here", line)
		case xml.StartElement:
			if n++; n > maxElements || len(open) == maxDepth {
				return nil, fmt.Errorf("line %d: more than %d elements, or %d inside of each other", line, maxElements, maxDepth)
			}
			e := &element{name: t.Name, attrs: t.Attr, line: line}
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.kids = append(parent.kids, e)
			case root != nil:
				return nil, fmt.Errorf("line %d: a second root element", line)
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			}
		}
	}
	if root == nil {
		return nil, errors.New("there is no XML in it")
	}
	return root, nil
}

// utf8Of takes a byte order mark away and turns UTF-16, which Notepad calls Unicode, into
// UTF-8.
func utf8Of(b []byte) ([]byte, error) {
	if rest, ok := bytes.CutPrefix(b, []byte("\xEF\xBB\xBF")); ok {
		return rest, nil
	}
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("\xFF\xFE")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("\xFE\xFF")):
		order = binary.BigEndian
	default:
		return b, nil
	}
	if len(b)%2 != 0 {
		return nil, errors.New("UTF-16 with an odd number of bytes")
	}
	units := make([]uint16, 0, len(b)/2-1)
	for i := 2; i < len(b); i += 2 {
		units = append(units, order.Uint16(b[i:]))
	}
	return []byte(string(utf16.Decode(units))), nil
}
