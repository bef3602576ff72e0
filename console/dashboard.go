package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/casementhq/casement/pool"
)

// card is one of the dashboard: servers that have something in common, and what is
// wrong with them.
type card struct {
	ID    string // of its fields in the stream
	Title string
	Path  string // its page
	Count int
	Rows  []cardRow
}

// cardRow is one of the thumbnail's rows of Server Manager.
type cardRow struct {
	ID    string
	Title string
	Level string
	Count int
	Path  string // All servers, filtered to just those
}

// cardRows are the rows of every card, with what counts in each. See
// spec/console.md 2.1.
var cardRows = []struct {
	id, title, filter string
	level             func(e Entry) pool.Level // LevelOK does not count
}{
	{"manageability", "Manageability", "state:blocked", func(e Entry) pool.Level {
		switch l := e.State().Level(); l {
		case pool.LevelBlocked, pool.LevelAttention:
			return l
		default:
			return pool.LevelOK
		}
	}},
	{"events", "Events", "alert:events", alerting("Events")},
	{"services", "Services", "alert:service", alerting("Service ")},
	{"performance", "Performance", "alert:cpu,memory,disk", alerting("CPU", "Memory", "Disk")},
	{"checks", "Checks", "failures:>0", func(e Entry) pool.Level {
		if len(e.snapshot().Failures) > 0 && !e.Paused {
			return pool.LevelAttention
		}
		return pool.LevelOK
	}},
}

// alerting tells of a server whether it has an alert of a resource.
func alerting(prefixes ...string) func(Entry) pool.Level {
	return func(e Entry) pool.Level {
		for _, a := range e.snapshot().Alerts {
			for _, p := range prefixes {
				if !e.Paused && strings.HasPrefix(a.Resource, p) {
					return pool.LevelAttention
				}
			}
		}
		return pool.LevelOK
	}
}

// dashboardPage is what the dashboard shows.
type dashboardPage struct {
	Whole   bool
	Total   int
	Need    []Entry // the first of them
	NeedAll int
	Checked time.Time // when the first of all was last asked
	Cards   []card
	Work    *workView
	Display bool
}

const needShown = 3

func (c *Console) registerDashboard() {
	c.page("GET /{$}", Reader, func(rq *request) error {
		c.render(rq, http.StatusOK, "dashboard.html", page{Title: "Dashboard", Nav: "/", Data: c.dashboard(rq.Context()), Wide: true,
			Command: []string{"casement pool list"}})
		return nil
	})
}

func (c *Console) dashboard(ctx context.Context) dashboardPage {
	list, whole := c.fleet.all()
	p := dashboardPage{Whole: whole, Total: len(list)}
	for _, e := range list {
		if e.NeedsYou() {
			p.NeedAll++
			if len(p.Need) < needShown {
				p.Need = append(p.Need, e)
			}
		}
		if t := e.snapshot().Tried; !t.IsZero() && (p.Checked.IsZero() || t.Before(p.Checked)) {
			p.Checked = t
		}
	}
	p.Cards = c.cards(list)
	if works, err := c.allWorks(ctx); err == nil && len(works) > 0 {
		v := viewOf(works[0], nil)
		p.Work = &v
	}
	return p
}

// cards are those of all servers, of each role, of each group, and of this machine.
func (c *Console) cards(list []Entry) []card {
	cards := []card{makeCard("all", "All servers", "/servers", "", list)}
	s := c.side("")
	for _, r := range s.Roles {
		of := pick(list, func(e Entry) bool { return hasRole(e, r.Name) })
		cards = append(cards, makeCard("role-"+pathEscape(strings.ToLower(r.Name)), "Role: "+r.Name, r.Path, "role:"+quoteFilter(r.Name), of))
	}
	for _, g := range s.Groups {
		of := pick(list, func(e Entry) bool { return hasTag(e, g.Name) })
		cards = append(cards, makeCard("group-"+pathEscape(strings.ToLower(g.Name)), "Group: "+g.Name, g.Path, "tag:"+quoteFilter(g.Name), of))
	}
	if e, ok := c.thisMachine(); ok {
		cards = append(cards, makeCard("here", "This machine", "/servers/"+pathEscape(e.Name), "name:"+quoteFilter(e.Name), []Entry{e}))
	}
	return cards
}

