package machine

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/casementhq/casement/cim"
)

// maxText bounds each text that a server sends, in octets.
const maxText = 8 << 10

// errEnough ends a stream whose bound is reached.
type errEnough struct{}

func (errEnough) Error() string { return "enough" }

// rows gives each instance of a query to take, at most limit of them. cut tells
// that there were more.
func rows(ctx context.Context, s cim.Session, query string, limit int, take func(row)) (cut bool, err error) {
	e, err := s.Query(ctx, query, cim.QueryOptions{})
	if err != nil {
		return false, err
	}
	n := 0
	err = cim.Each(ctx, e, func(i *cim.Instance) error {
		if n++; n > limit {
			return errEnough{}
		}
		take(row{i})
		return nil
	})
	if _, enough := err.(errEnough); enough { //nolint:errorlint // it is ours, as it is
		return true, nil
	}
	return false, err
}

// row is an instance as it came.
type row struct{ *cim.Instance }

// text is a string property, "" where there is none.
func (r row) text(name string) string {
	s, ok := r.Get(name).Str()
	if !ok {
		return ""
	}
	return bounded(s)
}

// bounded cuts a text at a rune.
func bounded(s string) string {
	if len(s) <= maxText {
		return strings.ToValidUTF8(s, "�")
	}
	s = s[:maxText]
	for len(s) > 0 {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size > 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return strings.ToValidUTF8(s, "�") + "…"
}

// number is an unsigned property, nil where there is none.
func (r row) number(name string) *uint64 {
	if n, ok := r.Get(name).Uint(); ok {
		return &n
	}
	return nil
}

// or is number, or the value for none.
func (r row) or(name string, none uint64) uint64 {
	if n := r.number(name); n != nil {
		return *n
	}
	return none
}

// flag is a boolean property, nil where there is none.
func (r row) flag(name string) *bool {
	if b, ok := r.Get(name).Bool(); ok {
		return &b
	}
	return nil
}

// time is a point in time, the zero time where there is none.
func (r row) time(name string) time.Time {
	if d, ok := r.Get(name).DateTime(); ok {
		if t, ok := d.Time(); ok {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Quote writes a text as a WQL literal.
func Quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
