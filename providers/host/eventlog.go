package host

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/security"
)

// The types of an event.
const (
	eventError        = 1
	eventWarning      = 2
	eventInformation  = 3
	eventAuditSuccess = 4
	eventAuditFailure = 5
)

var eventTypes = []string{"", "Error", "Warning", "Information", "Audit Success", "Audit Failure"}

// eventType maps the priority of syslog(3): what is at least an error, a warning, the rest. A record of the audit
// subsystem tells how it ended.
func (e *entry) eventType() uint8 {
	if e.carrier == "audit" {
		switch {
		case strings.Contains(e.message, "res=success"), strings.Contains(e.message, "res=1"):
			return eventAuditSuccess
		case strings.Contains(e.message, "res=failed"), strings.Contains(e.message, "res=0"):
			return eventAuditFailure
		}
	}
	switch {
	case e.priority >= 0 && e.priority <= 3:
		return eventError
	case e.priority == 4:
		return eventWarning
	}
	return eventInformation
}

// identifier is the kind of an event: the type of a record of the audit subsystem, or the beginning of MESSAGE_ID,
// which programs give to messages of one kind. It is unknown for others.
func (e *entry) identifier() (uint32, bool) {
	if e.audit > 0 && e.audit <= math.MaxUint32 {
		return uint32(e.audit), true
	}
	b, err := hex.DecodeString(e.id)
	if err != nil || len(b) != 16 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}

// record is the RecordNumber: the number that journald gives to an entry, which stays the same and grows. It begins
// again after 2^32 entries.
func (e *entry) record() uint32 { return uint32(e.number) }

type eventRow struct {
	entry
	p        *Provider
	users    map[int64]string
	location *time.Location
}

type eventColumn = column[eventRow]

func eventText(name string, get func(*eventRow) string) eventColumn {
	return eventColumn{name: name, get: func(r *eventRow) cim.Value { return strOrNull(get(r)) }}
}

