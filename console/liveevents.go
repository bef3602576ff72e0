package console

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

// keptLive is how many events a message has at most: who was away longer than they
// reach back is told so.
const keptLive = 100

// liveAgain is when a server that was lost is asked again.
const liveAgain = 10 * time.Second

// eventTopic is the topic of the events of a server that pass a filter.
func eventTopic(name string, q eventQuery) string {
	v := q.Values()
	v.Del("last")
	return "events:" + name + "?" + v.Encode()
}

// liveEvent is an event as the script takes it.
type liveEvent struct {
	Key     string    `json:"key"`
	Server  string    `json:"server"`
	Badge   string    `json:"badge"`
	Level   string    `json:"level"`
	Time    time.Time `json:"time"`
	Source  string    `json:"source"`
	ID      uint64    `json:"id"`
	Log     string    `json:"log"`
	First   string    `json:"first"`
	Message string    `json:"message"`
	Task    string    `json:"task,omitempty"`
	User    string    `json:"user,omitempty"`
	Record  uint64    `json:"record"`
	Same    string    `json:"same"`
}

// eventFeed is the newest events of a topic.
type eventFeed struct {
	server string
	since  time.Time // from when on none is missing
	list   []liveEvent
	how    string
}

// add puts events in; it tells whether one was new.
func (f *eventFeed) add(list []machine.Event) {
	for _, one := range slices.Backward(list) { // the oldest first
		e := serverEvent{one, f.server}
		if slices.ContainsFunc(f.list, func(l liveEvent) bool { return l.Key == e.Key() }) {
			continue
		}
		f.list = append(f.list, liveEvent{e.Key(), e.Server, e.Badge(), e.Level, e.Time, e.Source, e.ID, e.Log, e.First(), e.Message, e.Task, e.User, e.Record, e.Same()})
	}
	slices.SortStableFunc(f.list, func(a, b liveEvent) int { return b.Time.Compare(a.Time) })
	if len(f.list) > keptLive {
		f.list = f.list[:keptLive]
		f.since = f.list[keptLive-1].Time
	}
}

func (f *eventFeed) message() map[string]any {
	return map[string]any{"server": f.server, "since": f.since, "events": f.list, "how": f.how}
}

// follower splits a topic into its server and its filter.
func (c *Console) follower(arg string) (Entry, eventQuery, error) {
	name, query, _ := strings.Cut(arg, "?")
	e, ok := c.fleet.get(name)
	if !ok {
		return e, eventQuery{}, c.noServer(name)
	}
	v, err := url.ParseQuery(query)
	if err != nil {
		return e, eventQuery{}, err
	}
	q, err := parseEventQuery(v)
	return e, q, err
}

// runEvents follows the events of a server while somebody does.
func (c *Console) runEvents(ctx context.Context, arg string, tell func(any, error)) {
	e, q, err := c.follower(arg)
	if err != nil {
		tell(nil, err)
		return
	}
	f := &eventFeed{server: e.Name, since: time.Now().UTC(), list: []liveEvent{}}
	for ctx.Err() == nil {
		err := c.followServer(ctx, e.Name, func(s cim.Session) error {
			return machine.FollowEvents(ctx, s, q.filter(), func(list []machine.Event, pushed bool) {
				f.how = "Live: each event as it happens"
				if !pushed {
					f.how = "Live: asked each 10 s"
				}
				f.add(list)
				tell(f.message(), nil)
			})
		})
		if ctx.Err() != nil {
			return
		}
		c.log.Debug("the events of a server can no longer be followed", "server", e.Name, "error", err)
		f.how = "Not live: no answer; tried again each 10 s"
		f.since = time.Now().UTC()
		tell(f.message(), nil)
		select {
		case <-ctx.Done():
		case <-time.After(liveAgain):
		}
	}
}

// newestEvents is for a browser that gets no stream: it asks once.
func (c *Console) newestEvents(ctx context.Context, arg string) (any, error) {
	e, q, err := c.follower(arg)
	if err != nil {
		return nil, err
	}
	done, err := c.asks.begin(following)
	if err != nil {
		return nil, err
	}
	defer done()
	f := &eventFeed{server: e.Name, since: time.Now().Add(-time.Hour).UTC(), list: []liveEvent{}, how: "Live: asked each 10 s"}
	q.Hours = 1
	err = c.followServer(ctx, e.Name, func(s cim.Session) error {
		filter := q.filter()
		filter.Limit = keptLive
		list, _, err := machine.Events(ctx, s, filter, time.Now())
		f.add(list)
		return err
	})
	return f.message(), err
}

// followServer opens a connection with the credential that is bound to a server, and a
// session, for as long as f takes.
func (c *Console) followServer(ctx context.Context, name string, f func(cim.Session) error) error {
	conn, err := c.pool.Connect(ctx, name)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nobody follows any more
	return session(ctx, conn, "", f)
}
