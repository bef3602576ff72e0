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
	workSum

	Title  string
	Text   string // "187 of 212 · 2 failed · 23 waiting · 41 s"
	Level  string
	Over   int // how many targets
	Open   bool
	Failed []string // names
	NotRun []string
}

func viewOf(s workSum) workView {
	v := workView{workSum: s, Title: workTitle(s.Work), Level: workLevel(s.State)}
	v.Open = s.State == pool.Queued || s.State == pool.Running
	done := map[string]bool{}
	for _, r := range s.Results {
		done[strings.ToLower(r.Server)] = true
		switch r.State {
		case pool.Failed, pool.OutcomeUnknown:
			v.Failed = append(v.Failed, r.Server)
		case pool.Cancelled:
			v.NotRun = append(v.NotRun, r.Server)
		}
	}
	v.Over = len(s.Targets) - s.Counts[pool.Queued] - s.Counts[pool.Running]
	parts := []string{countText(v.Over) + " of " + countText(len(s.Targets))}
	for _, st := range []pool.WorkState{pool.Failed, pool.OutcomeUnknown, pool.Cancelled, pool.Running, pool.Queued} {
		word := string(st)
		if st == pool.Queued {
			word = "waiting"
		}
		if n := s.Counts[st]; n > 0 {
			parts = append(parts, countText(n)+" "+word)
		}
	}
	end := time.Now()
	if !v.Open && !s.Ended.IsZero() {
		end = s.Ended
	}
	v.Text = strings.Join(append(parts, tookText(end.Sub(s.Created))), " · ")
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
	list, err := c.pool.Works(rq.Context())
	if err != nil {
		return err
	}
	var views []workView
	for _, w := range list[:min(len(list), mostWorks)] {
		s, err := c.brief(rq.Context(), w.ID)
		if err != nil {
			return err
		}
		views = append(views, viewOf(s))
	}
	c.render(rq, http.StatusOK, "works.html", page{Title: "Work", Nav: workPath, Data: views, Wide: true})
	return nil
}

func (c *Console) showWork(rq *request) error {
	s, err := c.sum(rq.Context(), rq.PathValue("id"))
	if err != nil {
		return err
	}
	slices.SortFunc(s.Results, func(a, b pool.Result) int {
		return strings.Compare(strings.ToLower(a.Server), strings.ToLower(b.Server))
	})
	v := viewOf(s)
	c.render(rq, http.StatusOK, "work.html", page{Title: v.Title, Nav: workPath, Wide: true, Data: v})
	return nil
}

// Rows are the targets with their results, in the order of the names.
func (v workView) Rows() []pool.Result {
	byName := map[string]pool.Result{}
	for _, r := range v.Results {
		byName[strings.ToLower(r.Server)] = r
	}
	var list []pool.Result
	for _, t := range v.Targets {
		r, ok := byName[strings.ToLower(t)]
		if !ok {
			r = pool.Result{Server: t, State: pool.Queued}
			if !v.Cancelled.IsZero() {
				r.State = pool.Cancelled
			}
		}
		list = append(list, r)
	}
	return list
}

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
	quoted := make([]string, len(names))
	for n, name := range names {
		quoted[n] = quoteFilter(name)
	}
	return "/servers?" + url.Values{"q": {"name:" + strings.Join(quoted, ",")}, "select": {"all"}}.Encode()
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
	s, err := c.sum(ctx, id)
	if err != nil {
		return map[string]any{"gone": true}, nil //nolint:nilerr // it is no longer kept
	}
	v := viewOf(s)
	var rows []liveItem
	for _, r := range v.Rows() {
		rows = append(rows, liveItem{Key: r.Server, F: fields{"server": {Text: r.Server, Link: "/servers/" + pathEscape(r.Server)}, "state": {Text: string(r.State), Level: workLevel(r.State)},
			"result": text(resultText(r)), "took": text(v.TookOf(r)), "output": text(r.Output)}})
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
	s, err := c.sum(rq.Context(), rq.PathValue("id"))
	if err != nil {
		return err
	}
	return c.act(rq, auditlog.Entry{Action: "export", Work: s.ID, Targets: s.Targets}, func(*auditlog.Entry) error {
		rq.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rq.Header().Set("Content-Disposition", `attachment; filename="work-`+s.ID+`.csv"`)
		w := csv.NewWriter(rq)
		write := func(f ...string) {
			for n := range f {
				f[n] = lists.Defused(f[n])
			}
			_ = w.Write(f) //nolint:errcheck // Flush tells
		}
		write("Server", "State", "Code", "Result", "Began (UTC)", "Took (s)", "Output")
		v := viewOf(s)
		for _, r := range v.Rows() {
			began, took := "", ""
			if !r.Began.IsZero() {
				began = r.Began.UTC().Format(time.RFC3339)
				took = signedless(r.Ended.Sub(r.Began).Seconds())
			}
			write(r.Server, string(r.State), r.Code, r.Words, began, took, r.Output)
		}
		w.Flush()
		return nil //nolint:nilerr // who asked has gone
	})
}
