package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/pool"
)

// doctorData is what the tab Doctor shows.
type doctorData struct {
	Report  *doctor.Report
	Work    *pool.Work
	Running bool
	Text    string // why there is no report
}

func (c *Console) registerServerDoctor() {
	c.page("GET /servers/{name}/doctor", Reader, c.serverDoctor)
	c.live.follow("doctor", source{role: Reader, every: time.Second, may: func(_ *request, name string) bool {
		_, there := c.fleet.get(name)
		return there
	}, load: func(ctx context.Context, name string) (any, error) {
		d, err := c.lastReport(ctx, name)
		return map[string]any{"done": !d.Running}, err
	}})
	c.page("POST /servers/{name}/doctor", Reader, func(rq *request) error {
		e, err := c.server(rq)
		if err != nil {
			return err
		}
		var work pool.Work
		err = c.act(rq, auditlog.Entry{Action: "doctor", Targets: []string{e.Name}}, func(entry *auditlog.Entry) (err error) {
			work, err = c.pool.Start(rq.Context(), pool.Action{Kind: pool.KindDoctor}, []string{e.Name}, rq.who.User)
			entry.Work = work.ID
			return err
		})
		if err != nil {
			return err
		}
		http.Redirect(rq, rq.Request, serverPath(e.Name, "doctor")+"?work="+url.QueryEscape(work.ID), http.StatusSeeOther)
		return nil
	})
	c.data("GET /servers/{name}/doctor.json", Reader, func(rq *request) error {
		e, err := c.server(rq)
		if err != nil {
			return err
		}
		d, err := c.lastReport(rq.Context(), e.Name)
		if err != nil {
			return err
		}
		if d.Report == nil {
			return &problem{Status: http.StatusNotFound, Text: "There is no report of " + e.Name + " yet."}
		}
		return rq.json(http.StatusOK, d.Report)
	})
}

// serverDoctor shows the last report.
func (c *Console) serverDoctor(rq *request) error {
	e, err := c.server(rq)
	if err != nil {
		return err
	}
	s := serverPage{Entry: e, Tab: "doctor", Tabs: serverTabs}
	d, err := c.lastReport(rq.Context(), e.Name)
	if err != nil {
		s.Problem = rq.problemOf(err)
	}
	if id := rq.URL.Query().Get("work"); id != "" && (d.Work == nil || d.Work.ID != id) && id > time.Now().UTC().Add(-time.Minute).Format("20060102-150405") {
		d.Running = true // it began just now, as its name says, and is not listed yet
	}
	s.Data = d
	return c.renderServer(rq, http.StatusOK, "doctor.html", s)
}

// lastReport finds the newest report of a server among the works.
func (c *Console) lastReport(ctx context.Context, name string) (doctorData, error) {
	works, err := c.allWorks(ctx)
	if err != nil {
		return doctorData{}, err
	}
	var d doctorData
	for _, w := range works {
		if w.Action.Kind != pool.KindDoctor || !slices.ContainsFunc(w.Targets, func(t string) bool { return strings.EqualFold(t, name) }) {
			continue
		}
		w, results, err := c.pool.Work(ctx, w.ID)
		if err != nil {
			return d, err
		}
		if d.Work == nil {
			d.Work = &w
		}
		done := false
		for _, r := range results {
			if !strings.EqualFold(r.Server, name) || r.State == pool.Queued || r.State == pool.Running {
				continue
			}
			done = true
			var report doctor.Report
			text, err := c.pool.Output(ctx, w.ID, r.Server)
			if err != nil || json.Unmarshal([]byte(text), &report) != nil || report.Schema != doctor.Schema {
				d.Text = r.Words
				continue
			}
			d.Report = &report
			return d, nil
		}
		d.Running = d.Running || !done && w.Cancelled.IsZero() && time.Since(w.Created) < 5*time.Minute
	}
	return d, nil
}

// CheckLevel is how the outcome of a check is shown.
func (doctorData) CheckLevel(o doctor.Outcome) string {
	switch o {
	case doctor.Pass:
		return "ok"
	case doctor.Warn:
		return "attention"
	case doctor.Fail, doctor.Crash:
		return "blocked"
	case doctor.Info:
		return "info"
	default:
		return "none"
	}
}

// ReachLevel is how far a transport goes, as it is shown.
func (doctorData) ReachLevel(r doctor.Reach) string {
	switch r {
	case doctor.ReachWorks:
		return "ok"
	case doctor.ReachDegraded:
		return "attention"
	case doctor.ReachBlocked, doctor.ReachUnknown:
		return "blocked"
	default:
		return "none"
	}
}
