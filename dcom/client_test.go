package dcom_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

func TestActivateCallRelease(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	p, err := c.Activate(within(t), w.host, clsidCounter, iidCounter, iidMissing, iidOther)
	if err != nil {
		t.Fatal(err)
	}
	if p[0] == nil || p[1] != nil || p[2] == nil {
		t.Fatalf("the interfaces are %v", p)
	}
	if n, err := add(t, p[0], 40); n != 40 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := add(t, p[0], 2); n != 42 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	var f facts
	if err := p[0].Call(within(t), 5, nil, &f); err != nil || f.user != "bob" || f.level != uint32(dcerpc.LevelPrivacy) {
		t.Errorf("the call was made by %+v, %v", f, err)
	}
	q, err := p[2].QueryInterface(within(t), iidCounter)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := add(t, q, 1); n != 43 || err != nil {
		t.Errorf("another proxy of the interface: %d, %v", n, err)
	}
	if _, err := q.QueryInterface(within(t), iidMissing); !isResult(err, dcom.E_NOINTERFACE) {
		t.Errorf("a missing interface: %v", err)
	}
	if err := p[2].Call(within(t), 3, nil, nil); !isResult(err, dcom.FromWin32(dcom.RPC_S_CALL_FAILED)) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a method that fails inside: %v", err)
	}
	if err := c.Release(within(t), p...); err != nil {
		t.Error(err)
	}
	if w.released.Load() != 0 || w.exporter.Len() != 1 {
		t.Error("the object is gone before its last proxy is")
	}
	if _, err := add(t, p[0], 1); !isResult(err, dcom.RPC_E_DISCONNECTED) {
		t.Errorf("a released proxy: %v", err)
	}
	if err := q.Release(within(t)); err != nil {
		t.Error(err)
	}
	if err := q.Release(within(t)); err != nil {
		t.Error(err)
	}
	if w.released.Load() != 1 || w.exporter.Len() != 0 {
		t.Errorf("the object was released %d times, %d are there", w.released.Load(), w.exporter.Len())
	}
}

