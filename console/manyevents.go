package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// eventScope is which servers a list of events is of.
type eventScope struct {
	Kind eventScopeKind
	Card string
	On   []string
}

type eventScopeKind int

const (
	scopeAlerts eventScopeKind = iota // those of a card that have events which count there
	scopeCard                         // all of a card
	scopeNamed                        // On
)

// The part of a URL that says which servers: in=alerts:group:tokyo, in=group:tokyo, or
// on=srv01&on=srv02.
const scopeAlertsPrefix = "alerts:"

func eventScopeOf(v url.Values) eventScope {
	in := cmpOr(v.Get("in"), scopeAlertsPrefix+allCard)
	if on := v["on"]; len(on) > 0 {
		return eventScope{Kind: scopeNamed, On: on}
	}
	if card, ok := strings.CutPrefix(in, scopeAlertsPrefix); ok {
		return eventScope{Kind: scopeAlerts, Card: card}
	}
	return eventScope{Kind: scopeCard, Card: in}
}

func (s eventScope) values() url.Values {
	switch s.Kind {
	case scopeNamed:
		return url.Values{"on": s.On}
	case scopeAlerts:
		return url.Values{"in": {scopeAlertsPrefix + s.Card}}
	default:
		return url.Values{"in": {s.Card}}
	}
}

// query is the scope with the filter of a card's criteria.
func (s eventScope) query(k Criteria) url.Values {
	q := eventQuery{IDs: k.IDs, Hours: k.Hours, Logs: k.Logs}
	if slices.Contains(k.Levels, "critical") || slices.Contains(k.Levels, "error") {
		q.Levels = append(q.Levels, "Error")
	}
	if slices.Contains(k.Levels, "warning") {
		q.Levels = append(q.Levels, "Warning")
	}
	v := q.Values()
	for name, list := range s.values() {
		v[name] = list
	}
	return v
}

// How many servers are asked, and how.
const (
	mostAsked     = 250
	askedAtOnce   = 12
	eventsEach    = 300
	eventsShown   = 1000
	mostFollowed  = 20 // live
	eventPatience = 15 * time.Second
)

// manyEvents is what the list of events of many servers shows.
type manyEvents struct {
	eventsData

	Title  string
	Empty  string // why there is no server
	Scopes []choice
	Asked  int
	Left   int // servers that are not asked
	Failed []need
}

func (c *Console) registerEvents() {
	c.page("GET /events", Reader, c.showManyEvents)
	c.page("GET /events/export", Reader, c.exportManyEvents)
	c.page("GET /servers/{name}/events/export", Reader, c.exportServerEvents)
	c.form("/events/filters", Reader, c.saveEventFilter)
	c.form("/events/filters/remove", Reader, c.removeEventFilter)
	c.live.follow("events", source{role: Reader, run: c.runEvents, may: c.ofServer, load: c.newestEvents})
}

// serversOf are the servers of a scope, and its title.
func (c *Console) serversOf(s eventScope) (title string, list []Entry, err error) {
	if s.Kind == scopeNamed {
		if list, err = c.known(s.On); err != nil {
			return "", nil, err
		}
		return plural(len(list), "server"), list, nil
	}
	k, list, ok := c.cardOf(s.Card)
	if !ok {
		return "", nil, &problem{Status: http.StatusNotFound, Title: "Not found", Text: "There is no card " + s.Card + " on the dashboard."}
	}
	if s.Kind == scopeCard {
		return k.Title, list, nil
	}
	_, list = c.findingsOf(k, list, slices.Index(cardRowIDs(), "events"))
	return k.Title + ", those with alerts", list, nil
}

func cardRowIDs() (ids []string) {
	for _, r := range cardRows {
		ids = append(ids, r.id)
	}
	return ids
}

