package console

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/pool"
)

// fleet is the servers as the pool last told of them, in memory, so that a page of
// thousands of rows asks nothing.
type fleet struct {
	mu    sync.RWMutex
	rows  map[string]Entry // by the name in small letters
	whole bool             // the pool has told of all once
}

func newFleet() *fleet { return &fleet{rows: map[string]Entry{}} }

func (f *fleet) apply(e *pool.Entry, gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case e == nil:
		f.whole = true
	case gone:
		delete(f.rows, strings.ToLower(e.Name))
	default:
		f.rows[strings.ToLower(e.Name)] = Entry{*e}
	}
}

func (f *fleet) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows, f.whole = map[string]Entry{}, false
}

// get finds a server by its name, in any case.
func (f *fleet) get(name string) (Entry, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	e, ok := f.rows[strings.ToLower(name)]
	return e, ok
}

// all are the servers by name, and whether the pool has told of all.
func (f *fleet) all() ([]Entry, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := slices.Collect(maps.Values(f.rows))
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return list, f.whole
}

// staleAfter is twice the interval of the full refresh.
const staleAfter = 20 * time.Minute

// State is what is shown as the server's manageability.
func (e Entry) State() pool.State {
	state, _ := e.Condition()
	return state
}

// Level is that of the state and of thresholds.
func (e Entry) Level() pool.Level {
	_, level := e.Condition()
	return level
}

// NeedsYou tells whether somebody must look at it.
func (e Entry) NeedsYou() bool {
	return e.Level() == pool.LevelAttention || e.Level() == pool.LevelBlocked
}

// Reason is one sentence about why the state is what it is.
func (e Entry) Reason() string {
	if e.Paused || e.Snapshot == nil {
		return ""
	}
	if e.Snapshot.Reason == "" && len(e.Snapshot.Alerts) > 0 {
		a := e.Snapshot.Alerts[0]
		return a.Resource + ": " + a.Value
	}
	return e.Snapshot.Reason
}

// Stale tells whether what is known is old.
func (e Entry) Stale(now time.Time) bool {
	s := e.Snapshot
	return !e.Paused && s != nil && (s.Missed >= 3 || !s.Contact.IsZero() && now.Sub(s.Contact) > staleAfter)
}

// Old tells whether the last try did not reach the server: what is shown is of before.
func (e Entry) Old() bool {
	s := e.Snapshot
	return s != nil && !s.Full.IsZero() && s.Tried.After(s.Contact) && e.Level() == pool.LevelBlocked
}

// Contact is when the server last answered; the zero time is never.
func (e Entry) Contact() time.Time {
	if e.Snapshot == nil {
		return time.Time{}
	}
	return e.Snapshot.Contact
}

// stateTips say what a state means and what still works. See spec/winrm.md 9.
var stateTips = map[pool.State]string{
	pool.Online:                 "It answers and can be managed.",
	pool.CountersNotStarted:     "It can be managed; performance is not collected.",
	pool.RestartPending:         "It can be managed; a restart is needed to finish an update or a change.",
	pool.DataRetrievalFailures:  "It answers; a part of the data could not be read.",
	pool.NoRoleData:             "It can be managed; its roles and features cannot be read.",
	pool.AccessDenied:           "It accepts the account and then refuses it: nothing can be read or done until its rights are there.",
	pool.CredentialsNotValid:    "It refuses the user name or password: choose another credential.",
	pool.KerberosResolution:     "Kerberos knows no service of this name.",
	pool.KerberosAuthentication: "Kerberos refuses: clocks, tickets or keys do not agree.",
	pool.NegotiateError:         "No way of signing in suits both sides.",
	pool.NotComputerAccessible:  "Nothing answers under its name and port.",
	pool.VerifyWinRM:            "It is there, and WinRM does not answer.",
	pool.NotAccessible:          "It cannot be reached.",
	pool.NotAccessibleWMF3:      "It cannot be reached in the way of newer releases; older ones need Windows Management Framework 3.0.",
	pool.NewerSystem:            "Its operating system is newer than this program knows.",
	pool.Offline:                "It does not answer at all.",
	pool.ManagementDisabled:     "Remote management is switched off there.",
	pool.ManagementByPolicy:     "A policy switched remote management off there.",
	pool.ClientSystem:           "Client operating systems are not managed here.",
	pool.UnknownState:           "It cannot be managed, and no known cause explains why: the doctor has all that was seen.",
	pool.Checking:               "It is being asked now.",
	pool.NotYetChecked:          "It has not been asked yet.",
	pool.Paused:                 "It is asked nothing until somebody resumes it.",
}

// badgeOf is the badge of a server.
func badgeOf(e Entry) badge {
	b := levelBadge(string(e.Level()), string(e.State()))
	b.Tip = stateTips[e.State()]
	return b
}

// needBadge is the badge in the line of what needs somebody: one that is online says
// what is wrong.
func needBadge(e Entry) badge {
	b := badgeOf(e)
	if reason := e.Reason(); e.State() == pool.Online && reason != "" {
		b.Word = short(reason)
	}
	return b
}

// followPool keeps the fleet as the pool is, until ctx ends.
func (c *Console) followPool(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.pool.Watch(ctx, func(e *pool.Entry, gone bool) {
			c.fleet.apply(e, gone)
			c.history.noteChange(c.fleet, e, gone)
			if e != nil {
				c.live.changed("row:" + strings.ToLower(e.Name))
			}
			c.live.changed("counts")
		})
		if ctx.Err() != nil {
			return
		}
		c.log.Error("the pool can no longer be followed; it is tried again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
		c.fleet.reset()
	}
}

// followWork tells the pages of works that changed, until ctx ends.
func (c *Console) followWork(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.pool.WatchWork(ctx, func(id string) {
			c.works.forget()
			c.live.changed("work:" + id)
			c.live.changed("flag")
			c.live.changed("latest")
		})
		if ctx.Err() != nil {
			return
		}
		c.log.Error("work can no longer be followed; it is tried again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
}

// side is what the navigation lists: tags and roles, with how many of them need
// somebody.
func (c *Console) side(nav string) *side {
	list, _ := c.fleet.all()
	groups, roles := map[string]*sideEntry{}, map[string]*sideEntry{}
	count := func(m map[string]*sideEntry, name, prefix string, e Entry) {
		s := m[strings.ToLower(name)]
		if s == nil {
			s = &sideEntry{Name: name, Path: prefix + pathEscape(name)}
			m[strings.ToLower(name)] = s
		}
		s.Count++
		if e.NeedsYou() && s.Level != string(pool.LevelBlocked) {
			s.Level = string(e.Level())
		}
	}
	for _, e := range list {
		for _, t := range e.Tags {
			count(groups, t, "/groups/", e)
		}
		if e.Snapshot != nil {
			for _, r := range e.Snapshot.Roles {
				if r.Type == "Role" {
					count(roles, cmpOr(r.DisplayName, r.Name), "/roles/", e)
				}
			}
		}
	}
	return &side{Groups: entries(groups), Roles: entries(roles)}
}

func entries(m map[string]*sideEntry) []sideEntry {
	var list []sideEntry
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, *m[k])
	}
	return list
}
