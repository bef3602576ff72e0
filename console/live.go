package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// What is live, and how often. See spec/console.md 3.10.
const (
	liveGap     = 250 * time.Millisecond // between two messages of a stream
	topicGap    = time.Second            // between two of the same row
	liveComment = 15 * time.Second
	liveWrite   = 10 * time.Second
	mostTopics  = 400
	mostStreams = 20
	mostAsking  = 64     // topics of one stream for which somebody is asked again and again
	mostLoops   = 512    // of all; what is followed beyond comes by the page alone
	mostKnown   = 50_000 // topics of which it is remembered when they changed
)

// A topic is what an element of a page follows: "row:srv04", "counts",
// "work:ID". Its kind stands before the colon.

// source makes the data of a kind of topics.
type source struct {
	role Role
	// may tells whether somebody may follow a topic of the kind; nil: who has the
	// role.
	may func(rq *request, arg string) bool
	// every is how often load is asked while somebody follows the topic; 0 asks when
	// hub.changed says so.
	every time.Duration
	// run tells what a topic of the kind has, again and again, from its first
	// follower on until ctx ends: after the last one. It is for what comes by itself
	// or needs a connection that stays. load is then for a browser without a stream.
	run func(ctx context.Context, arg string, tell func(data any, err error))
	// load gives what the page's script puts in place: see assets/live.js. arg is
	// what stands after the colon.
	load func(ctx context.Context, arg string) (any, error)
}

// loops tells whether a topic of the kind has a goroutine while somebody follows it.
func (s source) loops() bool { return s.every > 0 || s.run != nil }

// hub knows who follows what. Its methods are safe for concurrent use.
type hub struct {
	sources map[string]source
	ctx     context.Context // of what topics have running; it ends with Close
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	boot   string // what ids of streams begin with: those of another one are not known
	rev    uint64
	revs   map[string]uint64
	topics map[string]*topic
	loops  int // topics that have one
}

// errTooLive is what a topic has that would be one too many.
var errTooLive = &problem{Text: "too many servers are looked at; this page shows what was when it was opened"}

// topic is one that somebody follows.
type topic struct {
	subs map[*subscriber]bool
	stop context.CancelFunc // of the loop that asks, or nil
	last json.RawMessage    // of that loop
}

type subscriber struct {
	wake chan struct{} // of one, so that nobody waits for a slow browser
}

func newHub() *hub {
	h := &hub{boot: newID(), sources: map[string]source{}, revs: map[string]uint64{}, topics: map[string]*topic{}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h
}

// close ends what topics have running, and waits for it.
func (h *hub) close() {
	h.mu.Lock()
	h.stop()
	h.mu.Unlock()
	h.running.Wait()
}

// follow registers a kind of topics.
func (h *hub) follow(kind string, s source) { h.sources[kind] = s }

// changed says that a topic has other data than before.
func (h *hub) changed(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rev++
	if len(h.revs) >= mostKnown { // who comes again is sent all anew
		clear(h.revs)
		h.boot = newID()
	}
	h.revs[name] = h.rev
	if t := h.topics[name]; t != nil {
		for s := range t.subs {
			select {
			case s.wake <- struct{}{}:
			default:
			}
		}
	}
}

// followed tells whether a stream follows a topic now.
func (h *hub) followed(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.topics[name] != nil
}

// id names a state of the hub, for who comes again.
func (h *hub) id(rev uint64) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.boot + "-" + strconv.FormatUint(rev, 10)
}

func (h *hub) source(name string) (source, string, bool) {
	kind, arg, _ := strings.Cut(name, ":")
	s, ok := h.sources[kind]
	return s, arg, ok
}

// subscribe adds somebody who follows topics, until done is called.
func (h *hub) subscribe(names []string) (s *subscriber, done func()) {
	s = &subscriber{wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range names {
		t := h.topics[n]
		if t == nil {
			t = &topic{subs: map[*subscriber]bool{}}
			h.topics[n] = t
			if src, arg, ok := h.source(n); ok && src.loops() && h.ctx.Err() == nil {
				if h.loops >= mostLoops {
					t.last, _ = encodeTopic(n, nil, errTooLive) //nolint:errcheck // a text
					h.rev++
					h.revs[n] = h.rev
					t.subs[s] = true
					continue
				}
				loop, stop := context.WithCancel(h.ctx)
				h.loops++
				t.stop = stop
				h.running.Go(func() {
					if src.run != nil {
						src.run(loop, arg, func(data any, err error) { h.tell(loop, n, t, data, err) })
					} else {
						h.ask(loop, n, t, src, arg)
					}
				})
			}
		}
		t.subs[s] = true
	}
	return s, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, n := range names {
			t := h.topics[n]
			if t == nil {
				continue
			}
			delete(t.subs, s)
			if len(t.subs) == 0 {
				if t.stop != nil {
					t.stop()
					h.loops--
				}
				delete(h.topics, n)
			}
		}
	}
}

