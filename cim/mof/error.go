package mof

import (
	"errors"
	"fmt"

	"github.com/casementhq/casement/cim"
)

// Position is a place in a MOF text. Line and Column count from 1, columns in
// characters.
type Position struct {
	File         string
	Line, Column int
}

// String is "file:line:column", as editors understand it.
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Error is a mistake in a MOF text, or an object that could not be stored.
// errors.Is(err, cim.ErrMofExpectedSemi) compares the code, and
// [cim.StatusOf] gives it.
type Error struct {
	// Code is WBEMMOF_E_* for a mistake in the text, and the status of the
	// operation for an object that could not be stored.
	Code cim.Status
	Position
	Detail string // one sentence, fit to be shown
	Err    error  // why a file could not be read or an object not be stored; nil for a mistake in the text
}

// Error says where, which code, and why.
func (e *Error) Error() string {
	text := e.Position.String() + ": " + e.Code.Error() + ": " + e.Detail
	var known *cim.Error
	if e.Err != nil && !errors.As(e.Err, &known) { // of a *cim.Error the rest is said
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause, or the code where there is no other.
func (e *Error) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return e.Code
}
