package eventing

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

func TestPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		host.job("CT_Job", "old", 1)
		every := subscribe(t, h, alice, `SELECT * FROM __InstanceOperationEvent WITHIN 2 WHERE TargetInstance ISA 'CT_Job'`)
		gone := subscribe(t, h, alice, `SELECT * FROM __InstanceDeletionEvent WITHIN 2 WHERE TargetInstance ISA 'CT_Job' AND TargetInstance.State = 2`)
		born := subscribe(t, h, alice, `SELECT * FROM __InstanceCreationEvent WITHIN 2 WHERE TargetInstance ISA 'CT_Job'`)
		time.Sleep(3 * time.Second)
		if got := all(t, every); got != nil {
			t.Errorf("nothing changed: %q", got)
		}
		host.job("CT_SubJob", "new", 1)
		if e := within(t, every, 3*time.Second); about(e) != "creation new" || e.Get("TargetInstance").Object().Class().Name != "CT_SubJob" {
			t.Errorf("%v", about(e))
		}
		time.Sleep(time.Second) // between two polls
		host.job("CT_Job", "old", 2)
		e := within(t, every, 3*time.Second)
		if about(e) != "modification old" || !e.Get("PreviousInstance").Object().Get("State").Equal(cim.U32(1)) ||
			!e.Get("TargetInstance").Object().Get("State").Equal(cim.U32(2)) {
			t.Errorf("%v", about(e))
		}
		time.Sleep(time.Second)
		host.remove("old")
		host.remove("new")
		time.Sleep(2 * time.Second)
		got := all(t, every)
		slices.Sort(got)
		if !slices.Equal(got, []string{"deletion new", "deletion old"}) {
			t.Errorf("after both went away: %q", got)
		}
		if got := all(t, gone); !slices.Equal(got, []string{"deletion old"}) {
			t.Errorf("deletions with State 2: %q", got)
		}
		if got := all(t, born); !slices.Equal(got, []string{"creation new"}) {
			t.Errorf("creations: %q", got)
		}
		// what comes and goes between two polls is not seen
		host.job("CT_Job", "short", 1)
		host.remove("short")
		time.Sleep(3 * time.Second)
		if got := all(t, every); got != nil {
			t.Errorf("a short life: %q", got)
		}
		every.Close()
		gone.Close()
		born.Close()
		synctest.Wait()
		host.listings()
		time.Sleep(time.Minute)
		if n, _ := host.listings(); n != 0 || h.ledger.total != ([resources]int64{}) {
			t.Errorf("after the end: %d polls, in use %v", n, h.ledger.total)
		}
	})
}

// TestPollsAreShared shows that subscriptions with the same class, interval
// and caller share a poll, and that each caller's poll runs as that caller.
func TestPollsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		const query = `SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'CT_SubJob'`
		for range 3 {
			subscribe(t, h, alice, query)
			subscribe(t, h, alice, query+` AND TargetInstance.State > 3`)
		}
		bobs := bob
		bobs.Address = "192.0.2.1:5000"
		subscribe(t, h, bobs, query)
		bobs.Address = "192.0.2.1:5001"
		subscribe(t, h, bobs, query)
		subscribe(t, h, bob, `SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'CT_SubJob' AND TargetInstance.Name = 'x'`)
		time.Sleep(6 * time.Second)
		lists, callers := host.listings()
		if lists != 6 { // three polls: the first time and after five seconds
			t.Errorf("%d listings, want 6", lists)
		}
		count := map[security.SID]int{}
		for _, c := range callers {
			count[c]++
		}
		if count[alice.Token.User] != 2 || count[bob.Token.User] != 4 {
			t.Errorf("the polls ran as %v", count)
		}
	})
}

func TestProviderMakesSomeKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		host.own["ct_subjob"] = Creation | Modification
		h, _ := newHub(t, host, Limits{})
		if _, err := h.Subscribe(t.Context(), cimv2, `SELECT * FROM __InstanceDeletionEvent WHERE TargetInstance ISA 'CT_SubJob'`, alice); !errors.Is(err, cim.ErrEssRegistrationTooPrecise) {
			t.Errorf("the missing kind without WITHIN: %v", err)
		}
		created := subscribe(t, h, alice, `SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'CT_SubJob'`)
		every := subscribe(t, h, alice, `SELECT * FROM __InstanceOperationEvent WITHIN 10 WHERE TargetInstance ISA 'CT_SubJob'`)
		synctest.Wait()
		i := host.job("CT_SubJob", "a", 1)
		if err := host.watchEmit(Creation, i, nil); err != nil {
			t.Fatal(err)
		}
		if got := all(t, created); !slices.Equal(got, []string{"creation a"}) {
			t.Errorf("at once: %q", got)
		}
		time.Sleep(11 * time.Second)
		host.remove("a")
		time.Sleep(11 * time.Second)
		if got := all(t, every); !slices.Equal(got, []string{"creation a", "deletion a"}) {
			t.Errorf("at once and by polling: %q", got)
		}
	})
}

