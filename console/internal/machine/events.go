package machine

import (
	"context"
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
}

// defaults of an EventFilter, and the most that is given.
const (
	defaultEvents = 500
	maxEvents     = 10000
)

// levels of the class, by the number in EventType.
var levels = []string{"", "Error", "Warning", "Information", "Audit Success", "Audit Failure"}

// query writes the filter as WQL, as far as WQL can say it; IDs are matched here.
func (f EventFilter) query(now time.Time) string {
	last := f.Last
	if last <= 0 {
		last = 24 * time.Hour
	}
	logs, wanted := f.Logs, f.Levels
	if len(logs) == 0 {
		logs = []string{"Application", "Setup", "System"}
	}
	if len(wanted) == 0 {
		wanted = []string{"Error", "Warning"}
	}
	var b strings.Builder
	b.WriteString("SELECT Logfile, RecordNumber, EventType, EventCode, SourceName, TimeGenerated, User, Message, CategoryString FROM Win32_NTLogEvent WHERE TimeGenerated >= ")
	b.WriteString(Quote(string(cim.AtTime(now.Add(-last)))))
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
	any(logs, func(w string) string { return "Logfile = " + Quote(w) })
	any(wanted, func(w string) string {
		for n, name := range levels {
			if strings.EqualFold(name, w) {
				return "EventType = " + strconv.Itoa(n)
			}
		}
		return "Type = " + Quote(w)
	})
	if len(f.Sources) > 0 {
		any(f.Sources, func(w string) string { return "SourceName = " + Quote(w) })
	}
	return b.String()
}

// Events lists events, the newest first as far as the server gives them so. cut
// tells that there are more.
func Events(ctx context.Context, s cim.Session, f EventFilter, now time.Time) (list []Event, cut bool, err error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultEvents
	}
	limit = min(limit, maxEvents)
	_, err = rows(ctx, s, f.query(now), maxEvents, func(r row) {
		id := r.or("EventCode", 0)
		if !f.IDs.Match(id) {
			return
		}
		if len(list) == limit {
			cut = true
			return
		}
		level := ""
		if n := r.or("EventType", 0); n < uint64(len(levels)) {
			level = levels[n]
		}
		list = append(list, Event{
			Log: r.text("Logfile"), Record: r.or("RecordNumber", 0), Level: level, ID: id, Source: r.text("SourceName"),
			Time: r.time("TimeGenerated"), User: r.text("User"), Message: r.text("Message"), Task: r.text("CategoryString"),
		})
	})
	return list, cut, err
}
