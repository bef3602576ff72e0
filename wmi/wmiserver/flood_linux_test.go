package wmiserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/wmiserver"
)

// heap is what is in use after a collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// halfBind is the first PDU of a bind with NTLM, as our client sends it; who sends it and stops has a half-open exchange.
func halfBind(t testing.TB) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	c := dcerpc.NewConn(near, dcerpc.Options{})
	defer c.Close()
	initiator, err := as("admin", dcerpc.LevelPrivacy, false).Initiator("", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.Bind(ctx, dcerpc.MgmtID, c.NewSecurity(dcerpc.AuthNTLM, dcerpc.LevelPrivacy, initiator))
	}()
	b := make([]byte, 4096)
	n, err := far.Read(b)
	cancel()
	far.Close()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// steady is a well-behaved client whose query goes on: each call reads some rows, and begins again at the end.
type steady struct {
	*client
	services, enum *dcom.Proxy
	calls, rows    int
}

func newSteady(t testing.TB, s *service) *steady {
	t.Helper()
	c := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
	services := c.open(cimtest.Namespace)
	return &steady{client: c, services: services, enum: c.query(services, "SELECT * FROM CT_Number", wmi.FlagReturnImmediately)}
}

func (w *steady) read() error {
	var out iwbem.NextResponse
	if err := w.enum.Call(w.t.Context(), iwbem.OpNext, &iwbem.NextRequest{Timeout: iwbem.Forever, Count: 50}, &out); err != nil {
		return err
	}
	w.calls++
	w.rows += len(out.Objects)
	switch out.Result {
	case 0:
		return nil
	case 1:
		if w.rows != cimtest.Numbers {
			return fmt.Errorf("%d rows", w.rows)
		}
		w.rows = 0
		return w.enum.Call(w.t.Context(), iwbem.OpReset, &iwbem.EmptyRequest{}, &iwbem.StatusResponse{})
	}
	return fmt.Errorf("Next answers %#x", out.Result)
}

// goOn reads until the function that it returns is called, which tells how many calls were answered.
func (w *steady) goOn() (stop func() int) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := w.read(); err != nil {
				w.t.Errorf("the well-behaved client: %v", err)
				return
			}
		}
	}()
	return func() int {
		cancel()
		<-done
		return w.calls
	}
}

// A flood of connections, silent, with half a header, or with a bind that never goes on, costs a bounded amount of memory: from one address 100
// connections are kept at each port and others are served; from many addresses 1000, and who is there goes on.
func TestConnectionFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s := newService(t, wmiserver.Options{})
	w := newSteady(t, s)
	_, peer := w.services.Addrs()
	half := halfBind(t)
	for _, f := range []struct {
		name                  string
		addresses, each, kept int
		others                bool
	}{
		{"one address", 1, 3000, 100, true},
		{"many addresses", 100, 30, 1000, false},
	} {
		before, stop := heap(), w.goOn()
		flood := make([]net.Conn, 0, f.addresses*f.each)
		end := func() {
			for _, nc := range flood {
				nc.Close()
			}
		}
		t.Cleanup(end)
		for n := range f.addresses * f.each {
			from := net.IPv4(127, 9, byte(f.addresses), byte(1+n%f.addresses))
			nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 10 * time.Second}).Dial("tcp", peer.String())
			if err != nil {
				t.Fatal(err)
			}
			flood = append(flood, nc)
			// Writing fails where the service has closed the connection already.
			_, _ = nc.Write([][]byte{nil, half[:10], half}[n%3])
		}
		if f.others {
			other := s.client(t, as("admin", dcerpc.LevelPrivacy, false))
			other.query(other.open(cimtest.Namespace), "SELECT * FROM CT_Number", 0x30)
		}
		cost := heap() - before
		var alive atomic.Int32
		var wg sync.WaitGroup
		deadline := time.Now().Add(time.Second)
		for _, nc := range flood {
			wg.Go(func() {
				_ = nc.SetReadDeadline(deadline)
				if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
					alive.Add(1)
				}
			})
		}
		wg.Wait()
		t.Logf("%s: %d of %d connections are kept, %d KiB on the heap for both ends", f.name, alive.Load(), len(flood), cost>>10)
		if n := int(alive.Load()); n > f.kept || n < f.kept*9/10 {
			t.Errorf("%s: %d connections are kept, want %d", f.name, n, f.kept)
		}
		if cost > 64<<20 {
			t.Errorf("%s: %d MiB", f.name, cost>>20)
		}
		if calls := stop(); calls == 0 {
			t.Error("the well-behaved client was not served")
		}
		end()
	}
	// room comes back with the connections that end
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c := dcom.NewClient(dcom.ClientOptions{Blanket: as("admin", dcerpc.LevelPrivacy, false)})
		p, err := c.Activate(t.Context(), s.host, wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
		if err == nil {
			var out iwbem.EstablishPositionResponse
			err = p[0].Call(t.Context(), iwbem.OpEstablishPosition, &iwbem.EstablishPositionRequest{Reserved1: iwbem.String{Null: true}}, &out)
		}
		c.Close()
		if err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("after the flood: %v", err)
		}
	}
}

// 104,000 logins of ten accounts that are neither released nor pinged for: each account keeps its share and all together theirs, memory stays
// bounded, and another account is served.
func TestObjectFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s := newService(t, wmiserver.Options{})
	w := newSteady(t, s)
	before, stop := heap(), w.goOn()
	var kept, refused atomic.Int64
	// One that is refused tells why; one that is kept comes in no proxy, so nobody pings for it.
	count := func(p *dcom.Proxy, opnum uint16, in func() ndr.Marshaler, times int, status cim.Status) {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range times / 16 {
					var out iwbem.RefResponse
					err := p.Call(t.Context(), opnum, in(), &out)
					switch {
					case err != nil:
						t.Error(err)
						return
					case out.Result == 0:
						kept.Add(1)
					case out.Result == uint32(status):
						refused.Add(1)
					default:
						t.Errorf("answered with %v", cim.Status(out.Result))
						return
					}
				}
			})
		}
		wg.Wait()
	}
	for n := range floods {
		c := s.client(t, as(fmt.Sprint("flood", n), dcerpc.LevelPacket, false))
		count(c.login, iwbem.OpNTLMLogin, func() ndr.Marshaler {
			return &iwbem.NTLMLoginRequest{NetworkResource: text(cimtest.Namespace), PreferredLocale: iwbem.String{Null: true}}
		}, 10_400, cim.ErrQuotaViolation)
	}
	logins, noLogins := kept.Swap(0), refused.Swap(0)
	cost := heap() - before
	calls := stop()
	t.Logf("%d logins are kept, %d refused, %d MiB; %d objects in all; %d calls of another account meanwhile", logins, noLogins, cost>>20, s.exporter.Len(), calls)
	if n := int64(s.exporter.Len()); n > 100_000 || logins > 100_000 || logins < 99_000 || noLogins < 10*400 {
		t.Errorf("%d logins are kept and %d refused, %d objects are there", logins, noLogins, n)
	}
	if cost > 256<<20 {
		t.Errorf("100,000 logins cost %d MiB", cost>>20)
	}
	if calls == 0 {
		t.Error("the well-behaved client was not served")
	}
}
