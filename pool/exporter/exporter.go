// Package exporter makes metrics of queries: it asks the servers of a pool at an
// interval, without anything of ours installed there, and keeps the last answers for
// whoever scrapes. See File for what is asked.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/metrics"
)

// Bounds of what a server can make of a scrape.
const (
	maxRows       = 2_000 // of one query
	maxSamples    = 5_000 // of one server
	maxLabel      = 200   // octets of a label's value
	askedTogether = 32    // servers
)

// Asker puts one query to a server and hands its rows over. An instance is valid
// until row returns, which ends the query by false.
type Asker interface {
	Ask(ctx context.Context, server, namespace, wql string, row func(*cim.Instance) bool) error
}

// Exporter asks servers. Make one with New, and Run it.
type Exporter struct {
	file    *File
	servers func() []string
	ask     Asker
	log     *slog.Logger

	families []metrics.Family
	mu       sync.Mutex
	last     map[string]answer
}

// answer is what a server gave the last time.
type answer struct {
	at      time.Time
	took    time.Duration
	failed  int   // queries without an answer
	err     error // of the first of these
	cut     bool
	samples []metrics.Sample
}

// The families that are there for each server before those of the file.
const (
	familyUp = iota
	familyFailed
	familySeconds
	familyWhen
	familyCut
	ownFamilies
)

// New makes an exporter. servers is asked at each interval who is there.
func New(file *File, servers func() []string, ask Asker, log *slog.Logger) *Exporter {
	x := &Exporter{file: file, servers: servers, ask: ask, log: log, last: map[string]answer{}, families: []metrics.Family{
		familyUp:      {Name: "casement_server_up", Help: "1 where the server answered at least one query of the last interval, else 0.", Labels: []string{"server"}},
		familyFailed:  {Name: "casement_server_failed_queries", Help: "Queries that the server did not answer, or not wholly, in the last interval.", Labels: []string{"server"}},
		familySeconds: {Name: "casement_server_answer_seconds", Help: "How long the queries of the last interval took together.", Labels: []string{"server"}},
		familyWhen:    {Name: "casement_server_asked_timestamp_seconds", Help: "When the server was asked last, since 1970.", Labels: []string{"server"}},
		familyCut:     {Name: "casement_server_samples_cut", Help: "1 where the server had more rows than are kept, or rows with the same labels, else 0.", Labels: []string{"server"}},
	}}
	for _, q := range file.Queries {
		for _, m := range q.Metrics {
			x.families = append(x.families, metrics.Family{Name: m.Name, Help: m.Help, Counter: m.Type == "counter", Labels: append([]string{"server"}, q.labels...)})
		}
	}
	return x
}

// Families are the metrics that Samples are of.
func (x *Exporter) Families() []metrics.Family { return x.families }

// Samples yields what the last answers gave.
func (x *Exporter) Samples(yield func(metrics.Sample) bool) {
	x.mu.Lock()
	last := make(map[string]answer, len(x.last))
	for server, a := range x.last {
		last[server] = a // what it points to is not changed any more
	}
	x.mu.Unlock()
	for server, a := range last {
		up, cut := 1.0, 0.0
		if a.failed == len(x.file.Queries) {
			up = 0
		}
		if a.cut {
			cut = 1
		}
		for family, value := range [ownFamilies]float64{
			familyUp: up, familyFailed: float64(a.failed), familySeconds: a.took.Seconds(), familyWhen: float64(a.at.UnixMilli()) / 1000, familyCut: cut,
		} {
			if !yield(metrics.Sample{Family: family, Labels: []string{server}, Value: value}) {
				return
			}
		}
		for _, s := range a.samples {
			if !yield(s) {
				return
			}
		}
	}
}

