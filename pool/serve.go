package pool

import (
	"context"
	"fmt"
	"time"

	"github.com/casementhq/casement/pool/internal/bus"
)

// ServeOptions say what a process does for the pool.
type ServeOptions struct {
	// Schedule asks all servers again and again.
	Schedule bool
	// WhileHolder takes tasks only while this process holds the folder: then nobody
	// else may be there to take them. It is for commands that wait for a work.
	WhileHolder bool
}

// Serve takes tasks and does them until ctx ends; then it waits for those that
// run, which are told to stop.
func (p *Pool) Serve(ctx context.Context, o ServeOptions) error {
	for o.WhileHolder && !p.Holder() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
	w := newWorker(p)
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	parts := []func(){
		func() { p.refreshes.Consume(ctx, refreshesAtOnce, w.takeRefresh) },
		func() { p.tasks.Consume(ctx, tasksAtOnce, w.takeTask) },
		func() {
			if err := w.obey(ctx); err != nil {
				cancel(err)
			}
		},
		func() { w.upkeep(ctx) },
	}
	if o.Schedule {
		parts = append(parts, func() {
			s := &scheduler{servers: p.fleet.scheduled, publish: p.refreshes.PublishAll}
			s.run(ctx, func(err error) { p.log.Warn("refreshes could not be published", "error", err) })
		}, func() {
			if err := p.recheck(ctx); err != nil {
				cancel(err)
			}
		})
	}
	for _, part := range parts {
		go func() {
			defer func() { done <- struct{}{} }()
			part()
		}()
	}
	for range parts {
		<-done
	}
	if outer.Err() != nil { // it was ended from outside, whose cause, such as a signal, is no failure
		return nil
	}
	return context.Cause(ctx)
}

// upkeep mends works and closes connections that nobody uses.
func (w *worker) upkeep(ctx context.Context) {
	for {
		if err := w.mend(ctx); err != nil && ctx.Err() == nil {
			w.pool.log.Warn("works could not be looked through", "error", err)
		}
		w.gather.trim(idleLimit, mostKept)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}

// recheck asks what is blocked again when a credential was changed.
func (p *Pool) recheck(ctx context.Context) error {
	changes, err := p.credentials.Changes(ctx, "")
	if err != nil {
		return err
	}
	for e := range changes {
		var tasks []bus.Task
		for _, s := range p.fleet.scheduled() {
			if !s.paused && s.state.Level() == LevelBlocked {
				tasks = append(tasks, bus.Task{Topic: byHand + "." + s.key})
			}
		}
		if err := p.refreshes.PublishAll(ctx, tasks, func(topic string) string { return fmt.Sprint(topic, ".c", e.Revision) }); err != nil && ctx.Err() == nil {
			p.log.Warn("refreshes could not be published", "error", err)
		}
	}
	return nil
}
