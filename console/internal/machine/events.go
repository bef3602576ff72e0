package machine

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// Event is a record of an event log. See Win32_NTLogEvent.
type Event struct {
	Log     string    `json:"log"`
	Record  uint64    `json:"record"`
	Level   string    `json:"level"` // Error, Warning, Information, Audit Success, Audit Failure
	ID      uint64    `json:"id"`
	Source  string    `json:"source"`
	Time    time.Time `json:"time"`
	User    string    `json:"user,omitempty"`
	Message string    `json:"message"`
	Task    string    `json:"task,omitempty"`
}

// EventFilter says which events; the zero value is the last 24 hours' errors and
// warnings of Application, Setup and System, as Server Manager has them.
type EventFilter struct {
	Logs    []string      `json:"logs,omitempty"`
	Levels  []string      `json:"levels,omitempty"`
	Sources []string      `json:"sources,omitempty"`
	IDs     EventIDs      `json:"ids,omitempty"`
	Last    time.Duration `json:"last,omitempty"` // 0 is 24 hours
	Limit   int           `json:"limit,omitempty"`

	// Keep passes the events that are wanted besides; nil passes all.
	Keep func(Event) bool `json:"-"`
}

// defaults of an EventFilter, and the most that is given.
const (
	defaultEvents = 500
	maxEvents     = 10000
)

// levels of the class, by the number in EventType.
var levels = []string{"", "Error", "Warning", "Information", "Audit Success", "Audit Failure"}

// levelOf is the name of a level, and its number in EventType; 0 is none.
func levelOf(name string) int {
	for n, l := range levels {
		if n > 0 && strings.EqualFold(l, name) {
			return n
		}
	}
	return 0
}

// filled puts in what the zero value stands for.
func (f EventFilter) filled() EventFilter {
	if len(f.Logs) == 0 {
		f.Logs = []string{"Application", "Setup", "System"}
	}
	if len(f.Levels) == 0 {
		f.Levels = []string{"Error", "Warning"}
	}
	if f.Last <= 0 {
		f.Last = 24 * time.Hour
	}
	if f.Limit <= 0 {
		f.Limit = defaultEvents
	}
	f.Limit = min(f.Limit, maxEvents)
	return f
}

// query writes the filter as WQL, as far as WQL can say it; IDs are matched here.
func (f EventFilter) query(since time.Time) string {
	var b strings.Builder
	b.WriteString("SELECT Logfile, RecordNumber, EventType, EventCode, SourceName, TimeGenerated, User, Message, CategoryString FROM Win32_NTLogEvent WHERE TimeGenerated >= ")
	b.WriteString(Quote(string(cim.AtTime(since))))
	any := func(words []string, one func(string) string) {
		b.WriteString(" AND (")
		for n, w := range words {
			if n > 0 {
				b.WriteString(" OR ")
			}
			b.WriteString(one(w))
		}
		b.WriteString(")")
	}
	any(f.Logs, func(w string) string { return "Logfile = " + Quote(w) })
	any(f.Levels, func(w string) string {
		if n := levelOf(w); n > 0 {
			return "EventType = " + strconv.Itoa(n)
		}
		return "Type = " + Quote(w)
	})
	if len(f.Sources) > 0 {
		any(f.Sources, func(w string) string { return "SourceName = " + Quote(w) })
	}
	return b.String()
}

// passes is what a query cannot say of an event, or a subscription was not told.
func (f EventFilter) passes(ids func(uint64) bool, e Event) bool {
	has := func(list []string, v string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, v) })
	}
	return ids(e.ID) && has(f.Logs, e.Log) && has(f.Levels, e.Level) && has(f.Sources, e.Source) && (f.Keep == nil || f.Keep(e))
}

