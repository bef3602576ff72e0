package cimom

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/casementhq/casement/cim"
)

// panicked is the error that a panic of a provider becomes.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("provider panicked: %v", p.value) }

// protect runs f and makes an error of a panic.
func protect(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}

// call runs f, which calls a provider, on a goroutine of its own and waits for
// it until ctx ends, its time is over or the manager closes, whether or not
// the provider heeds that.
func call[T any](ctx context.Context, m *Manager, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	var none T
	if limit = m.bound(limit); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.err = protect(func() (err error) {
			o.value, err = f(ctx)
			return err
		})
		done <- o
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-m.stop:
		return none, cim.ErrShuttingDown
	}
}

// bound is how long an operation may take that asked for limit; 0: no bound.
func (m *Manager) bound(limit time.Duration) time.Duration {
	if limit <= 0 || m.timeout > 0 && m.timeout < limit {
		return m.timeout
	}
	return limit
}

// describe makes the error that a caller gets: the status, what was tried and
// nothing of the inside, which goes to the log.
func (m *Manager) describe(err error, operation, namespace, path string) error {
	if err == nil {
		return nil
	}
	out := &cim.Error{Status: cim.ErrProviderFailure, Operation: operation, Namespace: namespace, Path: path}
	var known *cim.Error
	var status cim.Status
	var crash *panicked
	switch {
	case errors.As(err, &known):
		out.Status, out.Detail, out.Extended, out.Remote = known.Status, known.Detail, known.Extended, known.Remote
		if known.Path != "" {
			out.Path = known.Path
		}
		if known.Err != nil {
			m.log.Debug("an operation failed", "operation", operation, "namespace", namespace, "path", out.Path, "error", known)
		}
	case errors.As(err, &status):
		out.Status = status
	case errors.Is(err, context.DeadlineExceeded):
		out.Status, out.Err = cim.ErrTimedOut, context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		out.Status, out.Err = cim.ErrCallCancelled, context.Canceled
	case errors.As(err, &crash):
		m.log.Error("a provider panicked", "operation", operation, "namespace", namespace, "path", path,
			"panic", fmt.Sprint(crash.value), "stack", string(crash.stack))
	default:
		m.log.Warn("a provider failed", "operation", operation, "namespace", namespace, "path", path, "error", err)
	}
	return out
}
