package pool

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// told keeps what an Observer is told.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (o *told) Refreshed(full bool, level Level, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if full && took > 0 {
		o.lines = append(o.lines, "refreshed "+string(level))
	}
}

func (o *told) Finished(state WorkState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, "finished "+string(state))
}

// What a process does for the pool is told once, and the pool can be counted.
func TestObserver(t *testing.T) {
	p, _ := newHostPool(t, "one", "two")
	o := &told{}
	p.o.Observer = o
	if err := p.Add(t.Context(), []Server{{Name: "off", Paused: true}}); err != nil {
		t.Fatal(err)
	}
	serveTest(t, p, ServeOptions{})
	_, results := endedWork(t, p, startTest(t, p, KindRefresh, RefreshParameters{}, "one").ID)
	again := results[0]
	if err := p.finish(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	one, err := p.Get("one")
	if err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	got := slices.Clone(o.lines)
	o.mu.Unlock()
	if want := []string{"refreshed " + string(one.Snapshot.Level), "finished " + string(again.State)}; !slices.Equal(got, want) {
		t.Errorf("told %s, want %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
	c, err := p.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Servers[one.Snapshot.State][one.Snapshot.Level] != 1 || c.Servers[NotYetChecked][LevelNone] != 1 || c.Servers[Paused][LevelNone] != 1 || len(c.Servers) != 3 {
		t.Errorf("%v", c.Servers)
	}
	if c.Asked != 1 || c.OldestAsked != c.MeanAsked || c.OldestAsked > time.Minute || c.Stale != 0 || c.Refreshes != 0 {
		t.Errorf("%+v", c)
	}
}