// ask loads a topic again and again while somebody follows it.
func (h *hub) ask(ctx context.Context, name string, t *topic, src source, arg string) {
	for {
		data, err := src.load(ctx, arg)
		if ctx.Err() != nil {
			return
		}
		h.tell(ctx, name, t, data, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(src.every):
		}
	}
}

// tell keeps what a topic has, for who follows it.
func (h *hub) tell(ctx context.Context, name string, t *topic, data any, err error) {
	b, err := encodeTopic(name, data, err)
	if err != nil || ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	same := bytes.Equal(t.last, b)
	t.last = b
	h.mu.Unlock()
	if !same {
		h.changed(name)
	}
}

// encodeTopic makes the message of a topic: {"topic":…,"data":…} or with "error".
func encodeTopic(name string, data any, err error) (json.RawMessage, error) {
	m := map[string]any{"topic": name}
	if err != nil {
		m["error"] = told(err)
	} else {
		m["data"] = data
	}
	return json.Marshal(m)
}

// told is an error as somebody may read it: nothing of the inside goes to a browser.
func told(err error) string {
	var p *problem
	var known *cim.Error
	switch {
	case errors.As(err, &p):
		return p.Error()
	case errors.As(err, &known):
		return known.Error()
	}
	return "It could not be found out; the console's log may say why."
}

// collect makes the messages of the topics that changed since sent, and notes in it
// what it made. A topic that was sent less than a second ago waits; again is when it
// may come. direct asks a topic that is asked again and again at once, where nobody
// has an answer yet.
func (h *hub) collect(ctx context.Context, names []string, sent map[string]uint64, at map[string]time.Time, direct bool) (list []json.RawMessage, rev uint64, again time.Duration) {
	now := time.Now()
	h.mu.Lock()
	rev = h.rev
	var due []string
	for _, n := range names {
		have, seen := sent[n]
		if seen && h.revs[n] <= have {
			continue
		}
		if wait := topicGap - now.Sub(at[n]); seen && wait > 0 {
			if again == 0 || wait < again {
				again = wait
			}
			continue
		}
		sent[n], at[n] = max(h.revs[n], 1), now
		due = append(due, n)
	}
	h.mu.Unlock()
	for _, n := range due {
		src, arg, ok := h.source(n)
		if !ok {
			continue
		}
		if src.loops() {
			h.mu.Lock()
			var last json.RawMessage
			if t := h.topics[n]; t != nil {
				last = t.last
			}
			h.mu.Unlock()
			if last != nil {
				list = append(list, last)
			}
			if last != nil || !direct {
				continue
			}
		}
		data, err := src.load(ctx, arg)
		if b, err := encodeTopic(n, data, err); err == nil {
			list = append(list, b)
		}
	}
	return list, rev, again
}

// ofServer tells whether the topic of a server, with a filter behind a question mark
// maybe, is one that can be followed.
func (c *Console) ofServer(_ *request, arg string) bool {
	name, filter, _ := strings.Cut(arg, "?")
	_, there := c.fleet.get(name)
	return there && len(filter) <= 512
}

// following is who waits for servers when a page that stays open asks them.
const following = "\x00 pages that are open"

func (c *Console) registerLive() {
	c.data("GET /live", Reader, c.streamLive)
	c.data("GET /live/poll", Reader, c.pollLive)
	c.live.follow("row", source{role: Reader, load: c.liveRow})
	c.live.follow("counts", source{role: Reader, load: c.liveCounts})
	c.live.follow("flag", source{role: Reader, load: func(ctx context.Context, _ string) (any, error) {
		f := c.flag(ctx)
		return map[string]any{"f": fields{"running": text(countText(f.Running)), "failed": text(countText(f.Failed))}}, nil
	}})
}

// asked are the topics of a request, that its role may follow.
func (c *Console) asked(rq *request) ([]string, error) {
	names := slices.Compact(slices.Sorted(slices.Values(rq.URL.Query()["t"])))
	if len(names) > mostTopics {
		return nil, &problem{Status: http.StatusBadRequest, Text: "At most " + strconv.Itoa(mostTopics) + " topics go with one stream."}
	}
	asking := 0
	for _, n := range names {
		src, arg, ok := c.live.source(n)
		if src.loops() {
			asking++
		}
		if asking > mostAsking {
			return nil, &problem{Status: http.StatusBadRequest, Text: "At most " + strconv.Itoa(mostAsking) + " topics for which servers are asked go with one stream."}
		}
		if !ok || src.may != nil && !src.may(rq, arg) {
			return nil, &problem{Status: http.StatusNotFound, Text: "There is no such topic."}
		}
		if rq.who.Role < src.role {
			return nil, needRole(src.role)
		}
	}
	return names, nil
}

// since reads where an earlier stream ended; what was sent by then is not sent again.
func (c *Console) since(id string, names []string) map[string]uint64 {
	sent := map[string]uint64{}
	boot, text, _ := strings.Cut(id, "-")
	rev, err := strconv.ParseUint(text, 10, 64)
	if err == nil && c.live.id(rev) == boot+"-"+text {
		for _, n := range names {
			sent[n] = rev
		}
	}
	return sent
}

