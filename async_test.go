package casement_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// pusher is what a session over DCOM has beside cim.Session.
type pusher interface {
	cim.Session
	SubscribeAsync(ctx context.Context, query string, o cim.SubscribeOptions) (*wmiclient.Async, error)
	QueryAsync(ctx context.Context, query string, o cim.QueryOptions) (*wmiclient.Async, error)
	GetAsync(ctx context.Context, path cim.ObjectPath, o cim.GetOptions) (*wmiclient.Async, error)
	EnumerateAsync(ctx context.Context, class string, o cim.EnumerateOptions) (*wmiclient.Async, error)
	EnumerateClassesAsync(ctx context.Context, superclass string, deep bool) (*wmiclient.Async, error)
	InvokeAsync(ctx context.Context, path cim.ObjectPath, method string, in cim.Arguments, o cim.OperationOptions) (*wmiclient.Async, error)
	CreateAsync(ctx context.Context, instance *cim.Instance, o cim.OperationOptions) (*wmiclient.Async, error)
	PutAsync(ctx context.Context, instance *cim.Instance, o cim.PutOptions) (*wmiclient.Async, error)
	DeleteAsync(ctx context.Context, path cim.ObjectPath, o cim.OperationOptions) (*wmiclient.Async, error)
	PutClassAsync(ctx context.Context, class *cim.Class, o cim.PutClassOptions) (*wmiclient.Async, error)
	DeleteClassAsync(ctx context.Context, name string, o cim.OperationOptions) (*wmiclient.Async, error)
}

// push opens a namespace whose host calls sinks as o says.
func push(t *testing.T, server *casementtest.Server, o *wmiclient.SinkOptions) pusher {
	t.Helper()
	do := casement.DCOMOptions{}
	if o != nil {
		o.Address, o.ResolverPort = "127.0.0.1", 1 // which is not to be had, or harms nobody
		o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
			if _, port, _ := net.SplitHostPort(address); port == "1" {
				return nil, errors.New("not for tests")
			}
			return new(net.ListenConfig).Listen(ctx, network, address)
		}
		do.Sinks = wmiclient.NewSinks(*o)
	}
	return in(t, dial(t, "dcom://"+server.DCOM, casement.Options{User: server.User, Password: server.Password, DCOM: do}), `root\cimv2`).(pusher)
}

func permitted() error { return nil }

func allowAnonymous(n uint32) settings.Change {
	return settings.Change{Key: settings.KeyCIMOM, Name: "AllowAnonymousCallback", Value: registry.DWORD(n)}
}

// all reads what was pushed to its end.
func all(t *testing.T, a *wmiclient.Async, err error) ([]*cim.Instance, error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var list []*cim.Instance
	for {
		more, err := a.Next(ctx, 7)
		list = append(list, more...)
		if errors.Is(err, io.EOF) {
			return list, a.Close()
		}
		if err != nil {
			return list, err
		}
	}
}

// TestAsync: what an asynchronous operation pushes into the sink of the client is
// what the semisynchronous one gives, with its failures; nothing listens any more
// when it is over. Issue 4, 6.6; [MS-WMI] 3.1.1.1.3.
func TestAsync(t *testing.T) {
	server := casementtest.New(t, casementtest.Options{})
	server.Apply(allowAnonymous(1))
	direct := dial(t, ".", casement.Options{Opener: system{server.Service.CIM}})
	noted(t, direct)
	writer := in(t, direct, `root\cimv2`)
	o := wmiclient.SinkOptions{Anonymous: permitted}
	s := push(t, server, &o)
	for _, name := range []string{"a", "b", "c"} {
		if _, err := writer.Create(t.Context(), note(t, writer, name), cim.OperationOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	names := func(list []*cim.Instance, err error) string {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		text := ""
		for _, i := range list {
			name, _ := i.Get("Name").Str()
			text += name
		}
		return text
	}
	a, err := s.QueryAsync(t.Context(), "SELECT * FROM Acme_Note", cim.QueryOptions{})
	if got := names(all(t, a, err)); got != "abc" {
		t.Errorf("a query pushed %q", got)
	}
	if a, err = s.EnumerateAsync(t.Context(), "Acme_Note", cim.EnumerateOptions{}); names(all(t, a, err)) != "abc" {
		t.Error("an enumeration pushed something else")
	}
	path := cim.ObjectPath{Class: "Acme_Note", Keys: []cim.Key{{Name: "Name", Value: cim.Str("b")}}}
	if a, err = s.GetAsync(t.Context(), path, cim.GetOptions{}); names(all(t, a, err)) != "b" {
		t.Error("an instance pushed is another one")
	}
	if a, err = s.DeleteAsync(t.Context(), path, cim.OperationOptions{}); names(all(t, a, err)) != "" {
		t.Error("a deletion pushed something")
	}
	a, err = s.GetAsync(t.Context(), path, cim.GetOptions{})
	if list, err := all(t, a, err); len(list) > 0 || !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("after the deletion: %v, %v", list, err)
	}
	// more objects than one call of the sink carries
	a, err = s.QueryAsync(t.Context(), "SELECT * FROM meta_class", cim.QueryOptions{})
	list, err := all(t, a, err)
	if err != nil || len(list) < 130 || !list[0].IsClass() {
		t.Errorf("%d classes, %v", len(list), err)
	}
	// what is wrong with the call itself is said at once
	if _, err := s.QueryAsync(t.Context(), "SELECT * FROM", cim.QueryOptions{}); !errors.Is(err, cim.ErrUnparsableQuery) && !errors.Is(err, cim.ErrInvalidQuery) {
		t.Errorf("a query that is none: %v", err)
	}
	if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(a.Ports().Objects)))); err == nil {
		c.Close()
		t.Error("the port is open without a sink")
	}
}

