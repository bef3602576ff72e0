package doctor

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
)

// A check proves one thing about the path to a machine. Its file is check_ID.go.
type check struct {
	id    string
	layer Layer
	title string // "Port 135 answers"
	// transport is "winrm" or "dcom" where it is about one of them.
	transport string
	// needs are checks that must not have failed; where one did, this one is skipped.
	needs []string
	// after are checks that are waited for, whatever they say.
	after []string
	// degrades tells that the transport works all the same where this fails.
	degrades bool
	// applies tells whether the target has what is checked; nil is always.
	applies func(t Target, o Options) bool
	// limit is how long it may take; 0 is 5 s.
	limit time.Duration
	run   func(ctx context.Context, x *examination) found
}

// found is what a check says. The zero value is Pass. What a peer wrote may
// stand in it as it is: it is made printable, and bounded, afterwards.
type found struct {
	outcome Outcome
	code    string
	name    string
	detail  string
	seen    []string
}

// defaultLimit and callbackLimit bound checks, wholeLimit an examination.
const (
	defaultLimit  = 5 * time.Second
	callbackLimit = 15 * time.Second
	wholeLimit    = 60 * time.Second
)

// maxText bounds one text of a result, in bytes, and maxSeen how many there are.
const (
	maxText = 600
	maxSeen = 64
)

// once runs a check within its limit. A panic is a result: Crash.
func (c check) once(ctx context.Context, x *examination) (r Result) {
	limit := c.limit
	if limit == 0 {
		limit = defaultLimit
	}
	limit = x.options.scaled(limit)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := x.since()
	r = Result{ID: c.id, Layer: c.layer, Title: c.title, Needs: c.needs, Outcome: Pass}
	defer func() {
		if p := recover(); p != nil {
			r.Outcome, r.Detail = Crash, "this check is broken; the others are not touched"
			x.log.Error("a check of the doctor panicked", "check", c.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		r.TookMS = (x.since() - start).Milliseconds()
	}()
	f := c.run(ctx, x)
	if f.outcome != "" {
		r.Outcome = f.outcome
	}
	r.Code, r.Name, r.Detail = f.code, clean(f.name), clean(f.detail)
	for _, s := range f.seen[:min(len(f.seen), maxSeen)] {
		r.Seen = append(r.Seen, Evidence{AtMS: x.since().Milliseconds(), Saw: clean(s)})
	}
	return r
}

// clean makes what a peer may have written fit for one line of a terminal.
func clean(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return printable(s)
}

// printable is a text on one line, without what a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}
