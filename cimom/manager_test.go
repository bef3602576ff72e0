package cimom_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// faulty is a provider whose behaviour depends on the class.
type faulty struct{ stopped chan error }

const faultyNamespace = `root\cimv2`

func (f *faulty) Classes() []*cim.Class {
	base := cim.NewClass("T_Base", nil).Abstract().Key("ID", cim.Uint32).Build(faultyNamespace)
	out := []*cim.Class{base}
	for _, name := range []string{"T_Good", "T_Panics", "T_Fails", "T_Hangs", "T_Endless", "T_Wrong", "T_Slow"} {
		out = append(out, cim.NewClass(name, base).Method("Do", cim.Uint32).Build(""))
	}
	return out
}

func (f *faulty) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	i := cim.NewInstance(r.Class)
	give := func(n uint32) error {
		if err := i.Set("ID", cim.U32(n)); err != nil {
			return err
		}
		return yield(i)
	}
	if err := give(1); err != nil {
		return err
	}
	switch r.Class.Name {
	case "T_Panics":
		panic("secret inside")
	case "T_Fails":
		return errors.New("secret file /etc/shadow")
	case "T_Hangs":
		select {}
	case "T_Slow":
		for n := uint32(2); n < 5; n++ {
			time.Sleep(time.Second)
			if err := give(n); err != nil {
				return err
			}
		}
		return nil
	case "T_Wrong":
		return yield(cim.NewInstance(cim.NewClass("Other", nil).Build("")))
	case "T_Endless":
		for n := uint32(2); ; n++ {
			if err := give(n); err != nil {
				f.stopped <- err
				return err
			}
		}
	}
	return give(2)
}

func (f *faulty) Invoke(context.Context, *cimom.Request, cim.ObjectPath, string, cim.Arguments) (cim.Result, error) {
	panic("secret inside")
}

