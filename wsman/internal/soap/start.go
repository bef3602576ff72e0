package soap

import (
	"bytes"
)

// Attr is an attribute. Namespace declarations are not attributes.
type Attr struct {
	Space NS
	Local []byte
	Value []byte // references resolved, white space normalised

	prefix []byte
}

// binding is a namespace declaration. key is prefixKey(prefix).
type binding struct {
	key    uint64
	ns     NS
	prefix []byte
}

// prefixKey packs a prefix of up to 7 bytes and its length into a number.
// For longer ones the bytes must be compared too.
func prefixKey(p []byte) uint64 {
	if len(p) > 7 {
		return 0xFF<<56 | uint64(len(p))
	}
	k := uint64(len(p)) << 56
	for i, c := range p {
		k |= uint64(c) << (8 * uint(i))
	}
	return k
}

// resolve returns the namespace that a prefix has here; for the empty prefix
// it is the default namespace.
func (r *Reader) resolve(prefix []byte) (NS, bool) {
	k := prefixKey(prefix)
	if r.keyOK && k == r.key {
		return r.keyNS, true
	}
	for i := len(r.binds) - 1; i >= 0; i-- {
		b := &r.binds[i]
		if b.key != k || len(prefix) > 7 && !bytes.Equal(b.prefix, prefix) {
			continue
		}
		if len(prefix) <= 7 {
			r.key, r.keyNS, r.keyOK = k, b.ns, true
		}
		return b.ns, true
	}
	switch string(prefix) {
	case "":
		r.key, r.keyNS, r.keyOK = k, None, true
		return None, true
	case "xml":
		return XML, true
	}
	return None, false
}

// scanName reads a qualified name at i. It returns where the local part
// starts and where the name ends; end == i if there is no name.
func (r *Reader) scanName(i int) (local, end int, err error) {
	d := r.data
	local, end = i, i
	if i >= len(d) || class[d[i]]&cStart == 0 {
		return i, i, r.fail(i, "expected a name", nil)
	}
	all := uint8(0)
	for end < len(d) {
		c := class[d[end]]
		if c&cName == 0 {
			if d[end] != ':' {
				break
			}
			if local != i || end+1 >= len(d) || class[d[end+1]]&cStart == 0 {
				return i, i, r.fail(end, "a colon where none may stand", nil)
			}
			local = end + 1
		}
		all |= c
		end++
	}
	if end-i > r.lim.Name {
		return i, i, r.fail(i, "name is too long", ErrLimit)
	}
	if all&cWide != 0 {
		if !validWideName(d[local:end]) || local > i && !validWideName(d[i:local-1]) {
			return i, i, r.fail(i, "a character that may not stand in a name", nil)
		}
	}
	return local, end, nil
}

// startTag reads <name attributes> or <name attributes/>.
func (r *Reader) startTag(p int) (Kind, error) {
	d := r.data
	if len(r.stack) == 0 {
		if r.seen && !r.inner {
			return EOF, r.fail(p, "more than one document element", nil)
		}
		r.seen = true
	}
	if len(r.stack) >= r.lim.Depth {
		return EOF, r.fail(p, "elements are nested too deeply", ErrLimit)
	}
	local, i, err := r.scanName(p + 1)
	if err != nil {
		return EOF, err
	}
	f := frame{start: uint32(p + 1), local: uint32(local), end: uint32(i), binds: uint32(len(r.binds))}
	if i < len(d) && d[i] != '>' {
		if i, err = r.attributes(i); err != nil {
			return EOF, err
		}
	}
	if i >= len(d) {
		return EOF, r.fail(p, "document ends inside a tag", nil)
	}
	r.pos = i + 1
	var prefix []byte
	if local > p+1 {
		prefix = d[p+1 : local-1]
	}
	ns, ok := r.resolve(prefix)
	if !ok {
		return EOF, r.fail(p, "namespace prefix is not declared", nil)
	}
	f.ns = ns
	r.stack = append(r.stack, f)
	r.ns = ns
	r.local = d[local:f.end:f.end]
	r.kind = StartElement
	return StartElement, nil
}

// attributes reads the attributes from i on and returns the offset of the
// closing >. An empty element sets r.empty.
func (r *Reader) attributes(i int) (int, error) {
	d := r.data
	r.valbuf = r.valbuf[:0]
	outer, count := len(r.binds), 0
	for {
		blank := i
		for i < len(d) && class[d[i]]&cSpace != 0 {
			i++
		}
		if i >= len(d) {
			return i, r.fail(i, "document ends inside a tag", nil)
		}
		if d[i] == '>' {
			break
		}
		if d[i] == '/' {
			if i+1 >= len(d) || d[i+1] != '>' {
				return i, r.fail(i, "a slash where none may stand", nil)
			}
			r.empty = true
			i++
			break
		}
		if blank == i {
			return i, r.fail(i, "expected white space before an attribute", nil)
		}
		if count++; count > r.lim.Attributes {
			return i, r.fail(i, "too many attributes", ErrLimit)
		}
		var err error
		if i, err = r.attribute(i, outer); err != nil {
			return i, err
		}
	}
	return i, r.resolveAttrs(i)
}

