package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

// eventsData is what the tab Events shows.
type eventsData struct {
	Filter machine.EventFilter
	Hours  int
	Text   string
	Level  string
	Log    string
	Source string
	List   []machine.Event
}

// eventSpans are the choices of how far back the list goes, in hours.
var eventSpans = []int{1, 6, 24, 72, 168}

// loadEvents reads the events that the filter of the request wants.
func (c *Console) loadEvents(ctx context.Context, rq *request, _ Entry, conn *casement.Connection) (any, bool, error) {
	q := rq.URL.Query()
	d := eventsData{Text: q.Get("q"), Level: q.Get("level"), Log: q.Get("log"), Source: strings.TrimSpace(q.Get("source")), Hours: 24}
	d.Filter.IDs = machine.EventIDs(strings.TrimSpace(q.Get("id")))
	if n, err := strconv.Atoi(q.Get("last")); err == nil && n > 0 && n <= eventSpans[len(eventSpans)-1] {
		d.Hours = n
	}
	d.Filter.Last = time.Duration(d.Hours) * time.Hour
	if err := d.Filter.IDs.Check(); err != nil {
		return d, false, &problem{Status: http.StatusBadRequest, Text: err.Error() + "."}
	}
	for _, one := range []struct {
		from string
		to   *[]string
	}{{d.Level, &d.Filter.Levels}, {d.Log, &d.Filter.Logs}, {d.Source, &d.Filter.Sources}} {
		if one.from != "" {
			*one.to = []string{one.from}
		}
	}
	var cut bool
	err := session(ctx, conn, "", func(s cim.Session) (err error) {
		d.List, cut, err = machine.Events(ctx, s, d.Filter, time.Now())
		return err
	})
	if d.Text != "" {
		words := strings.ToLower(d.Text)
		kept := d.List[:0]
		for _, e := range d.List {
			if strings.Contains(strings.ToLower(e.Message+" "+e.Source), words) {
				kept = append(kept, e)
			}
		}
		d.List = kept
	}
	return d, cut, err
}

// Same is the filter of all servers for one event.
func (eventsData) Same(id uint64) string {
	return "/query?wql=" + url.QueryEscape("SELECT * FROM Win32_NTLogEvent WHERE EventCode = "+strconv.FormatUint(id, 10))
}

// EventLevel is how a level of an event is shown.
func (eventsData) EventLevel(level string) string {
	switch level {
	case "Error", "Audit Failure":
		return "blocked"
	case "Warning":
		return "attention"
	default:
		return "info"
	}
}

// Spans are the choices of how far back.
func (eventsData) Spans() []int { return eventSpans }
