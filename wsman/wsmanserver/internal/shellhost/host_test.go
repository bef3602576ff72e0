package shellhost

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/quota"
)

func table(idle time.Duration) (*Host, *quota.Ledger) {
	ledger := quota.New(quota.Options{})
	return New(Options{Ledger: ledger, Limits: func() Limits { return Limits{IdleTimeout: idle} }}), ledger
}

var owner = Owner{Key: "S-1", Name: "user"}

func present(h *Host, s *Shell) bool {
	_, err := h.Find(Viewer{Key: owner.Key}, s.ID)
	return err == nil
}

// A shell ends when nobody used it for its idle time; a request under way holds
// it, and its end starts the time anew. See [MS-WSMV] 3.1.4.1.31.
func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, ledger := table(time.Hour)
		defer h.Close()
		standard, err := h.Create(owner, Spec{})
		if err != nil {
			t.Fatal(err)
		}
		own, err := h.Create(owner, Spec{IdleTimeout: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Minute)
		done, err := own.Use()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if !present(h, own) {
			t.Fatal("a shell ended under a request")
		}
		if _, inactive := own.Times(); inactive != 0 {
			t.Errorf("a shell in use was inactive for %v", inactive)
		}
		done()
		time.Sleep(10*time.Minute - time.Second)
		synctest.Wait()
		if running, inactive := own.Times(); running != 49*time.Minute-time.Second || inactive != 10*time.Minute-time.Second {
			t.Errorf("it runs for %v and rests for %v", running, inactive)
		}
		if !present(h, own) || !present(h, standard) {
			t.Fatal("a shell ended before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if present(h, own) || !present(h, standard) {
			t.Fatal("the shell with a time of its own must end, and the other not")
		}
		if _, err := own.Use(); !errors.Is(err, ErrNoShell) {
			t.Errorf("the use of a shell that ended: %v", err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if present(h, standard) || ledger.Shells(owner.Key) != 0 {
			t.Errorf("after an hour there are %d shells", ledger.Shells(owner.Key))
		}
	})
}

// Lifetime ends a shell however busy it is.
func TestLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, ledger := table(time.Hour)
		defer h.Close()
		s, err := h.Create(owner, Spec{Lifetime: 20 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		done, err := s.Use()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Minute + time.Second)
		synctest.Wait()
		if present(h, s) || ledger.Shells(owner.Key) != 0 {
			t.Error("the shell outlives its Lifetime")
		}
		done()
	})
}

// Owners see their own shells, administrators all; nobody learns more.
func TestViewers(t *testing.T) {
	h, _ := table(time.Hour)
	s, err := h.Create(owner, Spec{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		viewer Viewer
		sees   bool
	}{{Viewer{Key: "S-1"}, true}, {Viewer{Key: "S-2"}, false}, {Viewer{Key: "S-2", Administrator: true}, true}} {
		_, err := h.Find(c.viewer, s.ID)
		if (err == nil) != c.sees || (len(h.List(c.viewer)) == 1) != c.sees {
			t.Errorf("%+v: %v", c.viewer, err)
		}
	}
	h.Close()
	if _, err := h.Create(owner, Spec{}); !errors.Is(err, ErrNoShell) {
		t.Errorf("a shell in a closed table: %v", err)
	}
}
