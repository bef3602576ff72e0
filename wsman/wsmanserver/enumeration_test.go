package wsmanserver

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/wsman"
)

// counted is an enumeration that counts how often it is given back.
func counted(freed *atomic.Int32) *enumeration {
	_, cancel := context.WithCancel(context.Background())
	return &enumeration{id: "uuid:1", owner: "S-1", resource: "urn:r", source: &listSource{}, cancel: cancel,
		release: func() { freed.Add(1) }, idle: time.Minute}
}

// A context ends when no Pull comes for its idle time, never under one, and is
// given back once. See [MS-WSMV] 3.1.5.1.
func TestEnumerationIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := enumerations{byID: map[string]*enumeration{}}
		var freed atomic.Int32
		e := counted(&freed)
		table.add(e)
		time.Sleep(59 * time.Second)
		if _, err := table.begin(e.id, "S-2", "urn:r"); !errors.Is(err, wsman.CodeInvalidEnumerationContext) {
			t.Errorf("another user's Pull: %v", err)
		}
		if _, err := table.begin(e.id, "S-1", "urn:other"); !errors.Is(err, wsman.CodePullParameters) {
			t.Errorf("a Pull of another resource: %v", err)
		}
		if _, err := table.begin(e.id, "S-1", "URN:R"); err != nil {
			t.Fatal(err)
		}
		if _, err := table.begin(e.id, "S-1", "urn:r"); !errors.Is(err, wsman.CodePullInProgress) {
			t.Errorf("two Pulls at once: %v", err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		table.pause(e, true)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if freed.Load() != 0 {
			t.Fatal("the context ended before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, err := table.begin(e.id, "S-1", "urn:r"); !errors.Is(err, wsman.CodeInvalidEnumerationContext) || freed.Load() != 1 {
			t.Errorf("after the idle time: %v, given back %d times", err, freed.Load())
		}
	})
}

// The end of the service leaves a Pull its context until it returns.
func TestEnumerationClosedUnderPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := enumerations{byID: map[string]*enumeration{}}
		var freed atomic.Int32
		e := counted(&freed)
		table.add(e)
		if _, err := table.begin(e.id, "S-1", "urn:r"); err != nil {
			t.Fatal(err)
		}
		table.closeAll()
		if freed.Load() != 0 {
			t.Fatal("the source was taken away from a Pull")
		}
		table.pause(e, true)
		if freed.Load() != 1 {
			t.Errorf("given back %d times", freed.Load())
		}
		late := counted(&freed)
		table.add(late)
		if freed.Load() != 2 {
			t.Error("a closed table keeps a context")
		}
	})
}

// Enumerations that their owner abandoned make room for a new one, oldest
// first; those of others, and those in use, stay.
func TestAbandonedEnumerationMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := enumerations{byID: map[string]*enumeration{}}
		var freed [4]atomic.Int32
		add := func(n int, owner string) *enumeration {
			e := counted(&freed[n])
			e.id, e.owner, e.idle = e.id+owner+string(rune('0'+n)), owner, time.Hour
			table.add(e)
			return e
		}
		add(0, "S-1")
		if table.makeRoom("S-1") {
			t.Error("a context that was just opened makes room")
		}
		time.Sleep(abandonedAfter)
		pulled := add(1, "S-1")
		add(2, "S-2")
		time.Sleep(abandonedAfter + time.Second)
		if _, err := table.begin(pulled.id, "S-1", "urn:r"); err != nil {
			t.Fatal(err)
		}
		if !table.makeRoom("S-1") || freed[0].Load() != 1 {
			t.Error("the oldest abandoned context makes no room")
		}
		if table.makeRoom("S-1") || freed[1].Load() != 0 || freed[2].Load() != 0 {
			t.Error("a context in use, or of another user, made room")
		}
		table.pause(pulled, false)
		table.closeAll()
	})
}
