package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/pool"
)

// busy is a pool with something for each row of a card: srv01 is blocked, srv02 has
// errors of a disk, srv03 one of a service manager, srv04 a service that stands, srv05 a
// full volume and a busy processor, srv06 data that is missing, srv07 nothing, and srv08
// is paused with all of it.
func busy(t *testing.T) *desk {
	t.Helper()
	now := time.Now()
	load := 91.0
	e := map[string]Entry{"srv01": with(entry("srv01", "a"), pool.AccessDenied, "no right")}
	for n := 2; n <= 8; n++ {
		name := fmt.Sprintf("srv%02d", n)
		e[name] = with(entry(name, "a"), pool.Online, "")
		e[name].Snapshot.Full = now
	}
	kind := func(source string, id uint64, age time.Duration, failed bool) pool.EventKind {
		return pool.EventKind{Log: "System", Error: failed, Source: source, ID: id, Count: 3, Newest: now.Add(-age)}
	}
	e["srv02"].Snapshot.Events = &pool.EventTile{Errors: 3, Kinds: []pool.EventKind{kind("disk", 7, 10*time.Hour, true)}}
	e["srv03"].Snapshot.Events = &pool.EventTile{Errors: 3, Warnings: 3, Kinds: []pool.EventKind{kind("Service Control Manager", 7031, time.Hour, true), kind("W32Time", 36, time.Hour, false)}}
	e["srv04"].Snapshot.Services = &pool.ServiceTile{Total: 2, Stopped: []string{"Spooler"}}
	e["srv05"].Snapshot.Counters = &pool.CounterTile{CPU: &load}
	e["srv05"].Snapshot.Disks = []pool.Disk{{Name: "C:", Size: 1000, Free: 40}, {Name: "D:", Size: 1000, Free: 400}}
	e["srv06"].Snapshot.State, e["srv06"].Snapshot.Level = pool.DataRetrievalFailures, pool.LevelAttention
	e["srv06"].Snapshot.Failures = []pool.TileFailure{{Tile: "Events", Reason: "no right"}}
	e["srv07"].Snapshot.Events = &pool.EventTile{Warnings: 3, Kinds: []pool.EventKind{kind("W32Time", 36, time.Hour, false)}}
	paused := e["srv08"]
	paused.Paused, paused.Snapshot = true, e["srv05"].Snapshot
	e["srv08"] = paused
	list := []Entry{}
	for _, name := range keys(e) {
		list = append(list, e[name])
	}
	d := newDesk(t, list...)
	return d.ready()
}

var cardCount = regexp.MustCompile(`data-f="([a-z0-9.-]+)">([0-9]*|off)<`)

// counts are what the cards show, by ID.
func (d *desk) counts(b *http.Client) map[string]string {
	d.t.Helper()
	_, body := d.get(b, "/")
	found := map[string]string{}
	for _, m := range cardCount.FindAllStringSubmatch(body, -1) {
		found[m[1]] = m[2]
	}
	return found
}

// servers are those in a table, as its export has them.
func (d *desk) servers(b *http.Client, base string) (names []string) {
	d.t.Helper()
	_, body := d.get(b, "/servers/export?format=json&base="+url.QueryEscape(base))
	var list struct{ Servers []struct{ Name string } }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		d.t.Fatalf("%s: %v: %s", base, err, body)
	}
	for _, s := range list.Servers {
		names = append(names, s.Name)
	}
	return names
}

