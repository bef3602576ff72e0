package console

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/pool"
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
	Failed  []string          // names: it failed, or what came of it is not known
	NotRun  []string          // names: nothing was sent there
	Prints  bool              // an action of its kind may print something
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
		}
		if r.NotRun {
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

var workTitles = map[pool.Kind]string{pool.KindRefresh: "Refresh", pool.KindDoctor: "Doctor", pool.KindQuery: "Query", pool.KindRun: "Run", pool.KindInvoke: "Invoke",
	pool.KindService: "Service", pool.KindRemoteManagement: "Remote management", pool.KindCopy: "Copy a file"}

// workTitle is "Restart W32Time on 14 servers".
func workTitle(w pool.Work) string {
	on := plural(len(w.Targets), "server")
	if len(w.Targets) == 1 {
		on = w.Targets[0]
	}
	return cmp.Or(deedOf(w.Action), workTitles[w.Action.Kind], string(w.Action.Kind)) + " on " + on
}

// deedOf says what an action does, in a few words; "" where its kind says all.
func deedOf(a pool.Action) string {
	var p struct{ Service, Do, Command, Method, To string }
	if len(a.Parameters) > 0 && json.Unmarshal(a.Parameters, &p) != nil {
		return ""
	}
	switch a.Kind {
	case pool.KindService:
		if word, ok := serviceWords[p.Do]; ok {
			return word + " " + p.Service
		}
	case pool.KindRun:
		return "Run " + short(p.Command)
	case pool.KindInvoke:
		return "Invoke " + short(p.Method)
	case pool.KindCopy:
		return "Copy to " + short(p.To)
	}
	return ""
}

// short is the beginning of a text, in one line.
func short(s string) string {
	const most = 48
	if s = strings.Join(strings.Fields(s), " "); len([]rune(s)) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return s
}

func (c *Console) registerWork() {
	c.page("GET "+workPath, Reader, c.showWorks)
	c.page("GET "+workPath+"/{id}", Reader, c.showWork)
	c.page("GET "+workPath+"/{id}/results.csv", Reader, c.exportWork)
	c.page("GET "+workPath+"/{id}/results.json", Reader, c.exportWorkJSON)
	c.page("GET "+workPath+"/{id}/select/{which}", Reader, c.selectOfWork)
	c.page("GET "+workPath+"/{id}/output/{server}", Reader, c.showOutput)
	c.form(workPath+"/{id}/retry", Operator, c.retryWork)
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
// pageOutput how much of it together, in octets. Others have a page of their own.
const (
	mostOutputs = 50
	pageOutput  = 1 << 20
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
	if v.Prints = w.Action.Kind != pool.KindRefresh && w.Action.Kind != pool.KindService; !v.Prints || most <= 0 || len(results) > mostOutputs {
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
	c.render(rq, http.StatusOK, "work.html", page{Title: v.Title, Nav: workPath, Wide: true, Data: v, Command: []string{"casement pool work " + v.ID}})
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

// Bar is the parts of the bar of counts, the last one first: each is as wide as it and
// all before it, so that one value moves it.
func (v workView) Bar() []barPart {
	t := v.Tally
	parts := []barPart{{"done", t.Done}, {"failed", t.Failed}, {"unknown", t.Unknown}, {"cancelled", t.Cancelled}, {"running", t.Running}}
	for n := range parts[1:] {
		parts[n+1].Width += parts[n].Width
	}
	slices.Reverse(parts)
	return parts
}

// barPart is a part of the bar of counts.
type barPart struct {
	Name  string
	Width int // in servers
}

// Parameters are those of the action, as they were sent; a file is left out.
func (v workView) Parameters() string {
	if v.Action.Kind == pool.KindCopy {
		return ""
	}
	return string(v.Action.Parameters)
}

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
			"result": text(resultText(r)), "took": text(v.TookOf(r)), "output": v.output(r)}})
	}
	f := fields{"text": text(v.Text), "state": {Text: string(v.State), Level: v.Level}, "cancel": {Text: "Cancel", Hide: !v.Open},
		"failed": {Text: failedLink, Hide: v.Open || len(v.Failed) == 0}, "retry": {Text: retryButton, Hide: v.Open || len(v.NotRun) == 0}}
	for _, part := range v.Bar() {
		width := float64(part.Width)
		f["bar-"+part.Name] = field{Value: &width}
	}
	return map[string]any{"rows": rows, "f": f}, nil
}

// What the page of a work offers when it has ended.
const (
	failedLink  = "Failed as selection"
	retryButton = "Retry those that did not run…"
)

// output is what was printed on a server, or where it is.
func (v workView) output(r pool.Result) field {
	if v.Elsewhere(r) {
		return field{Text: "Show", Link: v.OutputPath(r)}
	}
	return text(v.OutputOf(r))
}

// Elsewhere tells that what was printed on a server has a page of its own.
func (v workView) Elsewhere(r pool.Result) bool {
	return v.Prints && len(v.Results) > mostOutputs && !r.Ended.IsZero()
}

// OutputPath is that page.
func (v workView) OutputPath(r pool.Result) string {
	return workPage(v.ID) + "/output/" + pathEscape(r.Server)
}

// resultText is a result's code with its words.
func resultText(r pool.Result) string {
	switch {
	case r.Words == "":
		return r.Code
	case r.Code == "", strings.HasPrefix(r.Code, "0x") && strings.Contains(r.Words, r.Code): // the words have it, with its name
		return r.Words
	default:
		return r.Words + " (" + r.Code + ")"
	}
}
