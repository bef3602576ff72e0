package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

// eventQuery is the filter of events, as the URL has it. The box takes words, "-" before
// one that must not be there, and the keys level, log, source and id besides.
type eventQuery struct {
	Text                  string
	Levels, Logs, Sources []string
	IDs                   machine.EventIDs
	Hours                 int

	words, not []string // in small letters
}

// What may be chosen, and what is without a choice.
var (
	eventLevels = []string{"Error", "Warning", "Information", "Audit Failure", "Audit Success"}
	eventLogs   = []string{"Application", "Setup", "System", "Security"}
	eventSpans  = []int{1, 6, 24, 72, 168}
)

const maxEventWords = 50

// parseEventQuery reads the filter of a URL; its error is for a person.
func parseEventQuery(v url.Values) (eventQuery, error) {
	q := eventQuery{Text: strings.TrimSpace(v.Get("q")), Hours: 24}
	wrong := func(format string, a ...any) (eventQuery, error) {
		return q, &problem{Status: http.StatusBadRequest, Title: "This is no filter", Text: "This is no filter: " + fmt.Sprintf(format, a...) + "."}
	}
	list := func(name string) (list []string) {
		for _, one := range v[name] {
			list = append(list, namesIn(one)...)
		}
		return list
	}
	q.Levels, q.Logs, q.Sources = list("level"), list("log"), list("source")
	q.IDs = machine.EventIDs(strings.TrimSpace(v.Get("id")))
	if text := v.Get("last"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > eventSpans[len(eventSpans)-1] {
			return wrong("the last 1 to %d hours can be shown", eventSpans[len(eventSpans)-1])
		}
		q.Hours = n
	}
	if len(q.Text) > 1000 || len(q.Levels)+len(q.Logs)+len(q.Sources) > maxEventWords {
		return wrong("it is too long")
	}
	words, err := splitWords(q.Text)
	if err != nil || len(words) > maxEventWords {
		return wrong("a quotation mark is not closed, or it has too many words")
	}
	for _, w := range words {
		key, value, pair := strings.Cut(w, ":")
		switch {
		case pair && value == "":
			return wrong("%s: has no value", key)
		case pair && key == "level":
			q.Levels = append(q.Levels, namesIn(value)...)
		case pair && key == "log":
			q.Logs = append(q.Logs, namesIn(value)...)
		case pair && key == "source":
			q.Sources = append(q.Sources, namesIn(value)...)
		case pair && key == "id":
			q.IDs = machine.EventIDs(strings.Trim(string(q.IDs)+","+value, ","))
		case len(w) > 1 && w[0] == '-':
			q.not = append(q.not, strings.ToLower(w[1:]))
		default:
			q.words = append(q.words, strings.ToLower(w))
		}
	}
	if err := q.IDs.Check(); err != nil {
		return wrong("%v", err)
	}
	for n, l := range q.Levels {
		at := slices.IndexFunc(eventLevels, func(known string) bool { return strings.EqualFold(known, l) })
		if at < 0 {
			return wrong("%q is no level; the levels are %s", l, strings.Join(eventLevels, ", "))
		}
		q.Levels[n] = eventLevels[at]
	}
	return q, nil
}

// splitWords splits at blanks outside of quotation marks, which are left out.
func splitWords(text string) (words []string, err error) {
	var b strings.Builder
	in, some := false, false
	for _, r := range text + " " {
		switch {
		case r == '"':
			in, some = !in, true
		case !in && (r == ' ' || r == '\t' || r == '\n' || r == '\r'):
			if some && b.Len() > 0 {
				words = append(words, b.String())
			}
			b.Reset()
			some = false
		default:
			b.WriteRune(r)
			some = true
		}
	}
	if in {
		return nil, errors.New("a quotation mark is not closed")
	}
	return words, nil
}

// Values are the filter for a URL: what has no choice is left out.
func (q eventQuery) Values() url.Values {
	v := url.Values{}
	set := func(name string, list ...string) {
		for _, one := range list {
			if one != "" {
				v.Add(name, one)
			}
		}
	}
	set("q", q.Text)
	typed, err := parseEventQuery(url.Values{"q": {q.Text}})
	if err != nil {
		typed = eventQuery{}
	}
	left := func(list, typed []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(one string) bool { return slices.Contains(typed, one) })
	}
	set("level", left(q.Levels, typed.Levels)...)
	set("log", left(q.Logs, typed.Logs)...)
	set("source", left(q.Sources, typed.Sources)...)
	if q.IDs != typed.IDs {
		set("id", strings.TrimSuffix(strings.TrimSuffix(string(q.IDs), string(typed.IDs)), ","))
	}
	if q.Hours != 24 {
		set("last", strconv.Itoa(q.Hours))
	}
	return v
}