// What counts on a card is what its criteria say, and behind each row are just those.
func TestCriteriaDecideTheCards(t *testing.T) {
	d := busy(t)
	b := d.as("oper")
	see := func(what, card string, rows map[string][]string) {
		t.Helper()
		counts := d.counts(b)
		for row, want := range rows {
			id := strings.NewReplacer(":", "-").Replace(card) + "." + row
			count := ""
			if len(want) > 0 {
				count = fmt.Sprint(len(want))
			}
			if counts[id] != count {
				t.Errorf("%s: %s shows %q, want %q", what, id, counts[id], count)
			}
			if got := d.servers(b, "/alerts/"+card+"/"+row+"/servers"); !slices.Equal(got, want) {
				t.Errorf("%s: behind %s are %v, want %v", what, id, got, want)
			}
			a, body := d.get(b, "/alerts/"+card+"/"+row)
			if a.StatusCode != http.StatusOK {
				t.Errorf("%s: %s: %s", what, id, a.Status)
			}
			for _, name := range want {
				if !strings.Contains(body, `data-name="`+name+`"`) {
					t.Errorf("%s: the list of %s has no %s", what, id, name)
				}
			}
		}
	}
	first := map[string][]string{"manageability": {"srv01", "srv06"}, "events": {"srv02", "srv03"}, "services": {"srv04"}, "performance": {"srv05"}, "checks": {"srv06"}}
	see("at first", "all", first)
	see("at first", "group:a", first)

	form := url.Values{"states": {"blocked"}, "levels": {"error", "warning"}, "logs": {"System"}, "ids": {"1-99,-7"}, "hours": {"4"}, "services": {"1"}, "except": {"spooler"}, "cpu": {"95"}, "disk_free": {"50"}, "memory_free": {"0"}, "memory_left": {"0"}, "do": {"save"}}
	if a, body := d.post(b, "/alerts/all", form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s: %s", a.Status, body)
	}
	changed := map[string][]string{"manageability": {"srv01"}, "events": {"srv03", "srv07"}, "services": nil, "performance": {"srv05"}, "checks": nil}
	see("changed", "all", map[string][]string{"manageability": {"srv01"}, "events": {"srv03", "srv07"}, "services": nil, "performance": {"srv05"}})
	if got := d.counts(b)["all.checks"]; got != "off" {
		t.Errorf("what is switched off shows %q", got)
	}
	delete(changed, "checks")
	see("as on All servers", "group:a", changed)

	// A group may have its own, which outlive the console's process.
	form["ids"], form["levels"], form["logs"], form["hours"] = []string{"7"}, []string{"critical"}, nil, []string{"24"}
	d.post(b, "/alerts/group:a", form)
	see("of its own", "group:a", map[string][]string{"events": {"srv02"}})
	see("of its own", "all", map[string][]string{"events": {"srv03", "srv07"}})
	var again criteriaCache
	if err := again.load(t.Context(), d.c.store); err != nil || len(again.rows) != 2 || again.rows["group:a"].IDs != "7" || again.rows["all"].CPU != 95 {
		t.Errorf("kept: %+v, %v", again.rows, err)
	}
	d.post(b, "/alerts/group:a", url.Values{"do": {"default"}})
	see("taken back", "group:a", map[string][]string{"events": {"srv03", "srv07"}})

	// What is wrong changes nothing, and who may only look changes nothing.
	for _, wrong := range []url.Values{{"hours": {"25"}}, {"hours": {"1"}, "ids": {"x"}}, {"hours": {"1"}, "cpu": {"101"}}, {"hours": {"1"}, "cpu": {"NaN"}}, {"hours": {"1"}, "levels": {"fatal"}}} {
		if a, _ := d.post(b, "/alerts/all", wrong); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%v: %s", wrong, a.Status)
		}
	}
	if a, _ := d.post(d.as("read"), "/alerts/all", form); a.StatusCode != http.StatusForbidden {
		t.Errorf("a reader: %s", a.Status)
	}
	if a, _ := d.get(b, "/alerts/group:nothing"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a card that is not there: %s", a.Status)
	}
	see("after all that", "all", map[string][]string{"events": {"srv03", "srv07"}})
}

// The tasks of a card: all of its servers are refreshed, and what counts is exported.
func TestTasksOfACard(t *testing.T) {
	d := busy(t)
	b := d.as("oper")
	if a, _ := d.post(b, "/alerts/group:a/refresh", nil); a.StatusCode != http.StatusSeeOther || len(d.pool.works) != 1 || len(d.pool.works[0].Targets) != 8 || d.pool.works[0].Action.Kind != pool.KindRefresh {
		t.Errorf("%s: %+v", a.Status, d.pool.works)
	}
	_, body := d.get(b, "/alerts/all/export")
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if len(lines) != 9 || !strings.HasPrefix(lines[1], "srv01,Manageability,blocked,Online - Access denied,no right,") || !strings.Contains(body, "srv05,Performance,attention,Disk C:,4\u202f% free,10\u202f% free,") {
		t.Errorf("%d lines: %s", len(lines), body)
	}
	if _, body := d.get(b, "/"); !strings.Contains(body, "0 of 8") || !strings.Contains(body, `href="`+workPage("w1")+`">Open<`) {
		t.Error("the dashboard does not show the work")
	}
}