// What a call answers becomes a proxy without asking anybody; everything that is held goes in one call for each exporter.
func TestReleaseInOneCall(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	var log calls
	c := dcom.NewClient(dcom.ClientOptions{Blanket: as("bob"), Trace: log.trace()})
	p := activate(t, c, w)
	for range 20 {
		var o object
		if err := p.Call(within(t), 4, nil, &o); err != nil {
			t.Fatal(err)
		}
		q, err := p.Unmarshal(within(t), o.ref)
		if err != nil {
			t.Fatal(err)
		}
		again := q.AddRef()
		if n, err := add(t, again, 3); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if err := again.Release(within(t)); err != nil {
			t.Error(err)
		}
	}
	if n := w.exporter.Len(); n != 21 {
		t.Errorf("%d objects", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if released, asked := log.count("IRemUnknown2.5"), log.count("IObjectExporter.4"); released != 1 || asked != 0 || w.exporter.Len() != 0 || w.released.Load() != 21 {
		t.Errorf("%d releases, %d resolutions; %d objects are there, %d were released", released, asked, w.exporter.Len(), w.released.Load())
	}
	if _, err := c.Activate(within(t), w.host, clsidCounter, iidCounter); err == nil {
		t.Error("a closed client activates")
	}
	if _, err := add(t, p, 1); err == nil {
		t.Error("a proxy of a closed client calls")
	}
}

func TestClassObject(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	factory, err := c.ClassObject(within(t), w.host, clsidCounter)
	if err != nil {
		t.Fatal(err)
	}
	p, err := factory.CreateInstance(within(t), iidCounter)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := add(t, p, 9); n != 9 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := factory.CreateInstance(within(t), iidMissing); !isResult(err, dcom.E_NOINTERFACE) {
		t.Errorf("a missing interface: %v", err)
	}
	var locked dcom.ResultResponse
	if err := factory.Call(within(t), 4, &number{1}, &locked); err != nil || locked.Result != 0 {
		t.Errorf("LockServer: %v, %#x", err, locked.Result)
	}
	if w.released.Load() != 1 { // the one without the interface
		t.Errorf("%d objects were released", w.released.Load())
	}
}

// A blanket goes with a proxy, with what its calls make and with their release.
func TestBlanket(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	p := activate(t, c, w)
	lower, other := as("bob"), as("eve")
	lower.Level = dcerpc.LevelPacket // raised: no server takes less than Integrity today
	exact := lower
	exact.Exactly = true
	for name, b := range map[string]struct {
		blanket *dcom.Blanket
		want    dcerpc.Level
	}{"raised": {&lower, dcerpc.LevelIntegrity}, "exactly": {&exact, dcerpc.LevelPacket}} {
		q := p.With(b.blanket)
		var f facts
		if err := q.Call(within(t), 5, nil, &f); err != nil || f.level != uint32(b.want) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
		var o object
		if err := q.Call(within(t), 4, nil, &o); err != nil {
			t.Fatal(err)
		}
		r, err := q.Unmarshal(within(t), o.ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Call(within(t), 5, nil, &f); err != nil || f.level != uint32(b.want) {
			t.Errorf("%s, what it made: %+v, %v", name, f, err)
		}
		if err := c.Release(within(t), q, r); err != nil {
			t.Error(err)
		}
	}
	// Another account does not reach bob's object here, which shows that its name is used, for the release too.
	q := p.With(&other)
	if _, err := add(t, q, 1); !isResult(err, dcom.RPC_E_DISCONNECTED) {
		t.Errorf("eve calls: %v", err)
	}
	if err := p.Release(within(t)); err != nil {
		t.Error(err)
	}
	if err := q.Release(within(t)); err != nil {
		t.Error(err)
	}
	if w.exporter.Len() != 1 {
		t.Error("eve released bob's object")
	}
}

// Calls are part of the chain of calls that made them, and each call from outside begins one.
func TestCausality(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	p := activate(t, newClient(t, dcom.ClientOptions{Blanket: as("bob")}), w)
	var a, b, c facts
	chain := dcom.WithCausality(within(t), id3)
	for _, f := range []*facts{&a, &b} {
		if err := p.Call(chain, 5, nil, f); err != nil || f.cid != id3 {
			t.Errorf("%+v, %v", f, err)
		}
	}
	if err := p.Call(within(t), 5, nil, &c); err != nil || c.cid == id3 || c.cid == (security.GUID{}) {
		t.Errorf("%+v, %v", c, err)
	}
}

// What a method says about its error comes with the HRESULT.
func TestErrorInfoOfACall(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	p := activate(t, newClient(t, dcom.ClientOptions{Blanket: as("bob")}), w)
	var f failing
	if err := p.Call(within(t), 6, nil, &f); err != nil || f.Result != dcom.E_FAIL {
		t.Fatalf("%+v, %v", f, err)
	}
	i, err := dcom.ParseErrorInfo(f.info)
	if err != nil || *i.Description != "because" || i.IID != iidCounter {
		t.Errorf("%+v, %v", i, err)
	}
}

// A connection that breaks is made anew by the next call.
func TestReconnect(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	var mu sync.Mutex
	var open []net.Conn
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			mu.Lock()
			open = append(open, nc)
			mu.Unlock()
		}
		return nc, err
	}})
	p := activate(t, c, w)
	for i := range 3 {
		if n, err := add(t, p, 1); n != uint32(i)+1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		mu.Lock()
		for _, nc := range open {
			nc.Close()
		}
		mu.Unlock()
	}
	// A call may notice whose request had left before the end of the connection came.
	if _, err := add(t, p, 1); err != nil {
		if _, err := add(t, p, 1); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Activate(within(t), w.host, clsidCounter, iidCounter); err != nil {
		t.Errorf("another activation: %v", err)
	}
}

// One connection serves all callers at once, and one caller's patience is no other's.
func TestConcurrentCalls(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	var dialled atomic.Int32
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	p := activate(t, c, w)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			ctx := within(t)
			for range 20 {
				var o object
				if err := p.Call(ctx, 4, nil, &o); err != nil || o.result != 0 {
					t.Errorf("%v, %#x", err, o.result)
					return
				}
				q, err := p.Unmarshal(ctx, o.ref)
				if err != nil {
					t.Error(err)
					return
				}
				if n, err := add(t, q, 5); n != 5 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
				if err := q.Release(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := w.exporter.Len(); n != 1 || dialled.Load() != 2 {
		t.Errorf("%d objects are left, %d connections were made", n, dialled.Load())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Call(ctx, 3, &number{1}, new(sum)); !errors.Is(err, context.Canceled) || !isResult(err, dcom.FromWin32(dcom.RPC_S_CALL_CANCELLED)) {
		t.Errorf("a cancelled call: %v", err)
	}
}

// Close ends what waits for a machine that says nothing, at each step.
func TestCloseWhileConnecting(t *testing.T) {
	silent := tcp(t)
	defer silent.Close()
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"the connection": func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"the bind": nil,
	} {
		c := dcom.NewClient(dcom.ClientOptions{Blanket: as("bob"), Dial: dial})
		done := make(chan error)
		go func() {
			_, err := c.Activate(context.Background(), strings.Replace(silent.Addr().String(), ":", "[", 1)+"]", clsidCounter, iidCounter)
			done <- err
		}()
		time.Sleep(50 * time.Millisecond)
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: there is an object", name)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: the activation goes on", name)
		}
	}
}

