package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/console/internal/machine"
	"github.com/casementhq/casement/internal/store"
	"github.com/casementhq/casement/pool"
)

// Criteria say what counts on a card of the dashboard. They are kept for each card,
// and are the same for everybody. What a server's own state is does not depend on
// them. See spec/console.md 2.1 and 3.10.
type Criteria struct {
	// States are the levels of a state that count: blocked, attention, info.
	States []string `json:"states"`
	// Levels are those of events that count: critical, error, warning. Where a server
	// does not tell critical events from errors, critical stands for errors.
	Levels []string `json:"levels"`
	// Logs are those whose events count; none are all three.
	Logs []string `json:"logs,omitempty"`
	// IDs are the events that count, as in 1,3,5-99,-76; "" are all.
	IDs machine.EventIDs `json:"ids,omitempty"`
	// Hours is how old an event may be that counts, 1 to 24.
	Hours int `json:"hours"`
	// Services tells whether automatic services that do not run count; Only and Except
	// name those that do, and that do not.
	Services bool     `json:"services"`
	Only     []string `json:"only,omitempty"`
	Except   []string `json:"except,omitempty"`
	// CPU is the load from which on it counts, in percent; MemoryFree and DiskFree are
	// the percentages under which free memory and space count, MemoryLeft is the same
	// in MiB. 0 switches one off.
	CPU        float64 `json:"cpu"`
	MemoryFree float64 `json:"memory_free"`
	MemoryLeft float64 `json:"memory_left"`
	DiskFree   float64 `json:"disk_free"`
	// Checks tells whether data that cannot be read counts.
	Checks bool `json:"checks"`

	passes func(id uint64) bool // IDs, once it is read
}

// defaultCriteria are those of Server Manager, with memory under 5 % and volumes under
// 10 % besides.
func defaultCriteria() Criteria {
	return Criteria{States: []string{"blocked", "attention"}, Levels: []string{"critical"}, Hours: 24, Services: true, CPU: 85, MemoryFree: 5, MemoryLeft: 2, DiskFree: 10, Checks: true}
}

// What may be chosen.
var (
	stateChoices = []string{"blocked", "attention", "info"}
	levelChoices = []string{"critical", "error", "warning"}
	logChoices   = []string{"Application", "Setup", "System"}
)

// criteriaPrefix begins the keys of criteria in the store; what follows is the card.
const criteriaPrefix = "alerts/"

// criteriaCache is the criteria of all cards that have their own.
type criteriaCache struct {
	mu   sync.RWMutex
	rows map[string]Criteria
}