// Run asks at each interval until ctx ends; the first time at once.
func (x *Exporter) Run(ctx context.Context) {
	for ctx.Err() == nil {
		begun := time.Now()
		x.round(ctx)
		took := time.Since(begun)
		if took > x.file.interval {
			x.log.Warn("asking all servers takes longer than the interval", "interval", x.file.interval, "took", took.Round(time.Second))
		}
		wait(ctx, x.file.interval-took)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// round asks each server once.
func (x *Exporter) round(ctx context.Context) {
	servers := x.servers()
	there := make(map[string]bool, len(servers))
	turn := make(chan struct{}, askedTogether)
	var all sync.WaitGroup
	for _, s := range servers {
		there[s] = true
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			a := x.server(ctx, s)
			if ctx.Err() != nil {
				return
			}
			x.mu.Lock()
			before := x.last[s]
			x.last[s] = a
			x.mu.Unlock()
			switch { // what goes on is told once
			case a.failed > 0 && before.failed == 0:
				x.log.Warn("queries are not answered", "server", s, "failed", a.failed, "error", a.err)
			case a.failed == 0 && before.failed > 0:
				x.log.Info("queries are answered again", "server", s)
			}
		})
	}
	all.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	for s := range x.last {
		if !there[s] {
			delete(x.last, s)
		}
	}
}

// server asks one server all queries.
func (x *Exporter) server(ctx context.Context, server string) answer {
	ctx, cancel := context.WithTimeout(ctx, x.file.timeout)
	defer cancel()
	a := answer{at: time.Now()}
	family := int(ownFamilies)
	for n := range x.file.Queries {
		q := &x.file.Queries[n]
		r := &reading{query: q, server: server, family: family, answer: &a, seen: map[string]int{}}
		rows := 0
		err := x.ask.Ask(ctx, server, q.Namespace, q.WQL, func(i *cim.Instance) bool {
			if rows++; rows > maxRows {
				a.cut = true
				return false
			}
			r.row(i)
			return true
		})
		if err != nil {
			if a.failed++; a.failed == 1 {
				a.err = fmt.Errorf("query %d: %w", n+1, err)
			}
		}
		family += len(q.Metrics)
	}
	a.took = time.Since(a.at)
	return a
}

// reading makes samples of the rows of one query.
type reading struct {
	query  *Query
	server string
	family int
	answer *answer
	seen   map[string]int // the samples by metric and labels
}

func (r *reading) row(i *cim.Instance) {
	labels := make([]string, 1, 1+len(r.query.labels))
	labels[0] = r.server
	for _, name := range r.query.labels {
		labels = append(labels, labelText(i.Get(r.query.Labels[name])))
	}
	for n, m := range r.query.Metrics {
		value, ok := 1.0, true
		if m.Value != "" {
			value, ok = number(i.Get(m.Value))
		}
		if !ok {
			continue // it is not known, and a metric that is not there says so
		}
		key := strconv.Itoa(n) + "\x00" + strings.Join(labels, "\x00")
		at, twice := r.seen[key]
		switch {
		case twice && m.Value == "":
			r.answer.samples[at].Value++
		case twice, len(r.answer.samples) >= maxSamples:
			r.answer.cut = true
		default:
			r.seen[key] = len(r.answer.samples)
			r.answer.samples = append(r.answer.samples, metrics.Sample{Family: r.family + n, Labels: labels, Value: value * m.Factor})
		}
	}
}

// labelText is a value as a label: one line of printable text, and not endless.
func labelText(v cim.Value) string {
	if v.IsNull() {
		return ""
	}
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, v.String())
	if len(text) > maxLabel {
		text = strings.ToValidUTF8(text[:maxLabel], "")
	}
	return text
}

// number is a value as a metric has it.
func number(v cim.Value) (float64, bool) {
	if v.IsNull() {
		return 0, false
	}
	if b, ok := v.Bool(); ok {
		if b {
			return 1, true
		}
		return 0, true
	}
	if d, ok := v.DateTime(); ok {
		if length, ok := d.Duration(); ok {
			return length.Seconds(), true
		}
		t, ok := d.Time()
		return float64(t.UnixMilli()) / 1000, ok
	}
	if f, ok := v.Float(); ok {
		return f, !math.IsNaN(f)
	}
	if s, ok := v.Str(); ok { // untyped, or a number as text
		switch {
		case strings.EqualFold(s, "true"):
			return 1, true
		case strings.EqualFold(s, "false"):
			return 0, true
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

// Rows hands the rows of a stream to a function, and closes it.
func Rows(ctx context.Context, e cim.Enumerator, row func(*cim.Instance) bool) (err error) {
	defer func() { err = errors.Join(err, e.Close()) }()
	for {
		some, err := e.Next(ctx, 0)
		for _, i := range some {
			if !row(i) {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