// TestPollThatFails shows that a failed listing is no deletion, and what ends a
// poll.
func TestPollThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, log := newHub(t, host, Limits{})
		host.job("CT_Job", "a", 1)
		s := subscribe(t, h, alice, `SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'CT_Job'`)
		host.mu.Lock()
		host.listErr = errors.New("the disk is away")
		host.mu.Unlock()
		gone := host.job("CT_Job", "a", 1)
		host.remove("a")
		time.Sleep(5 * time.Second)
		if got := all(t, s); got != nil || !log.has("polling failed") {
			t.Errorf("events of a failed poll: %q", got)
		}
		host.mu.Lock()
		host.listErr, host.dynamic["a"] = nil, gone
		host.mu.Unlock()
		host.job("CT_Job", "b", 1)
		time.Sleep(2 * time.Second)
		if got := all(t, s); !slices.Equal(got, []string{"creation b"}) {
			t.Errorf("after it works again: %q", got)
		}
		host.mu.Lock()
		host.listErr = cim.ErrAccessDenied
		host.mu.Unlock()
		time.Sleep(2 * time.Second)
		if _, err := s.Next(t.Context(), 1); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("after the right was taken away: %v", err)
		}
		if _, err := h.Subscribe(t.Context(), cimv2, `SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'CT_Job'`, alice); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("a first poll that fails: %v", err)
		}
	})
}

// TestPollOfAClassThatIsNotListed shows that a class that cannot be listed, for
// now or for good, does not spoil the poll of its superclass, and that its
// instances are no news when it can.
func TestPollOfAClassThatIsNotListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		unlisted := func(err error) {
			host.mu.Lock()
			defer host.mu.Unlock()
			host.unlisted = map[string]error{"ct_subjob": err}
		}
		host.job("CT_SubJob", "below", 1)
		for _, err := range []error{cim.ErrProviderNotCapable, cim.ErrProviderLoadFailure} {
			unlisted(err)
			const query = `SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA `
			if _, got := h.Subscribe(t.Context(), cimv2, query+`'CT_SubJob'`, alice); !errors.Is(got, err) {
				t.Errorf("the class itself: %v, want %v", got, err)
			}
			s := subscribe(t, h, alice, query+`'CT_Job'`)
			host.job("CT_Job", "a", 1)
			time.Sleep(1500 * time.Millisecond)
			unlisted(nil)
			time.Sleep(time.Second)
			host.job("CT_SubJob", "below", 2)
			host.remove("a")
			time.Sleep(time.Second)
			host.job("CT_SubJob", "below", 1)
			if got, want := all(t, s), []string{"creation a", "deletion a", "modification below"}; len(got) != 3 || got[0] != want[0] ||
				!slices.Contains(got, want[1]) || !slices.Contains(got, want[2]) {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
			s.Close()
		}
	})
}

func TestQuotaOfPollingMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{PollingMemoryPerUser: 50_000})
		names := make([]string, 500)
		for n := range names {
			names[n] = "job" + string(rune('A'+n%26)) + string(rune('a'+n/26))
		}
		for _, name := range names[:50] {
			host.job("CT_Job", name, 1)
		}
		const query = `SELECT * FROM __InstanceModificationEvent WITHIN 1 WHERE TargetInstance ISA 'CT_Job'`
		s := subscribe(t, h, alice, query)
		if used := h.ledger.total[pollingMemory]; used < 50*3*valueSize || used > 50_000 {
			t.Errorf("50 instances take %d bytes", used)
		}
		for _, name := range names {
			host.job("CT_Job", name, 1)
		}
		time.Sleep(2 * time.Second)
		if _, err := s.Next(t.Context(), 1); !errors.Is(err, cim.ErrQuotaViolation) {
			t.Errorf("500 instances: %v", err)
		}
		if _, err := h.Subscribe(t.Context(), cimv2, query, alice); !errors.Is(err, cim.ErrQuotaViolation) {
			t.Errorf("500 instances from the start: %v", err)
		}
		synctest.Wait()
		if h.ledger.total != ([resources]int64{}) {
			t.Errorf("in use after the end: %v", h.ledger.total)
		}
	})
}
