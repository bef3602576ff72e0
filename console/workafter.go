package console

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// What can be done with a work: its results taken along, the failed servers selected,
// and what did not run tried again.

// exportWork writes the results as CSV, defused for spreadsheets.
func (c *Console) exportWork(rq *request) error {
	v, err := c.work(rq.Context(), rq.PathValue("id"), 0)
	if err != nil {
		return err
	}
	return c.act(rq, auditlog.Entry{Action: "export", Work: v.ID, Targets: v.Targets}, func(*auditlog.Entry) error {
		rq.attach("work-"+v.ID+".csv", "text/csv; charset=utf-8")
		w := csv.NewWriter(rq)
		write := func(f ...string) {
			for n := range f {
				f[n] = lists.Defused(f[n])
			}
			_ = w.Write(f) //nolint:errcheck // Flush tells
		}
		write("Server", "State", "Code", "Result", "Began (UTC)", "Took (s)", "Output")
		for _, r := range v.Results {
			began, took := "", ""
			if !r.Began.IsZero() {
				began = r.Began.UTC().Format(time.RFC3339)
			}
			if !r.Began.IsZero() && !r.Ended.IsZero() {
				took = signedless(r.Ended.Sub(r.Began).Seconds())
			}
			write(r.Server, string(r.State), r.Code, r.Words, began, took, c.outputOf(rq, v, r))
		}
		w.Flush()
		return nil //nolint:nilerr // who asked has gone
	})
}

// exportWorkJSON writes the work with all of its results and what was printed.
func (c *Console) exportWorkJSON(rq *request) error {
	v, err := c.work(rq.Context(), rq.PathValue("id"), 0)
	if err != nil {
		return err
	}
	return c.act(rq, auditlog.Entry{Action: "export", Work: v.ID, Targets: v.Targets}, func(*auditlog.Entry) error {
		head, err := json.Marshal(workAnswer{Work: v.Work, State: v.State})
		if err != nil {
			return err
		}
		rq.attach("work-"+v.ID+".json", "application/json")
		// One result after the other: all that thousands of servers printed is not held.
		_, _ = rq.Write(append(bytes.TrimSuffix(head, []byte("}")), `,"results":[`...)) //nolint:errcheck // who asked has gone
		for n, r := range v.Results {
			r.Output = c.outputOf(rq, v, r)
			b, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if n > 0 {
				b = append([]byte(","), b...)
			}
			if _, err := rq.Write(b); err != nil {
				return nil //nolint:nilerr // as above
			}
		}
		_, _ = rq.Write([]byte("]}")) //nolint:errcheck // as above
		return nil
	})
}

// outputOf reads what was printed on a server; "" where nothing was.
func (c *Console) outputOf(rq *request, v workView, r pool.Result) string {
	if !v.Prints || r.Ended.IsZero() {
		return ""
	}
	text, err := c.pool.Output(rq.Context(), v.ID, r.Server)
	if err != nil {
		return ""
	}
	return text
}

// showOutput is what was printed on one server, as plain text.
func (c *Console) showOutput(rq *request) error {
	text, err := c.pool.Output(rq.Context(), rq.PathValue("id"), rq.PathValue("server"))
	if err != nil {
		return err
	}
	rq.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = rq.Write([]byte(strings.ToValidUTF8(text, "\uFFFD"))) //nolint:errcheck // the browser has gone
	return nil
}

// selectOfWork selects the servers of a work that failed.
func (c *Console) selectOfWork(rq *request) error {
	v, err := c.work(rq.Context(), rq.PathValue("id"), 0)
	if err != nil {
		return err
	}
	names := map[string][]string{"failed": v.Failed, "not-run": v.NotRun}[rq.PathValue("which")]
	if len(names) == 0 {
		return &problem{Status: http.StatusNotFound, Title: "None", Text: "No server of this work is among them."}
	}
	http.Redirect(rq, rq.Request, serversBase+"?"+url.Values{"on": names, "select": {"all"}}.Encode(), http.StatusSeeOther)
	return nil
}

// repeatable are the actions that may be done without a question: they change nothing.
var repeatable = []pool.Kind{pool.KindRefresh, pool.KindDoctor, pool.KindQuery}

// retryWork begins the same action anew on the servers where nothing of it was sent.
// Where an outcome is unknown nothing is repeated.
func (c *Console) retryWork(rq *request) (result, error) {
	v, err := c.work(rq.Context(), rq.PathValue("id"), 0)
	if err != nil {
		return result{}, err
	}
	names := slices.DeleteFunc(slices.Clone(v.NotRun), func(n string) bool { _, there := c.fleet.get(n); return !there })
	switch {
	case v.Open:
		return result{}, &problem{Status: http.StatusConflict, Title: "Not yet", Text: "The work is not over yet."}
	case len(names) == 0:
		return result{}, &problem{Status: http.StatusConflict, Title: "Nothing to retry", Text: "It was sent to every server that is still in the pool."}
	}
	deed := cmp.Or(deedOf(v.Action), workTitles[v.Action.Kind], string(v.Action.Kind))
	if !slices.Contains(repeatable, v.Action.Kind) || len(names) > manyServers {
		k := confirmation{Level: levelFor(names), Title: deed + " on " + plural(len(names), "server"), Effect: "Nothing of it was sent to these before.", List: names, Do: "Retry"}
		if err := rq.confirm(k); err != nil {
			return result{}, err
		}
	}
	e := auditlog.Entry{Action: string(v.Action.Kind), Parameters: map[string]string{"retry_of": v.ID}}
	var p struct{ Command, Service, Do string }
	if len(v.Action.Parameters) > 0 {
		if err := json.Unmarshal(v.Action.Parameters, &p); err != nil {
			return result{}, err
		}
	}
	switch v.Action.Kind {
	case pool.KindRun:
		if err := c.mayShell(rq); err != nil {
			return result{}, err
		}
		e.Action, e.Parameters["command"] = "command", c.logged(p.Command)
	case pool.KindService:
		e.Action, e.Parameters["service"] = "service-"+p.Do, p.Service
	default:
	}
	w, err := c.start(rq, e, v.Action, names)
	return result{Message: "Trying it on " + plural(len(names), "server") + ".", Location: workPage(w.ID)}, err
}