// eventTable: an entry has no category and no data besides its text, so that these stay NULL. Its text is not made
// of a template and strings; the whole of it is the one string.
var eventTable = &table[eventRow]{name: "Win32_NTLogEvent", gather: gatherEvents, columns: []eventColumn{
	eventText("Logfile", func(r *eventRow) string { return r.log }),
	{name: "RecordNumber", get: func(r *eventRow) cim.Value { return cim.U32(r.record()) }},
	eventText("SourceName", func(r *eventRow) string {
		return first(r.source, r.command, map[string]string{"kernel": "kernel"}[r.carrier])
	}),
	eventText("Message", func(r *eventRow) string { return r.message }),
	{name: "InsertionStrings", get: func(r *eventRow) cim.Value {
		if r.message == "" {
			return cim.Value{}
		}
		return cim.Strs([]string{r.message})
	}},
	{name: "EventType", get: func(r *eventRow) cim.Value { return cim.U8(r.eventType()) }},
	eventText("Type", func(r *eventRow) string { return eventTypes[r.eventType()] }),
	{name: "EventIdentifier", get: func(r *eventRow) cim.Value {
		n, ok := r.identifier()
		if !ok {
			return cim.Value{}
		}
		return cim.U32(n)
	}},
	{name: "EventCode", get: func(r *eventRow) cim.Value {
		n, ok := r.identifier()
		if !ok {
			return cim.Value{}
		}
		return cim.U16(uint16(n))
	}},
	{name: "TimeGenerated", get: func(r *eventRow) cim.Value { return timeOrNull(r.made, r.location) }},
	{name: "TimeWritten", get: func(r *eventRow) cim.Value { return timeOrNull(r.written, r.location) }},
	eventText("ComputerName", func(r *eventRow) string { return r.host }),
	eventText("User", func(r *eventRow) string {
		if name := r.users[r.uid]; name != "" {
			return first(r.host, r.p.hostName()) + `\` + name
		}
		return ""
	}),
}}

// maySeeSecurity tells whether a caller may read the log Security.
func maySeeSecurity(c cim.Caller) bool {
	return c.Token != nil && c.Token.HasPrivilege(security.SeSecurity)
}

// newEventTable has the events that are written from now on.
var newEventTable = &table[eventRow]{name: eventTable.name, columns: eventTable.columns, gather: followEvents}

// followEvents waits for new entries until ctx ends.
func followEvents(ctx context.Context, p *Provider, _ uint32, q query, f func(*eventRow) error) error {
	return p.events(ctx, q, &eventPlan{args: append(entryFields(journalFields...), "--follow", "--lines=0")}, f)
}

// gatherEvents asks journalctl for no more than the query can mean, and takes the newest entries first.
func gatherEvents(ctx context.Context, p *Provider, _ uint32, q query, f func(*eventRow) error) error {
	plan, err := p.planEvents(ctx, q)
	if err != nil || plan == nil {
		return err
	}
	return p.events(ctx, q, plan, f)
}

// events calls f with the entries that a plan asks for and that the caller may see.
func (p *Provider) events(ctx context.Context, q query, plan *eventPlan, f func(*eventRow) error) error {
	r := &eventRow{p: p, users: map[int64]string{}, location: p.location()}
	users, _ := p.users(false)
	for _, u := range users {
		if r.users[int64(u.uid)] == "" {
			r.users[int64(u.uid)] = u.name
		}
	}
	secure := maySeeSecurity(q.caller)
	var raw rawEntry
	return p.journal(ctx, func(line []byte) error {
		if !raw.parse(line) {
			return nil
		}
		log := raw.log()
		if log == logSecurity && !secure || plan.log != "" && plan.log != log {
			return nil
		}
		var ok bool
		if r.entry, ok = raw.entry(); !ok {
			return nil
		}
		return f(r)
	}, plan.args...)
}

// eventPlan is what to ask journalctl for.
type eventPlan struct {
	log  string // "": all
	args []string
}

// planEvents gives nil where no entry can be meant.
func (p *Provider) planEvents(ctx context.Context, q query) (*eventPlan, error) {
	plan := &eventPlan{args: entryFields(journalFields...)}
	if name, ok := q.text("Logfile"); ok {
		n := slices.IndexFunc(logNames, func(l string) bool { return cim.EqualFold(l, name) })
		if n < 0 {
			return nil, nil
		}
		if plan.log = logNames[n]; plan.log == logSecurity && !maySeeSecurity(q.caller) {
			return nil, &cim.Error{Status: cim.ErrPrivilegeNotHeld, Path: "Win32_NTLogEvent", Detail: "the log Security needs SeSecurityPrivilege"}
		}
	}
	matches := logMatches(plan.log)
	kind, ok := eventKind(q)
	switch {
	case !ok:
		return nil, nil
	case kind == eventError:
		plan.args = append(plan.args, "--priority=0..3")
	case kind == eventWarning:
		plan.args = append(plan.args, "--priority=4..4")
	case kind >= eventAuditSuccess:
		matches = []string{"_TRANSPORT=audit"}
	}
	plan.args = append(plan.args, eventTimes(q)...)
	where, err := p.eventCursor(ctx, q)
	if err != nil || where == nil {
		return nil, err
	}
	plan.args = append(append(plan.args, where...), matches...)
	return plan, nil
}

// eventKind is the EventType that the query wants, 0 for all; ok is false where there is no such type.
func eventKind(q query) (kind int, ok bool) {
	if name, fixed := q.text("Type"); fixed {
		for n, t := range eventTypes {
			if n > 0 && cim.EqualFold(t, name) {
				kind = n
			}
		}
		if kind == 0 {
			return 0, false
		}
	}
	if v, fixed := q.fixed("EventType"); fixed {
		n, _ := v.Uint()
		if n < eventError || n > eventAuditFailure || kind != 0 && uint64(kind) != n {
			return 0, false
		}
		kind = int(n)
	}
	return kind, true
}

// eventTimes are the arguments for what the query says of times. Entries are found by the time at which they were
// written; a program says something before that, so that TimeGenerated has only a lower bound here.
func eventTimes(q query) []string {
	var since, until time.Time
	later := func(t time.Time) {
		if t.After(since) {
			since = t
		}
	}
	bound := func(property string, op wql.Op, v cim.Value) {
		d, _ := v.DateTime()
		t, ok := d.Time()
		if !ok {
			return
		}
		if op == wql.Equal || op == wql.Greater || op == wql.GreaterOrEqual {
			later(t)
		}
		if property == "TimeWritten" && op != wql.Greater && op != wql.GreaterOrEqual && (until.IsZero() || t.Before(until)) {
			until = t
		}
	}
	for _, property := range []string{"TimeWritten", "TimeGenerated"} {
		if v, ok := q.fixed(property); ok {
			bound(property, wql.Equal, v)
		}
		for _, o := range q.ordersOf("Win32_NTLogEvent", property) {
			bound(property, o.Op, o.Value)
		}
	}
	var out []string
	if !since.IsZero() { // in whole seconds, to both sides
		out = append(out, "--since=@"+strconv.FormatInt(max(since.Unix(), 0), 10))
	}
	if !until.IsZero() {
		out = append(out, "--until=@"+strconv.FormatInt(max(until.Unix()+1, 0), 10))
	}
	return out
}

// eventCursor are the arguments by which journalctl goes to the record that the query begins with, or to the newest
// one and from there back where it says nothing of records. nil: it can mean none.
func (p *Provider) eventCursor(ctx context.Context, q query) ([]string, error) {
	newestFirst := []string{"--reverse"}
	low, one := uint64(0), false
	if v, fixed := q.fixed("RecordNumber"); fixed {
		if low, one = v.Uint(); low == 0 {
			return nil, nil
		}
	}
	for _, o := range q.ordersOf("Win32_NTLogEvent", "RecordNumber") {
		n, _ := o.Value.Uint()
		switch o.Op {
		case wql.Greater:
			low = max(low, n+1)
		case wql.GreaterOrEqual:
			low = max(low, n)
		}
	}
	if low == 0 {
		return newestFirst, nil
	}
	var newest entry
	known := false
	err := p.journal(ctx, func(line []byte) error {
		newest, known = parseEntry(line)
		return nil
	}, append(entryFields("PRIORITY"), "--lines=1")...)
	switch {
	case err != nil || !known:
		return nil, err
	case newest.number > math.MaxUint32: // the numbers have begun again, so that none tells where its entry stands
		return newestFirst, nil
	case low > newest.number:
		return nil, nil
	}
	out := []string{fmt.Sprintf("--cursor=s=%s;i=%x", newest.lineage, low)}
	if one {
		out = append(out, "--lines=1")
	}
	return out, nil
}