// What can go wrong before there is an object says what to do.
func TestConnectErrors(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	silent := tcp(t)
	defer silent.Close()
	closed := tcp(t)
	closed.Close()
	wrong := dcom.Blanket{AuthType: dcerpc.AuthNTLM, Initiator: func(string, string) (auth.Initiator, error) {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: "bob", Password: "wrong"}}), nil
	}}
	none := dcom.Blanket{Initiator: func(string, string) (auth.Initiator, error) { return nil, auth.ErrUnsupported }}
	port := func(addr string) string { return strings.Replace(addr, ":", "[", 1) + "]" }
	for name, c := range map[string]struct {
		blanket dcom.Blanket
		host    string
		want    uint32
	}{
		"nobody listens":        {as("bob"), port(closed.Addr().String()), dcom.FromWin32(dcom.RPC_S_SERVER_UNAVAILABLE)},
		"a firewall resets":     {as("bob"), port(resetting(t)), dcom.FromWin32(dcom.RPC_S_SERVER_UNAVAILABLE)},
		"nobody answers":        {as("bob"), port(silent.Addr().String()), dcom.RPC_E_TIMEOUT},
		"not a resolver":        {as("bob"), port(w.addrs[1]), dcom.FromWin32(dcom.RPC_S_UNKNOWN_IF)},
		"a wrong password":      {wrong, w.host, dcom.E_ACCESSDENIED},
		"no mechanism":          {none, w.host, dcom.FromWin32(dcom.RPC_S_CALL_FAILED)},
		"a host that is none":   {as("bob"), "a b", dcom.E_INVALIDARG},
		"a port that is none":   {as("bob"), "h[99999]", dcom.E_INVALIDARG},
		"an anonymous activate": {dcom.Blanket{}, w.host, dcom.E_ACCESSDENIED},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := newClient(t, dcom.ClientOptions{Blanket: c.blanket}).Activate(ctx, c.host, clsidCounter, iidCounter)
		cancel()
		if !isResult(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, dcom.ResultName(c.want))
		}
	}
}

// resetting is the address of one that takes connections, reads and resets them.
func resetting(t *testing.T) string {
	t.Helper()
	l := tcp(t)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}()
	return l.Addr().String()
}

// The host that the user named is dialled, with the port that the server told; others only where the user permits it and the first does not answer (F58).
func TestWhatIsDialled(t *testing.T) {
	const named, hidden = "198.51.100.7", "10.0.0.7" // the same machine, seen from outside and as it sees itself
	for name, c := range map[string]struct {
		other     bool
		forwarded bool
		dialled   []string
		ok        bool
	}{
		"behind a translation":            {false, true, []string{named + ":135", named + ":49152"}, true},
		"not forwarded":                   {false, false, []string{named + ":135", named + ":49152"}, false},
		"not forwarded, others permitted": {true, false, []string{named + ":135", named + ":49152", hidden + ":49152"}, true},
		"forwarded, others permitted":     {true, true, []string{named + ":135", named + ":49152"}, true},
	} {
		n := &network{}
		w := newWorld(t, worldOptions{}, n.at(hidden, 135, 49152))
		var mu sync.Mutex
		var dialled []string
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			dialled = append(dialled, address)
			mu.Unlock()
			if rest, ok := strings.CutPrefix(address, named); ok && (rest == ":135" || c.forwarded) {
				address = hidden + rest
			}
			return n.dial(ctx, network, address)
		}
		client := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: dial, OtherBindings: c.other})
		w.host = named
		p := activate(t, client, w)
		if _, err := add(t, p, 1); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		mu.Lock()
		if !slices.Equal(dialled, c.dialled) {
			t.Errorf("%s: dialled %v, want %v", name, dialled, c.dialled)
		}
		mu.Unlock()
	}
}

