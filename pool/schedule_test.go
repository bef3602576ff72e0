package pool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/pool/internal/bus"
)

// Three schedulers that began at different times publish the same ids: in an
// hour each server is probed each minute and asked for all each ten, within the
// bounds, and never all at once.
func TestScheduleIsEvenAndTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const servers = 120
		var list []scheduled
		for n := range servers {
			list = append(list, scheduled{key: fmt.Sprintf("srv%d", n), revision: 1, state: Online})
		}
		ctx, cancel := context.WithCancel(t.Context())
		times := map[string][]time.Time{} // by id
		busiest, second, now := 0, 0, time.Time{}
		ids := map[string]bool{}
		var mu sync.Mutex
		publish := func(_ context.Context, tasks []bus.Task, id func(string) string) error {
			mu.Lock()
			defer mu.Unlock()
			if !time.Now().Equal(now) {
				now, second = time.Now(), 0
			}
			for _, task := range tasks {
				i := id(task.Topic)
				if ids[i] {
					continue
				}
				ids[i] = true
				second++
				busiest = max(busiest, second)
				times[task.Topic] = append(times[task.Topic], time.Now())
			}
			return nil
		}
		for range 3 {
			s := &scheduler{servers: func() []scheduled { return list }, publish: publish}
			go s.run(ctx, func(err error) { t.Error(err) })
			time.Sleep(333 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		for topic, at := range times {
			interval, jitter := ProbeInterval, 0.1
			if strings.HasPrefix(topic, "full.") {
				interval, jitter = FullInterval, 0.2
			}
			if n := int(time.Hour / interval); len(at) < n-1 || len(at) > n+1 {
				t.Errorf("%s came %d times", topic, len(at))
			}
			// Two neighbours are each off by the jitter at most, and a tick is a second.
			slack := time.Duration(2*jitter*float64(interval)) + time.Second
			for n := 1; n < len(at); n++ {
				if gap := at[n].Sub(at[n-1]); gap < interval-slack || gap > interval+slack {
					t.Fatalf("%s came after %v", topic, gap)
				}
			}
		}
		if len(times) != 2*servers {
			t.Errorf("%d topics", len(times))
		}
		if even := servers / 60; busiest > 8*even {
			t.Errorf("%d in one second, %d would be even", busiest, even)
		}
	})
}

func TestScheduleOfWhatChanged(t *testing.T) {
	var got []string
	list := []scheduled{{key: "known", revision: 1, state: Online}, {key: "new", revision: 2}, {key: "paused", revision: 3, paused: true, state: Paused}}
	s := &scheduler{servers: func() []scheduled { return list }, publish: func(_ context.Context, tasks []bus.Task, id func(string) string) error {
		for _, task := range tasks {
			if kind, _, _ := strings.Cut(task.Topic, "."); kind == byHand {
				got = append(got, id(task.Topic))
			}
			if strings.HasSuffix(task.Topic, ".paused") {
				t.Errorf("%s is asked though it is paused", task.Topic)
			}
		}
		return nil
	}}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tick := func() {
		t.Helper()
		now = now.Add(time.Second)
		if err := s.tick(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	tick()
	tick()
	list[0].revision = 9
	list = append(list, scheduled{key: "later", revision: 10})
	tick()
	tick()
	if want := []string{"hand.new.r2", "hand.known.r9", "hand.later.r10"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A wrong password is not tried once a minute.
func TestWrongPasswordIsRarelyTried(t *testing.T) {
	n := map[string]int{}
	s := &scheduler{servers: func() []scheduled { return []scheduled{{key: "a", revision: 1, state: CredentialsNotValid}} },
		publish: func(_ context.Context, tasks []bus.Task, _ func(string) string) error {
			for _, task := range tasks {
				n[task.Topic]++
			}
			return nil
		}}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for range 3600 {
		now = now.Add(time.Second)
		if err := s.tick(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if n["probe.a"] != 0 || n["full.a"] < 5 || n["full.a"] > 7 {
		t.Errorf("%v", n)
	}
}
