package winrmtool

import (
	"bytes"
	"fmt"
	"strings"
)

// indentStep is one level of text.
const indentStep = "    "

// text renders an element as winrm's text format does: names without prefixes,
// four blanks for each level, "Name = value", "Name = null", a name alone for
// what is empty, and simple siblings of one name on one line. See spec section
// 1.5.
func (n *node) text() string {
	var b strings.Builder
	n.writeText(&b, 0)
	return b.String()
}

func (n *node) writeText(b *strings.Builder, level int) {
	line := strings.Repeat(indentStep, level)
	if n.simple() {
		b.WriteString(line + n.line(n.value()) + n.source() + "\n")
		return
	}
	b.WriteString(line + n.Local + n.source() + "\n")
	for i, c := range n.Children {
		if !c.simple() {
			c.writeText(b, level+1)
			continue
		}
		if n.joined(i) {
			continue
		}
		b.WriteString(line + indentStep + n.join(i) + "\n")
	}
}

// simple tells an element without elements inside.
func (n *node) simple() bool { return len(n.Children) == 0 }

// joined tells whether an earlier sibling's line holds this child.
func (n *node) joined(i int) bool {
	for _, c := range n.Children[:i] {
		if c.simple() && c.Local == n.Children[i].Local {
			return true
		}
	}
	return false
}

// join is the line of a simple child and its siblings of the same name.
func (n *node) join(i int) string {
	first := n.Children[i]
	var values []string
	source := ""
	for _, c := range n.Children[i:] {
		if !c.simple() || c.Local != first.Local {
			continue
		}
		if s := c.source(); s != "" {
			source = s
		}
		values = append(values, c.value())
	}
	return first.line(strings.Join(values, ", ")) + source
}

// line is the element with a value already rendered.
func (n *node) line(value string) string {
	switch {
	case value == "":
		return n.Local
	case n.selector() != "":
		return n.Local + ": " + value
	}
	return n.Local + " = " + value
}

// value is the rendered value of a simple element.
func (n *node) value() string {
	if n.isNil() {
		return "null"
	}
	text := n.Text
	if strings.TrimSpace(text) == "" {
		text = ""
	}
	if s := n.selector(); s != "" {
		return s + " = " + text
	}
	return text
}

// selector is the name that a w:Selector carries, "" for other elements.
func (n *node) selector() string {
	if n.Local != "Selector" {
		return ""
	}
	name, _ := n.attr("", "Name")
	return name
}

// source is what is appended to a line whose value Group Policy rules.
func (n *node) source() string {
	for _, a := range n.Attrs {
		if a.Local == "Source" && a.Prefix != "xmlns" && a.Value != "" {
			return fmt.Sprintf(" [Source=%q]", a.Value)
		}
	}
	return ""
}

// pretty is the element as indented XML, without the declarations that it has
// from its envelope and does not use.
func (n *node) pretty() string {
	var b bytes.Buffer
	root := *n
	root.Attrs = nil
	for _, a := range n.Attrs {
		if a.Prefix != "xmlns" || n.uses(a.Local) {
			root.Attrs = append(root.Attrs, a)
		}
	}
	root.write(&b, "", indentStep)
	b.WriteByte('\n')
	return b.String()
}

// uses tells whether a prefix occurs in a name, or could be meant in a value.
func (n *node) uses(prefix string) bool {
	if n.Prefix == prefix || strings.Contains(n.Text, prefix+":") {
		return true
	}
	for _, a := range n.Attrs {
		if a.Prefix == prefix || a.Prefix != "xmlns" && strings.Contains(a.Value, prefix+":") {
			return true
		}
	}
	for _, c := range n.Children {
		if c.uses(prefix) {
			return true
		}
	}
	return false
}