// thisMachine is the server that the console runs on, where the pool has it.
func (c *Console) thisMachine() (Entry, bool) {
	for _, n := range []string{c.o.Machine, "localhost", "here"} {
		if e, ok := c.fleet.get(n); ok {
			return e, true
		}
	}
	return Entry{}, false
}

func pick(list []Entry, keep func(Entry) bool) (kept []Entry) {
	for _, e := range list {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

func hasTag(e Entry, tag string) bool {
	for _, t := range e.Tags {
		if strings.EqualFold(t, tag) {
			return true
		}
	}
	return false
}

func hasRole(e Entry, role string) bool {
	for _, r := range e.snapshot().Roles {
		if strings.EqualFold(r.Name, role) || strings.EqualFold(r.DisplayName, role) {
			return true
		}
	}
	return false
}

// quoteFilter writes a value as the filter takes it.
func quoteFilter(s string) string {
	if strings.ContainsAny(s, " ,\t") {
		return `"` + s + `"`
	}
	return s
}

func makeCard(id, title, path, filter string, list []Entry) card {
	k := card{ID: id, Title: title, Path: path, Count: len(list)}
	for _, r := range cardRows {
		row := cardRow{ID: id + "." + r.id, Title: r.title, Level: string(pool.LevelOK)}
		known := false
		for _, e := range list {
			known = known || e.Snapshot != nil
			switch l := r.level(e); {
			case l == pool.LevelOK:
				continue
			case l == pool.LevelBlocked || row.Level != string(pool.LevelBlocked):
				row.Level = string(l)
			}
			row.Count++
		}
		if !known {
			row.Level = string(pool.LevelNone)
		}
		of := r.filter
		if r.id == "manageability" {
			of = "state:blocked,attention"
		}
		row.Path = "/servers?q=" + url.QueryEscape(strings.TrimSpace(filter+" "+of))
		k.Rows = append(k.Rows, row)
	}
	return k
}

// liveCounts are the counts of the dashboard and the line of what needs somebody.
func (c *Console) liveCounts(ctx context.Context, _ string) (any, error) {
	d := c.dashboard(ctx)
	f := fields{"total": text(countText(d.Total)), "need": {Text: needText(d), Level: needLevel(d)}}
	for _, k := range d.Cards {
		f[k.ID+".count"] = text(countText(k.Count))
		for _, r := range k.Rows {
			f[r.ID] = field{Text: countOrNothing(r.Count), Level: r.Level}
		}
	}
	return map[string]any{"f": f}, nil
}

func countOrNothing(n int) string {
	if n == 0 {
		return ""
	}
	return countText(n)
}

func needLevel(d dashboardPage) string {
	switch {
	case d.NeedAll > 0:
		return string(pool.LevelBlocked)
	case d.Total == 0:
		return string(pool.LevelNone)
	default:
		return string(pool.LevelOK)
	}
}

// needText is the line about what needs somebody.
func needText(d dashboardPage) string {
	if d.NeedAll == 0 {
		if d.Checked.IsZero() {
			return fmt.Sprintf("Nothing needs you. %s.", plural(d.Total, "server"))
		}
		return fmt.Sprintf("Nothing needs you. %s, checked %s.", plural(d.Total, "server"), ago(d.Checked, time.Now()))
	}
	need := "need you"
	if d.NeedAll == 1 {
		need = "needs you"
	}
	return fmt.Sprintf("%s %s of %s", countText(d.NeedAll), need, countText(d.Total))
}
