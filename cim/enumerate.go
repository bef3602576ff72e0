package cim

import (
	"context"
	"errors"
	"io"
)

// SliceEnumerator is an Enumerator over instances that are at hand; final is
// the error after the last one, nil meaning io.EOF.
func SliceEnumerator(instances []*Instance, final error) Enumerator {
	return &sliceEnumerator{rest: instances, final: final}
}

type sliceEnumerator struct {
	rest  []*Instance
	final error
}

func (e *sliceEnumerator) Next(ctx context.Context, limit int) ([]*Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(e.rest) == 0 {
		if e.final != nil {
			return nil, e.final
		}
		return nil, io.EOF
	}
	if limit < 1 || limit > len(e.rest) {
		limit = len(e.rest)
	}
	batch := e.rest[:limit]
	e.rest = e.rest[limit:]
	return batch, nil
}

func (e *sliceEnumerator) Close() error {
	e.rest, e.final = nil, nil
	return nil
}

// Each calls f with every instance of e until the end or until f fails, and
// closes e. An instance is valid only during its call.
func Each(ctx context.Context, e Enumerator, f func(*Instance) error) error {
	defer e.Close()
	for {
		batch, err := e.Next(ctx, 0)
		for _, i := range batch {
			if ferr := f(i); ferr != nil {
				return ferr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Collect reads e to its end and closes it. The instances stay valid. Where
// the end is an error, what came before it is returned too.
func Collect(ctx context.Context, e Enumerator) ([]*Instance, error) {
	var all []*Instance
	err := Each(ctx, e, func(i *Instance) error {
		all = append(all, i.Clone())
		return nil
	})
	return all, err
}
