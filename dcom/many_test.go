package dcom_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// idle is an object that does nothing.
type idle struct{}

func (idle) Interface(security.GUID) dcom.Handler {
	return func(context.Context, *dcom.Call) (ndr.Marshaler, error) { return nil, errors.ErrUnsupported }
}
func (idle) Released() {}

// 100,000 objects that nobody pings for cost a bounded amount of memory; while they are there others are served, and all of it comes back.
func TestManyObjects(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		w := newWorld(t, worldOptions{exporter: dcom.ExporterOptions{MaxObjects: 100_001}}, n.at(host, 135, 49152))
		w.host = host
		before := heap()
		for i := range 100_000 {
			if _, err := w.exporter.Export(idle{}, dcom.ExportOptions{IID: iidCounter, Principal: fmt.Sprint("account ", i/10_000)}); err != nil {
				t.Fatalf("object %d: %v", i, err)
			}
		}
		cost := heap() - before
		t.Logf("%d octets for each object", cost/100_000)
		if cost > 100<<20 {
			t.Errorf("100,000 objects cost %d MiB", cost>>20)
		}
		if _, err := w.exporter.Export(idle{}, dcom.ExportOptions{IID: iidCounter, Principal: "account 3"}); !isResult(err, dcom.E_OUTOFMEMORY) {
			t.Errorf("one account has more than its share: %v", err)
		}
		p := activate(t, newClient(t, dcom.ClientOptions{Blanket: as("bob"), Dial: n.dial}), w)
		if _, err := add(t, p, 1); err != nil {
			t.Errorf("another account: %v", err)
		}
		if _, err := w.exporter.Export(idle{}, dcom.ExportOptions{IID: iidCounter, Principal: "account 99"}); !isResult(err, dcom.E_OUTOFMEMORY) {
			t.Errorf("more than there is room for: %v", err)
		}
		time.Sleep(7 * time.Minute)
		if n := w.exporter.Len(); n != 1 {
			t.Errorf("%d objects are there after three periods", n)
		}
		if _, err := add(t, p, 1); err != nil {
			t.Errorf("what is pinged for: %v", err)
		}
	})
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkExportRelease(b *testing.B) {
	r := dcom.NewResolver(dcom.ResolverOptions{})
	defer r.Close()
	x := r.NewExporter(dcom.ExporterOptions{})
	defer x.Close()
	at := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 135}
	b.ReportAllocs()
	for b.Loop() {
		ref, err := x.Export(idle{}, dcom.ExportOptions{IID: iidCounter, Local: at, Peer: at})
		if err != nil {
			b.Fatal(err)
		}
		x.Revoke(ref.Std.OID)
	}
}

// BenchmarkCall is one ORPC call over loopback, sealed with NTLM.
func BenchmarkCall(b *testing.B) {
	w := newWorld(b, worldOptions{}, tcp)
	p := activate(b, newClient(b, dcom.ClientOptions{Blanket: as("bob")}), w)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		var out sum
		if err := p.Call(ctx, 3, &number{1}, &out); err != nil {
			b.Fatal(err)
		}
	}
}
