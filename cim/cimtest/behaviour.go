package cimtest

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// behaviours are what a session does over time rather than what it answers.
var behaviours = []struct {
	name string
	run  func(*testing.T, Harness)
}{
	{"a deadline loses nothing", deadlines},
	{"batches", batches},
	{"close in the middle", closeMiddle},
	{"cancelled before", cancelledBefore},
	{"cancelled during", cancelledDuring},
	{"time limit", timeLimit},
	{"two sessions at once", twoSessions},
	{"clones stay valid", clones},
}

// deadlines reads with deadlines that have mostly passed already.
func deadlines(t *testing.T, h Harness) {
	s := h.open(t)
	e, err := s.Enumerate(t.Context(), "CT_Number", cim.EnumerateOptions{Batch: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	seen := map[uint64]int{}
	for round := 0; ; round++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round%3)*200*time.Microsecond)
		if round > 1000 {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		}
		batch, err := e.Next(ctx, 10)
		cancel()
		for _, i := range batch {
			n, _ := i.Get("N").Uint()
			seen[n]++
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	for n := range uint64(Numbers) {
		if seen[n] != 1 {
			t.Fatalf("instance %d came %d times", n, seen[n])
		}
	}
}

// batches asks for various numbers of instances.
func batches(t *testing.T, h Harness) {
	s := h.open(t)
	for _, limit := range []int{0, 1, 7, 100, 10000} {
		e, err := s.Enumerate(t.Context(), "CT_Number", cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for {
			batch, err := e.Next(t.Context(), limit)
			if limit > 0 && len(batch) > limit {
				t.Errorf("Next(%d) gave %d instances", limit, len(batch))
			}
			total += len(batch)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || len(batch) == 0 {
				t.Fatalf("Next(%d): %d instances, %v", limit, len(batch), err)
			}
		}
		if total != Numbers {
			t.Errorf("batches of %d: %d instances, want %d", limit, total, Numbers)
		}
		if _, err := e.Next(t.Context(), limit); !errors.Is(err, io.EOF) {
			t.Errorf("Next after the end: %v", err)
		}
		if err := errors.Join(e.Close(), e.Close()); err != nil {
			t.Errorf("Close twice: %v", err)
		}
	}
}

func closeMiddle(t *testing.T, h Harness) {
	s := h.open(t)
	for range 20 {
		e, err := s.Enumerate(t.Context(), "CT_Number", cim.EnumerateOptions{Batch: 5})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Next(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if batch, err := e.Next(t.Context(), 5); len(batch) > 0 || err == nil {
			t.Fatalf("Next after Close: %d instances, %v", len(batch), err)
		}
	}
	all, err := s.Enumerate(t.Context(), "CT_Part", cim.EnumerateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := cim.Collect(t.Context(), all); err != nil || len(list) != 3 {
		t.Errorf("after abandoned enumerations: %d instances, %v", len(list), err)
	}
}

func cancelledBefore(t *testing.T, h Harness) {
	s := h.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, byID("CT_Part", "p1"), cim.GetOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v, want it to match context.Canceled", err)
	}
	_, err = s.Get(t.Context(), byID("CT_Part", "p1"), cim.GetOptions{})
	if err != nil {
		t.Errorf("Get after a cancelled one: %v", err)
	}
}

func cancelledDuring(t *testing.T, h Harness) {
	s := h.open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.Invoke(ctx, cim.ObjectPath{Class: "CT_Types"}, "Wait", nil, cim.OperationOptions{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Invoke: %v, want it to match context.DeadlineExceeded", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("Invoke came back after %v", took)
	}
	if _, err := s.Get(t.Context(), byID("CT_Part", "p1"), cim.GetOptions{}); err != nil {
		t.Errorf("Get after a cancelled call: %v", err)
	}
}

func timeLimit(t *testing.T, h Harness) {
	s := h.open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := s.Invoke(ctx, cim.ObjectPath{Class: "CT_Types"}, "Wait", nil, cim.OperationOptions{Timeout: 500 * time.Millisecond})
	if err == nil || ctx.Err() != nil {
		t.Errorf("Invoke with a time limit: %v", err)
	}
}

func twoSessions(t *testing.T, h Harness) {
	var all sync.WaitGroup
	for _, s := range []cim.Session{h.open(t), h.open(t)} {
		for range 2 {
			all.Go(func() {
				e, err := s.Query(t.Context(), `SELECT * FROM CT_Number WHERE Even = TRUE`, cim.QueryOptions{Batch: 10})
				if err != nil {
					t.Error(err)
					return
				}
				if list, err := cim.Collect(t.Context(), e); err != nil || len(list) != Numbers/2 {
					t.Errorf("%d instances, %v; want %d", len(list), err, Numbers/2)
				}
			})
		}
	}
	all.Wait()
}

func clones(t *testing.T, h Harness) {
	s := h.open(t)
	e, err := s.Enumerate(t.Context(), "CT_Number", cim.EnumerateOptions{Batch: 10})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cim.Collect(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		n, ok := i.Get("N").Uint()
		if w, _ := i.Get("Word").Str(); !ok || w != words[n%10] {
			t.Fatalf("instance %d has word %q", n, w)
		}
	}
}
