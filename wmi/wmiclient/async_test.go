package wmiclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// caller is a host that calls sinks octet by octet as a test says.
type caller struct {
	*host
	t         *testing.T
	sinks     chan *dcom.ObjRef
	cancelled chan *dcom.ObjRef
	unsecapp  bool
}

// serveUnsecapp hosts sinks behind a Unix socket.
func serveUnsecapp(t *testing.T, k *wmiclient.Sinks) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "u") // the name of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.ServeUnsecapp(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if k.Ports() != (wmiclient.SinkPorts{}) {
			t.Error("the ports are still open")
		}
		os.RemoveAll(dir)
	})
	return socket
}

func newCaller(t *testing.T) *caller {
	c := &caller{newHost(t), t, make(chan *dcom.ObjRef, 1), make(chan *dcom.ObjRef, 1), false}
	on(c.services, wmi.IIDServices, iwbem.OpExecQueryAsync, func(_ context.Context, _ *dcom.Call, r *iwbem.ExecQueryAsyncRequest) ndr.Marshaler {
		c.sinks <- r.Sink
		return &iwbem.ExecQueryAsyncResponse{}
	})
	on(c.services, wmi.IIDServices, iwbem.OpCancelAsyncCall, func(_ context.Context, _ *dcom.Call, r *iwbem.CancelAsyncCallRequest) ndr.Marshaler {
		c.cancelled <- r.Sink
		return &iwbem.CancelAsyncCallResponse{}
	})
	return c
}

// query begins an asynchronous query and gives the sink as the host has it.
func (c *caller) query(o wmiclient.SinkOptions) (*wmiclient.Async, *dcom.ObjRef, *dcom.Proxy) {
	c.t.Helper()
	o.Address, o.Anonymous = "127.0.0.1", func() error { return nil }
	o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		if address == "127.0.0.1:135" {
			return nil, errors.New("not for tests")
		}
		return new(net.ListenConfig).Listen(ctx, network, address)
	}
	options := c.options()
	options.Sinks = wmiclient.NewSinks(o)
	if c.unsecapp { // the sinks are those of another program
		options.Sinks = wmiclient.NewSinks(wmiclient.SinkOptions{Unsecapp: serveUnsecapp(c.t, options.Sinks), Queue: o.Queue})
	}
	a, err := c.open(c.t, options).(*wmiclient.Session).QueryAsync(within(c.t), "SELECT * FROM Thing", cim.QueryOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	ref := <-c.sinks
	if ref.Std.Flags != dcom.StdNoPing || len(ref.Resolver.Strings) == 0 || ref.Resolver.Strings[0].Address != dcom.FormatStringBinding("127.0.0.1", a.Ports().Objects) {
		c.t.Errorf("the reference is %+v", ref)
	}
	service := dcom.NewClient(dcom.ClientOptions{})
	c.t.Cleanup(func() { service.Close() })
	p, err := service.Unmarshal(within(c.t), "127.0.0.1", ref)
	if err != nil {
		c.t.Fatal(err)
	}
	return a, ref, p
}

func (c *caller) indicate(p *dcom.Proxy, list ...*cim.Instance) uint32 {
	c.t.Helper()
	in := &iwbem.IndicateRequest{}
	for _, i := range list {
		in.Objects = append(in.Objects, c.unit(i))
	}
	var out iwbem.IndicateResponse
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if err := p.Call(ctx, iwbem.OpIndicate, in, &out); err != nil {
		c.t.Errorf("Indicate: %v", err)
	}
	return out.Result
}

func (c *caller) setStatus(p *dcom.Proxy, flags, status uint32) uint32 {
	c.t.Helper()
	var out iwbem.SetStatusResponse
	if err := p.Call(within(c.t), iwbem.OpSetStatus, &iwbem.SetStatusRequest{Flags: flags, Status: status, Text: iwbem.String{Null: true}}, &out); err != nil {
		c.t.Errorf("SetStatus: %v", err)
	}
	return out.Result
}

// What a sink answers: objects and progress are success, other kinds of a status than
// complete and progress an error (T-33); the first Indicate answers that packets
// are not understood (T-32); after the end nothing is taken.
func TestSinkAnswers(t *testing.T) {
	for name, unsecapp := range map[string]bool{"its own": false, "of another program": true} {
		t.Run(name, func(t *testing.T) {
			c := newCaller(t)
			c.unsecapp = unsecapp
			sinkAnswers(t, c)
		})
	}
}