// The changes of a day stand in the hour in which they were, and the table has the same
// as the chart.
func TestChangesPerHour(t *testing.T) {
	now := time.Date(2026, 11, 20, 14, 30, 0, 0, time.UTC)
	e := with(entry("srv01"), pool.Online, "")
	at := func(h, m int) time.Time { return time.Date(2026, 11, 20, h, m, 0, 0, time.UTC) }
	e.Snapshot.Changes = []pool.Change{
		{At: at(14, 0).Add(-24 * time.Hour), From: pool.Online, To: pool.Offline}, // of yesterday's hour
		{At: at(15, 0).Add(-24 * time.Hour), From: pool.Offline, To: pool.Online},
		{At: at(13, 59), From: pool.Online, To: pool.AccessDenied},
		{At: at(14, 0), From: pool.AccessDenied, To: pool.Offline},
		{At: at(14, 30), From: pool.Offline, To: pool.Online},
	}
	hours := changesPerHour([]Entry{e, e}, now)
	if len(hours) != 24 || !hours[0].Start.Equal(at(15, 0).Add(-24*time.Hour)) || !hours[23].Start.Equal(at(14, 0)) {
		t.Fatalf("%+v", hours)
	}
	for n, want := range map[int][3]int{0: {2, 0, 2}, 1: {}, 22: {2, 2, 0}, 23: {4, 0, 2}} {
		if got := [3]int{hours[n].Changes, hours[n].Worse, hours[n].Better}; got != want {
			t.Errorf("hour %d: %v, want %v", n, got, want)
		}
	}
	p := dashboardPage{Hours: hours}
	if got := p.ChangesText(); got != "8 changes; the most, 4, from 14:00 UTC on." {
		t.Error(got)
	}
	if svg := string(p.Bars()); strings.Count(svg, "<rect") != 24 || !strings.Contains(svg, `x="231" width="8" y="4.0" height="56.0"`) || !strings.Contains(svg, `x="221" width="8" y="32.0" height="28.0"`) {
		t.Errorf("%s", svg)
	}
}

// The counters of a week are there after a restart, in a fixed number of octets.
func TestHistoryOutlivesTheConsole(t *testing.T) {
	now := time.Now().Truncate(coarseStep)
	load, free := 42.5, uint64(25)
	e := with(entry("srv01"), pool.Online, "")
	e.Snapshot.Facts = &pool.Facts{Memory: 100}
	var h history
	for n := range 3 * coarseSlots {
		load = float64(n % 101)
		e.Snapshot.Full, e.Snapshot.Counters = now.Add(-time.Duration(3*coarseSlots-1-n)*coarseStep), &pool.CounterTile{CPU: &load, Available: &free}
		h.note(e)
	}
	half := 12.5
	h.sample("SRV01", now, [counters]*float64{counterCPU: &half})
	cpu, memory := h.of("srv01")
	if len(cpu) != coarseSlots || len(memory) != coarseSlots || cpu[coarseSlots-1].Value != float64((3*coarseSlots-1)%101) || !cpu[0].At.Equal(now.Add(-(coarseSlots-1)*coarseStep)) || memory[0].Value != 75 {
		t.Fatalf("%d and %d points, %+v, %+v", len(cpu), len(memory), cpu[0], cpu[len(cpu)-1])
	}
	b := h.rows["srv01"].encode()
	if want := 1 + 8 + counters*coarseSlots + 8 + counters*fineSlots; len(b) != want || want > 3500 {
		t.Errorf("a server takes %d octets, want %d", len(b), want)
	}
	again, err := decodeMemory(b)
	if err != nil || !slices.Equal(again.encode(), b) {
		t.Errorf("read again: %v", err)
	}

	// Through the store of a console: what it has when it ends is there when it begins.
	dir, p := t.TempDir(), newMemoryPool(e)
	c, err := New(Options{Pool: p, Dir: dir, SignIn: func(context.Context, string, string) (Account, error) { return Account{}, ErrWrongPassword },
		Current: func(context.Context, string) (Account, error) { return Account{}, ErrWrongPassword }})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the pool", func() bool { _, whole := c.fleet.all(); return whole })
	c.history.sample("srv01", time.Now(), [counters]*float64{counterCPU: &half})
	c.history.sample("gone", time.Now(), [counters]*float64{counterCPU: &half})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = newConsole(t, p, dir)
	if got := c.history.points("srv01", counterCPU, time.Now().Add(-time.Hour)); len(got) == 0 || got[len(got)-1].Value != half {
		t.Errorf("after a restart: %+v", got)
	}
	waitFor(t, "the pool", func() bool { _, whole := c.fleet.all(); return whole })
	waitFor(t, "what went", func() bool { return len(c.history.points("gone", counterCPU, time.Time{})) == 0 })
}