// load reads what is kept.
func (c *criteriaCache) load(ctx context.Context, db *store.Store) error {
	rows := map[string]Criteria{}
	err := db.View(ctx, func(tx *store.Tx) error {
		cur := tx.Cursor([]byte(criteriaPrefix))
		for ok := cur.Seek([]byte(criteriaPrefix)); ok; ok = cur.Next() {
			k := defaultCriteria()
			if err := json.Unmarshal(cur.Value(), &k); err != nil {
				return fmt.Errorf("%s: %w", cur.Key(), err)
			}
			rows[strings.TrimPrefix(string(cur.Key()), criteriaPrefix)] = k
		}
		return cur.Err()
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows = rows
	return err
}

// of gives the criteria of a card: its own, else those of all servers, else the
// defaults.
func (c *criteriaCache) of(card string) (k Criteria, own bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if k, own = c.rows[card]; own {
		return k.read(), true
	}
	if k, ok := c.rows[allCard]; ok {
		return k.read(), false
	}
	return defaultCriteria().read(), false
}

// save keeps the criteria of a card; nil forgets them.
func (c *criteriaCache) save(ctx context.Context, db *store.Store, card string, k *Criteria) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if k == nil {
		err = db.Update(ctx, func(tx *store.Tx) error { return tx.Delete([]byte(criteriaPrefix + card)) })
	} else {
		err = putJSON(ctx, db, criteriaPrefix+card, *k)
	}
	if err != nil {
		return err
	}
	c.rows = maps.Clone(c.rows)
	if k == nil {
		delete(c.rows, card)
	} else {
		c.rows[card] = *k
	}
	return nil
}

// criteriaOf reads the form of a card's page.
func criteriaOf(f url.Values) (Criteria, error) {
	k := Criteria{IDs: machine.EventIDs(strings.TrimSpace(f.Get("ids"))), Services: f.Get("services") != "", Checks: f.Get("checks") != "", Only: namesIn(f.Get("only")), Except: namesIn(f.Get("except"))}
	for _, one := range []struct {
		name    string
		to      *[]string
		choices []string
	}{{"states", &k.States, stateChoices}, {"levels", &k.Levels, levelChoices}, {"logs", &k.Logs, logChoices}} {
		for _, v := range f[one.name] {
			if !slices.Contains(one.choices, v) {
				return k, fmt.Errorf("%q is none of %s", v, strings.Join(one.choices, ", "))
			}
			*one.to = append(*one.to, v)
		}
	}
	if len(k.Logs) == len(logChoices) {
		k.Logs = nil
	}
	if err := k.IDs.Check(); err != nil {
		return k, err
	}
	var err error
	if k.Hours, err = strconv.Atoi(f.Get("hours")); err != nil || k.Hours < 1 || k.Hours > 24 {
		return k, errors.New("events are looked at for 1 to 24 hours")
	}
	for _, one := range []struct {
		name, title string
		to          *float64
		most        float64
	}{{"cpu", "the load", &k.CPU, 100}, {"memory_free", "free memory", &k.MemoryFree, 100}, {"memory_left", "free memory", &k.MemoryLeft, 1 << 30}, {"disk_free", "free space", &k.DiskFree, 100}} {
		v, err := strconv.ParseFloat(strings.TrimSpace(cmpOr(f.Get(one.name), "0")), 64)
		if err != nil || !(v >= 0 && v <= one.most) {
			return k, fmt.Errorf("the threshold of %s is a number from 0, which switches it off, to %.0f", one.title, one.most)
		}
		*one.to = v
	}
	if len(k.Only) > 200 || len(k.Except) > 200 {
		return k, errors.New("at most 200 services are named")
	}
	return k, nil
}

// namesIn are the names in a text, divided by commas or lines.
func namesIn(text string) (list []string) {
	for _, n := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if n = strings.TrimSpace(n); n != "" && len(n) <= 256 {
			list = append(list, n)
		}
	}
	return list
}

// read makes the criteria ready to be used.
func (k Criteria) read() Criteria {
	k.passes = k.IDs.Matcher()
	return k
}

// finding is something of a server that counts.
type finding struct {
	Level     pool.Level
	Resource  string
	Value     string
	Threshold string
	First     time.Time // the zero time is not known
	Count     int       // 0 is not known
}

// cardRows are the rows of every card, with what counts in each. See
// spec/console.md 2.1.
var cardRows = []struct {
	id, title string
	// off tells whether the criteria switch the row off.
	off func(k Criteria) bool
	// find lists what counts of a server; now is for the age of events.
	find func(k Criteria, e Entry, now time.Time) []finding
}{
	{"manageability", "Manageability", func(k Criteria) bool { return len(k.States) == 0 }, Criteria.findState},
	{"events", "Events", func(k Criteria) bool { return len(k.Levels) == 0 }, Criteria.findEvents},
	{"services", "Services", func(k Criteria) bool { return !k.Services }, Criteria.findServices},
	{"performance", "Performance", func(k Criteria) bool { return k.CPU == 0 && k.MemoryFree == 0 && k.MemoryLeft == 0 && k.DiskFree == 0 }, Criteria.findLoad},
	{"checks", "Checks", func(k Criteria) bool { return !k.Checks }, Criteria.findFailures},
}

