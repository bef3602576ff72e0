package casement_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// noted makes a class with stored instances in root\cimv2.
func noted(t *testing.T, c *casement.Connection) {
	t.Helper()
	root, err := c.Session(t.Context(), "root")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	text := `class Acme_Note { [key] string Name; uint32 Size; };`
	result, err := root.Invoke(t.Context(), cim.ObjectPath{Class: "Casement_Repository"}, "Compile",
		cim.Arguments{{Name: "MOF", Value: cim.Str(text)}, {Name: "Namespace", Value: cim.Str(`root\cimv2`)}}, cim.OperationOptions{})
	if code, _ := result.ReturnValue.Uint(); err != nil || code != 0 {
		t.Fatalf("compile: %v, %v", result, err)
	}
}

func note(t *testing.T, s cim.Session, name string) *cim.Instance {
	t.Helper()
	class, err := s.GetClass(t.Context(), "Acme_Note", cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i := cim.NewInstance(class)
	if err := i.Set("Name", cim.Str(name)); err != nil {
		t.Fatal(err)
	}
	return i
}

// TestEventsOverWinRM: events that a query names come over sealed HTTP, HTTPS,
// DCOM and the local socket as they do in the process of the object manager; a Pull
// that finds none waits for more than the operation timeout; Close ends the
// subscription. DSP0226 10.2; issue 3, 6.4.
func TestEventsOverWinRM(t *testing.T) {
	server := casementtest.New(t, casementtest.Options{})
	direct := dial(t, ".", casement.Options{Opener: system{server.Service.CIM}})
	noted(t, direct)
	writer := in(t, direct, `root\cimv2`)
	for name, c := range map[string]*casement.Connection{
		"direct": direct,
		"sealed": dial(t, server.HTTP, casement.Options{User: server.User, Password: server.Password, OperationTimeout: 600 * time.Millisecond}),
		"https":  dial(t, server.HTTPS, casement.Options{User: server.User, Password: server.Password, TLS: wsmanclient.TLSOptions{SHA256: server.Thumbprint}}),
		"local":  dial(t, ".", casement.Options{StateDir: server.Service.State.Dir}),
		"dcom":   dial(t, "dcom://"+server.DCOM, casement.Options{User: server.User, Password: server.Password}),
	} {
		t.Run(name, func(t *testing.T) {
			s := in(t, c, `root\cimv2`).(cim.Subscriber)
			events, err := s.Subscribe(t.Context(), "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Acme_Note' AND TargetInstance.Size IS NULL", cim.SubscribeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer events.Close()
			soon, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
			defer cancel()
			if got, err := events.Next(soon, 0); len(got) != 0 || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("before anything happens: %d events, %v", len(got), err)
			}
			before := time.Now()
			if _, err := writer.Create(t.Context(), note(t, writer, name), cim.OperationOptions{}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			got, err := events.Next(ctx, 0)
			if err != nil || len(got) != 1 {
				t.Fatalf("%d events, %v", len(got), err)
			}
			target := got[0].Get("TargetInstance").Object()
			if text, _ := target.Get("Name").Str(); text != name || got[0].Class().Name != "__InstanceCreationEvent" {
				t.Errorf("the event is %v of %v", got[0].Class().Name, target)
			}
			ticks, _ := got[0].Get("TIME_CREATED").Uint()
			if at := time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(ticks%1e7)*100).Unix() + int64(ticks/1e7); at < before.Unix()-1 || at > time.Now().Unix()+1 { // #nosec G115
				t.Errorf("TIME_CREATED %d is the second %d, not about %d", ticks, at, before.Unix())
			}
			if err := events.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		s := in(t, dial(t, server.HTTP, casement.Options{User: server.User, Password: server.Password}), `root\cimv2`).(cim.Subscriber)
		for query, want := range map[string]cim.Status{
			"SELECT * FROM Win32_Process": cim.ErrNotEventClass,
			"SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_Process'": cim.ErrEssRegistrationTooPrecise,
			"SELECT * FROM": cim.ErrUnparsableQuery,
		} {
			if _, err := s.Subscribe(t.Context(), query, cim.SubscribeOptions{}); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", query, err, want)
			}
		}
	})
}

// in opens a namespace for a test.
func in(t *testing.T, c *casement.Connection, namespace string) cim.Session {
	t.Helper()
	s, err := c.Session(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