// filter is what a server is asked.
func (q eventQuery) filter() machine.EventFilter {
	f := machine.EventFilter{Levels: q.Levels, Logs: q.Logs, Sources: q.Sources, IDs: q.IDs, Last: time.Duration(q.Hours) * time.Hour}
	if len(q.words)+len(q.not) > 0 {
		f.Keep = func(e machine.Event) bool {
			text := strings.ToLower(e.Message + "\n" + e.Source + "\n" + e.Log + "\n" + e.Task + "\n" + e.User + "\n" + strconv.FormatUint(e.ID, 10))
			for _, w := range q.words {
				if !strings.Contains(text, w) {
					return false
				}
			}
			return !slices.ContainsFunc(q.not, func(w string) bool { return strings.Contains(text, w) })
		}
	}
	return f
}

// serverEvent is an event and where it happened.
type serverEvent struct {
	machine.Event

	Server string
}

// Key tells an event from others.
func (e serverEvent) Key() string {
	return e.Server + "/" + e.Log + "/" + strconv.FormatUint(e.Record, 10)
}

// First is the first line of the message.
func (e serverEvent) First() string {
	line, _, _ := strings.Cut(e.Message, "\n")
	if line = strings.TrimSpace(line); len(line) > 160 {
		line = strings.ToValidUTF8(line[:157], "") + "…"
	}
	return cmpOr(line, "–")
}

// Badge is how the level is shown.
func (e serverEvent) Badge() string { return eventBadge(e.Level) }

func eventBadge(level string) string {
	switch level {
	case "Error", "Audit Failure":
		return "blocked"
	case "Warning":
		return "attention"
	default:
		return "info"
	}
}

// Same is where the same event of other servers is.
func (e serverEvent) Same() string {
	v := url.Values{"in": {allCard}, "id": {strconv.FormatUint(e.ID, 10)}, "level": {e.Level}, "log": {e.Log}}
	if e.Source != "" && !strings.Contains(e.Source, ",") {
		v.Set("source", e.Source)
	}
	return "/events?" + v.Encode()
}

// eventsData is what a list of events shows, of one server or of many.
type eventsData struct {
	Q       eventQuery
	Path    string     // of the page
	Scope   url.Values // what of its query says which servers; nil at one server
	Many    bool
	List    []serverEvent
	Cut     bool
	Sources []string // that are seen, to be chosen
	Saved   []View
	Topics  []string // of the stream
	Now     time.Time
}

// Levels, Logs and Spans are the choices.
func (d eventsData) Levels() []choice { return choices(eventLevels, d.Q.Levels) }

