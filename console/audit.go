package console

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/casementhq/casement/console/auditlog"
)

// auditPage is the newest of the log.
type auditPage struct {
	Query   string
	Entries []auditlog.Entry
	Shut    bool // the role may not read it
}

// mostAudit is how many entries the page shows.
const mostAudit = 300

func (c *Console) registerAudit() {
	c.page("GET /audit", Reader, c.showAudit)
	c.page("GET /audit/log.jsonl", Administrator, func(rq *request) error {
		return c.act(rq, auditlog.Entry{Action: "export", Parameters: map[string]string{"what": "audit log"}}, func(*auditlog.Entry) error {
			rq.Header().Set("Content-Type", "application/jsonl")
			rq.Header().Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
			rq.goOn(0)
			_, _ = io.Copy(rq, c.audit.Reader()) //nolint:errcheck // who asked has gone
			return nil
		})
	})
}

func (c *Console) showAudit(rq *request) error {
	p := auditPage{Query: strings.TrimSpace(rq.URL.Query().Get("q")), Shut: rq.who.Role < Administrator}
	if !p.Shut {
		list, err := c.newestAudit(p.Query, mostAudit)
		if err != nil {
			return err
		}
		p.Entries = list
	}
	c.render(rq, http.StatusOK, "audit.html", page{Title: "Audit", Nav: "/audit", Data: p, Wide: true, Command: []string{"casement console audit verify"}})
	return nil
}

// newestAudit are entries that have all words. Of an action that has ended, the entry
// from before it is left out.
func (c *Console) newestAudit(query string, most int) ([]auditlog.Entry, error) {
	words := strings.Fields(strings.ToLower(query))
	ended := map[string]bool{}
	return c.audit.Newest(most, func(e auditlog.Entry) bool {
		key := e.ID + " " + e.Action
		if e.Result == auditlog.Begun && ended[key] {
			return false
		}
		ended[key] = true
		all := []string{e.User, e.From, e.Action, e.Result, e.Words, e.Work, strings.Join(e.Targets, " ")}
		for _, k := range keys(e.Parameters) {
			all = append(all, e.Parameters[k])
		}
		hay := strings.ToLower(strings.Join(all, "\n"))
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(hay, w) })
	})
}