func (k Criteria) findState(e Entry, _ time.Time) []finding {
	s := e.snapshot()
	if l := s.State.Level(); slices.Contains(k.States, string(l)) {
		return []finding{{Level: l, Resource: string(s.State), Value: s.Reason}}
	}
	return nil
}

func (k Criteria) findEvents(e Entry, now time.Time) (list []finding) {
	t := e.snapshot().Events
	if t == nil {
		return nil
	}
	has := func(level string) bool { return slices.Contains(k.Levels, level) }
	errorsCount := has("error") || has("critical") && t.Critical == nil
	if t.Critical != nil && *t.Critical > 0 && has("critical") {
		list = append(list, finding{Level: pool.LevelAttention, Resource: "Critical events", Value: plural(*t.Critical, "event"), Count: *t.Critical})
	}
	after := now.Add(-time.Duration(k.Hours) * time.Hour)
	for _, one := range t.Kinds {
		if one.Error && !errorsCount || !one.Error && !has("warning") || len(k.Logs) > 0 && !slices.Contains(k.Logs, one.Log) ||
			!k.passes(one.ID) || k.Hours < 24 && one.Newest.Before(after) {
			continue
		}
		list = append(list, finding{Level: pool.LevelAttention, Resource: fmt.Sprintf("%s %d (%s)", one.Source, one.ID, one.Log), Value: plural(one.Count, map[bool]string{true: "error", false: "warning"}[one.Error]), First: one.Newest, Count: one.Count})
	}
	return list
}

func (k Criteria) findServices(e Entry, _ time.Time) (list []finding) {
	t := e.snapshot().Services
	if t == nil || !k.Services {
		return nil
	}
	named := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(n string) bool { return strings.EqualFold(n, name) })
	}
	for _, name := range t.Stopped {
		if len(k.Only) > 0 && !named(k.Only, name) || named(k.Except, name) {
			continue
		}
		list = append(list, began(e, finding{Level: pool.LevelAttention, Resource: "Service " + name, Value: "stopped", Threshold: "start type Automatic"}))
	}
	return list
}

func (k Criteria) findLoad(e Entry, _ time.Time) (list []finding) {
	pass := func(resource, value, threshold string) {
		list = append(list, began(e, finding{Level: pool.LevelAttention, Resource: resource, Value: value, Threshold: threshold}))
	}
	if v := e.CPU(); v != nil && k.CPU > 0 && *v >= k.CPU {
		pass("CPU", percentText(*v), percentText(k.CPU))
	}
	if c := e.snapshot().Counters; c != nil && c.Available != nil {
		used := e.Memory()
		switch left := float64(*c.Available) / (1 << 20); {
		case k.MemoryLeft > 0 && left < k.MemoryLeft:
			pass("Memory", signedless(left)+" MiB free", signedless(k.MemoryLeft)+" MiB free")
		case used != nil && k.MemoryFree > 0 && 100-*used < k.MemoryFree:
			pass("Memory", percentText(100-*used)+" free", percentText(k.MemoryFree)+" free")
		}
	}
	for _, d := range e.snapshot().Disks {
		if used := usedPart(d.Size, d.Free); used != nil && k.DiskFree > 0 && 100-*used < k.DiskFree {
			pass("Disk "+d.Name, percentText(100-*used)+" free", percentText(k.DiskFree)+" free")
		}
	}
	return list
}

func (Criteria) findFailures(e Entry, _ time.Time) (list []finding) {
	for _, f := range e.snapshot().Failures {
		list = append(list, finding{Level: pool.LevelAttention, Resource: f.Tile, Value: f.Reason})
	}
	return list
}

// began adds since when something is so, where the pool has the same alert.
func began(e Entry, f finding) finding {
	for _, a := range e.snapshot().Alerts {
		if a.Resource == f.Resource {
			f.First, f.Count = a.First, a.Count
		}
	}
	return f
}
