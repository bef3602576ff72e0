package cim

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// checkClassName checks a class name: a letter, then letters, digits and
// underscores, the last no underscore. Names of the system begin with two
// underscores; who may use them is not decided here.
func checkClassName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > MaxNameLength:
		return &nameError{ErrClassNameTooWide, "the name has more than 255 characters"}
	case !isIdentifier(strings.TrimPrefix(name, "__")) || strings.HasSuffix(name, "_"):
		return &nameError{ErrInvalidParameter, "a class name is a letter, then letters, digits and underscores, and does not end in one"}
	}
	return nil
}

// checkName checks the name of a property, method or qualifier; wide is the
// status of one that is too long.
func checkName(name string, wide Status) error {
	switch {
	case utf8.RuneCountInString(name) > MaxNameLength:
		return &nameError{wide, "the name has more than 255 characters"}
	case !isIdentifier(name):
		return &nameError{ErrInvalidParameter, "a name is a letter, then letters, digits and underscores"}
	}
	return nil
}

// isIdentifier tells whether s is a letter, then letters, digits and
// underscores.
func isIdentifier(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isNameByte(s[i]) || i == 0 && (s[i] == '_' || s[i] >= '0' && s[i] <= '9') {
			return false
		}
	}
	return s != "" && utf8.ValidString(s)
}

// nameError is what is wrong with a name.
type nameError struct {
	status Status
	why    string
}

func (e *nameError) Error() string { return e.why }

// Unwrap gives the status to errors.As.
func (e *nameError) Unwrap() error { return e.status }

// ValidClassName tells whether a class that is not the system's may be called
// name: ErrInvalidParameter or ErrClassNameTooWide, nil where it may. See
// [MS-WMI] 3.1.4.3.6.
func ValidClassName(name string) error {
	err := checkClassName(name)
	if err == nil && strings.HasPrefix(name, "_") {
		err = errors.Join(ErrInvalidParameter, errors.New("names that begin with an underscore are the system's"))
	}
	if err != nil {
		return &Error{Status: StatusOf(err), Path: name, Detail: "the class name is not valid: a letter, then letters, digits and underscores, the last no underscore; at most 255 characters"}
	}
	return nil
}