// TestAsyncChanges: what changes something does so asynchronously too, once, and
// its end is what the host says. [MS-WMI] 3.1.4.3.7, 9, 11, 13 and 23.
func TestAsyncChanges(t *testing.T) {
	server := casementtest.New(t, casementtest.Options{})
	server.Apply(allowAnonymous(1))
	s := push(t, server, &wmiclient.SinkOptions{Anonymous: permitted})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	done := func(a *wmiclient.Async, err error) error {
		t.Helper()
		if err != nil {
			return err
		}
		list, err := all(t, a, nil)
		if len(list) > 0 {
			t.Errorf("%d objects are pushed", len(list))
		}
		return err
	}
	class := cim.NewClass("Acme_Pushed", nil).Key("Name", cim.String).Property("Size", cim.Uint32).Build(`root\cimv2`)
	if err := done(s.PutClassAsync(ctx, class, cim.PutClassOptions{Mode: cim.ClassCreateOnly})); err != nil {
		t.Fatal(err)
	}
	if err := done(s.PutClassAsync(ctx, class, cim.PutClassOptions{Mode: cim.ClassCreateOnly})); !errors.Is(err, cim.ErrAlreadyExists) {
		t.Errorf("the class made twice: %v", err)
	}
	a, err := s.EnumerateClassesAsync(ctx, "", false)
	list, err := all(t, a, err)
	if err != nil || !slices.ContainsFunc(list, func(i *cim.Instance) bool { return i.IsClass() && i.Class().Name == "Acme_Pushed" }) {
		t.Errorf("%d classes, %v", len(list), err)
	}

	if class, err = s.GetClass(ctx, "Acme_Pushed", cim.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	o := cim.NewInstance(class)
	if err := errors.Join(o.Set("Name", cim.Str("one")), o.Set("Size", cim.U32(1))); err != nil {
		t.Fatal(err)
	}
	if a, err = s.CreateAsync(ctx, o, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	path, err := a.Path(ctx)
	if err := errors.Join(err, a.Close()); err != nil || path.Relative() != `Acme_Pushed.Name="one"` {
		t.Errorf("the path is %q, %v", path, err)
	}
	if a, err = s.CreateAsync(ctx, o, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Path(ctx); !errors.Is(err, cim.ErrAlreadyExists) {
		t.Errorf("the instance made twice: %v", err)
	}
	a.Close()
	if err := o.Set("Size", cim.U32(2)); err != nil {
		t.Fatal(err)
	}
	if err := done(s.PutAsync(ctx, o, cim.PutOptions{})); err != nil {
		t.Error(err)
	}
	if got, err := s.Get(ctx, path, cim.GetOptions{}); err != nil || !got.Get("Size").Equal(cim.U32(2)) {
		t.Errorf("after a change: %v, %v", got, err)
	}
	if err := done(s.DeleteAsync(ctx, path, cim.OperationOptions{})); err != nil {
		t.Error(err)
	}
	if err := done(s.DeleteClassAsync(ctx, "Acme_Pushed", cim.OperationOptions{})); err != nil {
		t.Error(err)
	}
	if err := done(s.DeleteClassAsync(ctx, "Acme_Pushed", cim.OperationOptions{})); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("the class removed twice: %v", err)
	}

	in := cim.Arguments{{Name: "hDefKey", Value: cim.U32(0x80000002)}, {Name: "sSubKeyName", Value: cim.Str("SOFTWARE")}}
	registry := cim.ObjectPath{Class: "StdRegProv"}
	if a, err = s.InvokeAsync(ctx, registry, "EnumKey", in, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	pushed, err := a.Result(ctx)
	a.Close()
	asked, e := s.Invoke(ctx, registry, "EnumKey", in, cim.OperationOptions{})
	if err != nil || e != nil || !pushed.ReturnValue.Equal(cim.U32(0)) || fmt.Sprint(pushed) != fmt.Sprint(asked) || len(pushed.Out) == 0 {
		t.Errorf("pushed %v, %v; asked %v, %v", pushed, err, asked, e)
	}
	if _, err := s.InvokeAsync(ctx, registry, "NoSuchMethod", nil, cim.OperationOptions{}); !errors.Is(err, cim.ErrInvalidMethod) {
		t.Errorf("a method that is none: %v", err)
	}
}

// TestSubscribeAsync: events are pushed until Close, which cancels the operation at
// the host with the sink that began it. Checklist 1.14, 4.02; T-29, T-31.
func TestSubscribeAsync(t *testing.T) {
	server := casementtest.New(t, casementtest.Options{})
	server.Apply(allowAnonymous(1))
	direct := dial(t, ".", casement.Options{Opener: system{server.Service.CIM}})
	noted(t, direct)
	writer := in(t, direct, `root\cimv2`)
	const query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Acme_Note' AND TargetInstance.Size IS NULL"
	create := func(name string) {
		t.Helper()
		if _, err := writer.Create(t.Context(), note(t, writer, name), cim.OperationOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("pushed", func(t *testing.T) {
		s := push(t, server, &wmiclient.SinkOptions{Anonymous: permitted})
		events, err := s.SubscribeAsync(t.Context(), query, cim.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"p1", "p2"} {
			create(name)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			got, err := events.Next(ctx, 0)
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			if text, _ := got[0].Get("TargetInstance").Object().Get("Name").Str(); text != name {
				t.Errorf("the event is of %q, want %q", text, name)
			}
		}
		if err := events.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, err := events.Next(t.Context(), 0); !errors.Is(err, cim.ErrCallCancelled) {
			t.Errorf("after Close: %v", err)
		}
	})
	// who is not permitted to call does not, whichever side says so; the client is told at Close, and why where it was itself that refused
	for _, row := range []struct {
		name    string
		sinks   wmiclient.SinkOptions
		host    []settings.Change
		refused bool
	}{
		{"4.05: no security", wmiclient.SinkOptions{}, nil, true},
		{"the client refuses anonymous calls", wmiclient.SinkOptions{Anonymous: func() error { return errors.New("no") }}, nil, true},
		{"T-29: AllowAnonymousCallback 0", wmiclient.SinkOptions{Anonymous: permitted}, []settings.Change{allowAnonymous(0)}, false},
		{"UnsecAppAccessControlDefault 1", wmiclient.SinkOptions{Anonymous: permitted},
			[]settings.Change{{Key: settings.KeyCIMOM, Name: "UnsecAppAccessControlDefault", Value: registry.SZ("1")}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			server.Apply(append([]settings.Change{allowAnonymous(1)}, row.host...)...)
			defer server.Apply(settings.Change{Key: settings.KeyCIMOM, Name: "UnsecAppAccessControlDefault", Delete: true})
			var mu sync.Mutex
			var refusals []error
			row.sinks.Refused = func(_ net.Addr, err error) {
				mu.Lock()
				defer mu.Unlock()
				refusals = append(refusals, err)
			}
			s := push(t, server, &row.sinks)
			events, err := s.SubscribeAsync(t.Context(), query, cim.SubscribeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			semi, err := s.(cim.Subscriber).Subscribe(t.Context(), query, cim.SubscribeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer semi.Close()
			create(row.name)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if got, err := semi.Next(ctx, 0); err != nil || len(got) != 1 { // 0.31
				t.Errorf("semisynchronously: %v, %v", got, err)
			}
			soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if got, err := events.Next(soon, 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the sink has %v, %v", got, err)
			}
			if err := events.Close(); !errors.Is(err, wmiclient.ErrNeverCalled) {
				t.Errorf("Close: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if (len(refusals) > 0) != row.refused {
				t.Errorf("refused here: %v", refusals)
			}
		})
	}
	t.Run("no sinks", func(t *testing.T) {
		if _, err := push(t, server, nil).SubscribeAsync(t.Context(), query, cim.SubscribeOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("%v", err)
		}
	})
	t.Run("T-25: what cannot begin fails at once and calls nobody", func(t *testing.T) {
		s := push(t, server, &wmiclient.SinkOptions{Anonymous: func() error {
			t.Error("the sink is called")
			return nil
		}})
		for query, want := range map[string]cim.Status{
			"SELECT * FROM Win32_Process": cim.ErrNotEventClass,
			"SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_Process'": cim.ErrEssRegistrationTooPrecise,
		} {
			if a, err := s.SubscribeAsync(t.Context(), query, cim.SubscribeOptions{}); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", query, err, want)
				if err == nil {
					a.Close()
				}
			}
		}
	})
	t.Run("the session ends", func(t *testing.T) {
		s := push(t, server, &wmiclient.SinkOptions{Anonymous: permitted})
		events, err := s.SubscribeAsync(t.Context(), query, cim.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if _, err := events.Next(t.Context(), 0); !errors.Is(err, cim.ErrCallCancelled) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the service ends", func(t *testing.T) {
		s := push(t, server, &wmiclient.SinkOptions{Anonymous: permitted})
		events, err := s.SubscribeAsync(t.Context(), query, cim.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := events.Next(ctx, 0); !errors.Is(err, cim.ErrShuttingDown) {
			t.Errorf("%v", err)
		}
	})
}
