package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool/internal/bus"
)

// Limits of a worker.
const (
	refreshesAtOnce = 64
	tasksAtOnce     = 32
	probeLimit      = 30 * time.Second
	fullLimit       = 2 * time.Minute
	// idleLimit is how long a connection that nobody uses is kept, mostKept how many.
	idleLimit = 15 * time.Minute
	mostKept  = 8192
)

// errCancelled ends what runs of a work that was cancelled.
var errCancelled = errors.New("the work was cancelled")

// worker takes tasks and does them.
type worker struct {
	pool   *Pool
	gather *gatherer
	name   string
	// settled is how old an attempt without a result must be until its worker counts
	// as lost; its task comes again a little later.
	settled time.Duration
	// unadmitted says once that this worker opens no credential.
	unadmitted sync.Once

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by topic
}

func newWorker(p *Pool) *worker {
	return &worker{pool: p, gather: p.gather, name: me(), settled: p.o.silence - time.Second, running: map[string]context.CancelCauseFunc{}}
}

// takeRefresh does a task of the queue of refreshes: probe.KEY, full.KEY or hand.KEY.
func (w *worker) takeRefresh(ctx context.Context, t bus.Task) bus.Outcome {
	kind, key, _ := strings.Cut(t.Topic, ".")
	e, ok := w.pool.fleet.get(key)
	if !ok {
		return bus.Done
	}
	ask, limit := asking{full: kind != "probe", byHand: kind == byHand}, probeLimit
	if ask.full {
		limit = fullLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if _, err := w.refresh(ctx, e.Server, ask); err != nil {
		w.pool.log.Debug("a refresh came to nothing", "server", e.Name, "error", err)
		if errors.Is(err, cim.ErrAccessDenied) && w.pool.o.NATS != "" {
			return bus.Again // another worker may be admitted
		}
	}
	return bus.Done
}

// refresh asks a server and writes what it is now. An older answer never replaces
// a newer one.
func (w *worker) refresh(ctx context.Context, s Server, ask asking) (Snapshot, error) {
	p, key := w.pool, keyOf(s.Name)
	as, err := w.signIn(ctx, s)
	if err != nil {
		return Snapshot{}, err
	}
	prev := Snapshot{Server: s.Name, State: NotYetChecked, Level: LevelNone}
	e, err := p.state.Get(ctx, key)
	if err == nil {
		if was, rerr := readSnapshot(e); rerr == nil {
			prev = *was
		}
	} else if !errors.Is(err, bus.ErrNotFound) {
		return Snapshot{}, err
	}
	begun := time.Now()
	next := w.gather.refresh(ctx, s, as, prev, ask)
	next.Changes = changesOf(&prev, &next)
	p.o.Observer.Refreshed(ask.full, next.Level, time.Since(begun))
	if ctx.Err() != nil && !next.Tried.After(prev.Tried) {
		return Snapshot{}, context.Cause(ctx)
	}
	value, err := json.Marshal(next)
	if err != nil {
		return Snapshot{}, err
	}
	return next, w.keep(context.WithoutCancel(ctx), key, next, value, e.Revision)
}

// keep writes a snapshot, unless a newer one is there or the server is gone.
func (w *worker) keep(ctx context.Context, key string, next Snapshot, value []byte, revision uint64) error {
	for {
		if _, ok := w.pool.fleet.get(key); !ok {
			return nil
		}
		var err error
		if revision == 0 {
			_, err = w.pool.state.Create(ctx, key, value)
		} else {
			_, err = w.pool.state.Update(ctx, key, value, revision)
		}
		if !errors.Is(err, bus.ErrConflict) {
			return err
		}
		e, err := w.pool.state.Get(ctx, key)
		if errors.Is(err, bus.ErrNotFound) {
			revision = 0
			continue
		}
		if err != nil {
			return err
		}
		if other, rerr := readSnapshot(e); rerr == nil && !other.Tried.Before(next.Tried) {
			return nil
		}
		revision = e.Revision
	}
}

// signIn is who we are at a server.
func (w *worker) signIn(ctx context.Context, s Server) (signIn, error) {
	c, scheme, err := w.pool.secret(ctx, s)
	return signIn{Credentials: c, Scheme: scheme}, err
}

// takeTask does a part of a work. See docs/pool.md, "One action".
func (w *worker) takeTask(ctx context.Context, t bus.Task) bus.Outcome {
	outcome, err := w.task(ctx, t)
	if err != nil {
		w.pool.log.Warn("a task comes again", "task", t.Topic, "error", err)
		return bus.Again
	}
	return outcome
}

func (w *worker) task(ctx context.Context, t bus.Task) (bus.Outcome, error) {
	p := w.pool
	id, key, _ := strings.Cut(t.Topic, ".")
	work, _, err := p.work(ctx, id)
	if errors.Is(err, cim.ErrNotFound) || errors.Is(err, errUnreadable) {
		return bus.Done, nil
	}
	if err != nil {
		return bus.Again, err
	}
	if _, err := p.results.Get(ctx, t.Topic); err == nil {
		return bus.Done, nil
	} else if !errors.Is(err, bus.ErrNotFound) {
		return bus.Again, err
	}
	name := targetOf(work, key)
	known := acts[work.Action.Kind]
	if name == "" || known.do == nil {
		return bus.Done, nil
	}
	if !work.Cancelled.IsZero() {
		if err := p.drop(ctx, work, name); err != nil {
			return bus.Again, err
		}
	}
	j := &job{worker: w, parameters: work.Action.Parameters}
	entry, err := p.Get(name)
	if err == nil { // who wrote the work may not have checked it
		err = work.Action.Check()
	}
	var as signIn
	if err == nil {
		j.server = entry.Server
		if as, err = w.signIn(ctx, entry.Server); err != nil && errors.Is(err, cim.ErrAccessDenied) && p.o.NATS != "" {
			w.unadmitted.Do(func() {
				p.log.Warn("tasks are left to other workers: an administrator admits this one with 'casement pool workers add' and its key", "server", name, "error", err)
			})
			return bus.Again, nil // another worker may be admitted
		}
	}
	mark := attempt{Worker: w.name, Mark: newID(), Began: time.Now().UTC()}
	if outcome, proceed, merr := w.mark(ctx, t, known, &mark, name, work); !proceed {
		return outcome, merr
	}
	if err != nil {
		r := outcomeOf(j, err)
		return bus.Done, w.end(ctx, work, name, mark, r)
	}
	j.link = w.gather.hold(entry.Server, as)
	defer j.link.release()
	r, ended := w.do(ctx, t.Topic, work, known, j)
	if !ended {
		return bus.Again, nil
	}
	err = w.end(ctx, work, name, mark, r)
	if known.changes || work.Action.Kind == KindDoctor && r.State == Done { // what the doctor found to work is shown so at once
		w.askAnew(context.WithoutCancel(ctx), work.ID, key)
	}
	return bus.Done, err
}

// askAnew has a server asked for all, as by hand: what is shown of it follows what was
// done there.
func (w *worker) askAnew(ctx context.Context, work, key string) {
	topic := byHand + "." + key
	err := w.pool.refreshes.PublishAll(ctx, []bus.Task{{Topic: topic}}, func(string) string { return topic + ".w" + work })
	if err != nil {
		w.pool.log.Debug("a server is not asked anew", "server", key, "error", err)
	}
}

// mark writes that this worker takes the task. Where somebody took it before, it
// tells what becomes of it.
func (w *worker) mark(ctx context.Context, t bus.Task, known act, mark *attempt, name string, work Work) (outcome bus.Outcome, proceed bool, err error) {
	p := w.pool
	value, err := json.Marshal(mark)
	if err != nil {
		return bus.Done, false, err
	}
	if _, err = p.attempts.Create(ctx, t.Topic, value); err == nil {
		return bus.Done, true, nil
	}
	if !errors.Is(err, bus.ErrConflict) {
		return bus.Again, false, err
	}
	e, err := p.attempts.Get(ctx, t.Topic)
	var before attempt
	if err == nil {
		err = json.Unmarshal(e.Value, &before)
	}
	switch {
	case err != nil:
		return bus.Again, false, err
	case before.Dropped:
		return bus.Done, false, p.finish(ctx, Result{Work: work.ID, Server: name, State: Cancelled, NotRun: true, Words: "it was cancelled before it began"})
	case time.Since(e.Written) < w.settled:
		return bus.Again, false, nil // its worker may be at it
	case !work.Cancelled.IsZero() && known.repeats:
		return bus.Done, false, p.finish(ctx, Result{Work: work.ID, Server: name, State: Cancelled, Words: "it was cancelled", Began: before.Began, Worker: before.Worker})
	case known.repeats:
		*mark = attempt{Worker: w.name, Mark: mark.Mark, Began: mark.Began}
		return bus.Done, true, nil
	}
	return bus.Done, false, p.finish(ctx, Result{Work: work.ID, Server: name, State: OutcomeUnknown, Began: before.Began, Worker: before.Worker,
		Words: "the worker " + before.Worker + " began it and was lost; it is not repeated"})
}

// do runs the action, bounded in time. ended is false where this worker stops and
// another may do it.
func (w *worker) do(ctx context.Context, topic string, work Work, known act, j *job) (r Result, ended bool) {
	run, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limited, stop := context.WithTimeout(run, known.limit)
	defer stop()
	w.mu.Lock()
	w.running[topic] = cancel
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.running, topic)
		w.mu.Unlock()
	}()
	// It may have been cancelled between the task and the line above.
	if now, _, err := w.pool.work(ctx, work.ID); err == nil && !now.Cancelled.IsZero() {
		cancel(errCancelled)
	}
	r, err := w.safely(limited, known, j)
	switch {
	case err == nil:
	case errors.Is(context.Cause(run), errCancelled) && !j.sent:
		r = Result{State: Cancelled, NotRun: true, Words: "it was cancelled"}
	case ctx.Err() != nil && (known.repeats || !j.sent):
		return r, false
	default:
		r = outcomeOf(j, err)
	}
	if r.State == OutcomeUnknown && errors.Is(context.Cause(run), errCancelled) {
		r.Words = "it was told to stop, and what it did until then is not known"
	}
	return r, true
}