// Logs are those of a server, and others that the URL names.
func (d eventsData) Logs() []choice {
	all := slices.Clone(eventLogs)
	for _, l := range d.Q.Logs {
		if !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	return choices(all, d.Q.Logs)
}

// Spans are how far back.
func (d eventsData) Spans() (list []choice) {
	hours := slices.Clone(eventSpans)
	if !slices.Contains(hours, d.Q.Hours) {
		hours = slices.Sorted(slices.Values(append(hours, d.Q.Hours)))
	}
	for _, h := range hours {
		title := strconv.Itoa(h) + " h"
		if h >= 72 && h%24 == 0 {
			title = strconv.Itoa(h/24) + " d"
		}
		list = append(list, choice{strconv.Itoa(h), title, h == d.Q.Hours})
	}
	return list
}

func choices(all, on []string) (list []choice) {
	for _, v := range all {
		list = append(list, choice{v, v, slices.Contains(on, v)})
	}
	return list
}

// LevelText and the others are what is chosen, on the closed menus.
func (d eventsData) LevelText() string {
	return cmpOr(strings.Join(d.Q.Levels, ", "), "Error, Warning")
}

// LogText is what is chosen of logs.
func (d eventsData) LogText() string {
	return cmpOr(strings.Join(d.Q.Logs, ", "), "Application, Setup, System")
}

// SourceText is what is chosen of sources.
func (d eventsData) SourceText() string { return strings.Join(d.Q.Sources, ", ") }

// Filtered tells whether something is chosen.
func (d eventsData) Filtered() bool { return len(d.Q.Values()) > 0 }

// Query is the filter with the choice of servers, for links.
func (d eventsData) Query() string {
	v := d.Q.Values()
	for name, list := range d.Scope {
		v[name] = list
	}
	return v.Encode()
}

// Export is the path of the export in a format.
func (d eventsData) Export(format string) string {
	return d.Path + "/export?" + strings.Trim(d.Query()+"&format="+format, "&")
}

// With is the page with a saved filter.
func (d eventsData) With(saved View) string {
	v, err := url.ParseQuery(saved.Query)
	if err != nil {
		return d.Path
	}
	if !d.Many {
		v.Del("in")
		v.Del("on")
	}
	return d.Path + "?" + v.Encode()
}

// Current tells whether a saved filter is the one that is shown.
func (d eventsData) Current(saved View) bool {
	mine := d.Path + "?" + d.Query()
	return d.With(saved) == mine
}

// Hidden are the servers of the scope, for a form.
func (d eventsData) Hidden() []string { return d.Scope["on"] }

// finish fills in what follows from the list.
func (c *Console) finish(rq *request, d *eventsData) {
	d.Now = time.Now()
	for _, e := range d.List {
		if e.Source != "" && !slices.Contains(d.Sources, e.Source) && len(d.Sources) < 200 {
			d.Sources = append(d.Sources, e.Source)
		}
	}
	slices.Sort(d.Sources)
	d.Saved = c.prefs(rq).EventFilters
}

// loadEvents reads the events that the filter of the request wants.
func (c *Console) loadEvents(ctx context.Context, rq *request, e Entry, conn *casement.Connection) (any, bool, error) {
	q, err := parseEventQuery(rq.URL.Query())
	d := eventsData{Q: q, Path: serverPath(e.Name, "events"), Topics: []string{eventTopic(e.Name, q)}}
	d.Sources = kindsOf(e)
	if err == nil {
		d.List, d.Cut, err = readEvents(ctx, conn, e.Name, q.filter())
	} else {
		d.Topics = nil
	}
	c.finish(rq, &d)
	return d, d.Cut, err
}

// kindsOf are the sources that the pool has seen at a server.
func kindsOf(e Entry) (sources []string) {
	if t := e.snapshot().Events; t != nil {
		for _, k := range t.Kinds {
			if k.Source != "" && !slices.Contains(sources, k.Source) {
				sources = append(sources, k.Source)
			}
		}
	}
	return sources
}

// readEvents asks one server.
func readEvents(ctx context.Context, conn *casement.Connection, name string, f machine.EventFilter) (list []serverEvent, cut bool, err error) {
	var events []machine.Event
	err = session(ctx, conn, "", func(s cim.Session) (err error) {
		events, cut, err = machine.Events(ctx, s, f, time.Now())
		return err
	})
	for _, e := range events {
		list = append(list, serverEvent{e, name})
	}
	return list, cut, err
}

// saveEventFilter keeps a filter under a name, for who asks.
func (c *Console) saveEventFilter(rq *request) (result, error) {
	name, text := strings.TrimSpace(rq.PostForm.Get("name")), rq.PostForm.Get("query")
	v, err := url.ParseQuery(text)
	if err == nil {
		_, err = parseEventQuery(v)
	}
	if name == "" || len(name) > 60 || len(text) > 2000 || err != nil {
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not saved", Text: "A filter needs a name, of at most 60 characters.", Err: err}
	}
	p := c.prefs(rq)
	p.EventFilters = slices.DeleteFunc(p.EventFilters, func(v View) bool { return strings.EqualFold(v.Name, name) })
	p.EventFilters = append(p.EventFilters, View{name, v.Encode()})
	slices.SortFunc(p.EventFilters, func(a, b View) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return result{Message: "Saved the filter " + name + ". It is at the top of the events of each server."}, c.savePrefs(rq.Context(), rq.who.Account, p)
}

func (c *Console) removeEventFilter(rq *request) (result, error) {
	p, name := c.prefs(rq), rq.PostForm.Get("name")
	p.EventFilters = slices.DeleteFunc(p.EventFilters, func(v View) bool { return v.Name == name })
	return result{Message: "Removed the filter " + name + "."}, c.savePrefs(rq.Context(), rq.who.Account, p)
}