func FuzzHistory(f *testing.F) {
	m := &memory{coarse: newRing(coarseStep, coarseSlots), fine: newRing(fineStep, fineSlots)}
	f.Add(m.encode())
	m.fine = nil
	f.Add(m.encode())
	f.Add([]byte{1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMemory(b)
		if err != nil {
			return
		}
		if !slices.Equal(m.encode(), b) {
			t.Error("it is written otherwise than it was read")
		}
		m.coarse.points(counterCPU, time.Now().Add(-time.Hour))
		m.coarse.note(time.Now(), [counters]*float64{})
	})
}

// The filter of events: keys in the box and choices beside it are one, and what a URL
// says comes back as the same URL.
func TestEventFilter(t *testing.T) {
	v := url.Values{"level": {"Warning"}, "log": {"System"}, "id": {"1,3,5-99"}, "last": {"72"}}
	v.Set("q", `"bad block" -raid level:error source:"Service Control Manager" id:-76 log:Setup`)
	q, err := parseEventQuery(v)
	if err != nil {
		t.Fatal(err)
	}
	f := q.filter()
	if !slices.Equal(f.Levels, []string{"Warning", "Error"}) || !slices.Equal(f.Logs, []string{"System", "Setup"}) || !slices.Equal(f.Sources, []string{"Service Control Manager"}) ||
		f.IDs != "1,3,5-99,-76" || f.Last != 72*time.Hour {
		t.Errorf("%+v", f)
	}
	if got := q.Values(); got.Encode() != v.Encode() {
		t.Errorf("the URL becomes %s, was %s", got.Encode(), v.Encode())
	}
	for text, want := range map[string]bool{"a BAD BLOCK of the disk": true, "a bad block of a raid": false, "a block is bad": false} {
		e := serverEvent{}.Event
		e.Message = text
		if got := f.Keep(e); got != want {
			t.Errorf("%q passes: %t", text, got)
		}
	}
	for _, wrong := range []string{"q=%22open", "id=x", "level=fatal", "last=0", "last=9999", "q=level:", "q=" + strings.Repeat("x", 1001), "q=" + strings.Repeat("x+", 60)} {
		v, _ := url.ParseQuery(wrong)
		if _, err := parseEventQuery(v); err == nil {
			t.Errorf("%.30s is a filter", wrong)
		}
	}
}

func FuzzEventFilter(f *testing.F) {
	f.Add(`"bad block" -raid level:error id:1,3,5-99,-76`, "7", "Error", "disk")
	f.Fuzz(func(t *testing.T, text, id, level, source string) {
		q, err := parseEventQuery(url.Values{"q": {text}, "id": {id}, "level": {level}, "source": {source}})
		if err != nil {
			return
		}
		again, err := parseEventQuery(q.Values())
		if err != nil {
			t.Fatalf("%v of %v", err, q.Values())
		}
		for _, n := range []uint64{0, 7, 76, 4000000000} {
			if q.IDs.Match(n) != again.IDs.Match(n) {
				t.Errorf("%q and %q", q.IDs, again.IDs)
			}
		}
	})
}

