package console

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// registerAlerts makes the pages behind the cards of the dashboard: what counts on
// each, and what is wrong there.
func (c *Console) registerAlerts() {
	c.page("GET /alerts/{card}", Reader, c.showCriteria)
	c.form("/alerts/{card}", Operator, c.saveCriteria)
	c.page("GET /alerts/{card}/{row}", Reader, c.showFindings)
	c.page("GET /alerts/{card}/{row}/servers", Reader, c.showFindings)
	c.page("GET /alerts/{card}/export", Reader, c.exportFindings)
	c.form("/alerts/{card}/refresh", Operator, c.refreshCard)
}

// card is the one of the path.
func (c *Console) card(rq *request) (card, []Entry, error) {
	k, list, ok := c.cardOf(rq.PathValue("card"))
	if !ok {
		s := c.side("")
		names := []string{allCard, hereCard}
		for _, e := range s.Groups {
			names = append(names, "group:"+e.Name)
		}
		for _, e := range s.Roles {
			names = append(names, "role:"+e.Name)
		}
		return k, nil, &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is no card " + rq.PathValue("card") + " on the dashboard.",
			Next: "A role or group is there while a server has it.", Near: near(rq.PathValue("card"), names)}
	}
	return k, list, nil
}

// criteriaPage is what the page of a card's criteria shows.
type criteriaPage struct {
	Card                        card
	K                           Criteria
	Own                         bool
	States, Levels, Logs, Hours []choice
}

// choice is one of a list, and whether it is chosen.
type choice struct {
	Value, Title string
	On           bool
}

var stateTitles = map[string]string{"blocked": "✕ blocked", "attention": "▲ attention: a part of the data is missing", "info": "◐ info: restart pending, counters not started"}

func (c *Console) showCriteria(rq *request) error {
	k, _, err := c.card(rq)
	if err != nil {
		return err
	}
	p := criteriaPage{Card: k}
	p.K, p.Own = c.criteria.of(k.Key)
	for _, v := range stateChoices {
		p.States = append(p.States, choice{v, stateTitles[v], slices.Contains(p.K.States, v)})
	}
	for _, v := range levelChoices {
		p.Levels = append(p.Levels, choice{v, strings.ToUpper(v[:1]) + v[1:], slices.Contains(p.K.Levels, v)})
	}
	for _, v := range logChoices {
		p.Logs = append(p.Logs, choice{v, v, len(p.K.Logs) == 0 || slices.Contains(p.K.Logs, v)})
	}
	for _, v := range []int{1, 4, 8, 12, 24} {
		p.Hours = append(p.Hours, choice{strconv.Itoa(v), plural(v, "hour"), v == p.K.Hours})
	}
	c.render(rq, http.StatusOK, "alerts.html", page{Title: k.Title + " · Alerts", Nav: "/", Data: p})
	return nil
}

func (c *Console) saveCriteria(rq *request) (result, error) {
	k, _, err := c.card(rq)
	if err != nil {
		return result{}, err
	}
	e := auditlog.Entry{Action: "settings-alerts", Parameters: map[string]string{"card": k.Key}}
	var criteria *Criteria
	message := "What counts on the card " + k.Title + " is as on the card All servers again."
	if k.Key == allCard {
		message = "What counts is as at first again."
	}
	if rq.PostForm.Get("do") != "default" {
		read, err := criteriaOf(rq.PostForm)
		if err != nil {
			return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not changed", Text: strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + ".", Next: "Nothing was changed."}
		}
		text, err := json.Marshal(read)
		if err != nil {
			return result{}, err
		}
		e.Parameters["criteria"] = string(text)
		criteria, message = &read, "Changed what counts on the card "+k.Title+"."
	}
	err = c.act(rq, e, func(*auditlog.Entry) error { return c.criteria.save(rq.Context(), c.store, k.Key, criteria) })
	c.live.changed("counts")
	return result{Message: message, Location: "/"}, err
}

// findingsPage is what counts in a row of a card.
type findingsPage struct {
	Card  card
	Row   string // its id
	Title string
	Off   bool
	Tab   string // of a server, where more is
	List  []serverFinding
	On    int // servers
}

type serverFinding struct {
	finding

	Server string
	Seen   time.Time
}

var rowTabs = map[string]string{"manageability": "doctor", "events": "events", "services": "services", "performance": "performance", "checks": "doctor"}

