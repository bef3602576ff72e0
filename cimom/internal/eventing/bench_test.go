package eventing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/casementhq/casement/cim"
)

// BenchmarkOneSubscription publishes events to a reader that takes them as
// they come, and reports how many a second come through and how much memory
// waits at most.
func BenchmarkOneSubscription(b *testing.B) {
	host := newFakeHost(b)
	h, _ := newHub(b, host, Limits{})
	s := subscribe(b, h, alice, `SELECT * FROM CT_Alarm WHERE Level > 2`)
	got := make(chan int)
	go func() {
		n := 0
		for {
			list, err := s.Next(context.Background(), 0)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					b.Error(err)
				}
				break
			}
			n += len(list)
		}
		got <- n
	}()
	e := host.new("CT_Alarm", "Building", cim.Str("24"), "Level", cim.U32(4))
	var most int64
	b.ReportAllocs()
	for b.Loop() {
		h.Publish(b.Context(), cimv2, admin.Token, e)
		for s.queue.waiting() > 1_000_000 { // the reader lags; a publisher that does not care loses events
			runtime.Gosched()
		}
		most = max(most, s.queue.waiting())
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(most), "most-bytes")
	s.Close()
	<-got
}

// BenchmarkManySubscriptions publishes one event to ever more subscriptions
// with different filters, of which one wants it.
func BenchmarkManySubscriptions(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			host := newFakeHost(b)
			h, _ := newHub(b, host, Limits{})
			var one *Subscription
			for k := range n {
				one = subscribe(b, h, alice, fmt.Sprintf(`SELECT * FROM CT_Alarm WHERE Building = 'B%d' AND Level >= %d`, k, k%5))
			}
			e := host.new("CT_Alarm", "Building", cim.Str(fmt.Sprintf("b%d", n-1)), "Level", cim.U32(4))
			b.ReportAllocs()
			for b.Loop() {
				h.Publish(b.Context(), cimv2, admin.Token, e)
				if len(one.queue.take(0)) != 1 {
					b.Fatal("the event is not delivered")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/subscription")
		})
	}
}

// BenchmarkNobodyWants publishes an event that no filter matches.
func BenchmarkNobodyWants(b *testing.B) {
	host := newFakeHost(b)
	h, _ := newHub(b, host, Limits{})
	subscribe(b, h, alice, `SELECT * FROM CT_Alarm WHERE Level > 2`)
	e := host.new("CT_Alarm", "Building", cim.Str("24"), "Level", cim.U32(1))
	b.ReportAllocs()
	for b.Loop() {
		h.Publish(b.Context(), cimv2, admin.Token, e)
	}
}

// BenchmarkPoll compares 1,000 instances of which none changed.
func BenchmarkPoll(b *testing.B) {
	host := newFakeHost(b)
	h, _ := newHub(b, host, Limits{})
	for n := range 1000 {
		host.job("CT_Job", fmt.Sprint("job ", n), 1)
	}
	f := &feed{hub: h, namespace: cimv2}
	s := &subscription{hub: h, namespace: cimv2, caller: alice}
	q, err := parse(`SELECT * FROM __InstanceOperationEvent WITHIN 1 WHERE TargetInstance ISA 'CT_Job'`)
	if err != nil {
		b.Fatal(err)
	}
	s.query = q
	if err := s.begin(b.Context(), true); err != nil {
		b.Fatal(err)
	}
	defer s.close()
	p := s.pollPlan(s.bound.Load().Polls()[0], everyKind, "").run(f)
	if err := p.start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.(*poll).round(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/instance")
}
