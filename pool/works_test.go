package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool/internal/bus"
	"github.com/casementhq/casement/settings"
)

// serveTest takes the pool's tasks until the test ends.
func serveTest(t testing.TB, p *Pool, o ServeOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// newHostPool is a pool with entries that all lead to one simulated host, and one
// to a port where nobody listens.
func newHostPool(t testing.TB, entries ...string) (*Pool, *casementtest.Server) {
	t.Helper()
	s := casementtest.New(t, casementtest.Options{})
	p := openTest(t, testFolder(t))
	ctx := t.Context()
	if err := p.SetCredential(ctx, Credential{Name: "all", User: s.User, For: []string{ForAll}}, []byte(s.Password)); err != nil {
		t.Fatal(err)
	}
	for _, name := range entries {
		e := Server{Name: name, Address: "127.0.0.1", Endpoint: s.HTTP, ResolverPort: portOf(t, s.DCOM)}
		if name == "dead" {
			e.Endpoint = "http://127.0.0.1:9/wsman"
		}
		if err := p.Add(ctx, []Server{e}); err != nil {
			t.Fatal(err)
		}
	}
	return p, s
}

func startTest(t testing.TB, p *Pool, kind Kind, parameters any, targets ...string) Work {
	t.Helper()
	a, err := NewAction(kind, parameters)
	if err != nil {
		t.Fatal(err)
	}
	w, err := p.Start(t.Context(), a, targets, "anna")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// ended waits until a work has ended.
func endedWork(t testing.TB, p *Pool, id string) (Work, []Result) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w, results, err := p.Wait(ctx, id, nil)
	if err != nil {
		t.Fatalf("%v: %+v", err, results)
	}
	return w, results
}

func TestWorkOnARealHost(t *testing.T) {
	p, _ := newHostPool(t, "one", "two", "dead")
	serveTest(t, p, ServeOptions{})
	ctx := t.Context()

	w := startTest(t, p, KindRun, RunParameters{Command: "echo hello && echo err >&2 && exit 3"}, "ONE", "one")
	w, results := endedWork(t, p, w.ID)
	if len(results) != 1 || results[0].State != Failed || results[0].Code != "3" || w.Tally.State() != Failed || w.By != "anna" {
		t.Errorf("%+v %+v", w, results)
	}
	out, err := p.Output(ctx, w.ID, "one")
	if lines := strings.Fields(out); err != nil || !slices.Contains(lines, "hello") || !slices.Contains(lines, "err") {
		t.Errorf("%q, %v", out, err)
	}

	w = startTest(t, p, KindQuery, QueryParameters{WQL: "SELECT Name, NumberOfProcessors FROM Win32_ComputerSystem"}, "one", "two", "dead")
	w, results = endedWork(t, p, w.ID)
	if w.Tally.Done != 2 || w.Tally.Failed != 1 || w.Tally.State() != PartlyFailed || results[2].Server != "dead" || results[2].Words == "" {
		t.Errorf("%+v %+v", w.Tally, results)
	}
	var row map[string]any
	if out, err := p.Output(ctx, w.ID, "two"); err != nil || json.Unmarshal([]byte(out), &row) != nil || !strings.EqualFold(fmt.Sprint(row["Name"]), output(t, "uname", "-n")) {
		t.Errorf("%v, %v", row, err)
	}

	w = startTest(t, p, KindInvoke, InvokeParameters{Path: "Win32_Process", Method: "Create", Arguments: map[string]string{"CommandLine": ""}}, "one")
	if _, results = endedWork(t, p, w.ID); results[0].State != Failed || results[0].Code == "" {
		t.Errorf("%+v", results)
	}
	// A method of each instance that a query finds: the rules of a group of the firewall.
	enabled := func(want string) {
		t.Helper()
		w := startTest(t, p, KindQuery, QueryParameters{Namespace: `root\standardcimv2`, WQL: "SELECT Enabled FROM MSFT_NetFirewallRule WHERE DisplayGroup = 'Windows Management Instrumentation (WMI)'"}, "one")
		_, results := endedWork(t, p, w.ID)
		out, err := p.Output(ctx, w.ID, "one")
		if err != nil || strings.Count(out, want) != 4 || strings.Count(out, "\n") != 4 {
			t.Errorf("the rules are %s, want %s; %+v, %v", out, want, results, err)
		}
	}
	enabled(`"Enabled":"2"`)
	for _, method := range []string{"Enable", "Disable"} {
		w = startTest(t, p, KindInvoke, InvokeParameters{Namespace: `root\standardcimv2`, Query: "SELECT * FROM MSFT_NetFirewallRule WHERE DisplayGroup = 'Windows Management Instrumentation (WMI)'", Method: method}, "one")
		if _, results = endedWork(t, p, w.ID); results[0].State != Done || results[0].Words != "4 of 4" {
			t.Errorf("%s: %+v", method, results)
		}
		enabled(map[string]string{"Enable": `"Enabled":"1"`, "Disable": `"Enabled":"2"`}[method])
	}
	w = startTest(t, p, KindService, ServiceParameters{Service: "no such service", Do: "start"}, "one")
	if _, results = endedWork(t, p, w.ID); results[0].State != Failed || results[0].Code != "0x80338000" {
		t.Errorf("%+v", results)
	}
	w = startTest(t, p, KindRefresh, RefreshParameters{}, "one", "dead")
	w, results = endedWork(t, p, w.ID)
	if results[0].State != Done || results[1].State != Failed || w.Tally.Ended.IsZero() {
		t.Errorf("%+v", results)
	}
	for name, want := range map[string]State{"one": Online, "dead": NotComputerAccessible} {
		if e, err := p.Get(name); err != nil || e.Snapshot == nil || e.Snapshot.State != want {
			t.Errorf("%s: %+v, %v", name, e.Snapshot, err)
		}
	}
	list, err := p.Works(ctx)
	if err != nil || len(list) != 10 || list[0].ID != w.ID {
		t.Errorf("%d works, the first %s, want %s: %v", len(list), list[0].ID, w.ID, err)
	}
}

func TestActionsAreChecked(t *testing.T) {
	p := openTest(t, testFolder(t))
	if err := p.Add(t.Context(), []Server{{Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	for kind, list := range map[Kind][]string{
		KindRun: {`{}`, `{"command":" "}`, `{"command":"x","timeout":4000}`, `{"command":"x","other":1}`, `[]`}, KindQuery: {`{}`, `{"wql":"x","limit":-1}`},
		KindService:          {`{"service":"a","do":"explode"}`, `{"do":"stop"}`},
		KindInvoke:           {`{"path":"\\\\far\\root\\cimv2:A","method":"B"}`, `{"path":"A="}`, `{"path":"A"}`},
		KindCopy:             {`{"to":"x","name":"../y"}`, `{"to":"x"}`},
		KindRemoteManagement: {`{"on":"yes"}`}, KindRefresh: {`{"x":1}`}, KindDoctor: {`{"x":1}`}, "no-such": {`{}`},
	} {
		for _, parameters := range list {
			if _, err := p.Start(t.Context(), Action{kind, json.RawMessage(parameters)}, []string{"a"}, ""); !errors.Is(err, cim.ErrInvalidParameter) {
				t.Errorf("%s %s: %v", kind, parameters, err)
			}
		}
	}
	if _, err := p.Start(t.Context(), Action{Kind: KindRefresh}, []string{"b"}, ""); !errors.Is(err, cim.ErrNotFound) {
		t.Error(err)
	}
	if _, err := p.Start(t.Context(), Action{Kind: KindRefresh}, nil, ""); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Error(err)
	}
	if _, _, err := p.Work(t.Context(), "../../x"); !errors.Is(err, cim.ErrNotFound) {
		t.Error(err)
	}
}

// fakeAct makes an action of its own for a test.
func fakeAct(t testing.TB, kind Kind, a act) {
	t.Helper()
	was := acts[kind]
	acts[kind] = a
	t.Cleanup(func() { acts[kind] = was })
	if a.check == nil {
		a.check = was.check
		acts[kind] = a
	}
}

// What waits is dropped, what runs is told, and both have one result.
func TestCancel(t *testing.T) {
	p, _ := newHostPool(t, "one", "two")
	ctx := t.Context()
	w := startTest(t, p, KindRun, RunParameters{Command: "sleep 60"}, "one", "two")
	if err := p.Cancel(ctx, w.ID); err != nil {
		t.Fatal(err)
	}
	serveTest(t, p, ServeOptions{})
	if w, results := endedWork(t, p, w.ID); w.Tally.Cancelled != 2 || w.Tally.State() != Cancelled {
		t.Errorf("%+v", results)
	}
	w = startTest(t, p, KindRun, RunParameters{Command: "sleep 60"}, "one", "two")
	_, _, err := p.Wait(ctx, w.ID, func(w Work, _ []Result) bool { return w.Tally.Running == 2 })
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // the command is sent by then, or it is cancelled before: both are right
	began := time.Now()
	if err := errors.Join(p.Cancel(ctx, w.ID), p.Cancel(ctx, w.ID)); err != nil {
		t.Fatal(err)
	}
	w, results := endedWork(t, p, w.ID)
	if w.Tally.Cancelled+w.Tally.Unknown != 2 || time.Since(began) > 20*time.Second {
		t.Errorf("after %v: %+v", time.Since(began), results)
	}
}

// A task whose worker was lost is not run again, unless it may be.
func TestLostWorker(t *testing.T) {
	p, _ := newHostPool(t, "one")
	ctx := t.Context()
	var mu sync.Mutex
	runs := map[Kind]int{}
	for _, kind := range []Kind{KindRun, KindQuery} {
		fakeAct(t, kind, act{repeats: kind == KindQuery, limit: time.Minute, check: func(json.RawMessage) error { return nil }, do: func(context.Context, *job) (Result, error) {
			mu.Lock()
			defer mu.Unlock()
			runs[kind]++
			return Result{State: Done}, nil
		}})
	}
	var topics []string
	for _, kind := range []Kind{KindRun, KindQuery} {
		w, err := p.Start(ctx, Action{Kind: kind}, []string{"one"}, "")
		if err != nil {
			t.Fatal(err)
		}
		topics = append(topics, w.ID+".one")
		value, err := json.Marshal(attempt{Worker: "lost/1", Mark: "x", Began: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.attempts.Create(ctx, topics[len(topics)-1], value); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorker(p)
	for _, topic := range topics {
		if got := w.takeTask(ctx, bus.Task{Topic: topic, Times: 2}); got != bus.Again {
			t.Errorf("right after its beginning: %v", got)
		}
	}
	w.settled = 0
	for _, topic := range topics {
		if got := w.takeTask(ctx, bus.Task{Topic: topic, Times: 2}); got != bus.Done {
			t.Errorf("later: %v", got)
		}
		if got := w.takeTask(ctx, bus.Task{Topic: topic, Times: 3}); got != bus.Done {
			t.Errorf("once more: %v", got)
		}
	}
	if runs[KindRun] != 0 || runs[KindQuery] != 1 {
		t.Errorf("%v", runs)
	}
	for n, want := range []WorkState{OutcomeUnknown, Done} {
		id, _, _ := strings.Cut(topics[n], ".")
		if _, results, err := p.Work(ctx, id); err != nil || results[0].State != want || n == 0 && results[0].Worker != "lost/1" {
			t.Errorf("%+v, %v", results, err)
		}
	}
}

// An action that panics over what a server said is a failure of that server alone.
func TestActionBreaks(t *testing.T) {
	p, _ := newHostPool(t, "one")
	fakeAct(t, KindQuery, act{repeats: true, limit: time.Minute, check: func(json.RawMessage) error { return nil }, do: func(context.Context, *job) (Result, error) { panic("hostile") }})
	serveTest(t, p, ServeOptions{})
	w, err := p.Start(t.Context(), Action{Kind: KindQuery}, []string{"one"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, results := endedWork(t, p, w.ID); results[0].State != Failed || strings.Contains(results[0].Words, "hostile") {
		t.Errorf("%+v", results)
	}
}

func TestOutputIsBounded(t *testing.T) {
	var b bounded
	for range 300 {
		if n, err := b.Write(make([]byte, 1024)); n != 1024 || err != nil {
			t.Fatal(n, err)
		}
	}
	if s, cut := b.text(); len(s) != MaxOutput || !cut {
		t.Errorf("%d octets, cut %v", len(s), cut)
	}
	p := openTest(t, testFolder(t))
	r := Result{Work: "20260101-000000-aa", Server: "a", State: Done, Output: strings.Repeat("\x01", MaxOutput+1), Words: strings.Repeat("w", 5000)}
	if err := p.finish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Output = "later"
	if err := p.finish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if out, err := p.Output(t.Context(), r.Work, "A"); err != nil || len(out) != MaxOutput {
		t.Errorf("%d octets, %v", len(out), err)
	}
}

// A work of which a killed process wrote no task is done all the same.
func TestMend(t *testing.T) {
	p, _ := newHostPool(t, "one")
	ctx := t.Context()
	w := Work{ID: newID(), Action: Action{Kind: KindRun, Parameters: json.RawMessage(`{"command":"exit 0"}`)}, Targets: []string{"one"}, Created: time.Now().Add(-time.Minute)}
	value, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.works.Create(ctx, w.ID, value); err != nil {
		t.Fatal(err)
	}
	serveTest(t, p, ServeOptions{})
	if w, results := endedWork(t, p, w.ID); w.Tally.Done != 1 {
		t.Errorf("%+v", results)
	}
}

// A server that was just added is asked at once; one that refuses the password
// turns green by itself when the credential is put right.
func TestServeFromRedToGreen(t *testing.T) {
	p, host := newHostPool(t)
	ctx := t.Context()
	if err := p.SetCredential(ctx, Credential{Name: "all", User: host.User, For: []string{ForAll}}, []byte("wrong")); err != nil {
		t.Fatal(err)
	}
	serveTest(t, p, ServeOptions{Schedule: true})
	if err := p.Add(ctx, []Server{{Name: "one", Address: "127.0.0.1", Endpoint: host.HTTP}}); err != nil {
		t.Fatal(err)
	}
	becomes := func(want State) {
		t.Helper()
		limit, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		began := time.Now()
		var last Entry
		err := p.fleet.await(limit, func() bool {
			last, _ = p.fleet.get("one")
			return last.Snapshot != nil && last.Snapshot.State == want
		})
		if err != nil {
			t.Fatalf("it never is %s: %+v", want, last.Snapshot)
		}
		t.Logf("%s after %v", want, time.Since(began))
	}
	becomes(CredentialsNotValid)
	if err := p.SetCredential(ctx, Credential{Name: "all", User: host.User, For: []string{ForAll}}, []byte(host.Password)); err != nil {
		t.Fatal(err)
	}
	becomes(Online)
	if err := p.Update(ctx, "one", func(s *Server) error { s.Paused = true; return nil }); err != nil {
		t.Fatal(err)
	}
	becomes(Paused)
	if err := p.Update(ctx, "one", func(s *Server) error { s.Paused = false; return nil }); err != nil {
		t.Fatal(err)
	}
	becomes(Online)
	c, err := p.Connect(ctx, "ONE")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing is lost
	if _, err := c.Identify(ctx, false); err != nil {
		t.Error(err)
	}
}

// An older answer never replaces a newer one, and what is removed stays so.
func TestOlderAnswerIsDropped(t *testing.T) {
	p := openTest(t, testFolder(t))
	ctx := t.Context()
	if err := p.Add(ctx, []Server{{Name: "one"}}); err != nil {
		t.Fatal(err)
	}
	w := newWorker(p)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	keep := func(at time.Time, state State, revision uint64) {
		t.Helper()
		s := Snapshot{Server: "one", Tried: at, State: state}
		value, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.keep(ctx, "one", s, value, revision); err != nil {
			t.Error(err)
		}
	}
	state := func() State {
		t.Helper()
		e, err := p.state.Get(ctx, "one")
		var s Snapshot
		if err == nil {
			err = json.Unmarshal(e.Value, &s)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s.State
	}
	keep(now, Online, 0)
	keep(now.Add(-time.Second), Offline, 0)
	if got := state(); got != Online {
		t.Errorf("the older answer won: %s", got)
	}
	keep(now.Add(time.Second), AccessDenied, 0)
	if got := state(); got != AccessDenied {
		t.Errorf("the newer answer lost: %s", got)
	}
	if err := p.fleet.await(ctx, func() bool { e, _ := p.fleet.get("one"); return e.Snapshot != nil }); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	keep(now.Add(2*time.Second), Online, 0)
	if _, err := p.state.Get(ctx, "one"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a removed server has a state again: %v", err)
	}
}

// A file goes to a server, and the doctor's report comes from it.
func TestCopyAndDoctor(t *testing.T) {
	p, _ := newHostPool(t, "one")
	serveTest(t, p, ServeOptions{})
	dir, err := os.MkdirTemp("", "copied") // whose parents others may pass, unlike T.TempDir's
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // it may come as another user
		t.Fatal(err)
	}
	data := []byte("a line\x00and more")
	w := startTest(t, p, KindCopy, CopyParameters{To: dir + "/got", Name: "sent", Data: data}, "one")
	if _, results := endedWork(t, p, w.ID); results[0].State != Done {
		t.Fatalf("%+v", results)
	}
	if got, err := os.ReadFile(dir + "/got"); err != nil || string(got) != string(data) {
		t.Errorf("%q, %v", got, err)
	}
	w = startTest(t, p, KindDoctor, DoctorParameters{Transports: []string{"winrm"}}, "one")
	_, results := endedWork(t, p, w.ID)
	out, err := p.Output(t.Context(), w.ID, "one")
	var report struct{ Schema, Verdict string }
	if err != nil || json.Unmarshal([]byte(out), &report) != nil || report.Schema != "casement.doctor/1" || report.Verdict == "" || !strings.HasPrefix(results[0].Words, report.Verdict) {
		t.Errorf("%+v %.300s %v", results, out, err)
	}
}

func BenchmarkAddServers(b *testing.B) {
	list := make([]Server, 1000)
	for n := range list {
		list[n] = Server{Name: fmt.Sprintf("srv%04d.example.com", n), Tags: []string{"tokyo"}}
	}
	for b.Loop() {
		p := openTest(b, testFolder(b))
		if err := p.Add(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	}
}

// A server whose remote management is switched off and on again is blocked and online
// again, over the connection that is kept: checklist 3.12, 3.13.
func TestSwitchedOffAndOn(t *testing.T) {
	p, host := newHostPool(t, "one")
	serveTest(t, p, ServeOptions{})
	for n, k := range []struct {
		on   bool
		want State
	}{{true, Online}, {false, ManagementDisabled}, {true, Online}, {false, ManagementDisabled}, {true, Online}} {
		host.Apply(settings.SetAllowRemoteAccess(k.on))
		w := startTest(t, p, KindRefresh, RefreshParameters{}, "one")
		_, results := endedWork(t, p, w.ID)
		if e, err := p.Get("one"); err != nil || e.Snapshot == nil || e.Snapshot.State != k.want {
			t.Errorf("%d: %+v, %v; %+v", n, e.Snapshot, err, results)
		}
	}
}
