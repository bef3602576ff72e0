package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/pool/lists"
)

// exportPatience is how long the export of one server may take.
const exportPatience = 10 * time.Minute

// eventWriter writes events as they come, so that no export is too large.
type eventWriter struct {
	rq    *request
	csv   *csv.Writer // nil: JSON
	begun bool
	n     int
}

func (c *Console) newEventWriter(rq *request) (*eventWriter, error) {
	w := &eventWriter{rq: rq}
	switch rq.URL.Query().Get("format") {
	case "", "csv":
		w.csv = csv.NewWriter(rq)
	case "json":
	default:
		return nil, &problem{Status: http.StatusBadRequest, Title: "Not exported", Text: "Events are exported as csv or json."}
	}
	return w, nil
}

// begin writes what comes first, once it is known that there is an answer.
func (w *eventWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	kind, name := "application/json", "events.json"
	if w.csv != nil {
		kind, name = "text/csv; charset=utf-8", "events.csv"
	}
	w.rq.Header().Set("Content-Type", kind)
	w.rq.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if w.csv != nil {
		_ = w.csv.Write([]string{"Level", "Time", "Server", "Source", "ID", "Log", "Message", "Task", "User", "Record"}) //nolint:errcheck // the next write tells
	} else {
		_, _ = w.rq.Write([]byte("[")) //nolint:errcheck // as above
	}
}

func (w *eventWriter) write(server string, e machine.Event) error {
	w.begin()
	w.n++
	stamp := e.Time.UTC().Format(time.RFC3339)
	if w.csv != nil {
		line := []string{e.Level, stamp, server, e.Source, strconv.FormatUint(e.ID, 10), e.Log, e.Message, e.Task, e.User, strconv.FormatUint(e.Record, 10)}
		for n := range line {
			line[n] = lists.Defused(line[n])
		}
		return w.csv.Write(line)
	}
	b, err := json.Marshal(struct {
		Server string `json:"server"`
		machine.Event
	}{server, e})
	if err != nil {
		return err
	}
	if w.n > 1 {
		b = append([]byte(",\n"), b...)
	}
	_, err = w.rq.Write(b)
	return err
}

func (w *eventWriter) end() error {
	w.begin()
	if w.csv != nil {
		w.csv.Flush()
		return w.csv.Error()
	}
	_, err := w.rq.Write([]byte("]\n"))
	return err
}

// exportServerEvents writes the events of one server that pass the filter, all of them.
func (c *Console) exportServerEvents(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	return c.exportEvents(rq, []Entry{e})
}

func (c *Console) exportManyEvents(rq *request) error {
	_, list, err := c.serversOf(eventScopeOf(rq.URL.Query()))
	if err != nil {
		return err
	}
	return c.exportEvents(rq, list[:min(len(list), mostAsked)])
}

// exportEvents asks one server after the other. One that fails when the answer has
// begun ends it in the middle, so that nobody takes a part for the whole.
func (c *Console) exportEvents(rq *request, list []Entry) error {
	q, err := parseEventQuery(rq.URL.Query())
	if err != nil {
		return err
	}
	done, err := c.asks.begin(rq.who.User)
	if err != nil {
		return err
	}
	defer done()
	w, err := c.newEventWriter(rq)
	if err != nil {
		return err
	}
	entry := auditlog.Entry{Action: "export", Targets: namesOf(list), Parameters: map[string]string{"what": "events", "query": q.Values().Encode()}}
	err = c.act(rq, entry, func(*auditlog.Entry) error {
		for _, e := range list {
			rq.goOn(exportPatience)
			ctx, cancel := context.WithTimeout(rq.Context(), exportPatience)
			err := c.followServer(ctx, e.Name, func(s cim.Session) error {
				return machine.EachEvent(ctx, s, q.filter(), time.Now(), func(one machine.Event) error { return w.write(e.Name, one) })
			})
			cancel()
			if err != nil {
				return rq.serverProblem(e, err)
			}
		}
		return w.end()
	})
	if err != nil && rq.begun {
		c.log.Warn("an export of events ended in the middle", "request", rq.id, "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}