// streamLive is the one event stream of a tab.
func (c *Console) streamLive(rq *request) error {
	names, err := c.asked(rq)
	if err != nil {
		return err
	}
	session := cmpOr(rq.who.Session, rq.who.Token)
	if c.streams.count(session) >= mostStreams {
		return &problem{Status: http.StatusTooManyRequests, Text: "This session has too many streams.", Next: "Close some tabs."}
	}
	ctx, done := c.streams.add(rq.Context(), session)
	defer done()
	shell := c.settings.get().Shell
	return c.streamTopics(ctx, rq, names, func() bool {
		a, err := c.o.Current(ctx, rq.who.User)
		if err != nil {
			return false
		}
		was := rq.who.Role
		if rq.who.Role = roleOf(a, c.settings.get().Roles); rq.who.Role >= was && c.settings.get().Shell == shell {
			return true
		}
		_, err = c.asked(rq)
		return err == nil && rq.who.Role >= Reader
	})
}

// streamTopics writes what changes until ctx ends, or still says that who follows no
// longer may: it is asked with each comment.
func (c *Console) streamTopics(ctx context.Context, rq *request, names []string, still func() bool) error {
	sub, leave := c.live.subscribe(names)
	defer leave()
	ctl := http.NewResponseController(rq)
	rq.Header().Set("Content-Type", "text/event-stream")
	rq.Header().Set("X-Accel-Buffering", "no")
	rq.WriteHeader(http.StatusOK)
	write := func(text string) error {
		_ = ctl.SetWriteDeadline(time.Now().Add(c.writeLimit)) //nolint:errcheck // not every writer has one
		// It is taken back: over HTTP/2 one that passes ends the stream, at rest too.
		defer func() { _ = ctl.SetWriteDeadline(time.Time{}) }() //nolint:errcheck // as above
		if _, err := fmt.Fprint(rq, text); err != nil {
			return err
		}
		return ctl.Flush()
	}
	sent, at := c.since(cmpOr(rq.Request.Header.Get("Last-Event-ID"), rq.URL.Query().Get("since")), names), map[string]time.Time{}
	comment := time.NewTicker(liveComment)
	defer comment.Stop()
	if write("retry: 2000\n\n") != nil {
		return nil
	}
	for {
		list, rev, again := c.live.collect(ctx, names, sent, at, false)
		if len(list) > 0 {
			b, err := json.Marshal(list)
			if err != nil {
				return err
			}
			if write(fmt.Sprintf("id: %s\ndata: %s\n\n", c.live.id(rev), b)) != nil {
				return nil
			}
		}
		gap := time.NewTimer(liveGap)
		select {
		case <-ctx.Done():
			gap.Stop()
			_ = write("event: end\ndata: {}\n\n")
			return nil
		case <-gap.C:
		}
		var later <-chan time.Time
		if again > 0 {
			later = time.After(max(again-liveGap, 0))
		}
		select {
		case <-ctx.Done():
			_ = write("event: end\ndata: {}\n\n")
			return nil
		case <-sub.wake:
		case <-later:
		case <-comment.C:
			if !still() {
				_ = write("event: end\ndata: {}\n\n")
				return nil
			}
			if write(": here\n\n") != nil {
				return nil
			}
		}
	}
}

// pollLive is what a browser asks that gets no stream.
func (c *Console) pollLive(rq *request) error {
	names, err := c.asked(rq)
	if err != nil {
		return err
	}
	sent := c.since(rq.URL.Query().Get("since"), names)
	_, leave := c.live.subscribe(names)
	defer leave()
	list, rev, _ := c.live.collect(rq.Context(), names, sent, map[string]time.Time{}, true)
	if list == nil {
		list = []json.RawMessage{}
	}
	return rq.json(http.StatusOK, map[string]any{"id": c.live.id(rev), "messages": list})
}

// fields are what a message puts in place: elements with data-f=NAME inside of the
// element with data-live=TOPIC.
type fields map[string]field

// field is one of them. Every member but Text is optional.
type field struct {
	Text  string     `json:"t"`
	Tip   string     `json:"tip,omitempty"`
	Level string     `json:"level,omitempty"` // of a badge
	Value *float64   `json:"v,omitempty"`     // of a meter
	Time  *time.Time `json:"at,omitempty"`    // of a <time>
	Link  string     `json:"href,omitempty"`  // a path of this console
	Hide  bool       `json:"hide,omitempty"`
}

func text(s string) field { return field{Text: s} }

// liveRow is a row of the table of servers.
func (c *Console) liveRow(_ context.Context, name string) (any, error) {
	e, ok := c.fleet.get(name)
	if !ok {
		return map[string]any{"gone": true}, nil
	}
	now := time.Now()
	f := rowFields(e, now)
	f["asof"] = field{Hide: !e.Old()}
	return map[string]any{"f": f, "level": e.Level(), "stale": e.Stale(now)}, nil
}

// rowFields are the cells of a server.
func rowFields(e Entry, now time.Time) fields {
	f := fields{}
	for _, col := range serverColumns {
		f[col.ID] = col.cell(e, now)
	}
	return f
}

// keys are the names of a map in order.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
