package wsmanserver

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// fragmentPath is a path of XPath level 1 into an instance: Property,
// Property[n], Class/Property, each with /text() behind it or not.
type fragmentPath struct {
	property int
	index    int // of an array element, from 1 on; 0 for all
	text     bool
}

// parseFragment reads the FragmentTransfer header. Names are case-sensitive, a
// leading slash is refused. See [MS-WSMV] 3.1.4.1.18, note 65.
func parseFragment(f *wsman.FragmentTransfer, class *cim.Class) (p fragmentPath, err error) {
	if f.Dialect != "" && f.Dialect != wsman.DialectXPath {
		return p, wsman.NewFault(wsman.CodeFragmentDialectUnavailable, "the dialect "+clip(f.Dialect)+" is not XPath 1.0")
	}
	path := strings.TrimSpace(f.Path)
	if path == "" {
		return p, wsman.NewFault(wsman.CodeInvalidFragmentPathBlank, "")
	}
	bad := wsman.NewFault(wsman.CodeInvalidFragmentPath, "the fragment path "+clip(path)+" names no property of "+class.Name).
		WithSubcode("w:CannotProcessFilter", wsman.Sender)
	if rest, ok := strings.CutSuffix(path, "/text()"); ok {
		p.text, path = true, rest
	}
	if rest, ok := strings.CutPrefix(path, class.Name+"/"); ok {
		path = rest
	}
	if i := strings.IndexByte(path, '['); i >= 0 {
		number, ok := strings.CutSuffix(path[i+1:], "]")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if !ok || err != nil || n < 1 {
			return p, bad
		}
		p.index, path = n, path[:i]
	}
	p.property = class.PropertyIndex(path)
	if p.property < 0 || class.Properties[p.property].Name != path {
		return p, bad
	}
	if p.text && p.index == 0 && class.Properties[p.property].Type.IsArray() {
		return p, bad // more than one text
	}
	if p.index > 1 && !class.Properties[p.property].Type.IsArray() {
		return p, bad
	}
	return p, nil
}

// fragmentBody wraps the part of an instance. See DSP0226 7.7.
func (c *call) fragmentBody(i *cim.Instance, p fragmentPath) (wsman.Body, error) {
	enc := c.encoders().For(i.Class())
	n := i.Class().PropertyIndex(i.Class().Properties[p.property].Name)
	var xml []byte
	var err error
	switch v := i.At(n); {
	case p.text && p.index > 0 && v.Type().IsArray():
		if elems := v.Elems(); p.index <= len(elems) {
			xml, err = enc.AppendText(nil, elems[p.index-1])
		}
	case p.text:
		xml, err = enc.AppendText(nil, v)
	case !v.Type().IsArray():
		xml, err = enc.AppendProperty(nil, i, n, 0)
	default:
		xml, err = enc.AppendProperty(nil, i, n, p.index)
	}
	if err != nil {
		return nil, err
	}
	out := append([]byte("<w:XmlFragment"), enc.Namespaces()...)
	out = append(out, '>')
	out = append(out, xml...)
	return raw(append(out, "</w:XmlFragment>"...)), nil
}
