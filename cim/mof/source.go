package mof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

// Limits of a text. They keep a hostile text from costing more than its size.
const (
	MaxSize         = 16 << 20 // bytes of a text and all that it includes
	MaxNesting      = 64       // instances within instances, WBEM_MAX_OBJECT_NESTING
	MaxIncludeDepth = 16       // texts that include each other
	MaxMembers      = 4096     // properties and methods that one class declares; [cim.Derive] permits fewer properties
	MaxQualifiers   = cim.MaxQualifiers
	MaxParameters   = cim.MaxParameters
)

// binaryMagic begins a binary MOF file ("FOMB").
var binaryMagic = []byte("FOMB")

// Text is the content of a MOF file as UTF-8, whichever encoding it has:
// ErrMofInvalidFile where it is no text.
func Text(src []byte) (string, error) {
	text, why := decode(src)
	if why != "" {
		return "", notText("", why)
	}
	return text, nil
}

// decode gives the text of a file as UTF-8: a byte order mark says UTF-16 of
// either order, and nothing but text is a MOF file. Bytes that are no UTF-8
// are taken for Windows-1252's common part, Latin-1, as older files have it.
func decode(src []byte) (text string, why string) {
	switch {
	case len(src) > MaxSize:
		return "", "the text is too large"
	case bytes.HasPrefix(src, binaryMagic):
		return "", "binary MOF is not supported"
	case bytes.HasPrefix(src, []byte{0xFF, 0xFE}):
		return decode16(src[2:], binary.LittleEndian)
	case bytes.HasPrefix(src, []byte{0xFE, 0xFF}):
		return decode16(src[2:], binary.BigEndian)
	}
	src = bytes.TrimPrefix(src, []byte{0xEF, 0xBB, 0xBF})
	if bytes.IndexByte(src, 0) >= 0 {
		return "", "the file holds zero bytes and is no text"
	}
	if utf8.Valid(src) {
		return string(src), ""
	}
	latin := make([]rune, len(src))
	for i, b := range src {
		latin[i] = rune(b)
	}
	return string(latin), ""
}

func decode16(src []byte, order binary.ByteOrder) (text string, why string) {
	if len(src)%2 != 0 {
		return "", "the UTF-16 text ends within a character"
	}
	units := make([]uint16, len(src)/2)
	for i := range units {
		if units[i] = order.Uint16(src[2*i:]); units[i] == 0 {
			return "", "the file holds zero characters and is no text"
		}
	}
	return string(utf16.Decode(units)), ""
}

// notText is the error for a file that decode refuses.
func notText(file, why string) error {
	return &Error{Code: cim.ErrMofInvalidFile, Position: Position{file, 1, 1}, Detail: why}
}

// readBounded reads a file of at most limit bytes.
func readBounded(fsys fs.FS, name string, limit int) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(src) > limit {
		err = errors.New("the file is too large")
	}
	return src, err
}
