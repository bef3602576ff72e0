package pool

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool/internal/bus"
)

// Who writes to the store what the pool does not write spoils nothing beside it: the
// lists are there, upkeep goes on, a row is mended by its next refresh, and an action
// that nobody checked is checked by who does it.
func TestStrangersInTheStore(t *testing.T) {
	p, _ := newHostPool(t, "srv01")
	ctx := t.Context()
	serveTest(t, p, ServeOptions{})
	good := startTest(t, p, KindRefresh, RefreshParameters{}, "srv01")
	if _, _, err := p.Wait(ctx, good.ID, nil); err != nil {
		t.Fatal(err)
	}
	put := func(b *bus.Bucket, key, value string) {
		t.Helper()
		if _, err := b.Put(ctx, key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	put(p.works, "20261122-000000-0000000001", "garbage")
	put(p.works, "20261122-000000-0000000002", `{"id":">","targets":["srv01"]}`)
	put(p.results, good.ID+"."+keyOf("srv01"), `{"state":"all fine","words":"`+strings.Repeat("x", 100_000)+`"}`)
	put(p.output, good.ID+"."+keyOf("srv01"), strings.Repeat("\xff", MaxOutput+10))
	put(p.servers, keyOf("other"), `{"name":"srv01","address":"evil.example"}`)
	put(p.servers, keyOf("odd"), `{"name":"odd; rm -rf"}`)
	put(p.state, keyOf("srv01"), `{"state":"\u001b[2J","level":"fine"}`)
	list, err := p.Works(ctx)
	if err != nil || len(list) != 1 || list[0].ID != good.ID {
		t.Errorf("the works: %+v, %v", list, err)
	}
	_, results, err := p.Work(ctx, good.ID)
	if err != nil || len(results) != 1 || results[0].State != Failed || len(results[0].Words) > 2010 {
		t.Errorf("the result: %+v, %v", results, err)
	}
	if text, err := p.Output(ctx, good.ID, "srv01"); err != nil || len(text) > 3*MaxOutput || strings.Contains(text, "\xff") {
		t.Errorf("%d octets of output, %v", len(text), err)
	}
	if err := newWorker(p).mend(ctx); err != nil {
		t.Errorf("upkeep: %v", err)
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		e, err := p.Get("srv01")
		if err != nil {
			t.Fatal(err)
		}
		if e.Snapshot.State == UnknownState && e.Snapshot.Level == LevelBlocked {
			break
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("the state of a stranger is %q, %q", e.Snapshot.State, e.Snapshot.Level)
		}
	}
	if got := p.Servers(); len(got) != 1 || got[0].Address != "127.0.0.1" {
		t.Errorf("the servers: %+v", got)
	}
	put(p.state, keyOf("srv01"), "garbage")
	again := startTest(t, p, KindRefresh, RefreshParameters{}, "srv01")
	if _, results, err := p.Wait(ctx, again.ID, nil); err != nil || results[0].State != Done {
		t.Errorf("a refresh after garbage: %+v, %v", results, err)
	}
	if e, err := p.Get("srv01"); err != nil || e.Snapshot.State.Level() == LevelBlocked {
		t.Errorf("the row after a refresh: %+v, %v", e.Snapshot, err)
	}

	// a file whose name leads out of the folder where workers put it
	out := filepath.Join(t.TempDir(), "planted")
	up := strings.Repeat("../", 30) + strings.TrimPrefix(out, "/")
	raw, err := json.Marshal(CopyParameters{To: `C:\x`, Name: up, Data: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	evil := Work{ID: newID(), Action: Action{Kind: KindCopy, Parameters: raw}, Targets: []string{"srv01"}, Created: time.Now()}
	value, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	put(p.works, evil.ID, string(value))
	if err := p.publish(ctx, evil, evil.Targets); err != nil {
		t.Fatal(err)
	}
	if _, results, err := p.Wait(ctx, evil.ID, nil); err != nil || results[0].State != Failed || !strings.Contains(results[0].Words, "name of a file") {
		t.Errorf("a copy that nobody checked: %+v, %v", results, err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written where a stranger wanted it")
	}
}

// A name that stands in commands is no command itself, also as the zone of an address.
func TestHostNamesAreNames(t *testing.T) {
	for name, want := range map[string]bool{"fe80::1%eth0": true, "fe80::1%$(id)": false, "fe80::1%a b": false, "-x": false, "a;b": false, "web-01.corp.example": true} {
		s := Server{Name: name}
		if err := s.Clean(); (err == nil) != want || err != nil && !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// FuzzStored reads whatever the store may have.
func FuzzStored(f *testing.F) {
	for _, s := range []string{`{"name":"srv01","tags":["a"]}`, `{"server":"srv01","state":"Online","level":"ok","facts":{"os":"x"}}`, `{"id":"20261122-000000-0000000001","targets":["a"],"action":{"kind":"run"}}`,
		`{"state":"done","ended":"2026-11-22T00:00:00Z"}`, "", "null", "[]", `{"name":"fe80::1%$(id)"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		e := bus.Entry{Key: "srv01", Value: value}
		if s, err := readServer(e); err == nil && keyOf(s.Name) != e.Key {
			t.Errorf("%+v was taken", s)
		}
		if s, err := readSnapshot(e); err == nil && s.State != "" {
			if _, known := ParseState(string(s.State)); !known {
				t.Errorf("the state %q was taken", s.State)
			}
		}
		e.Key = "20261122-000000-0000000001"
		if w, err := readWork(e); err == nil {
			_ = w.Action.Check()
			_ = targetOf(w, "srv01")
		}
		if r := readResult(e, "w", "s"); r.State == "" || r.Work != "w" || len(r.Words) > 2010 {
			t.Errorf("%+v", r)
		}
		_ = readOutput(e)
	})
}