// findingsOf are those of a row of a card, by server.
func (c *Console) findingsOf(k card, list []Entry, row int) (found []serverFinding, on []Entry) {
	criteria, _ := c.criteria.of(k.Key)
	now := time.Now()
	for _, e := range list {
		of := findings(row, criteria, e, now)
		for _, f := range of {
			found = append(found, serverFinding{f, e.Name, e.snapshot().Full})
		}
		if len(of) > 0 {
			on = append(on, e)
		}
	}
	return found, on
}

// showFindings shows a row of a card: its servers in the table of all servers, or what
// counts of each.
func (c *Console) showFindings(rq *request) error {
	k, list, err := c.card(rq)
	if err != nil {
		return err
	}
	for n, r := range cardRows {
		if r.id != rq.PathValue("row") {
			continue
		}
		criteria, _ := c.criteria.of(k.Key)
		p := findingsPage{Card: k, Row: r.id, Title: k.Title + ": " + r.title, Off: r.off(criteria), Tab: rowTabs[r.id]}
		var on []Entry
		p.List, on = c.findingsOf(k, list, n)
		p.On = len(on)
		if len(on) > 0 && strings.HasSuffix(rq.Pattern, "/servers") {
			return c.showServers(rq, p.Title, k.Alerts()+"/"+r.id+"/servers")
		}
		c.render(rq, http.StatusOK, "findings.html", page{Title: p.Title, Nav: "/", Data: p, Wide: true})
		return nil
	}
	return c.notFound(rq)
}

// cardFacet tells which servers the table behind a row of a card is about.
func (c *Console) cardFacet(base string) (keep func(Entry) bool, ok bool) {
	path, found := strings.CutPrefix(base, "/alerts/")
	path, table := strings.CutSuffix(path, "/servers")
	escaped, id, _ := strings.Cut(path, "/")
	key, err := url.PathUnescape(escaped)
	row := slices.Index(cardRowIDs(), id)
	if !found || !table || err != nil || row < 0 {
		return nil, false
	}
	k, list, ok := c.cardOf(key)
	if !ok {
		return nil, false
	}
	_, on := c.findingsOf(k, list, row)
	names := map[string]bool{}
	for _, e := range on {
		names[e.Name] = true
	}
	return func(e Entry) bool { return names[e.Name] }, true
}

// exportFindings writes all that counts on a card.
func (c *Console) exportFindings(rq *request) error {
	k, list, err := c.card(rq)
	if err != nil {
		return err
	}
	return c.act(rq, auditlog.Entry{Action: "export", Parameters: map[string]string{"what": "alerts", "card": k.Key}}, func(*auditlog.Entry) error {
		rq.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rq.Header().Set("Content-Disposition", `attachment; filename="alerts.csv"`)
		w := csv.NewWriter(rq)
		_ = w.Write([]string{"Server", "Row", "Level", "Resource", "Value", "Threshold", "First", "Last", "Count"}) //nolint:errcheck // who asked has gone
		stamp := func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.UTC().Format(time.RFC3339)
		}
		for n, r := range cardRows {
			found, _ := c.findingsOf(k, list, n)
			for _, f := range found {
				count := ""
				if f.Count > 0 {
					count = strconv.Itoa(f.Count)
				}
				line := []string{f.Server, r.title, string(f.Level), f.Resource, f.Value, f.Threshold, stamp(f.First), stamp(f.Seen), count}
				for n := range line {
					line[n] = lists.Defused(line[n])
				}
				_ = w.Write(line) //nolint:errcheck // who asked has gone
			}
		}
		w.Flush()
		return nil
	})
}

// refreshCard asks all servers of a card at once.
func (c *Console) refreshCard(rq *request) (result, error) {
	_, list, err := c.card(rq)
	if err != nil {
		return result{}, err
	}
	if len(list) == 0 {
		return result{}, &problem{Status: http.StatusConflict, Title: "Nothing to refresh", Text: "The card has no server."}
	}
	_, err = c.start(rq, auditlog.Entry{Action: "refresh"}, pool.Action{Kind: pool.KindRefresh}, namesOf(list))
	c.live.changed("latest")
	return result{Message: "Refreshing " + plural(len(list), "server") + ".", Location: "/"}, err
}
