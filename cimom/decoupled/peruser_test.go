package decoupled

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// hosts starts provider hosts that live in this process, each with a provider,
// and notes as whom.
func hosts(make func() cimom.Provider) (o PerUserOptions, started *[]string) {
	started = &[]string{}
	var mu sync.Mutex
	return PerUserOptions{
		Name: "Suite", Classes: cimtest.Classes(), ClearAfter: time.Minute,
		User: func(c cim.Caller) (string, error) {
			if c.Token == nil {
				return "", errors.New("nobody")
			}
			return c.Token.UserName, nil
		},
		Start: func(_ context.Context, user string) (io.ReadWriteCloser, error) {
			mu.Lock()
			*started = append(*started, user)
			mu.Unlock()
			near, far := net.Pipe()
			p := make()
			go func() {
				_ = ServeStream(context.Background(), far, ServeOptions{Name: "Suite", Provider: p})
			}()
			return near, nil
		},
	}, started
}

// running is the number of hosts that run.
func running(u *PerUser) (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, one := range u.users {
		n += len(one.conns)
	}
	return n
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
		o, started := hosts(func() cimom.Provider { return p })
		u := NewPerUser(o)
		defer u.Close()
		for _, name := range []string{"ann", "ann", "bob", "ann"} {
			if err := listAs(t, u, name); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"ann", "bob"}; !slices.Equal(*started, want) || running(u) != 2 {
			t.Errorf("started %v, %d running, want %v", *started, running(u), want)
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
			if running(u) != step.hosts {
				t.Errorf("%d hosts run, want %d: %s", running(u), step.hosts, step.why)
			}
		}
		if err := listAs(t, u, "ann"); err != nil {
			t.Fatal(err)
		}
		if running(u) != 1 {
			t.Errorf("%d hosts run, want a new one", running(u))
		}
	})
}

// TestHostRefused: a caller without a Unix user has no host, and one whose host
// does not start is told so.
func TestHostRefused(t *testing.T) {
	o, _ := hosts(nil)
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

// hangs is a provider whose first operations answer nothing.
type hangs struct {
	cimom.InstanceLister
	cimom.Provider
	left atomic.Int32
}

func (h *hangs) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	if h.left.Add(-1) < 0 {
		return h.InstanceLister.List(ctx, r, yield)
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestHostThatHangs: when all hosts of a user hang and the first of them is
// given up, who waits gets a new one in its place.
func TestHostThatHangs(t *testing.T) {
	p := suite(t)
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{Provider: p, InstanceLister: p.(cimom.InstanceLister)}
		h.left.Store(maxHosts)
		o, started := hosts(func() cimom.Provider { return h })
		u := NewPerUser(o)
		r := &cimom.Request{Namespace: cimtest.Namespace, Class: classOf(t, "CT_Part"), Caller: cim.Caller{Token: &security.Token{UserName: "ann"}}}
		var hanging sync.WaitGroup
		for n := range maxHosts {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(10+1000*n)*time.Second)
			defer cancel()
			hanging.Go(func() {
				if err := u.List(ctx, r, nil); err == nil {
					t.Error("it did not hang")
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if err := listAs(t, u, "ann"); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited != 10*time.Second || len(*started) != maxHosts+1 {
			t.Errorf("%d hosts, the last after %v; want %d after 10s", len(*started), waited, maxHosts+1)
		}
		if err := u.Close(); err != nil {
			t.Error(err)
		}
		hanging.Wait()
	})
}

// remembers is a provider that counts the calls of a method in its process.
type remembers struct {
	cimom.Provider
	calls uint64
}

func (r *remembers) Invoke(context.Context, *cimom.Request, cim.ObjectPath, string, cim.Arguments) (cim.Result, error) {
	r.calls++
	return cim.Result{ReturnValue: cim.U32(uint32(r.calls))}, nil
}

// TestHold: operations of one who holds a host reach that one, which nobody
// else gets meanwhile; one that is not kept ends.
func TestHold(t *testing.T) {
	p := suite(t)
	synctest.Test(t, func(t *testing.T) {
		o, started := hosts(func() cimom.Provider { return &remembers{Provider: p} })
		u := NewPerUser(o)
		defer u.Close()
		class := classOf(t, "CT_Types")
		r := &cimom.Request{Namespace: cimtest.Namespace, Class: class, Caller: cim.Caller{Token: &security.Token{UserName: "ann"}}}
		call := func(p cimom.MethodInvoker, want uint64) {
			t.Helper()
			result, err := p.Invoke(t.Context(), r, cim.ObjectPath{Class: class.Name}, "Wait", nil)
			if n, _ := result.ReturnValue.Uint(); err != nil || n != want {
				t.Errorf("%d, %v; want %d", n, err, want)
			}
		}
		hold := func() (cimom.MethodInvoker, func(bool)) {
			t.Helper()
			held, release, err := u.Hold(t.Context(), r.Caller)
			if err != nil {
				t.Fatal(err)
			}
			return held, release
		}
		held, release := hold()
		call(held, 1)
		call(u, 1) // another host
		call(held, 2)
		release(true)
		held, release = hold()
		call(held, 3)
		release(false)
		synctest.Wait()
		if n := running(u); n != 1 || len(*started) != 2 {
			t.Errorf("%d hosts run of %d; the one that was not kept should be gone", n, len(*started))
		}
	})
}