// A filter is saved for who saved it, is on each page of events, and is taken away.
func TestSavedEventFilters(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("read")
	query := "in=alerts%3Aall&level=Error&source=disk"
	if a, _ := d.post(b, "/events/filters", url.Values{"name": {"Bad disks"}, "query": {query}}); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.Status)
	}
	for path, want := range map[string]string{"/servers/srv01/events": "/servers/srv01/events?level=Error&amp;source=disk", "/events": "/events?in=alerts%3Aall&amp;level=Error&amp;source=disk"} {
		if _, body := d.get(b, path); !strings.Contains(body, `href="`+want+`">Bad disks<`) {
			t.Errorf("%s has no saved filter", path)
		}
	}
	if _, body := d.get(d.as("oper"), "/events"); strings.Contains(body, "Bad disks") {
		t.Error("it is somebody else's, too")
	}
	for _, wrong := range []url.Values{{"name": {""}, "query": {query}}, {"name": {"x"}, "query": {"level=fatal"}}, {"name": {strings.Repeat("x", 61)}, "query": {query}}} {
		if a, _ := d.post(b, "/events/filters", wrong); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%v: %s", wrong, a.Status)
		}
	}
	d.post(b, "/events/filters/remove", url.Values{"name": {"Bad disks"}})
	if _, body := d.get(b, "/events"); strings.Contains(body, ">Bad disks<") {
		t.Error("it is still there")
	}
}