// safely keeps a panic of one action, over what one server said, from the others.
func (w *worker) safely(ctx context.Context, known act, j *job) (r Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.pool.log.Error("an action broke", "server", j.server.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			r, err = Result{}, &cim.Error{Status: cim.ErrUnexpected, Detail: "this is a fault of casement; its log has more"}
		}
	}()
	return known.do(ctx, j)
}

// end writes the result, also while the worker stops.
func (w *worker) end(ctx context.Context, work Work, name string, mark attempt, r Result) error {
	r.Work, r.Server, r.Began, r.Worker = work.ID, name, mark.Began, w.name
	return w.pool.finish(context.WithoutCancel(ctx), r)
}

func targetOf(w Work, key string) string {
	for _, name := range w.Targets {
		if keyOf(name) == key {
			return name
		}
	}
	return ""
}

// obey tells what runs when its work is cancelled.
func (w *worker) obey(ctx context.Context) error {
	changes, err := w.pool.works.Changes(ctx, "")
	if err != nil {
		return err
	}
	for e := range changes {
		var work Work
		if e.Deleted || e.Key == "" || json.Unmarshal(e.Value, &work) != nil || work.ID != e.Key || work.Cancelled.IsZero() {
			continue
		}
		w.mu.Lock()
		for topic, cancel := range w.running {
			if strings.HasPrefix(topic, work.ID+".") {
				cancel(errCancelled)
			}
		}
		w.mu.Unlock()
	}
	return nil
}

// mend publishes tasks whose work was written by a process that was killed before
// it had written all of them, and finishes cancellations of the same kind.
func (w *worker) mend(ctx context.Context) error {
	list, err := w.pool.Works(ctx)
	if err != nil {
		return err
	}
	for _, work := range list {
		if !work.Tally.Ended.IsZero() || time.Since(work.Created) < w.settled {
			continue
		}
		_, results, err := w.pool.Work(ctx, work.ID)
		if err != nil {
			return err
		}
		var waiting []string
		for _, r := range results {
			if r.State == Queued {
				waiting = append(waiting, r.Server)
			}
		}
		if work.Cancelled.IsZero() {
			err = w.pool.publish(ctx, work, waiting)
		} else {
			err = atOnce(ctx, waiting, func(ctx context.Context, name string) error { return w.pool.drop(ctx, work, name) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// me names this process among others.
func me() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}