func eventOf(r row) Event {
	level := ""
	if n := r.or("EventType", 0); n < uint64(len(levels)) {
		level = levels[n]
	}
	return Event{
		Log: r.text("Logfile"), Record: r.or("RecordNumber", 0), Level: level, ID: r.or("EventCode", 0), Source: r.text("SourceName"),
		Time: r.time("TimeGenerated"), User: r.text("User"), Message: strings.TrimSpace(r.text("Message")), Task: r.text("CategoryString"),
	}
}

// newest sorts events, the newest first.
func newest(list []Event) {
	slices.SortStableFunc(list, func(a, b Event) int {
		return cmp.Or(b.Time.Compare(a.Time), strings.Compare(a.Log, b.Log), cmp.Compare(b.Record, a.Record))
	})
}

// Events lists events, the newest first. cut tells that there are more.
func Events(ctx context.Context, s cim.Session, f EventFilter, now time.Time) (list []Event, cut bool, err error) {
	f = f.filled()
	return f.since(ctx, s, now.Add(-f.Last))
}

func (f EventFilter) since(ctx context.Context, s cim.Session, since time.Time) (list []Event, cut bool, err error) {
	ids := f.IDs.Matcher()
	shorten := func() {
		if newest(list); len(list) > f.Limit {
			list, cut = list[:f.Limit], true
		}
	}
	more, err := rows(ctx, s, f.query(since), maxEvents, func(r row) {
		if e := eventOf(r); f.passes(ids, e) {
			if list = append(list, e); len(list) >= 2*f.Limit {
				shorten()
			}
		}
	})
	shorten()
	return list, cut || more, err
}

// EachEvent gives every event to take, as they come, and ends with its error.
func EachEvent(ctx context.Context, s cim.Session, f EventFilter, now time.Time, take func(Event) error) error {
	f = f.filled()
	ids := f.IDs.Matcher()
	e, err := s.Query(ctx, f.query(now.Add(-f.Last)), cim.QueryOptions{})
	if err != nil {
		return err
	}
	return cim.Each(ctx, e, func(i *cim.Instance) error {
		if one := eventOf(row{i}); f.passes(ids, one) {
			return take(one)
		}
		return nil
	})
}

// What FollowEvents does where it cannot subscribe, and at its beginning.
const (
	pollEvents = 10 * time.Second
	catchUp    = 15 * time.Minute
)

const newEvents = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_NTLogEvent'"

// FollowEvents gives events to take as they happen, until ctx ends or the server is
// lost: those of the last quarter of an hour first, then those that a subscription
// brings, or where the server gives none, what a query each ten seconds finds. The
// same event may come again.
func FollowEvents(ctx context.Context, s cim.Session, f EventFilter, take func(list []Event, pushed bool)) error {
	f = f.filled()
	f.Limit = 100
	var events cim.Enumerator
	if sub, ok := s.(cim.Subscriber); ok {
		var err error
		if events, err = sub.Subscribe(ctx, newEvents, cim.SubscribeOptions{}); err == nil {
			defer events.Close() //nolint:errcheck // nobody follows any more
		}
	}
	since := time.Now().Add(-catchUp)
	list, _, err := f.since(ctx, s, since)
	if err != nil {
		return err
	}
	take(list, events != nil)
	if events != nil {
		return f.pushed(ctx, events, take)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvents):
		}
		for _, e := range list { // by the server's clock, with room for what is written late
			if at := e.Time.Add(-pollEvents); at.After(since) && !at.After(time.Now()) {
				since = at
			}
		}
		if list, _, err = f.since(ctx, s, since); err != nil {
			return err
		}
		take(list, false)
	}
}

func (f EventFilter) pushed(ctx context.Context, events cim.Enumerator, take func(list []Event, pushed bool)) error {
	ids := f.IDs.Matcher()
	for {
		page, err := events.Next(ctx, 0)
		var list []Event
		for _, i := range page {
			if target := i.Get("TargetInstance").Object(); target != nil {
				if e := eventOf(row{target}); f.passes(ids, e) {
					list = append(list, e)
				}
			}
		}
		if len(list) > 0 {
			take(list, true)
		}
		if err != nil {
			return err
		}
	}
}
