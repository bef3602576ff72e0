package eventing

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
)

// alarms publishes n events of a building.
func alarms(t *testing.T, h *Hub, host *fakeHost, building string, n int) {
	t.Helper()
	for range n {
		h.Publish(t.Context(), cimv2, admin.Token, host.new("CT_Alarm", "Building", cim.Str(building)))
	}
}

// aggregate is the next aggregate event: how many, and of which building.
func aggregate(t *testing.T, s *Subscription, d time.Duration) (n uint64, building string) {
	t.Helper()
	e := within(t, s, d)
	if e == nil {
		return 0, ""
	}
	if path, whole := e.Path(); e.Class().Name != "__AggregateEvent" || whole || path.Namespace != "" {
		t.Fatalf("%s at %v", e.Class().Name, path)
	}
	n, _ = e.Get("NumberOfEvents").Uint()
	building, _ = e.Get("Representative").Object().Get("Building").Str()
	return n, building
}

// TestGroupHaving shows T-70.
func TestGroupHaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		s := subscribe(t, h, alice, `SELECT * FROM CT_Alarm GROUP WITHIN 5 HAVING NumberOfEvents > 3`)
		time.Sleep(4 * time.Second) // the window starts with the first event
		alarms(t, h, host, "1", 2)
		time.Sleep(4900 * time.Millisecond)
		alarms(t, h, host, "2", 2)
		if n, building := aggregate(t, s, 200*time.Millisecond); n != 4 || building != "1" {
			t.Errorf("four events in five seconds: %d of %q", n, building)
		}
		alarms(t, h, host, "3", 3)
		time.Sleep(5100 * time.Millisecond)
		alarms(t, h, host, "3", 1)
		if n, _ := aggregate(t, s, 10*time.Second); n != 0 {
			t.Errorf("three events in five seconds: %d", n)
		}
	})
}

func TestGroupBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{})
		s := subscribe(t, h, alice, `SELECT * FROM CT_Alarm WHERE Level IS NULL GROUP WITHIN 3 BY Building`)
		began := time.Now()
		alarms(t, h, host, "a", 1)
		time.Sleep(time.Second)
		alarms(t, h, host, "b", 2)
		alarms(t, h, host, "A", 1) // text is equal whatever its case
		for _, want := range []struct {
			n        uint64
			building string
			after    time.Duration
		}{{2, "a", 3 * time.Second}, {2, "b", 4 * time.Second}} {
			n, building := aggregate(t, s, 5*time.Second)
			if took := time.Since(began); n != want.n || building != want.building || took != want.after {
				t.Errorf("%d of %q after %v, want %+v", n, building, took, want)
			}
		}
		alarms(t, h, host, "c", 1)
		s.Close() // with a group open
		time.Sleep(10 * time.Second)
		if used := h.ledger.total[queued]; used != 0 {
			t.Errorf("%d bytes are counted after the end", used)
		}
	})
}

// TestGroupsAreBounded shows that a subscription with ever new groups ends.
func TestGroupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost(t)
		h, _ := newHub(t, host, Limits{HighThresholdOnEvents: 20_000})
		s := subscribe(t, h, alice, `SELECT * FROM CT_Alarm GROUP WITHIN 300 BY Building`)
		for n := range 1000 {
			alarms(t, h, host, time.Duration(n).String(), 1)
			if used := h.ledger.total[queued]; used > 20_000 {
				t.Fatalf("%d bytes in groups", used)
			}
		}
		if _, err := s.Next(t.Context(), 1); !errors.Is(err, cim.ErrQueueOverflow) {
			t.Errorf("the end is %v", err)
		}
	})
}
