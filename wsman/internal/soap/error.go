package soap

import (
	"errors"
	"fmt"
)

// ErrLimit is wrapped by every error that one of the Limits caused.
var ErrLimit = errors.New("limit exceeded")

// ErrEncoding is wrapped by errors about the character encoding: the caller
// answers it with w:EncodingLimit / CharacterSet.
var ErrEncoding = errors.New("character encoding not supported")

// SyntaxError says why the bytes are not the XML that SOAP permits.
type SyntaxError struct {
	Offset int    // byte offset in the document, after transcoding to UTF-8
	Msg    string // what is wrong there
	Err    error  // ErrLimit, ErrEncoding or nil
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("xml: byte %d: %s", e.Offset, e.Msg)
}

func (e *SyntaxError) Unwrap() error { return e.Err }
