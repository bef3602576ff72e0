package soap

// Attrs returns the attributes of the current StartElement, without the
// namespace declarations. The slice is valid until the next call of Next.
func (r *Reader) Attrs() []Attr { return r.attrs }

// Attr returns the value of an attribute of the current StartElement. The
// value is valid until the next call of Next.
func (r *Reader) Attr(space NS, local string) ([]byte, bool) {
	for i := range r.attrs {
		if a := &r.attrs[i]; a.Space == space && string(a.Local) == local {
			return a.Value, true
		}
	}
	return nil, false
}

// Child advances to the next child element of the current element: call it
// after a StartElement, and again after each child has been read to its end.
// It returns false at the EndElement of the parent. Text between the children
// is an error unless it is white space.
func (r *Reader) Child() (bool, error) {
	for {
		k, err := r.Next()
		if err != nil {
			return false, err
		}
		switch k {
		case StartElement:
			return true, nil
		case Text:
			if !IsSpace(r.text) {
				return false, r.fail(r.start, "text where only elements may stand", nil)
			}
		default:
			return false, nil
		}
	}
}

// Root reads the StartElement of the document element.
func (r *Reader) Root() error {
	k, err := r.Next()
	if err == nil && k != StartElement {
		err = r.fail(r.start, "expected an element", nil)
	}
	return err
}

// Skip reads to the EndElement of the current StartElement.
func (r *Reader) Skip() error {
	for depth := len(r.stack); len(r.stack) >= depth; {
		if _, err := r.Next(); err != nil {
			return err
		}
	}
	return nil
}

// ReadText reads to the EndElement of the current StartElement and returns
// its text. A child element is an error. The text is valid until the next
// call of Next.
func (r *Reader) ReadText() ([]byte, error) {
	var text []byte
	for first := true; ; first = false {
		k, err := r.Next()
		if err != nil {
			return nil, err
		}
		switch k {
		case EndElement:
			return text, nil
		case StartElement:
			return nil, r.fail(r.start, "an element where only text may stand", nil)
		}
		if first && r.pos+1 < len(r.data) && r.data[r.pos] == '<' && r.data[r.pos+1] == '/' {
			text = r.text // all of it: no copy
			continue
		}
		if first {
			text = append(make([]byte, 0, 2*len(r.text)), r.text...) // the first piece is the reader's own
			continue
		}
		text = append(text, r.text...)
	}
}

// QName resolves a qualified name in content, as xsi:type has it: a name
// without a prefix belongs to the default namespace. White space around it is
// ignored.
func (r *Reader) QName(value []byte) (Name, bool) {
	value = TrimSpace(value)
	for i, c := range value {
		if c != ':' {
			continue
		}
		ns, ok := r.resolve(value[:i])
		return Name{ns, value[i+1:]}, ok && i > 0 && IsName(string(value[i+1:]))
	}
	ns, ok := r.resolve(nil)
	return Name{ns, value}, ok && IsName(string(value))
}

// Namespace returns the URI that a prefix is bound to at the current token.
func (r *Reader) Namespace(prefix string) (string, bool) {
	ns, ok := r.resolve([]byte(prefix))
	return r.URI(ns), ok
}
