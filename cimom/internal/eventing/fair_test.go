package eventing

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/security"
)

// slowHost takes ten seconds for every list.
type slowHost struct {
	*fakeHost
	mu        sync.Mutex           // beside that of fakeHost
	now, most map[security.SID]int // listings of a user at a time
}

func (h *slowHost) List(ctx context.Context, caller cim.Caller, namespace string, q *wql.Bound, yield func(*cim.Instance) error) error {
	user := caller.Token.User
	h.mu.Lock()
	h.now[user]++
	h.most[user] = max(h.most[user], h.now[user])
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.now[user]--
	}()
	select {
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	return h.fakeHost.List(ctx, caller, namespace, q, yield)
}

// TestPollsAtOnce shows that the many polls of one user run a few at a time, and
// that another user does not wait for them.
func TestPollsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &slowHost{fakeHost: newFakeHost(t), now: map[security.SID]int{}, most: map[security.SID]int{}}
		h := New(Options{Host: host})
		defer h.Close()
		query := func(n int) string {
			return fmt.Sprintf(`SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'CT_SubJob' AND TargetInstance.Name = '%d'`, n)
		}
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() {
				if s, err := h.Subscribe(t.Context(), cimv2, query(n), alice); err != nil {
					t.Error(err)
				} else {
					t.Cleanup(func() { s.Close() })
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		subscribe(t, h, bob, query(0))
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("the poll of another user began after %v", took)
		}
		all.Wait()
		host.mu.Lock()
		got := host.most[alice.Token.User]
		host.mu.Unlock()
		if got != pollsAtOnce {
			t.Errorf("%d polls of one user at a time, want %d", got, pollsAtOnce)
		}
	})
}

// TestRunsOfASource shows that an event provider does not run once for every
// condition that one user thinks of.
func TestRunsOfASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		var list []*Subscription
		for n := range 50 {
			list = append(list, subscribe(t, h, alice, fmt.Sprintf(`SELECT * FROM CT_LoudAlarm WHERE Building = '%d'`, n)))
			synctest.Wait()
		}
		if got := host.running("CT_LoudAlarm"); got != mostRuns+1 {
			t.Errorf("the provider runs %d times, want %d", got, mostRuns+1)
		}
		// what was started last has no constraints
		for _, building := range []string{"48", "49"} {
			if err := host.emits("CT_LoudAlarm", host.new("CT_LoudAlarm", "Building", cim.Str(building))); err != nil {
				t.Fatal(err)
			}
		}
		if got := next(t, list[49]); !got.Get("Building").Equal(cim.Str("49")) {
			t.Errorf("the last subscription has the event of %v", got.Get("Building"))
		}
		for _, s := range list {
			s.Close()
		}
		synctest.Wait()
		if got := host.running("CT_LoudAlarm"); got != 0 {
			t.Errorf("%d run on after the last subscription", got)
		}
	})
}

// brokenHost panics where it is asked for a class, once it is told to.
type brokenHost struct {
	*fakeHost
	broken atomic.Bool
}

func (h *brokenHost) Class(namespace, name string) *cim.Class {
	if h.broken.Load() {
		panic("a mistake")
	}
	return h.fakeHost.Class(namespace, name)
}

func (h *brokenHost) Target(namespace string, class *cim.Class) Target {
	if h.broken.Load() {
		panic("another mistake")
	}
	return h.fakeHost.Target(namespace, class)
}

// TestMistakesEndNothing shows that a panic over a query, an event or a poll
// stays with it.
func TestMistakesEndNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &brokenHost{fakeHost: newFakeHost(t)}
		h := New(Options{Host: host})
		defer h.Close()
		one := subscribe(t, h, alice, `SELECT * FROM CT_LoudAlarm`)
		poll := subscribe(t, h, alice, `SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'CT_SubJob'`)
		synctest.Wait()
		alarm := host.new("CT_LoudAlarm", "Building", cim.Str("1"))
		host.broken.Store(true)
		if _, err := h.Subscribe(t.Context(), cimv2, `SELECT * FROM CT_Alarm`, bob); err == nil {
			t.Error("a subscription began")
		}
		if err := host.emits("CT_LoudAlarm", alarm); err != nil {
			t.Error(err)
		}
		if _, err := poll.Next(t.Context(), 1); err == nil {
			t.Error("the poll went on")
		}
		host.broken.Store(false)
		if err := host.emits("CT_LoudAlarm", alarm); err != nil {
			t.Error(err)
		}
		next(t, one)
	})
}