func sinkAnswers(t *testing.T, c *caller) {
	a, _, p := c.query(wmiclient.SinkOptions{})
	for n := range 2 {
		if code := c.indicate(p, things(3)...); code != 0 {
			t.Errorf("Indicate %d answers %#x", n, code)
		}
	}
	for flags, want := range map[uint32]cim.Status{1: cim.ErrInvalidParameter, 3: cim.ErrInvalidParameter, 2: 0} {
		if code := c.setStatus(p, flags, 0); cim.Status(code) != want {
			t.Errorf("SetStatus with the flags %d answers %#x", flags, code)
		}
	}
	if code := c.setStatus(p, 0, uint32(cim.ErrProviderFailure)); code != 0 {
		t.Errorf("the final SetStatus answers %#x", code)
	}
	if code := c.indicate(p, things(1)...); cim.Status(code) != cim.ErrCallCancelled {
		t.Errorf("Indicate after the end answers %#x", code)
	}
	if got, err := a.Next(within(t), 4); err != nil || len(got) != 4 {
		t.Errorf("the first: %d, %v", len(got), err)
	}
	if got, err := a.Next(within(t), 4); err != nil || len(got) != 2 || !got[1].Get("Number").Equal(cim.U32(2)) {
		t.Errorf("the rest: %v, %v", got, err)
	}
	for range 2 {
		if _, err := a.Next(within(t), 0); !errors.Is(err, cim.ErrProviderFailure) {
			t.Errorf("the end: %v", err)
		}
	}
	if err := a.Close(); err != nil || len(c.cancelled) > 0 {
		t.Errorf("Close after the end: %v, %d cancelled", err, len(c.cancelled))
	}
}

// Close cancels with the same object (T-31), once.
func TestCancelNamesTheSink(t *testing.T) {
	c := newCaller(t)
	a, ref, _ := c.query(wmiclient.SinkOptions{})
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if other := <-c.cancelled; other.Std.OID != ref.Std.OID || other.Std.IPID != ref.Std.IPID || other.Std.OXID != ref.Std.OXID {
		t.Errorf("cancelled %+v, begun with %+v", other.Std, ref.Std)
	}
	if len(c.cancelled) > 0 {
		t.Error("cancelled twice")
	}
}

// A reader that does not read keeps the host waiting; nothing is lost, and the queue is bounded.
func TestSinkQueueIsBounded(t *testing.T) {
	for name, unsecapp := range map[string]bool{"its own": false, "of another program": true} {
		t.Run(name, func(t *testing.T) {
			c := newCaller(t)
			c.unsecapp = unsecapp
			boundedQueue(t, c)
		})
	}
}

func boundedQueue(t *testing.T, c *caller) {
	size := len(c.unit(things(1)[0]))
	a, _, p := c.query(wmiclient.SinkOptions{Queue: 4 * size})
	defer a.Close()
	if code := c.indicate(p, things(4)...); code != 0 {
		t.Fatalf("%#x", code)
	}
	answered := make(chan uint32, 1)
	go func() { answered <- c.indicate(p, things(4)...) }()
	select {
	case code := <-answered:
		t.Fatalf("a full queue answers %#x", code)
	case <-time.After(200 * time.Millisecond):
	}
	for n := range 8 {
		got, err := a.Next(within(t), 1)
		if err != nil || len(got) != 1 || !got[0].Get("Number").Equal(cim.U32(uint32(n%4))) {
			t.Fatalf("%d: %v, %v", n, got, err)
		}
	}
	if code := <-answered; code != 0 {
		t.Errorf("the second Indicate answers %#x", code)
	}
	// and a sink that is released without a word has ended
	if err := p.Release(within(t)); err != nil {
		t.Error(err)
	}
	if _, err := a.Next(within(t), 0); !errors.Is(err, cim.ErrCallCancelled) || errors.Is(err, io.EOF) {
		t.Errorf("after its release: %v", err)
	}
}

// What is no object ends the operation, and the host is told.
func TestSinkRefusesGarbage(t *testing.T) {
	c := newCaller(t)
	a, _, p := c.query(wmiclient.SinkOptions{})
	defer a.Close()
	var out iwbem.IndicateResponse
	if err := p.Call(within(t), iwbem.OpIndicate, &iwbem.IndicateRequest{Objects: []iwbem.ClassObject{{1, 2, 3, 4}}}, &out); err != nil {
		t.Fatal(err)
	}
	if cim.Status(out.Result) != cim.ErrInvalidObject {
		t.Errorf("it answers %#x", out.Result)
	}
	if _, err := a.Next(within(t), 0); !errors.Is(err, cim.ErrInvalidObject) {
		t.Errorf("the reader gets %v", err)
	}
}

// A program that ends takes its sink with it; a host of sinks that ends, the operations.
func TestUnsecappEnds(t *testing.T) {
	c := newCaller(t)
	c.unsecapp = true
	a, _, p := c.query(wmiclient.SinkOptions{})
	if code := c.indicate(p, things(1)...); code != 0 {
		t.Fatalf("%#x", code)
	}
	select {
	case <-a.Reached():
	case <-time.After(10 * time.Second):
		t.Error("the program is not told that the host has connected")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	var out iwbem.IndicateResponse
	for end := time.Now().Add(10 * time.Second); p.Call(within(t), iwbem.OpIndicate, &iwbem.IndicateRequest{}, &out) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the sink of a program that has closed it is still called")
		}
	}
	options := c.options()
	options.Sinks = wmiclient.NewSinks(wmiclient.SinkOptions{Unsecapp: filepath.Join(t.TempDir(), "none")})
	if _, err := c.open(t, options).(*wmiclient.Session).QueryAsync(within(t), "SELECT * FROM Thing", cim.QueryOptions{}); !errors.Is(err, cim.ErrTransportFailure) {
		t.Errorf("without anybody behind the socket: %v", err)
	}
}