func withFaulty(t *testing.T, log io.Writer) (cim.Session, *faulty) {
	m := cimom.New(cimom.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	t.Cleanup(func() { m.Close() })
	f := &faulty{stopped: make(chan error, 1)}
	if err := m.Register(f); err != nil {
		t.Fatal(err)
	}
	return open(t, m, faultyNamespace), f
}

func TestProviderFailures(t *testing.T) {
	var log bytes.Buffer
	s, _ := withFaulty(t, &log)
	for _, class := range []string{"T_Panics", "T_Fails", "T_Wrong"} {
		e, err := s.Enumerate(t.Context(), class, cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := cim.Collect(t.Context(), e)
		if len(list) != 1 || !errors.Is(err, cim.ErrProviderFailure) {
			t.Errorf("%s: %d instances, %v; want 1 and WBEM_E_PROVIDER_FAILURE", class, len(list), err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the caller sees the inside: %v", class, err)
		}
	}
	_, err := s.Invoke(t.Context(), cim.ObjectPath{Class: "T_Good", Keys: []cim.Key{{Value: cim.U32(1)}}}, "Do", nil, cim.OperationOptions{})
	if !errors.Is(err, cim.ErrProviderFailure) || strings.Contains(err.Error(), "secret") {
		t.Errorf("Invoke: %v", err)
	}
	if !strings.Contains(log.String(), "secret inside") {
		t.Error("the log does not have the panic")
	}
}

func TestOneFailureDoesNotHideOthers(t *testing.T) {
	s, _ := withFaulty(t, io.Discard)
	e, err := s.Query(t.Context(), `SELECT * FROM T_Base WHERE ID < 3 AND (__CLASS='T_Panics' OR __CLASS='T_Good')`, cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cim.Collect(t.Context(), e)
	if len(list) != 3 || !errors.Is(err, cim.ErrProviderFailure) {
		t.Errorf("%d instances, %v; want 3 and WBEM_E_PROVIDER_FAILURE", len(list), err)
	}
}

func TestHangingProvider(t *testing.T) {
	s, _ := withFaulty(t, io.Discard)
	e, err := s.Enumerate(t.Context(), "T_Hangs", cim.EnumerateOptions{OperationOptions: cim.OperationOptions{Timeout: 50 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cim.Collect(t.Context(), e)
	if len(list) != 1 || !errors.Is(err, cim.ErrTimedOut) {
		t.Errorf("%d instances, %v; want 1 and WBEM_E_TIMED_OUT", len(list), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx, cim.ObjectPath{Class: "T_Hangs", Keys: []cim.Key{{Value: cim.U32(7)}}}, cim.GetOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Get(t.Context(), cim.ObjectPath{Class: "T_Good", Keys: []cim.Key{{Value: cim.U32(2)}}}, cim.GetOptions{}); err != nil {
		t.Errorf("another class: %v", err)
	}
}

// TestAbandonedEnumeration: Close ends the provider, and without Close the
// provider waits for its reader; the bubble fails where a goroutine is left.
func TestAbandonedEnumeration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := withFaulty(t, io.Discard)
		e, err := s.Enumerate(t.Context(), "T_Endless", cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Next(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case err := <-f.stopped:
			t.Fatalf("the provider ended with %v before Close", err)
		default:
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if <-f.stopped == nil {
			t.Error("the provider was not told to stop")
		}
		for {
			if _, err = e.Next(t.Context(), 0); err != nil {
				break
			}
		}
		if !errors.Is(err, cim.ErrShuttingDown) {
			t.Errorf("Next in a closed session: %v", err)
		}
	})
}

// TestSlowProvider: an instance is handed on as soon as it is there.
func TestSlowProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := withFaulty(t, io.Discard)
		e, err := s.Enumerate(t.Context(), "T_Slow", cim.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for n := range 4 {
			batch, err := e.Next(t.Context(), 20)
			if err != nil || len(batch) != 1 {
				t.Fatalf("instance %d: %d instances, %v", n, len(batch), err)
			}
			if took := time.Since(start); took != time.Duration(n)*time.Second {
				t.Errorf("instance %d came after %v", n, took)
			}
		}
		if _, err := e.Next(t.Context(), 20); !errors.Is(err, io.EOF) {
			t.Errorf("the end: %v", err)
		}
	})
}

func caller(remote bool, sids ...security.SID) cim.Caller {
	c := cim.Caller{Token: &security.Token{}, Remote: remote, Protection: cim.ProtectionPktIntegrity}
	for _, s := range sids {
		c.Token.Groups = append(c.Token.Groups, security.GroupEntry{SID: s})
	}
	return c
}

// TestAccess has the defaults of spec/wmi.md 5.7.
func TestAccess(t *testing.T) {
	m := served(t)
	const namespace = `root\cimtest`
	readOnly, err := security.ParseSDDL("O:BAG:BAD:(A;;0x21;;;AU)")
	if err != nil {
		t.Fatal(err)
	}
	m2 := cimom.New(cimom.Options{Namespaces: []cimom.Namespace{{Name: `root\cimv2`, Security: readOnly}, {Name: `root\wmi`, RequiresEncryption: true}}})
	defer m2.Close()
	if err := m2.Register(&faulty{}); err != nil {
		t.Fatal(err)
	}
	admins, users := security.SIDAdministrators, security.SIDAuthenticatedUsers
	tests := []struct {
		m         *cimom.Manager
		namespace string
		caller    cim.Caller
		ok        bool
	}{
		{m, namespace, caller(false, users), true},
		{m, namespace, caller(true, users), false},
		{m, namespace, caller(true, admins, users), true},
		{m, namespace, caller(false, security.SIDEveryone), false},
		{m, namespace, cim.Caller{}, false},
		{m2, `root/cimv2`, caller(true, users), true},
		{m2, `root\wmi`, caller(true, admins), false},
		{m2, `root\wmi`, caller(false, admins), true},
	}
	for n, tt := range tests {
		_, err := tt.m.Open(t.Context(), tt.caller, tt.namespace, cim.OpenOptions{})
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("%d: Open: %v", n, err)
		}
	}
	s, err := m2.Open(t.Context(), caller(true, users), `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := cim.ObjectPath{Class: "T_Good", Keys: []cim.Key{{Value: cim.U32(1)}}}
	if _, err := s.Get(t.Context(), path, cim.GetOptions{}); err != nil {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Invoke(t.Context(), path, "Do", nil, cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("Invoke without Execute Methods: %v", err)
	}
	if err := s.Delete(t.Context(), path, cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("Delete without Provider Write: %v", err)
	}
	if _, err := s.With(cim.Caller{}).Get(t.Context(), path, cim.GetOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("Get as nobody: %v", err)
	}
}

func TestNamespaces(t *testing.T) {
	m := served(t)
	s := open(t, m, "root")
	e, err := s.Query(t.Context(), `SELECT Name FROM __NAMESPACE WHERE Name LIKE 'cim%'`, cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := cim.Each(t.Context(), e, func(i *cim.Instance) error {
		names = append(names, i.Get("Name").String())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, ","); got != "cimtest,cimv2" {
		t.Errorf("children of root: %s", got)
	}
	if _, err := s.Query(t.Context(), `SELECT * FROM CT_Part`, cim.QueryOptions{}); !errors.Is(err, cim.ErrInvalidClass) {
		t.Errorf("a class of another namespace: %v", err) // proof.md 5, row 11
	}
	if _, err := m.Open(t.Context(), administrator(), `root\nothing`, cim.OpenOptions{}); !errors.Is(err, cim.ErrInvalidNamespace) {
		t.Errorf("Open of a missing namespace: %v", err)
	}
	for name, want := range map[string]cim.Status{
		`root\cimv2`: cim.ErrAlreadyExists, `root\x\y`: cim.ErrInvalidNamespace, `root\1x`: cim.ErrInvalidParameter, `root\`: cim.ErrAlreadyExists,
	} {
		if err := m.AddNamespace(cimom.Namespace{Name: name}); !errors.Is(err, want) {
			t.Errorf("AddNamespace(%s): %v, want %v", name, err, want)
		}
	}
}
