package console

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/pool"
)

// card is one of the dashboard: servers that have something in common, and what is
// wrong with them.
type card struct {
	ID    string // of its fields in the stream
	Key   string // of its criteria: all, here, role:Web, group:tokyo
	Title string
	Path  string // its page
	Count int
	Rows  []cardRow
}

// Alerts is the path of the card's criteria; what is behind it leads to its parts.
func (k card) Alerts() string { return "/alerts/" + pathEscape(k.Key) }

// cardRow is one of the thumbnail's rows of Server Manager.
type cardRow struct {
	ID    string
	Title string
	Level string
	Count int
	Off   bool   // the criteria, or all of its servers, have it switched off
	Path  string // what is filtered to just those that count
	Start string // where it is switched on, "" where that is not one place
}

// The keys of the two cards that are always there.
const (
	allCard  = "all"
	hereCard = "here"
)

// dashboardPage is what the dashboard shows.
type dashboardPage struct {
	Whole   bool
	Total   int
	Need    []Entry // the first of them
	NeedAll int
	Checked time.Time // when the first of all was last asked
	Cards   []card
	Work    *workView
	Hours   []hour // of state changes, the oldest first
	Display bool
}

const needShown = 3

func (c *Console) registerDashboard() {
	c.registerAlerts()
	c.live.follow("latest", source{role: Reader, load: c.liveLatest})
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
	p.Hours = changesPerHour(list, time.Now())
	if works, err := c.allWorks(ctx); err == nil && len(works) > 0 {
		v := viewOf(works[0], nil)
		p.Work = &v
	}
	return p
}

// cards are those of all servers, of each role, of each group, and of this machine.
func (c *Console) cards(list []Entry) []card {
	now := time.Now()
	cards := []card{c.makeCard(allCard, "All servers", "/servers", list, now)}
	s := c.side("")
	for _, r := range s.Roles {
		cards = append(cards, c.makeCard("role:"+r.Name, "Role: "+r.Name, r.Path, pick(list, func(e Entry) bool { return hasRole(e, r.Name) }), now))
	}
	for _, g := range s.Groups {
		cards = append(cards, c.makeCard("group:"+g.Name, "Group: "+g.Name, g.Path, pick(list, func(e Entry) bool { return hasTag(e, g.Name) }), now))
	}
	if e, ok := c.thisMachine(); ok {
		cards = append(cards, c.makeCard(hereCard, "This machine", serverPath(e.Name, ""), []Entry{e}, now))
	}
	return cards
}