func TestIPv6(t *testing.T) {
	n := &network{}
	w := newWorld(t, worldOptions{}, n.at("2001:db8::7", 11135, 49152))
	w.host = "2001:db8::7[11135]"
	p := activate(t, newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial}), w)
	if got, err := add(t, p, 1); got != 1 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	if !slices.Equal(n.dialled, []string{"[2001:db8::7]:11135", "[2001:db8::7]:49152"}) {
		t.Errorf("dialled %v", n.dialled)
	}
}

// evil is a server that answers what the test wants: by interface and opnum.
func evil(t *testing.T, answers map[security.GUID]map[uint16]ndr.Marshaler) string {
	t.Helper()
	srv := dcerpc.NewServer(dcerpc.ServerOptions{Acceptor: acceptor})
	for iid, methods := range answers {
		srv.Register(&dcerpc.Interface{ID: dcerpc.SyntaxID{UUID: iid}, MinLevel: dcerpc.LevelNone, Serve: func(_ context.Context, call *dcerpc.Call) error {
			answer, ok := methods[call.Opnum]
			if !ok {
				return &dcerpc.Fault{Status: dcerpc.StatusOpRange}
			}
			answer.MarshalNDR(call.Out)
			return nil
		}})
	}
	l := tcp(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return strings.Replace(l.Addr().String(), ":", "[", 1) + "]"
}

type octets []byte

func (o octets) MarshalNDR(e *ndr.Encoder) { e.Raw(o) }

// scmAnswer wraps what a hostile activator says.
func scmAnswer(props ...dcom.Property) *dcom.SCMActivatorResponse {
	return &dcom.SCMActivatorResponse{Properties: &dcom.ObjRef{
		Kind: dcom.ObjRefCustom, IID: dcom.IIDActivationPropsOut, CLSID: dcom.CLSIDActivationPropsOut,
		Data: (&dcom.ActivationProperties{Properties: props}).Append(nil),
	}}
}

// No answer of a server harms the client: each of these is an error, and nothing else is dialled.
func TestHostileActivator(t *testing.T) {
	reply := &dcom.ScmReplyInfo{Exporter: dcom.ExporterInfo{OXID: 7, Version: dcom.Version, Bindings: dcom.DualStringArray{Strings: []dcom.StringBinding{{Tower: 7, Address: "203.0.113.66[445]"}}}}}
	ref := func(oxid uint64, iid security.GUID) *dcom.ObjRef {
		return &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iid, Std: dcom.StdObjRef{PublicRefs: 5, OXID: oxid, OID: 8, IPID: ipid}}
	}
	out := func(r ...dcom.InterfaceResult) *dcom.PropsOut { return &dcom.PropsOut{Interfaces: r} }
	for name, answer := range map[string]ndr.Marshaler{
		"nothing":              octets(nil),
		"noise":                octets(strings.Repeat("\xff", 400)),
		"no properties":        &dcom.SCMActivatorResponse{},
		"an object of a class": &dcom.SCMActivatorResponse{Properties: (&dcom.ErrorInfo{}).ObjRef()},
		"no reply":             scmAnswer(out(dcom.InterfaceResult{IID: iidCounter, Object: ref(7, iidCounter)})),
		"no objects":           scmAnswer(reply),
		"too many objects":     scmAnswer(out(dcom.InterfaceResult{Object: ref(7, iidCounter)}, dcom.InterfaceResult{Object: ref(7, iidCounter)}), reply),
		"another exporter":     scmAnswer(out(dcom.InterfaceResult{IID: iidCounter, Object: ref(6, iidCounter)}), reply),
		"another interface":    scmAnswer(out(dcom.InterfaceResult{IID: iidCounter, Object: ref(7, iidOther)}), reply),
		"success without one":  scmAnswer(out(dcom.InterfaceResult{IID: iidCounter}), reply),
		"an object by value":   scmAnswer(out(dcom.InterfaceResult{IID: iidCounter, Object: (&dcom.ErrorInfo{}).ObjRef()}), reply),
	} {
		var mu sync.Mutex
		var dialled []string
		host := evil(t, map[security.GUID]map[uint16]ndr.Marshaler{dcom.IIDRemoteSCMActivator: {4: answer}})
		c := newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			dialled = append(dialled, address)
			mu.Unlock()
			return new(net.Dialer).DialContext(ctx, network, address)
		}})
		p, err := c.Activate(within(t), host, clsidCounter, iidCounter)
		var e *dcom.Error
		if !errors.As(err, &e) || e.HRESULT == 0 || !strings.Contains(err.Error(), "activation of") {
			t.Errorf("%s: %v, %v", name, p, err)
		}
		mu.Lock()
		if len(dialled) != 1 {
			t.Errorf("%s: dialled %v", name, dialled)
		}
		mu.Unlock()
	}
}

