package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// Walk yields the stored associations whose reference role may name source: it
// looks at the text of the reference where that lies, and copies only what has
// the keys of source in it. The manager compares paths afterwards.
func (st *storage) Walk(ctx context.Context, r *Request, source cim.ObjectPath, role string, yield func(*cim.Instance) error) error {
	n := r.Class.PropertyIndex(role)
	var texts []string
	for _, k := range source.Keys {
		if text, ok := k.Value.Str(); ok && isPlain(text) {
			texts = append(texts, text)
		}
	}
	return st.each(ctx, r.Class, nil, func(i *cim.Instance) bool {
		path, ok := i.At(n).Str()
		for _, text := range texts {
			ok = ok && containsFold(path, text)
		}
		return ok
	}, func(i *cim.Instance) error {
		if err := st.fill(ctx, r, i); err != nil {
			return err
		}
		return yield(i)
	})
}

// isPlain tells whether every path has a key value as it is: nothing in it is
// escaped, and no letter has other forms than the two.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' || c == '%' {
			return false
		}
	}
	return s != ""
}

// containsFold tells whether s contains the ASCII text part, in any case.
func containsFold(s, part string) bool {
	for at := 0; at+len(part) <= len(s); at++ {
		if equalASCII(s[at:at+len(part)], part) {
			return true
		}
	}
	return false
}

func equalASCII(a, b string) bool {
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