// attribute reads one name="value" and files it as an attribute or as a
// namespace declaration.
func (r *Reader) attribute(i, outer int) (int, error) {
	d := r.data
	start := i
	local, end, err := r.scanName(i)
	if err != nil {
		return i, err
	}
	for i = end; i < len(d) && class[d[i]]&cSpace != 0; i++ {
	}
	if i >= len(d) || d[i] != '=' {
		return i, r.fail(i, "expected = after the name of an attribute", nil)
	}
	for i++; i < len(d) && class[d[i]]&cSpace != 0; i++ {
	}
	if i >= len(d) || d[i] != '"' && d[i] != '\'' {
		return i, r.fail(i, "attribute value without quotes", nil)
	}
	value, i, err := r.attrValue(i)
	if err != nil {
		return i, err
	}
	name := d[local:end:end]
	if local == start {
		if string(name) == "xmlns" {
			return i, r.bind(nil, value, start, outer)
		}
		r.attrs = append(r.attrs, Attr{Local: name, Value: value})
		return i, nil
	}
	prefix := d[start : local-1]
	if string(prefix) == "xmlns" {
		return i, r.bind(name, value, start, outer)
	}
	r.attrs = append(r.attrs, Attr{Local: name, Value: value, prefix: prefix})
	return i, nil
}

// attrValue reads a quoted value and returns the offset behind it.
func (r *Reader) attrValue(i int) ([]byte, int, error) {
	d := r.data
	quote, open := d[i], i
	i++
	n := bytes.IndexByte(d[i:], quote)
	if n < 0 {
		return nil, i, r.fail(open, "attribute value without an end", nil)
	}
	raw := d[i : i+n : i+n]
	plain := true
	for _, c := range raw {
		if class[c]&cAttr != 0 {
			plain = false
			break
		}
	}
	if plain {
		return raw, i + n + 1, nil
	}
	from := len(r.valbuf)
	for k := 0; k < len(raw); {
		c := raw[k]
		switch {
		case class[c]&cAttr == 0:
			r.valbuf = append(r.valbuf, c)
			k++
		case c == '<':
			return nil, i, r.fail(i+k, "< inside an attribute value", nil)
		case c == '&':
			var m int
			var err error
			if r.valbuf, m, err = r.reference(r.valbuf, raw[k:], i+k); err != nil {
				return nil, i, err
			}
			k += m
		default:
			if c == '\r' && k+1 < len(raw) && raw[k+1] == '\n' {
				k++
			}
			r.valbuf = append(r.valbuf, ' ')
			k++
		}
	}
	return r.valbuf[from:len(r.valbuf):len(r.valbuf)], i + n + 1, nil
}

// bind declares a namespace for the element that is being read.
// See Namespaces in XML 1.0 sections 2.2, 3 and 5.
func (r *Reader) bind(prefix, uri []byte, at, outer int) error {
	ns, err := r.intern(uri, at)
	if err != nil {
		return err
	}
	switch {
	case string(prefix) == "xmlns", ns == XMLNS:
		return r.fail(at, "the xmlns namespace may not be declared", nil)
	case (string(prefix) == "xml") != (ns == XML):
		return r.fail(at, "the xml prefix belongs to the xml namespace", nil)
	case len(prefix) > 0 && ns == None:
		return r.fail(at, "a prefix may not be bound to no namespace", nil)
	}
	key := prefixKey(prefix)
	for i := outer; i < len(r.binds); i++ {
		if r.binds[i].key == key && bytes.Equal(r.binds[i].prefix, prefix) {
			return r.fail(at, "namespace prefix is declared twice", nil)
		}
	}
	if len(r.binds) >= r.lim.Bindings {
		return r.fail(at, "too many namespace declarations", ErrLimit)
	}
	r.binds = append(r.binds, binding{key, ns, prefix})
	r.keyOK = false
	return nil
}

// intern returns the number of a namespace URI.
func (r *Reader) intern(uri []byte, at int) (NS, error) {
	if len(uri) == 0 {
		return None, nil
	}
	if ns, ok := knownByURI[string(uri)]; ok {
		return ns, nil
	}
	if ns, ok := r.byURI[string(uri)]; ok {
		return ns, nil
	}
	for _, c := range uri {
		if c <= ' ' {
			return None, r.fail(at, "white space inside a namespace URI", nil)
		}
	}
	if len(r.uris) >= r.lim.Namespaces {
		return None, r.fail(at, "too many namespaces", ErrLimit)
	}
	ns := FirstUnknown + NS(len(r.uris))
	if r.byURI == nil {
		r.byURI = make(map[string]NS)
	}
	s := string(uri)
	r.uris = append(r.uris, s)
	r.byURI[s] = ns
	return ns, nil
}

// resolveAttrs gives the attributes their namespaces and refuses doubles.
func (r *Reader) resolveAttrs(at int) error {
	for i := range r.attrs {
		a := &r.attrs[i]
		if len(a.prefix) > 0 {
			ns, ok := r.resolve(a.prefix)
			if !ok {
				return r.fail(at, "namespace prefix of an attribute is not declared", nil)
			}
			a.Space = ns
		}
		for j := range i {
			if b := &r.attrs[j]; a.Space == b.Space && bytes.Equal(a.Local, b.Local) {
				return r.fail(at, "attribute is given twice", nil)
			}
		}
	}
	return nil
}
