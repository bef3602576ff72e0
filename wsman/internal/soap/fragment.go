package soap

// Fragment is a piece of a document, an element or the content of one,
// together with the namespace declarations that were in scope there, so that
// it can be read alone. Its bytes belong to the document.
type Fragment struct {
	XML []byte

	content bool
	binds   []binding
	uris    []string
	enc     Encoding
}

// Outer reads to the EndElement of the current StartElement and returns the
// whole element.
func (r *Reader) Outer() (Fragment, error) {
	from := r.start
	// The declarations of the element itself stand in its own tag.
	outer := int(r.stack[len(r.stack)-1].binds)
	f := Fragment{binds: append([]binding(nil), r.binds[:outer]...), enc: r.enc}
	if err := r.Skip(); err != nil {
		return Fragment{}, err
	}
	f.XML = r.data[from:r.pos:r.pos]
	f.uris = r.uris[:len(r.uris):len(r.uris)]
	return f, nil
}

// Inner reads to the EndElement of the current StartElement and returns its
// content, which may hold several elements and text.
func (r *Reader) Inner() (Fragment, error) {
	from := r.pos
	f := Fragment{binds: append([]binding(nil), r.binds...), content: true, enc: r.enc}
	empty := r.empty
	if err := r.Skip(); err != nil {
		return Fragment{}, err
	}
	if !empty {
		f.XML = r.data[from:r.start:r.start]
	}
	f.uris = r.uris[:len(r.uris):len(r.uris)]
	return f, nil
}

// IsZero reports whether the fragment is the zero Fragment: there was none.
func (f *Fragment) IsZero() bool { return f.XML == nil && f.binds == nil && !f.content }

// Reader returns a reader of the fragment. Its characters were checked with
// the document.
func (f *Fragment) Reader(lim Limits) *Reader {
	r := &Reader{data: f.XML, inner: f.content, enc: f.enc, lim: lim.withDefaults()}
	r.binds = append(make([]binding, 0, len(f.binds)+8), f.binds...)
	if len(f.uris) > 0 {
		r.uris = append(make([]string, 0, len(f.uris)+8), f.uris...)
		r.byURI = make(map[string]NS, len(r.uris)+8)
		for i, u := range r.uris {
			r.byURI[u] = FirstUnknown + NS(i)
		}
	}
	return r
}

// uri returns the URI of a namespace of the fragment's document.
func (f *Fragment) uri(ns NS) string {
	if ns < FirstUnknown {
		return ns.URI()
	}
	return f.uris[ns-FirstUnknown]
}

// AppendStandalone appends the fragment, which must be an element (Outer), as
// a document of its own: the declarations in scope that it does not override
// are written into its start tag.
func (f *Fragment) AppendStandalone(dst []byte) ([]byte, error) {
	r := f.Reader(Limits{})
	outer := len(r.binds)
	if err := r.Root(); err != nil {
		return dst, err
	}
	nameEnd := int(r.stack[0].end)
	dst = append(dst, f.XML[:nameEnd]...)
	for i := outer - 1; i >= 0; i-- {
		b := &f.binds[i]
		hidden := string(b.prefix) == "xml"
		for j := i + 1; j < len(r.binds) && !hidden; j++ {
			hidden = r.binds[j].key == b.key && string(r.binds[j].prefix) == string(b.prefix)
		}
		if hidden {
			continue
		}
		dst = append(dst, " xmlns"...)
		if len(b.prefix) > 0 {
			dst = append(append(dst, ':'), b.prefix...)
		}
		dst = append(dst, '=', '"')
		dst = appendEscaped(dst, f.uri(b.ns), true)
		dst = append(dst, '"')
	}
	return append(dst, f.XML[nameEnd:]...), nil
}
