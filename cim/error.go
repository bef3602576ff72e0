package cim

import (
	"errors"
	"strings"
)

// Error is a failed CIM operation: what was tried, on what, and the status.
// errors.Is(err, cim.ErrNotFound) compares the status.
type Error struct {
	Status    Status // WBEMSTATUS
	Operation string // what was tried, "ExecQuery" for instance; may be empty
	Namespace string // may be empty
	Path      string // the object, class or query; may be empty
	Detail    string // one sentence more, fit to be shown to the caller
	Remote    bool   // the other end reported it
	// Extended is the extended error object (__ExtendedStatus or a class
	// derived from it), nil where there is none.
	Extended *Instance
	Err      error // the cause on this side; never sent to a peer
}

// Error says what was tried, what came back and why.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Operation != "" {
		b.WriteString(e.Operation)
		b.WriteByte(' ')
	}
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteByte(' ')
	}
	if e.Namespace != "" {
		b.WriteString("in ")
		b.WriteString(e.Namespace)
		b.WriteByte(' ')
	}
	text := e.Status.Error()
	if b.Len() > 0 {
		text = strings.TrimSuffix(b.String(), " ") + ": " + text
	}
	detail := e.Detail
	if detail == "" {
		detail = e.Status.Text()
	}
	if e.Err != nil {
		// A cause that begins with the detail says it all; the peer may have
		// sent no more than the name of the status.
		cause := e.Err.Error()
		if detail != "" && !strings.HasPrefix(cause, detail) && detail != e.Status.Name() {
			text += ": " + strings.TrimSuffix(detail, ".")
		}
		return text + ": " + cause
	}
	if detail != "" {
		text += ": " + detail
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is compares by status.
func (e *Error) Is(target error) bool {
	s, ok := target.(Status)
	return ok && s == e.Status
}

// StatusOf is the status that err carries: OK for nil, ErrFailed for an error
// that has none.
func StatusOf(err error) Status {
	if err == nil {
		return StatusOK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	var s Status
	if errors.As(err, &s) {
		return s
	}
	return ErrFailed
}
