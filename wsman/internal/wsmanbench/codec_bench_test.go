//go:build unix

package wsmanbench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/wscim"
)

// document is n instances of 45 properties, as a PullResponse holds them.
func document(tb testing.TB, n int) ([]byte, []*cim.Instance) {
	tb.Helper()
	all := cimtest.Processes(cimtest.ProcessClass(`root\cimv2`), n)
	var set wscim.Encoders
	doc := []byte("<Items>")
	for _, i := range all {
		var err error
		doc, err = set.For(i.Class()).AppendInstance(doc, i)
		check(tb, err)
	}
	return append(doc, "</Items>"...), all
}

// decode reads a document and returns the number of its instances.
func decode(tb testing.TB, d *wscim.Decoder, doc []byte) (n int) {
	tb.Helper()
	r := soap.NewReader(doc, soap.Limits{})
	check(tb, r.Root())
	for {
		more, err := r.Child()
		check(tb, err)
		if !more {
			return n
		}
		_, err = d.Instance(r)
		check(tb, err)
		n++
	}
}

func tokens(tb testing.TB, doc []byte) {
	tb.Helper()
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkDecode reads 5,000 instances beside the token loop of encoding/xml
// over the same bytes, in processor time. The goal is 8 times its speed.
func BenchmarkDecode(b *testing.B) {
	const count = 5000
	doc, all := document(b, count)
	class := all[0].Class()
	for _, v := range []struct {
		name    string
		classes wscim.Classes
	}{
		{"typed", func(_, _ string) *cim.Class { return class }},
		{"lexical", nil},
	} {
		b.Run(v.name, func(b *testing.B) {
			var ours, peer time.Duration
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				began := cpuTime()
				for range 4 {
					if n := decode(b, &wscim.Decoder{Classes: v.classes}, doc); n != count {
						b.Fatalf("%d instances", n)
					}
				}
				middle := cpuTime()
				tokens(b, doc)
				ours += (middle - began) / 4
				peer += cpuTime() - middle
			}
			report(b, ours, peer, count)
		})
	}
}

// BenchmarkEncode writes instances beside encoding/xml marshalling the same ones
// from structs, in processor time. The goal is 5 times its speed.
func BenchmarkEncode(b *testing.B) {
	_, all := document(b, 500)
	var set wscim.Encoders
	var buf []byte
	var ours, peer time.Duration
	for b.Loop() {
		began := cpuTime()
		for range 20 {
			for _, i := range all {
				var err error
				if buf, err = set.For(i.Class()).AppendInstance(buf[:0], i); err != nil {
					b.Fatal(err)
				}
			}
		}
		ours += (cpuTime() - began) / time.Duration(20*len(all))
		peer += marshalTime(b)
	}
	report(b, ours, peer, 1)
}

// report tells both times for each of count instances, and their ratio.
func report(b *testing.B, ours, peer time.Duration, count int) {
	n := float64(b.N) * float64(count)
	b.ReportMetric(float64(ours.Nanoseconds())/n, "cpu-ns/instance")
	b.ReportMetric(float64(peer.Nanoseconds())/n, "peer-cpu-ns/instance")
	b.ReportMetric(float64(peer)/float64(ours), "x-peer")
}

// Reading takes at most 5 allocations for each instance, typed or not, and
// writing none.
func TestAllocationsOfInstances(t *testing.T) {
	const count = 500
	doc, all := document(t, count)
	class := all[0].Class()
	for name, classes := range map[string]wscim.Classes{"typed": func(_, _ string) *cim.Class { return class }, "lexical": nil} {
		if n := testing.AllocsPerRun(5, func() { decode(t, &wscim.Decoder{Classes: classes}, doc) }) / count; n > 5 {
			t.Errorf("reading, %s: %.1f allocations for each instance", name, n)
		}
	}
	var set wscim.Encoders
	buf := make([]byte, 0, 1<<20)
	n := testing.AllocsPerRun(5, func() {
		for _, i := range all {
			var err error
			if buf, err = set.For(class).AppendInstance(buf[:0], i); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n > 0 {
		t.Errorf("writing %d instances: %.0f allocations", count, n)
	}
}

// A request costs the service a number of allocations that does not grow with
// the size of its answer: what an instance adds stays below one.
func TestAllocationsOfRequests(t *testing.T) {
	c := start(t, role+"=service", "CASEMENT_BENCH_PROVIDER=static")
	perRequest := func(body, headers string) float64 {
		w := dial(t, c.server, body, headers)
		defer w.Close()
		for range 20 {
			check(t, w.once())
		}
		before := c.usage()
		for range 200 {
			check(t, w.once())
		}
		return float64(c.usage().Mallocs-before.Mallocs) / 200
	}
	for _, v := range []struct {
		name, body, headers string
		most                float64
	}{
		{"Identify with a password", identify, "", 90},
		{"Identify unauthenticated", identify, "WSMANIDENTIFY: unauthenticated\r\n", 70},
	} {
		n := perRequest(v.body, v.headers)
		t.Logf("%s: %.0f allocations", v.name, n)
		if n > v.most {
			t.Errorf("%s: %.0f allocations, want at most %.0f", v.name, n, v.most)
		}
	}
}
