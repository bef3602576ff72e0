package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/pool"
)

// After a work, those that failed are selected by name, and only what was never sent is
// tried again: spec/console.md 3.6, 3.11.
func TestAfterWork(t *testing.T) {
	d := newDesk(t, with(entry("web01"), pool.Online, ""), with(entry("web02"), pool.Online, ""), with(entry("web03"), pool.Online, ""), with(entry("web04"), pool.Online, "")).ready()
	b := d.as("oper")
	now := time.Now()
	parameters, err := json.Marshal(pool.ServiceParameters{Service: "W32Time", Do: "restart"})
	if err != nil {
		t.Fatal(err)
	}
	targets := []string{"web01", "web02", "web03", "web04", "gone"}
	d.pool.works = []pool.Work{{ID: "w9", Action: pool.Action{Kind: pool.KindService, Parameters: parameters}, Targets: targets, By: `HOST\oper`, Created: now.Add(-time.Minute),
		Tally: pool.Tally{Done: 1, Failed: 2, Unknown: 1, Cancelled: 1, Ended: now}}}
	d.pool.results["w9"] = []pool.Result{
		{Server: "web01", State: pool.Done, Code: "0", Words: "Success", Began: now.Add(-time.Minute), Ended: now},
		{Server: "web02", State: pool.Failed, NotRun: true, Words: "nothing listens"},
		{Server: "web03", State: pool.OutcomeUnknown, Words: "it was sent, and no answer came"},
		{Server: "web04", State: pool.Cancelled, NotRun: true, Words: "it was cancelled before it began"},
		{Server: "gone", State: pool.Failed, NotRun: true, Words: "no server of the pool has this name"},
	}
	_, page := d.get(b, workPage("w9"))
	for _, want := range []string{"Restart W32Time on 5 servers", "5 of 5 · 2 failed · 1 outcome unknown · 1 cancelled · 1 min 0 s", "Failed as selection", "Retry those that did not run…"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for part, width := range map[string]string{"done": "1", "failed": "3", "unknown": "4", "cancelled": "5", "running": "5"} {
		if !strings.Contains(page, `class="`+part+`" data-f="bar-`+part+`" height="1" width="`+width+`"`) {
			t.Errorf("the bar's part %s is not %s wide", part, width)
		}
	}
	a, _ := d.get(b, workPage("w9")+"/select/failed")
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusSeeOther || !slices.Equal(to.Query()["on"], []string{"gone", "web02", "web03"}) {
		t.Fatalf("the failed ones: %s %v", a.Status, to)
	}
	if _, page := d.get(b, to.String()); strings.Count(page, `" checked>`)+strings.Count(page, `" checked aria`) < 2 || strings.Contains(page, `data-name="web01"`) {
		t.Error("they are not selected")
	}

	// A retry asks first, names what it is for, and leaves out what may have happened.
	a, body := d.post(b, workPage("w9")+"/retry", url.Values{}, "Accept", "application/json")
	var asked struct {
		Confirm struct {
			List   []string
			Values url.Values
		}
	}
	if err := json.Unmarshal([]byte(body), &asked); err != nil || a.StatusCode != http.StatusConflict || !slices.Equal(asked.Confirm.List, []string{"web02", "web04"}) {
		t.Fatalf("a retry: %s %s", a.Status, body)
	}
	if len(d.pool.works) != 1 {
		t.Fatal("it was begun before it was confirmed")
	}
	if a, body := d.post(b, workPage("w9")+"/retry", asked.Confirm.Values, "Accept", "application/json"); a.StatusCode != http.StatusOK {
		t.Fatalf("a retry that is confirmed: %s %s", a.Status, body)
	}
	if w := d.pool.works[0]; len(d.pool.works) != 2 || !slices.Equal(w.Targets, []string{"web02", "web04"}) || string(w.Action.Parameters) != string(parameters) {
		t.Errorf("it began %+v", w)
	}
	if a, _ := d.post(d.as("read"), workPage("w9")+"/retry", asked.Confirm.Values); a.StatusCode != http.StatusForbidden {
		t.Errorf("a reader retries: %s", a.Status)
	}

	_, csv := d.get(b, workPage("w9")+"/results.csv")
	if !strings.Contains(csv, "\nweb01,done,0,Success,") || !strings.Contains(csv, "\nweb03,outcome unknown,,") {
		t.Errorf("CSV: %s", csv)
	}
	// What was printed goes along, from more servers than a page shows it of.
	command := pool.Work{ID: "w8", Action: pool.Action{Kind: pool.KindRun, Parameters: json.RawMessage(`{"command":"x"}`)}, Created: now, Tally: pool.Tally{Done: 51, Ended: now}}
	for n := range 51 {
		name := fmt.Sprintf("srv%02d", n)
		command.Targets = append(command.Targets, name)
		d.pool.results["w8"] = append(d.pool.results["w8"], pool.Result{Server: name, State: pool.Done, Code: "0", Output: "=out " + name, Began: now, Ended: now})
	}
	d.pool.works = append(d.pool.works, command)
	d.c.works.forget()
	if _, csv := d.get(b, workPage("w8")+"/results.csv"); strings.Count(csv, ",'=out srv") != 51 {
		t.Errorf("CSV: %s", csv)
	}
	var document workAnswer
	_, body = d.get(b, workPage("w8")+"/results.json")
	if err := json.Unmarshal([]byte(body), &document); err != nil || len(document.Results) != 51 || document.State != pool.Done || document.Results[50].Output != "=out srv50" {
		t.Errorf("JSON: %v %s", err, body)
	}
	if _, page := d.get(b, workPage("w8")); !strings.Contains(page, `href="`+workPage("w8")+`/output/srv50"`) {
		t.Error("the page does not lead to what was printed")
	}
	if a, text := d.get(b, workPage("w8")+"/output/srv50"); text != "=out srv50" || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("the output: %q", text)
	}
	if a, _ := d.get(b, workPage("w9")+"/select/others"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a selection that there is not: %s", a.Status)
	}
}

// A title says what is done in a few words, whatever a user typed.
func TestWorkTitles(t *testing.T) {
	for parameters, want := range map[string]string{
		`{"command":"uptime"}`:                               "Run uptime on srv01",
		`{"command":"a\nb ` + strings.Repeat("x", 60) + `"}`: "Run a b " + strings.Repeat("x", 44) + "… on srv01",
		`{"command":7}`:                                      "Run on srv01",
	} {
		w := pool.Work{Action: pool.Action{Kind: pool.KindRun, Parameters: json.RawMessage(parameters)}, Targets: []string{"srv01"}}
		if got := workTitle(w); got != want {
			t.Errorf("%s: %q, want %q", parameters, got, want)
		}
	}
	w := pool.Work{Action: pool.Action{Kind: pool.KindRefresh}, Targets: []string{"a", "b"}}
	if got := workTitle(w); got != "Refresh on 2 servers" {
		t.Errorf("%q", got)
	}
}