// Events of many, their export, and what cannot be exported.
func TestEventsOfMany(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("read")
	for path, want := range map[string]string{
		"/events":                              "No server of All servers, those with alerts has events that count.",
		"/events?in=all":                       "1 server asked",
		"/events?in=group:web&id=1,3,5-99,-76": "1 server asked",
		"/events?on=srv01&last=6":              "1 server asked",
	} {
		if a, body := d.get(b, path); a.StatusCode != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, "did not answer") {
			t.Errorf("%s: %s: no %q", path, a.Status, want)
		}
	}
	for path, want := range map[string]int{"/events?in=group:none": http.StatusNotFound, "/events?on=srv99": http.StatusNotFound, "/events?id=x": http.StatusBadRequest, "/servers/srv01/events/export?format=xml": http.StatusBadRequest} {
		if a, _ := d.get(b, path); a.StatusCode != want {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
	if a, body := d.get(b, "/servers/srv01/events/export?format=csv"); a.StatusCode != http.StatusOK || !strings.HasPrefix(body, "Level,Time,Server,Source,ID,Log,Message,Task,User,Record\n") {
		t.Errorf("%s: %s", a.Status, body)
	}
	var list []map[string]any
	if a, body := d.get(b, "/events/export?in=all&format=json"); a.StatusCode != http.StatusOK || json.Unmarshal([]byte(body), &list) != nil {
		t.Errorf("%s: %s", a.Status, body)
	}
	if a, _ := d.get(b, "/servers/srv01/performance/export"); a.StatusCode != http.StatusOK {
		t.Errorf("performance: %s", a.Status)
	}
}

// follow reads a stream until a message of a topic has what is wanted.
func (d *desk) follow(b *http.Client, topic string, want func(data map[string]any) bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.srv.URL+"/live?t="+url.QueryEscape(topic), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	a, err := b.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer a.Body.Close()
	lines := bufio.NewScanner(a.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		var messages []struct {
			Topic string
			Data  map[string]any
			Error string
		}
		if !ok || json.Unmarshal([]byte(text), &messages) != nil {
			continue
		}
		for _, m := range messages {
			if m.Error != "" {
				d.t.Fatalf("%s: %s", topic, m.Error)
			}
			if m.Topic == topic && want(m.Data) {
				return
			}
		}
	}
	d.t.Fatalf("%s: the stream ended: %v", topic, lines.Err())
}

// While somebody looks, the server is asked over one connection, and what it tells is in
// the history; nothing runs once the console is closed.
func TestLiveSamples(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("read")
	d.follow(b, "perf:srv01", func(m map[string]any) bool {
		rows, _ := m["rows"].([]any)
		return m["at"] != nil && m["memory"] != nil && len(rows) > 0
	})
	cpu, memory := d.c.history.points("srv01", counterCPU, time.Now().Add(-time.Hour)), d.c.history.points("srv01", counterMemory, time.Now().Add(-time.Hour))
	if len(cpu)+len(memory) == 0 {
		t.Error("a sample is not in the history")
	}
	d.follow(b, "events:srv01?", func(m map[string]any) bool { return strings.HasPrefix(fmt.Sprint(m["how"]), "Live: ") })
	if a, body := d.get(b, "/live/poll?t=perf:srv01"); a.StatusCode != http.StatusOK || !strings.Contains(body, "perf.cpu") {
		t.Errorf("without a stream: %s: %s", a.Status, body)
	}
}

// Counters are stopped and started by who may, and the page says so.
func TestCountersAreSwitched(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("oper")
	if a, _ := d.post(d.as("read"), "/servers/srv01/performance", url.Values{"counters": {"stop"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("a reader: %s", a.Status)
	}
	d.post(b, "/servers/srv01/performance", url.Values{"counters": {"stop"}})
	waitFor(t, "the stop", func() bool { e, _ := d.c.fleet.get("srv01"); return e.NoCounters })
	_, body := d.get(b, "/servers/srv01/performance")
	if !strings.Contains(body, "Performance is off for srv01.") || !strings.Contains(body, "Start counters") {
		t.Errorf("the page does not say that they are off")
	}
	if _, body := d.get(b, "/"); !strings.Contains(body, `data-f="group-web.performance">off<`) {
		t.Error("the card does not say that they are off")
	}
	d.post(b, "/servers/srv01/performance", url.Values{"counters": {"start"}})
	waitFor(t, "the start", func() bool { e, _ := d.c.fleet.get("srv01"); return !e.NoCounters })
	for span, chosen := range map[string]string{"": "24 h", "1h": "1 h", "7d": "7 d", "9y": "24 h"} {
		_, body := d.get(b, "/servers/srv01/performance?view=table&span="+span)
		if !strings.Contains(body, `aria-current="page">`+chosen+`<`) || !strings.Contains(body, `aria-current="page">Table<`) {
			t.Errorf("span %q does not show %s", span, chosen)
		}
	}
}

// So many servers are looked at at once, and no more; what ends makes room.
func TestLookedAtIsBounded(t *testing.T) {
	h := newHub()
	defer h.close()
	h.follow("x", source{run: func(ctx context.Context, _ string, tell func(any, error)) {
		tell("here", nil)
		<-ctx.Done()
	}})
	var names []string
	for n := range mostLoops {
		names = append(names, fmt.Sprint("x:", n))
	}
	_, leave := h.subscribe(names)
	ask := func() string {
		_, done := h.subscribe([]string{"x:more"})
		defer done()
		var text string
		waitFor(t, "an answer", func() bool {
			list, _, _ := h.collect(t.Context(), []string{"x:more"}, map[string]uint64{}, map[string]time.Time{}, false)
			for _, m := range list {
				text = string(m)
			}
			return text != ""
		})
		return text
	}
	if got := ask(); !strings.Contains(got, "too many servers") {
		t.Errorf("one more: %s", got)
	}
	leave()
	waitFor(t, "room", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.loops == 0
	})
	if got := ask(); !strings.Contains(got, "here") {
		t.Errorf("after the others left: %s", got)
	}
}

// Who is online and needs somebody says what is wrong.
func TestNeedSaysWhy(t *testing.T) {
	e := Entry{Entry: pool.Entry{Server: pool.Server{Name: "web03"}, Snapshot: &pool.Snapshot{State: pool.Online, Level: pool.LevelAttention, Alerts: []pool.Alert{{Resource: "CPU", Value: "98 %"}}}}}
	if b := needBadge(e); b.Word != "CPU: 98 %" || b.Level != "attention" {
		t.Errorf("%+v", b)
	}
	e.Snapshot.State, e.Snapshot.Level = pool.AccessDenied, pool.LevelBlocked
	if b := needBadge(e); b.Word != "Online - Access denied" {
		t.Errorf("%+v", b)
	}
}