// The same for what an exporter answers, and what a reference may say.
func TestHostileExporter(t *testing.T) {
	std := dcom.StdObjRef{Flags: dcom.StdNoPing, PublicRefs: 5, OXID: 7, OID: 8, IPID: ipid}
	query := func(r dcom.RemQueryInterfaceResponse) ndr.Marshaler { return &orpc{new(dcom.ORPCThat), &r} }
	for name, answer := range map[string]ndr.Marshaler{
		"noise":            octets(strings.Repeat("\xfe", 100)),
		"an extent bomb":   octets("\x00\x00\x00\x00\x00\x00\x02\x00\xff\xff\xff\x7f\x00\x00\x00\x00\x04\x00\x02\x00\xff\xff\xff\x7f"),
		"no results":       query(dcom.RemQueryInterfaceResponse{}),
		"two results":      query(dcom.RemQueryInterfaceResponse{Results: make([]dcom.RemQIResult, 2)}),
		"another object":   query(dcom.RemQueryInterfaceResponse{Results: []dcom.RemQIResult{{Std: dcom.StdObjRef{OXID: 7, OID: 9, IPID: ipid, PublicRefs: 1}}}}),
		"another exporter": query(dcom.RemQueryInterfaceResponse{Results: []dcom.RemQIResult{{Std: dcom.StdObjRef{OXID: 9, OID: 8, IPID: ipid, PublicRefs: 1}}}}),
	} {
		exporter := evil(t, map[security.GUID]map[uint16]ndr.Marshaler{dcom.IIDRemUnknown2: {3: answer, 4: octets(strings.Repeat("\xfd", 60)), 5: octets("\x01")}})
		info := dcom.ExporterInfo{Version: dcom.Version, Bindings: dcom.DualStringArray{Strings: []dcom.StringBinding{{Tower: 7, Address: strings.Replace(exporter, "127.0.0.1", "203.0.113.66", 1)}}}}
		host := evil(t, map[security.GUID]map[uint16]ndr.Marshaler{dcom.IIDObjectExporter: {4: &dcom.ResolveOxid2Response{ResolveOxidResponse: dcom.ResolveOxidResponse{Exporter: info}}}})
		c := dcom.NewClient(dcom.ClientOptions{Blanket: as("bob")})
		_, port, err := dcom.ParseStringBinding(host)
		if err != nil {
			t.Fatal(err)
		}
		resolver := dcom.DualStringArray{Strings: []dcom.StringBinding{{Tower: 7, Address: dcom.FormatStringBinding("203.0.113.66", port)}}}
		p, err := c.Unmarshal(within(t), "127.0.0.1", &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iidCounter, Std: std, Resolver: resolver})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if q, err := p.QueryInterface(within(t), iidOther); err == nil {
			t.Errorf("%s: %v", name, q)
		}
		none := std
		none.PublicRefs, none.IPID = 0, id3
		if q, err := c.Unmarshal(within(t), "127.0.0.1", &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iidCounter, Std: none, Resolver: resolver}); err == nil {
			t.Errorf("%s, without references: %v", name, q)
		}
		if err := c.Close(); err == nil {
			t.Errorf("%s: the release did not fail", name)
		}
	}
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	if _, err := c.Unmarshal(within(t), "127.0.0.1", (&dcom.ErrorInfo{}).ObjRef()); !isResult(err, dcom.RPC_E_INVALID_OBJREF) {
		t.Errorf("an object by value: %v", err)
	}
	host := evil(t, map[security.GUID]map[uint16]ndr.Marshaler{dcom.IIDObjectExporter: {4: &dcom.ResolveOxid2Response{ResolveOxidResponse: dcom.ResolveOxidResponse{Status: dcom.OR_INVALID_OXID}}}})
	ref := &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iidCounter, Std: std, Resolver: dcom.DualStringArray{Strings: []dcom.StringBinding{{Tower: 7, Address: host}}}}
	if _, err := c.Unmarshal(within(t), "127.0.0.1", ref); !isResult(err, dcom.FromWin32(dcom.OR_INVALID_OXID)) {
		t.Errorf("an object of an exporter that is gone: %v", err)
	}
}

