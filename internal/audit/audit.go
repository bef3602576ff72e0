// Package audit writes down who was granted or refused what, so that nobody can
// fill a disk by it: the same access of a caller is written once a second, with how
// often it came, and one caller has a bounded number of lines a second, with how
// many were left out.
package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/casementhq/casement/security"
)

// Bounds of the record. What is noted for it is forgotten where it is more than
// mostAccesses, so that more is written and not less.
const (
	pause        = time.Second
	mostLines    = 50 // of one caller within pause
	mostAccesses = 4096
)

// Log writes the record. It is safe for concurrent use.
type Log struct {
	log *slog.Logger

	mu       sync.Mutex
	accesses map[access]*repeats
	callers  map[security.SID]*lines
}

// access is what makes two records the same.
type access struct {
	user    security.SID
	what    any
	granted bool
}

// repeats is how often an access came since it was written last.
type repeats struct {
	written time.Time
	count   int
}

// lines is what a caller caused since a moment.
type lines struct {
	since            time.Time
	written, omitted int
}

// New makes a record that goes to log.
func New(log *slog.Logger) *Log {
	return &Log{log: log, accesses: map[access]*repeats{}, callers: map[security.SID]*lines{}}
}

// Entry is one access.
type Entry struct {
	Level   slog.Level
	Message string // "" is audit
	// User is who asked; of nil nothing is written.
	User *security.Token
	// Address is where the caller is, "" for none.
	Address string
	// What was asked for: comparable, the same for accesses that count as one.
	What    any
	Granted bool
	// Attrs say more, as arguments of slog: no secrets.
	Attrs []any
}

// Write notes an access. The line has the user's name and SID, the address, what
// Attrs says, whether it was granted, how often it came since its last line, and how
// many other lines of the caller were left out before.
func (l *Log) Write(ctx context.Context, e Entry) {
	if e.User == nil || !l.log.Enabled(ctx, e.Level) {
		return
	}
	times, omitted, write := l.count(access{e.User.User, e.What, e.Granted})
	if !write {
		return
	}
	message := e.Message
	if message == "" {
		message = "audit"
	}
	attrs := append([]any{"user", e.User.Domain + `\` + e.User.UserName, "sid", e.User.User.String(), "address", e.Address}, e.Attrs...)
	attrs = append(attrs, "granted", e.Granted, "times", times)
	if omitted > 0 {
		attrs = append(attrs, "omitted", omitted)
	}
	l.log.Log(ctx, e.Level, message, attrs...)
}

// count tells whether an access is to be written now, how often it came since it
// was, and how many lines of its caller were not.
func (l *Log) count(k access) (times, omitted int, write bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.accesses) >= mostAccesses {
		clear(l.accesses)
	}
	if len(l.callers) >= mostAccesses {
		clear(l.callers)
	}
	r := l.accesses[k]
	if r == nil {
		r = &repeats{}
		l.accesses[k] = r
	}
	r.count++
	now := time.Now()
	if now.Sub(r.written) < pause {
		return 0, 0, false
	}
	c := l.callers[k.user]
	if c == nil {
		c = &lines{since: now}
		l.callers[k.user] = c
	}
	if now.Sub(c.since) >= pause {
		c.since, c.written = now, 0
	}
	if c.written >= mostLines {
		c.omitted++
		return 0, 0, false
	}
	times, omitted = r.count, c.omitted
	r.written, r.count = now, 0
	c.written++
	c.omitted = 0
	return times, omitted, true
}