// cardOf finds a card by its key; ok is false where there is none.
func (c *Console) cardOf(key string) (k card, of []Entry, ok bool) {
	list, _ := c.fleet.all()
	kind, name, _ := strings.Cut(key, ":")
	switch {
	case key == allCard:
		k, of = card{Title: "All servers", Path: "/servers"}, list
	case key == hereCard:
		if e, here := c.thisMachine(); here {
			k, of = card{Title: "This machine", Path: serverPath(e.Name, "")}, []Entry{e}
		}
	case kind == "role":
		k, of = card{Title: "Role: " + name, Path: "/roles/" + pathEscape(name)}, pick(list, func(e Entry) bool { return hasRole(e, name) })
	case kind == "group":
		k, of = card{Title: "Group: " + name, Path: "/groups/" + pathEscape(name)}, pick(list, func(e Entry) bool { return hasTag(e, name) })
	}
	k.Key, k.Count = key, len(of)
	return k, of, len(of) > 0 || key == allCard
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

// findings lists what counts of a server in a row of a card.
func findings(row int, k Criteria, e Entry, now time.Time) []finding {
	if e.Paused || e.Snapshot == nil {
		return nil
	}
	return cardRows[row].find(k, e, now)
}

func (c *Console) makeCard(key, title, path string, list []Entry, now time.Time) card {
	k := card{ID: pathEscape(strings.ToLower(strings.ReplaceAll(key, ":", "-"))), Key: key, Title: title, Path: path, Count: len(list)}
	criteria, _ := c.criteria.of(key)
	for n, r := range cardRows {
		row := cardRow{ID: k.ID + "." + r.id, Title: r.title, Level: string(pool.LevelOK), Off: r.off(criteria), Path: k.Alerts() + "/" + r.id}
		known, counted := false, false
		for _, e := range list {
			known = known || e.Snapshot != nil
			counted = counted || !e.NoCounters
			found := findings(n, criteria, e, now)
			if len(found) == 0 {
				continue
			}
			if l := found[0].Level; worse(string(l), row.Level) {
				row.Level = string(l)
			}
			row.Count++
		}
		if r.id == "performance" && len(list) > 0 && !counted && row.Count == 0 {
			row.Off = true
			if len(list) == 1 {
				row.Start = serverPath(list[0].Name, "performance")
			}
		}
		if r.id == "manageability" {
			row.Path += "/servers?sort=name" // not the filter that somebody last had there
		}
		if r.id == "events" {
			row.Path = "/events?" + eventScope{Kind: scopeAlerts, Card: key}.query(criteria).Encode()
		}
		if !known || row.Off {
			row.Level = string(pool.LevelNone)
		}
		k.Rows = append(k.Rows, row)
	}
	return k
}

// worse tells whether a level is worse than another.
func worse(a, b string) bool {
	order := []string{string(pool.LevelNone), string(pool.LevelOK), string(pool.LevelInfo), string(pool.LevelAttention), string(pool.LevelBlocked)}
	return slices.Index(order, a) > slices.Index(order, b)
}

// hour is how often states changed in one.
type hour struct {
	Start                  time.Time
	Changes, Worse, Better int
}

// changesPerHour counts the changes of state of a day, by hours of the clock; the last
// is the one that is under way.
func changesPerHour(list []Entry, now time.Time) []hour {
	hours := make([]hour, 24)
	first := now.UTC().Truncate(time.Hour).Add(-23 * time.Hour)
	for n := range hours {
		hours[n].Start = first.Add(time.Duration(n) * time.Hour)
	}
	for _, e := range list {
		for _, change := range e.snapshot().Changes {
			n := int(change.At.Sub(first) / time.Hour)
			if change.At.Before(first) || n >= len(hours) {
				continue
			}
			hours[n].Changes++
			switch from, to := string(change.From.Level()), string(change.To.Level()); {
			case worse(to, from):
				hours[n].Worse++
			case worse(from, to):
				hours[n].Better++
			}
		}
	}
	return hours
}

// ChangesText is the chart of state changes in a sentence.
func (d dashboardPage) ChangesText() string {
	all, most := 0, hour{}
	for _, h := range d.Hours {
		all += h.Changes
		if h.Changes > most.Changes {
			most = h
		}
	}
	if all == 0 {
		return "No server changed its state."
	}
	return fmt.Sprintf("%s; the most, %s, from %s UTC on.", plural(all, "change"), countText(most.Changes), clock(most.Start))
}

// Bars is the chart of state changes.
func (d dashboardPage) Bars() template.HTML {
	values := make([]float64, len(d.Hours))
	for n, h := range d.Hours {
		values[n] = float64(h.Changes)
	}
	return bars("State changes per hour of the last 24 hours: "+d.ChangesText(), values)
}

// liveCounts are the counts of the dashboard and the line of what needs somebody.
func (c *Console) liveCounts(ctx context.Context, _ string) (any, error) {
	d := c.dashboard(ctx)
	f := fields{"total": text(countText(d.Total)), "need": {Text: needText(d), Level: needLevel(d)}, "need.count": text(countText(d.NeedAll)), "changes": text(d.ChangesText())}
	for _, k := range d.Cards {
		f[k.ID+".count"] = text(countText(k.Count))
		for _, r := range k.Rows {
			f[r.ID], f[r.ID+".say"] = field{Text: r.CountText(), Level: r.Level}, text(r.Say())
		}
	}
	for n, h := range d.Hours {
		id := "hour" + strconv.Itoa(n)
		v := float64(h.Changes)
		f[id] = field{Text: countText(h.Changes), Value: &v}
		f[id+".at"], f[id+".worse"], f[id+".better"] = text(clock(h.Start)), text(countText(h.Worse)), text(countText(h.Better))
	}
	need := []map[string]string{}
	for _, e := range d.Need {
		b := needBadge(e)
		need = append(need, map[string]string{"name": e.Name, "href": serverPath(e.Name, ""), "level": b.Level, "state": b.Word, "tip": b.Tip})
	}
	return map[string]any{"f": f, "need": need}, nil
}

// liveLatest is the line of the dashboard about the newest work.
func (c *Console) liveLatest(ctx context.Context, _ string) (any, error) {
	works, err := c.allWorks(ctx)
	if err != nil || len(works) == 0 {
		return map[string]any{"f": fields{}}, err
	}
	v := viewOf(works[0], nil)
	return map[string]any{"f": fields{"work": {Text: v.Title, Link: workPage(v.ID)}, "work.state": {Text: string(v.State), Level: v.Level}, "work.text": text(v.Text),
		"work.open": {Text: "Open", Link: workPage(v.ID)}}}, nil
}

// Say is the row for who hears it.
func (r cardRow) Say() string {
	switch {
	case r.Off:
		return ""
	case r.Count == 1:
		return "server needs attention"
	case r.Count > 1:
		return "servers need attention"
	case r.Level == string(pool.LevelNone):
		return "not yet known"
	default:
		return "nothing wrong"
	}
}

// CountText is how many servers count, "off" where none can.
func (r cardRow) CountText() string {
	switch {
	case r.Off:
		return "off"
	case r.Count == 0:
		return ""
	default:
		return countText(r.Count)
	}
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
