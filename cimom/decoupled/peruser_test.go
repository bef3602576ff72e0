package decoupled

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// hosts starts provider hosts that live in this process, and notes as whom.
func hosts(t *testing.T, p cimom.Provider) (o PerUserOptions, started *[]string) {
	started = &[]string{}
	return PerUserOptions{
		Name: "Suite", Classes: cimtest.Classes(), ClearAfter: time.Minute,
		User: func(c cim.Caller) (string, error) {
			if c.Token == nil {
				return "", errors.New("nobody")
			}
			return c.Token.UserName, nil
		},
		Start: func(_ context.Context, user string) (io.ReadWriteCloser, error) {
			*started = append(*started, user)
			near, far := net.Pipe()
			go func() {
				_ = ServeStream(context.Background(), far, ServeOptions{Name: "Suite", Provider: p})
			}()
			return near, nil
		},
	}, started
}

func listAs(t *testing.T, p cimom.InstanceLister, user string) error {
	r := &cimom.Request{Namespace: cimtest.Namespace, Class: classOf(t, "CT_Part"), Caller: cim.Caller{Token: &security.Token{UserName: user}}}
	n := 0
	err := p.List(t.Context(), r, func(*cim.Instance) error {
		n++
		return nil
	})
	if err == nil && n != 3 {
		t.Errorf("%d instances, want 3", n)
	}
	return err
}

// TestHostPerUser: each user has hosts of its own; one is used again while it
// is there, and ends between once and twice ClearAfter after its last
// operation. T-105.
func TestHostPerUser(t *testing.T) {
	p := suite(t)
	synctest.Test(t, func(t *testing.T) {
		o, started := hosts(t, p)
		u := NewPerUser(o)
		defer u.Close()
		for _, name := range []string{"ann", "ann", "bob", "ann"} {
			if err := listAs(t, u, name); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"ann", "bob"}; !slices.Equal(*started, want) || u.Hosts() != 2 {
			t.Errorf("started %v, %d running, want %v", *started, u.Hosts(), want)
		}
		time.Sleep(30 * time.Second)
		if err := listAs(t, u, "ann"); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			sleep time.Duration
			hosts int
			why   string
		}{
			{29 * time.Second, 2, "59 s: nobody was idle for ClearAfter"},
			{2 * time.Second, 1, "61 s: bob was"},
			{58 * time.Second, 1, "119 s: ann is looked at once in ClearAfter"},
			{2 * time.Second, 0, "121 s: ann was idle for 90 s"},
		} {
			time.Sleep(step.sleep)
			synctest.Wait()
			if u.Hosts() != step.hosts {
				t.Errorf("%d hosts run, want %d: %s", u.Hosts(), step.hosts, step.why)
			}
		}
		if err := listAs(t, u, "ann"); err != nil {
			t.Fatal(err)
		}
		if u.Hosts() != 1 {
			t.Errorf("%d hosts run, want a new one", u.Hosts())
		}
	})
}

// TestHostRefused: a caller without a Unix user has no host, and one whose host
// does not start is told so.
func TestHostRefused(t *testing.T) {
	o, _ := hosts(t, suite(t))
	o.Start = func(context.Context, string) (io.ReadWriteCloser, error) {
		return nil, errors.New("no such program")
	}
	u := NewPerUser(o)
	defer u.Close()
	r := &cimom.Request{Class: classOf(t, "CT_Part")}
	if err := u.List(t.Context(), r, nil); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("nobody gets %v", err)
	}
	if err := listAs(t, u, "ann"); !errors.Is(err, cim.ErrProviderLoadFailure) {
		t.Errorf("without a host: %v", err)
	}
}
