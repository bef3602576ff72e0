package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
)

// Bounds on what a server may answer. What passes them spoils the tile, and nothing
// else: docs/pool.md, "What could go wrong".
const (
	maxOctets   = 4 << 20 // of the values of one question
	maxWord     = 256     // characters of a name
	maxSentence = 400     // of a sentence
	pageRows    = 200
)

// questions are what one refresh asks over one connection.
type questions struct {
	conn     *casement.Connection
	cimv2    cim.Session
	registry cim.Session // nil until it is needed
}

func (l *link) questions(ctx context.Context, t Transport) (*questions, error) {
	c, err := l.connection(ctx, t)
	if err != nil {
		return nil, err
	}
	s, err := c.Session(ctx, `root\cimv2`)
	if err != nil {
		return nil, err
	}
	return &questions{conn: c, cimv2: s}, nil
}

func (q *questions) close() {
	q.cimv2.Close() //nolint:errcheck // the answers are there
	if q.registry != nil {
		q.registry.Close() //nolint:errcheck // as above
	}
}

// each asks a question and calls f with each row. More rows than most, or more octets
// than maxOctets, are an error, after f had those that are within the bounds.
func (q *questions) each(ctx context.Context, limit time.Duration, wql string, most int, f func(*cim.Instance)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &cim.Error{Status: cim.ErrTimedOut,
		Detail: fmt.Sprintf("no answer within %v", limit), Err: context.DeadlineExceeded})
	defer cancel()
	rows, err := q.cimv2.Query(ctx, wql, cim.QueryOptions{OperationOptions: cim.OperationOptions{Timeout: limit}, Batch: pageRows})
	if err != nil {
		return ended(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // the answers are there
	octets := 0
	for n := 0; ; {
		page, err := rows.Next(ctx, pageRows)
		for _, i := range page {
			if n++; n > most {
				return &cim.Error{Status: cim.ErrTooMuchData, Detail: fmt.Sprintf("more than %d rows came", most)}
			}
			if octets += sizeOf(i); octets > maxOctets {
				return &cim.Error{Status: cim.ErrTooMuchData, Detail: fmt.Sprintf("more than %d MiB came", maxOctets>>20)}
			}
			f(i)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return ended(ctx, err)
		}
	}
}

// ended is the end of ctx, where that is why something failed.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// sizeOf is about how many octets the values of a row are.
func sizeOf(i *cim.Instance) int {
	n := 0
	for p := range i.Len() {
		v := i.At(p)
		if v.Type().IsArray() {
			for _, e := range v.Elems() {
				s, _ := e.Str()
				n += 8 + len(s)
			}
			continue
		}
		s, _ := v.Str()
		n += 8 + len(s)
	}
	return n
}

// errNoRow is what a question fails with that has one answer, and got none.
var errNoRow = &cim.Error{Status: cim.ErrNotFound, Detail: "the host gave no instance"}

// one asks a question that has one row.
func (q *questions) one(ctx context.Context, wql string, f func(*cim.Instance)) error {
	found := false
	err := q.each(ctx, tileLimit, wql, 1, func(i *cim.Instance) { found = true; f(i) })
	if err == nil && !found {
		return errNoRow
	}
	return err
}

// textOf, numberOf, flagOf, momentOf and listOf read a property, whether the host told its type
// or not. What is absent is the zero value.

func textOf(i *cim.Instance, name string) string {
	s, _ := i.Get(name).Str()
	return clean(s, maxWord)
}

func numberOf(i *cim.Instance, name string) uint64 {
	n, _ := unsignedOf(i, name)
	return n
}

func unsignedOf(i *cim.Instance, name string) (uint64, bool) {
	v, err := i.Get(name).As(cim.Uint64)
	if err != nil {
		return 0, false
	}
	return v.Uint()
}

func signedOf(i *cim.Instance, name string) (int64, bool) {
	v, err := i.Get(name).As(cim.Sint64)
	if err != nil {
		return 0, false
	}
	return v.Int()
}

func flagOf(i *cim.Instance, name string) bool {
	v, err := i.Get(name).As(cim.Boolean)
	if err != nil {
		return false
	}
	b, _ := v.Bool()
	return b
}

func momentOf(i *cim.Instance, name string) (time.Time, bool) {
	v, err := i.Get(name).As(cim.Datetime)
	if err != nil {
		return time.Time{}, false
	}
	d, ok := v.DateTime()
	if !ok {
		return time.Time{}, false
	}
	return d.Time()
}

func listOf(i *cim.Instance, name string) []string {
	v := i.Get(name)
	if !v.Type().IsArray() {
		if s := textOf(i, name); s != "" {
			return []string{s}
		}
		return nil
	}
	var out []string
	for _, e := range v.Elems() {
		if s, ok := e.Str(); ok && len(out) < 64 {
			out = append(out, clean(s, maxWord))
		}
	}
	return out
}

// clean is a text of a server fit to be kept and shown: bounded, one line, no control
// or formatting characters.
func clean(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == most {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			r = ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar || unicode.Is(unicode.Co, r):
			continue
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
