package console

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// workView is how far a work is, as a person reads it.
type workView struct {
	pool.Work

	State   pool.WorkState
	Results []pool.Result // of each target, in the order of the names
	Title   string
	Text    string // "187 of 212 · 2 failed · 23 waiting · 41 s"
	Level   string
	Over    int // how many targets
	Open    bool
	Failed  []string // names
	NotRun  []string
	Outputs map[string]string // by server, of a few
}

func viewOf(w pool.Work, results []pool.Result) workView {
	t := w.Tally
	v := workView{Work: w, State: t.State(), Results: results, Title: workTitle(w)}
	v.Level = workLevel(v.State)
	v.Open = v.State == pool.Queued || v.State == pool.Running
	for _, r := range results {
		switch r.State {
		case pool.Failed, pool.OutcomeUnknown:
			v.Failed = append(v.Failed, r.Server)
		case pool.Cancelled:
			v.NotRun = append(v.NotRun, r.Server)
		}
	}
	v.Over = t.Done + t.Failed + t.Cancelled + t.Unknown
	parts := []string{countText(v.Over) + " of " + countText(len(w.Targets))}
	for _, k := range []struct {
		n    int
		word string
	}{{t.Failed, "failed"}, {t.Unknown, "outcome unknown"}, {t.Cancelled, "cancelled"}, {t.Running, "running"}, {t.Waiting, "waiting"}} {
		if k.n > 0 {
			parts = append(parts, countText(k.n)+" "+k.word)
		}
	}
	end := t.Ended
	if end.IsZero() {
		end = time.Now()
	}
	v.Text = strings.Join(append(parts, tookText(end.Sub(w.Created))), " · ")
	return v
}

func workLevel(s pool.WorkState) string {
	switch s {
	case pool.Done:
		return "ok"
	case pool.Failed:
		return "blocked"
	case pool.PartlyFailed, pool.OutcomeUnknown:
		return "attention"
	case pool.Queued, pool.Running:
		return "info"
	default:
		return "none"
	}
}

var workTitles = map[pool.Kind]string{pool.KindRefresh: "Refresh", pool.KindDoctor: "Doctor", pool.KindQuery: "Query", pool.KindRun: "Run a command", pool.KindInvoke: "Invoke a method",
	pool.KindService: "Service", pool.KindRemoteManagement: "Remote management", pool.KindCopy: "Copy a file"}

func workTitle(w pool.Work) string {
	on := plural(len(w.Targets), "server")
	if len(w.Targets) == 1 {
		on = w.Targets[0]
	}
	return cmpOr(workTitles[w.Action.Kind], string(w.Action.Kind)) + " on " + on
}

func (c *Console) registerWork() {
	c.page("GET "+workPath, Reader, c.showWorks)
	c.page("GET "+workPath+"/{id}", Reader, c.showWork)
	c.page("GET "+workPath+"/{id}/results.csv", Reader, c.exportWork)
	c.live.follow("work", source{role: Reader, load: c.liveWork})
}

// mostWorks is how many works the list shows.
const mostWorks = 100

func (c *Console) showWorks(rq *request) error {
	list, err := c.allWorks(rq.Context())
	if err != nil {
		return err
	}
	var views []workView
	for _, w := range list[:min(len(list), mostWorks)] {
		views = append(views, viewOf(w, nil))
	}
	c.render(rq, http.StatusOK, "works.html", page{Title: "Work", Nav: workPath, Data: views, Wide: true, Command: []string{"casement pool work"}})
	return nil
}

// mostOutputs is for how many servers the page of a work shows what was printed, and
// pageOutput how much of it together, in octets; a file has all.
const (
	mostOutputs = 50
	pageOutput  = 1 << 20
	fileOutput  = mostOutputs * pool.MaxOutput
)