// Servers of Windows NT and 2000: IActivation, ResolveOxid, IRemUnknown, and their lower version in each call.
func TestOldServers(t *testing.T) {
	std := dcom.StdObjRef{Flags: dcom.StdNoPing, PublicRefs: 5, OXID: 7, OID: 8, IPID: ipid}
	ref := &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iidCounter, Std: std}
	queried := &orpc{new(dcom.ORPCThat), &dcom.RemQueryInterfaceResponse{Results: []dcom.RemQIResult{{Std: dcom.StdObjRef{Flags: dcom.StdNoPing, PublicRefs: 5, OXID: 7, OID: 8, IPID: id3}}}}}
	released := &orpc{new(dcom.ORPCThat), new(dcom.ResultResponse)}
	exporter := evil(t, map[security.GUID]map[uint16]ndr.Marshaler{dcom.IIDRemUnknown: {3: queried, 5: released}})
	info := dcom.ExporterInfo{OXID: 7, AuthnHint: 2, Version: dcom.ComVersion{Major: 5, Minor: 4}, Bindings: dcom.DualStringArray{Strings: []dcom.StringBinding{{Tower: 7, Address: exporter}}}}
	activation := &dcom.RemoteActivationResponse{Exporter: info, Interfaces: []dcom.InterfaceResult{{Object: ref}}}
	for name, methods := range map[string]map[security.GUID]map[uint16]ndr.Marshaler{
		"5.4": {dcom.IIDObjectExporter: {5: &dcom.ServerAlive2Response{Version: dcom.ComVersion{Major: 5, Minor: 4}}}, dcom.IIDActivation: {0: activation}},
		"5.1": {dcom.IIDObjectExporter: {}, dcom.IIDActivation: {0: activation}},
	} {
		c := dcom.NewClient(dcom.ClientOptions{Blanket: as("bob")})
		p, err := c.Activate(within(t), evil(t, methods), clsidCounter, iidCounter)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := p[0].QueryInterface(within(t), iidOther); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	major := map[security.GUID]map[uint16]ndr.Marshaler{dcom.IIDObjectExporter: {5: &dcom.ServerAlive2Response{Version: dcom.ComVersion{Major: 6, Minor: 1}}}}
	if _, err := c.Activate(within(t), evil(t, major), clsidCounter, iidCounter); !isResult(err, dcom.RPC_E_VERSION_MISMATCH) {
		t.Errorf("another major version: %v", err)
	}
	info.OXID = 0
	resolver := evil(t, map[security.GUID]map[uint16]ndr.Marshaler{dcom.IIDObjectExporter: {0: &dcom.ResolveOxidResponse{Exporter: info}}})
	ref.Resolver.Strings = []dcom.StringBinding{{Tower: 7, Address: resolver}}
	if _, err := c.Unmarshal(within(t), "127.0.0.1", ref); err != nil {
		t.Errorf("without ResolveOxid2: %v", err)
	}
}

// A reference that names many ports does not have all of them tried: it would be a way to have somebody's ports looked for.
func TestReferenceToManyPorts(t *testing.T) {
	dials := map[string]bool{}
	c := newClient(t, dcom.ClientOptions{Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		dials[address] = true
		return nil, errors.New("nobody there")
	}})
	ref := &dcom.ObjRef{Kind: dcom.ObjRefStandard, IID: iidCounter, Std: dcom.StdObjRef{PublicRefs: 5, OXID: 1, OID: 2}}
	for port := range uint16(500) {
		ref.Resolver.Strings = append(ref.Resolver.Strings, dcom.StringBinding{Tower: dcom.TowerTCP, Address: dcom.FormatStringBinding("192.0.2.1", 1000+port)})
	}
	if _, err := c.Unmarshal(within(t), "192.0.2.9", ref); err == nil {
		t.Fatal("there is an object")
	}
	if len(dials) == 0 || len(dials) > 16 || !dials["192.0.2.9:1000"] {
		t.Errorf("%d ports are dialled", len(dials))
	}
}