func (c *Console) showManyEvents(rq *request) error {
	m, title, err := c.gatherEvents(rq)
	if err != nil {
		return err
	}
	c.finish(rq, &m.eventsData)
	c.render(rq, http.StatusOK, "manyevents.html", page{Title: "Events · " + title, Nav: "/", Data: m, Wide: true,
		Command: []string{"casement pool query --on NAME,... \"SELECT * FROM Win32_NTLogEvent WHERE Logfile = 'System' AND EventType <= 2\""}})
	return nil
}

// gatherEvents asks the servers that the URL of a request names for events.
func (c *Console) gatherEvents(rq *request) (m manyEvents, title string, err error) {
	q, err := parseEventQuery(rq.URL.Query())
	scope := eventScopeOf(rq.URL.Query())
	m = manyEvents{eventsData: eventsData{Q: q, Path: "/events", Scope: scope.values(), Many: true}}
	if err != nil {
		return m, title, err
	}
	title, list, err := c.serversOf(scope)
	if err != nil {
		return m, title, err
	}
	done, err := c.asks.begin(rq.who.User)
	if err != nil {
		return m, title, err
	}
	defer done()
	m.Title = title
	all, _ := c.fleet.all()
	for _, k := range c.cards(all) {
		for _, s := range []eventScope{{Kind: scopeAlerts, Card: k.Key}, {Kind: scopeCard, Card: k.Key}} {
			words := k.Title
			if s.Kind == scopeAlerts {
				words += ", those with alerts"
			}
			m.Scopes = append(m.Scopes, choice{s.values().Get("in"), words, s.Kind == scope.Kind && s.Card == scope.Card})
		}
	}
	if scope.Kind == scopeNamed {
		m.Scopes = append([]choice{{"", title, true}}, m.Scopes...)
	}
	m.Left = max(0, len(list)-mostAsked)
	list = list[:len(list)-m.Left]
	m.Asked = len(list)
	for _, e := range list {
		for _, k := range kindsOf(e) {
			if !slices.Contains(m.Sources, k) && len(m.Sources) < 200 {
				m.Sources = append(m.Sources, k)
			}
		}
		if len(list) <= mostFollowed {
			m.Topics = append(m.Topics, eventTopic(e.Name, q))
		}
	}
	f := q.filter()
	f.Limit = eventsEach
	var mu sync.Mutex
	c.askMany(rq.Context(), list, func(ctx context.Context, e Entry) {
		var found []serverEvent
		var cut bool
		conn, err := c.pool.Connect(ctx, e.Name)
		if err == nil {
			defer conn.Close() //nolint:errcheck // the answer is there
			found, cut, err = readEvents(ctx, conn, e.Name, f)
		}
		mu.Lock()
		defer mu.Unlock()
		m.List, m.Cut = append(m.List, found...), m.Cut || cut
		if err != nil {
			m.Failed = append(m.Failed, need{"blocked", rq.serverProblem(e, err).Text, serverPath(e.Name, "doctor")})
		}
	})
	slices.SortFunc(m.Failed, func(a, b need) int { return strings.Compare(a.Path, b.Path) })
	slices.SortStableFunc(m.List, func(a, b serverEvent) int {
		if d := b.Time.Compare(a.Time); d != 0 {
			return d
		}
		return strings.Compare(a.Key(), b.Key())
	})
	if len(m.List) > eventsShown {
		m.List, m.Cut = m.List[:eventsShown], true
	}
	return m, title, nil
}

// askMany asks servers, a few at a time, each with a limit, all within the patience of
// a page.
func (c *Console) askMany(ctx context.Context, list []Entry, ask func(ctx context.Context, e Entry)) {
	ctx, cancel := context.WithTimeout(ctx, serverPatience+eventPatience)
	defer cancel()
	free := make(chan struct{}, askedAtOnce)
	var all sync.WaitGroup
	for _, e := range list {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			ctx, cancel := context.WithTimeout(ctx, eventPatience)
			defer cancel()
			ask(ctx, e)
		})
	}
	all.Wait()
}