// work reads a work with its results, and of what was printed at most so many octets.
func (c *Console) work(ctx context.Context, id string, most int) (workView, error) {
	w, results, err := c.pool.Work(ctx, id)
	if err != nil {
		return workView{}, err
	}
	results = slices.Clone(results)
	slices.SortFunc(results, func(a, b pool.Result) int {
		return strings.Compare(strings.ToLower(a.Server), strings.ToLower(b.Server))
	})
	v := viewOf(w, results)
	v.Outputs = map[string]string{}
	if w.Action.Kind == pool.KindRefresh || len(results) > mostOutputs {
		return v, nil
	}
	for _, r := range results {
		if r.Ended.IsZero() {
			continue
		}
		if most <= 0 {
			v.Outputs[r.Server] = "(too much for this page; the CSV has it)"
			continue
		}
		if text, err := c.pool.Output(ctx, id, r.Server); err == nil {
			v.Outputs[r.Server] = text
			most -= len(text)
		}
	}
	return v, nil
}

func (c *Console) showWork(rq *request) error {
	v, err := c.work(rq.Context(), rq.PathValue("id"), pageOutput)
	if err != nil {
		return err
	}
	c.render(rq, http.StatusOK, "work.html", page{Title: v.Title, Nav: workPath, Wide: true, Data: v})
	return nil
}

// OutputOf is what was printed on a server.
func (v workView) OutputOf(r pool.Result) string { return v.Outputs[r.Server] }

// LevelOf is that of a result's state.
func (v workView) LevelOf(s pool.WorkState) string { return workLevel(s) }

// TookOf is how long it took on a server.
func (v workView) TookOf(r pool.Result) string {
	if r.Began.IsZero() || r.Ended.IsZero() {
		return unknown
	}
	return tookText(r.Ended.Sub(r.Began))
}

// Selection is the query that selects servers by name.
func (v workView) Selection(names []string) string {
	return "/servers?" + url.Values{"on": names, "select": {"all"}}.Encode()
}

// Ratio is how much of it is over, 0 to 1.
func (v workView) Ratio() float64 { return *ratio(v.Over, len(v.Targets)) }

// Parameters are those of the action, as they were sent.
func (v workView) Parameters() string { return string(v.Action.Parameters) }

// ResultOf is a result's code with its words.
func (v workView) ResultOf(r pool.Result) string { return resultText(r) }

// liveItem is a row of a table that is live: see assets/live.js.
type liveItem struct {
	Key   string `json:"key"`
	Level string `json:"level,omitempty"`
	F     fields `json:"f"`
}

func (c *Console) liveWork(ctx context.Context, id string) (any, error) {
	v, err := c.work(ctx, id, pageOutput)
	if err != nil {
		return map[string]any{"gone": true}, nil //nolint:nilerr // it is no longer kept
	}
	var rows []liveItem
	for _, r := range v.Results {
		rows = append(rows, liveItem{Key: r.Server, F: fields{"server": {Text: r.Server, Link: "/servers/" + pathEscape(r.Server)}, "state": {Text: string(r.State), Level: workLevel(r.State)},
			"result": text(resultText(r)), "took": text(v.TookOf(r)), "output": text(v.OutputOf(r))}})
	}
	return map[string]any{"rows": rows, "f": fields{"text": text(v.Text), "state": {Text: string(v.State), Level: v.Level}, "cancel": {Text: "Cancel", Hide: !v.Open},
		"bar": {Value: ratio(v.Over, len(v.Targets))}}}, nil
}

func ratio(n, of int) *float64 {
	v := 0.0
	if of > 0 {
		v = float64(n) / float64(of)
	}
	return &v
}

// resultText is a result's code with its words.
func resultText(r pool.Result) string {
	switch {
	case r.Words == "":
		return r.Code
	case r.Code == "":
		return r.Words
	default:
		return r.Words + " (" + r.Code + ")"
	}
}

// exportWork writes the results as CSV, defused for spreadsheets.
func (c *Console) exportWork(rq *request) error {
	v, err := c.work(rq.Context(), rq.PathValue("id"), fileOutput)
	if err != nil {
		return err
	}
	return c.act(rq, auditlog.Entry{Action: "export", Work: v.ID, Targets: v.Targets}, func(*auditlog.Entry) error {
		rq.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rq.Header().Set("Content-Disposition", `attachment; filename="work-`+v.ID+`.csv"`)
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
				took = signedless(r.Ended.Sub(r.Began).Seconds())
			}
			write(r.Server, string(r.State), r.Code, r.Words, began, took, v.OutputOf(r))
		}
		w.Flush()
		return nil //nolint:nilerr // who asked has gone
	})
}
