package winrmtool

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth bounds how deep elements may stand in each other.
const maxDepth = 100

// Namespaces that the tool looks at.
const (
	uriXSI   = "http://www.w3.org/2001/XMLSchema-instance"
	uriWSMan = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
)

// attr is an attribute or a namespace declaration as it was written.
type attr struct{ Prefix, Local, Value string }

// node is one element of a document, with the prefixes that it was written
// with, so that it can be written again unchanged.
type node struct {
	Prefix, Local string
	Attrs         []attr
	Text          string // character data, where there are no children
	Children      []*node
	parent        *node
}

// parseXML reads a document of one element.
func parseXML(data []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "utf-8") {
			return r, nil
		}
		return nil, fmt.Errorf("the encoding %s is not supported; use UTF-8", charset)
	}
	var root, now *node
	depth := 0
	for {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read XML: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if now == nil && root != nil {
				return nil, errors.New("read XML: more than one element")
			}
			if depth++; depth > maxDepth {
				return nil, fmt.Errorf("read XML: elements stand deeper than %d", maxDepth)
			}
			n := &node{Prefix: t.Name.Space, Local: t.Name.Local, parent: now}
			for _, a := range t.Attr {
				n.Attrs = append(n.Attrs, attr{a.Name.Space, a.Name.Local, a.Value})
			}
			if now == nil {
				root = n
			} else {
				now.Children = append(now.Children, n)
			}
			now = n
		case xml.EndElement:
			if now == nil || now.Prefix != t.Name.Space || now.Local != t.Name.Local {
				return nil, fmt.Errorf("read XML: </%s> does not close what is open", clip(t.Name.Local))
			}
			depth--
			now = now.parent
		case xml.CharData:
			if now != nil {
				now.Text += string(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, errors.New("read XML: text outside of the element")
			}
		case xml.Directive:
			return nil, errors.New("read XML: a document type is not permitted")
		}
	}
	if root == nil || now != nil {
		return nil, errors.New("read XML: the document is empty or not complete")
	}
	return root, nil
}

// clip bounds what a user or a peer wrote for a message.
func clip(s string) string {
	if len(s) > 128 {
		return s[:128] + "…"
	}
	return s
}

// lookup is the namespace that a prefix stands for at this element.
func (n *node) lookup(prefix string) string {
	for e := n; e != nil; e = e.parent {
		for _, a := range e.Attrs {
			if prefix == "" && a.Prefix == "" && a.Local == "xmlns" || prefix != "" && a.Prefix == "xmlns" && a.Local == prefix {
				return a.Value
			}
		}
	}
	return ""
}

// space is the namespace of the element.
func (n *node) space() string { return n.lookup(n.Prefix) }

// is tells an element by its expanded name.
func (n *node) is(space, local string) bool { return n.Local == local && n.space() == space }

// attr is the value of an attribute; its namespace is compared where space is
// not empty.
func (n *node) attr(space, local string) (string, bool) {
	for _, a := range n.Attrs {
		if a.Local == local && a.Prefix != "xmlns" && (space == "" && a.Prefix == "" || space != "" && a.Prefix != "" && n.lookup(a.Prefix) == space) {
			return a.Value, true
		}
	}
	return "", false
}

// isNil tells whether the element says that it has no value.
func (n *node) isNil() bool {
	v, _ := n.attr(uriXSI, "nil")
	return v == "true" || v == "1"
}

// add appends an empty child of the element's own namespace.
func (n *node) add(local string) *node {
	c := &node{Prefix: n.Prefix, Local: local, parent: n}
	n.Children = append(n.Children, c)
	return c
}

// setNil makes the element one without a value, or takes that mark away.
func (n *node) setNil(on bool) {
	var kept []attr
	for _, a := range n.Attrs {
		if a.Local != "nil" || n.lookup(a.Prefix) != uriXSI {
			kept = append(kept, a)
		}
	}
	n.Attrs = kept
	if !on {
		return
	}
	n.Text, n.Children = "", nil
	prefix := ""
	for e := n; e != nil && prefix == ""; e = e.parent {
		for _, a := range e.Attrs {
			if a.Prefix == "xmlns" && a.Value == uriXSI && n.lookup(a.Local) == uriXSI {
				prefix = a.Local
			}
		}
	}
	if prefix == "" {
		prefix = "xsi"
		n.Attrs = append(n.Attrs, attr{"xmlns", prefix, uriXSI})
	}
	n.Attrs = append(n.Attrs, attr{prefix, "nil", "true"})
}

// xml is the element as a document.
func (n *node) xml() []byte {
	var b bytes.Buffer
	n.write(&b, "", "")
	return b.Bytes()
}

// write writes the element; with a step it is indented.
func (n *node) write(b *bytes.Buffer, indent, step string) {
	b.WriteString(indent)
	b.WriteByte('<')
	b.WriteString(qualified(n.Prefix, n.Local))
	for _, a := range n.Attrs {
		b.WriteByte(' ')
		b.WriteString(qualified(a.Prefix, a.Local))
		b.WriteString(`="`)
		b.WriteString(entities.Replace(a.Value))
		b.WriteByte('"')
	}
	text := n.Text
	if len(n.Children) > 0 || strings.TrimSpace(text) == "" {
		text = strings.TrimSpace(text)
	}
	if text == "" && len(n.Children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	b.WriteString(textEntities.Replace(text))
	for _, c := range n.Children {
		if step != "" {
			b.WriteByte('\n')
		}
		c.write(b, indent+step, step)
	}
	if step != "" && len(n.Children) > 0 {
		b.WriteByte('\n')
		b.WriteString(indent)
	}
	b.WriteString("</")
	b.WriteString(qualified(n.Prefix, n.Local))
	b.WriteByte('>')
}

func qualified(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;", "\n", "&#xA;", "\t", "&#x9;")

var textEntities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
