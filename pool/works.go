package pool

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool/internal/bus"
)

// Tally counts how far a work is.
type Tally struct {
	Waiting   int `json:"waiting"`
	Running   int `json:"running"`
	Done      int `json:"done"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	Unknown   int `json:"unknown"`
	// Ended is when the last result came; the zero time while there is more to do.
	Ended time.Time `json:"ended"`
}

// State sums a tally up.
func (t Tally) State() WorkState {
	bad := t.Failed + t.Unknown
	switch {
	case t.Running > 0 || t.Waiting > 0 && t.Done+bad+t.Cancelled > 0:
		return Running
	case t.Waiting > 0:
		return Queued
	case bad > 0 && t.Done > 0:
		return PartlyFailed
	case t.Failed > 0:
		return Failed
	case t.Unknown > 0:
		return OutcomeUnknown
	case t.Cancelled > 0:
		return Cancelled
	}
	return Done
}

// attempt is who took a task. It is written once, before anything is done.
type attempt struct {
	Worker string    `json:"worker"`
	Mark   string    `json:"mark"` // of this attempt alone
	Began  time.Time `json:"began"`
	// Dropped says that it was cancelled before anybody took it.
	Dropped bool `json:"dropped,omitempty"`
}

// newID is a name that begins with the time.
func newID() string {
	var b [5]byte
	rand.Read(b[:]) //nolint:errcheck // it does not fail
	return time.Now().UTC().Format("20060102-150405-") + fmt.Sprintf("%x", b)
}

// Start begins an action on servers by name, in any case; the list is fixed by
// this. When it returns the work is on the disk. cim.ErrInvalidParameter,
// cim.ErrNotFound for a name that is not in the pool.
func (p *Pool) Start(ctx context.Context, a Action, targets []string, by string) (Work, error) {
	if err := a.Check(); err != nil {
		return Work{}, err
	}
	if len(targets) == 0 {
		return Work{}, invalid("it is for no server")
	}
	w := Work{ID: newID(), Action: a, By: by, Created: time.Now().UTC()}
	seen := map[string]bool{}
	for _, name := range targets {
		e, err := p.Get(name)
		if err != nil {
			return Work{}, err
		}
		if key := keyOf(e.Name); !seen[key] {
			seen[key] = true
			w.Targets = append(w.Targets, e.Name)
		}
	}
	w.Tally = Tally{Waiting: len(w.Targets)}
	value, err := json.Marshal(w)
	if err != nil {
		return Work{}, err
	}
	if len(value) > bus.MaxPayload {
		return Work{}, invalid("its parameters and targets are too long together")
	}
	if _, err := p.works.Create(ctx, w.ID, value); err != nil {
		return Work{}, err
	}
	return w, p.publish(ctx, w, w.Targets)
}

// publish writes a task for each target; one that is there already is not doubled.
func (p *Pool) publish(ctx context.Context, w Work, targets []string) error {
	tasks := make([]bus.Task, len(targets))
	for n, name := range targets {
		tasks[n].Topic = w.ID + "." + keyOf(name)
	}
	return p.tasks.PublishAll(ctx, tasks, func(topic string) string { return topic })
}

// Works are the kept ones, the newest first.
func (p *Pool) Works(ctx context.Context) ([]Work, error) {
	entries, err := p.works.List(ctx, "")
	if err != nil {
		return nil, err
	}
	list := make([]Work, 0, len(entries))
	for _, e := range entries {
		w, err := readWork(e)
		if err != nil {
			p.log.Error("a work cannot be read", "error", err)
			continue
		}
		if w.Tally.Ended.IsZero() {
			if w, _, err = p.count(ctx, w, e.Revision); err != nil {
				return nil, err
			}
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b Work) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// Work is one, with what is known for each target in their order: a result, or
// one that says queued or running. Outputs are left out; see Output.
func (p *Pool) Work(ctx context.Context, id string) (Work, []Result, error) {
	w, revision, err := p.work(ctx, id)
	if err != nil {
		return Work{}, nil, err
	}
	return p.count(ctx, w, revision)
}

func (p *Pool) work(ctx context.Context, id string) (w Work, revision uint64, err error) {
	e, err := bus.Entry{}, error(bus.ErrNotFound)
	if isID(id) {
		e, err = p.works.Get(ctx, id)
	}
	if errors.Is(err, bus.ErrNotFound) {
		return w, 0, &cim.Error{Status: cim.ErrNotFound, Operation: "find the work", Path: id, Detail: "no work has this name; works are kept for 30 days"}
	}
	if err == nil {
		w, err = readWork(e)
	}
	return w, e.Revision, err
}

func isID(id string) bool {
	return id != "" && len(id) < 64 && strings.Trim(id, "0123456789abcdef-") == ""
}

// count reads the results of a work, and keeps the tally once all are there.
func (p *Pool) count(ctx context.Context, w Work, revision uint64) (Work, []Result, error) {
	entries, err := p.results.List(ctx, w.ID+".*")
	if err != nil {
		return w, nil, err
	}
	found := make(map[string]bus.Entry, len(entries))
	for _, e := range entries {
		found[e.Key] = e
	}
	begun := map[string]attempt{}
	if len(found) < len(w.Targets) {
		entries, err := p.attempts.List(ctx, w.ID+".*")
		if err != nil {
			return w, nil, err
		}
		for _, e := range entries {
			var a attempt
			if err := json.Unmarshal(e.Value, &a); err == nil {
				begun[e.Key] = a
			}
		}
	}
	results := make([]Result, len(w.Targets))
	var t Tally
	var last time.Time
	for n, name := range w.Targets {
		topic := w.ID + "." + keyOf(name)
		var r Result
		e, ok := found[topic]
		if ok {
			r = readResult(e, w.ID, name)
		}
		if a, taken := begun[topic]; !ok {
			r = Result{Work: w.ID, Server: name, State: Queued}
			if taken {
				r.State, r.Began, r.Worker = Running, a.Began, a.Worker
			}
		}
		results[n] = r
		if r.Ended.After(last) {
			last = r.Ended
		}
		switch r.State {
		case Queued:
			t.Waiting++
		case Running:
			t.Running++
		case Done:
			t.Done++
		case Cancelled:
			t.Cancelled++
		case OutcomeUnknown:
			t.Unknown++
		default:
			t.Failed++
		}
	}
	was := w.Tally
	if w.Tally = t; t.Waiting+t.Running == 0 && was.Ended.IsZero() {
		w.Tally.Ended = last
		if value, err := json.Marshal(w); err == nil {
			// Who was faster wrote the same; one that is not written is counted again.
			_, _ = p.works.Update(ctx, w.ID, value, revision)
		}
	} else if !was.Ended.IsZero() {
		w.Tally = was
	}
	return w, results, nil
}

// Wait returns when a work has ended, or when enough says so; nil waits for the
// end. It returns what is known then, also with the error of ctx.
func (p *Pool) Wait(ctx context.Context, id string, enough func(Work, []Result) bool) (w Work, results []Result, err error) {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := make(chan struct{}, 1)
	changed <- struct{}{}
	failed := make(chan error, 1)
	go func() {
		failed <- p.WatchWork(watching, func(of string) {
			if of == id {
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		})
	}()
	defer func() {
		cancel()
		if ferr := <-failed; err == nil && !errors.Is(ferr, context.Canceled) {
			err = ferr
		}
	}()
	for {
		// What changed before the watch began is seen by looking now and then.
		select {
		case <-changed:
		case <-time.After(time.Second):
		case <-ctx.Done():
			return w, results, context.Cause(ctx)
		}
		if w, results, err = p.Work(ctx, id); err != nil {
			return w, results, err
		}
		if !w.Tally.Ended.IsZero() || enough != nil && enough(w, results) {
			return w, results, nil
		}
	}
}

// Output is what an action printed on a server: cim.ErrNotFound where it printed
// nothing.
func (p *Pool) Output(ctx context.Context, id, server string) (string, error) {
	if !isID(id) {
		return "", &cim.Error{Status: cim.ErrNotFound, Operation: "find the output", Path: id, Detail: "no work has this name"}
	}
	e, err := p.output.Get(ctx, id+"."+keyOf(server))
	if errors.Is(err, bus.ErrNotFound) {
		return "", &cim.Error{Status: cim.ErrNotFound, Operation: "find the output", Path: server, Detail: "there is none"}
	}
	return readOutput(e), err
}

// Cancel drops what waits of a work and tells what runs to stop: cim.ErrNotFound.
// It does nothing to a work that has ended.
func (p *Pool) Cancel(ctx context.Context, id string) error {
	for {
		w, revision, err := p.work(ctx, id)
		if err != nil || !w.Cancelled.IsZero() || !w.Tally.Ended.IsZero() {
			return err
		}
		w.Cancelled = time.Now().UTC()
		value, err := json.Marshal(w)
		if err != nil {
			return err
		}
		if _, err = p.works.Update(ctx, id, value, revision); errors.Is(err, bus.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return atOnce(ctx, w.Targets, func(ctx context.Context, name string) error {
			return p.drop(ctx, w, name)
		})
	}
}

// drop ends a task that nobody took.
func (p *Pool) drop(ctx context.Context, w Work, name string) error {
	topic := w.ID + "." + keyOf(name)
	value, err := json.Marshal(attempt{Mark: newID(), Began: time.Now().UTC(), Dropped: true})
	if err != nil {
		return err
	}
	if _, err = p.attempts.Create(ctx, topic, value); errors.Is(err, bus.ErrConflict) {
		return nil // somebody has it, and is told by the work
	}
	if err != nil {
		return err
	}
	return p.finish(ctx, Result{Work: w.ID, Server: name, State: Cancelled, NotRun: true, Words: "it was cancelled before it began"})
}

// finish writes a result; the first one counts.
func (p *Pool) finish(ctx context.Context, r Result) error {
	topic := r.Work + "." + keyOf(r.Server)
	if r.Ended.IsZero() {
		r.Ended = time.Now().UTC()
	}
	if len(r.Output) > MaxOutput {
		r.Output, r.Cut = strings.ToValidUTF8(r.Output[:MaxOutput], ""), true
	}
	if r.Output != "" {
		if _, err := p.output.Create(ctx, topic, []byte(r.Output)); err != nil && !errors.Is(err, bus.ErrConflict) {
			return err
		}
		r.Output = ""
	}
	r.Words = clip(r.Words)
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err = p.results.Create(ctx, topic, value); errors.Is(err, bus.ErrConflict) {
		return nil
	}
	if err == nil {
		p.o.Observer.Finished(r.State)
	}
	return err
}

// clip bounds the words of a result.
func clip(words string) string {
	const most = 2000
	if len(words) > most {
		words = words[:most] + "…"
	}
	return strings.ToValidUTF8(words, "?")
}

// WatchWork calls f with the id of a work when it, or a result of it, changed,
// until ctx ends. Changes that come while f runs are put together.
func (p *Pool) WatchWork(ctx context.Context, f func(id string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watcher{keys: map[string]struct{}{}, wake: make(chan struct{}, 1)}
	ended := make(chan struct{}, 3)
	for _, k := range []*bus.Bucket{p.works, p.attempts, p.results} {
		entries, err := k.Changes(ctx, "")
		if err != nil {
			return err
		}
		go func() {
			for e := range entries {
				if id, _, _ := strings.Cut(e.Key, "."); id != "" {
					w.add(id)
				}
			}
			ended <- struct{}{}
		}()
	}
	defer func() {
		cancel()
		for range 3 {
			<-ended
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.wake:
			for _, id := range w.take() {
				f(id)
			}
		}
	}
}
