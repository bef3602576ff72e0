package soap

import "encoding/binary"

// Rest returns the document from the current token on.
func (r *Reader) Rest() []byte { return r.data[r.start:] }

// AppendContext appends what decides, besides Rest, how the rest of the
// document reads: the elements that are open and the declarations in scope.
// Where both are equal, so is what two readers read.
func (r *Reader) AppendContext(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(r.stack)))
	for _, f := range r.stack {
		dst = appendSized(dst, string(r.data[f.start:f.end]))
	}
	for _, b := range r.binds {
		dst = appendSized(appendSized(dst, string(b.prefix)), r.URI(b.ns))
	}
	return dst
}

func appendSized(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
