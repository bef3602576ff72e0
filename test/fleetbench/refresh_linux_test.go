package fleetbench

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/fleetsim"
	"github.com/casementhq/casement/pool"
)

func init() { clients["pool"] = newPool }

// pooled is a pool of all hosts, in this process and without a network port.
type pooled struct {
	target
	dir   string
	pool  *pool.Pool
	names []string
	known bool // the hosts were asked before
}

func newPool(t target) (client, error) {
	dir, err := os.MkdirTemp("", "fleetbench-")
	if err != nil {
		return nil, err
	}
	c := &pooled{target: t, dir: dir}
	if c.pool, err = pool.Open(context.Background(), pool.Options{Dir: dir}); err != nil {
		return nil, err
	}
	if err := c.pool.SetCredential(context.Background(), pool.Credential{Name: "fleet", User: t.User}, []byte(t.Password)); err != nil {
		return nil, err
	}
	servers := make([]pool.Server, len(t.Hosts))
	for n, h := range t.Hosts {
		u, err := url.Parse(h.URL)
		if err != nil {
			return nil, err
		}
		servers[n] = pool.Server{Name: h.Name, Address: u.Hostname(), Endpoint: h.URL, Credential: "fleet", AddedBy: "fleetbench"}
		c.names = append(c.names, h.Name)
	}
	return c, c.pool.Add(context.Background(), servers)
}

func (c *pooled) ask(context.Context, int) error { return nil } // poll asks all

func (c *pooled) close() {
	_ = c.pool.Close()
	_ = os.RemoveAll(c.dir)
}

// poll refreshes all servers: the first time as the schedule does with servers
// that were never asked, and then by a work that somebody started.
func (c *pooled) poll() (r round) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cpu, began := fleetsim.CPU(), time.Now()
	serving := make(chan error, 1)
	go func() { serving <- c.pool.Serve(ctx, pool.ServeOptions{Schedule: !c.known}) }()
	if err := c.refresh(ctx, began, &r); err != nil {
		r.Failed, r.Error = len(c.Hosts), err.Error()
		return r
	}
	r.Took, r.CPU = time.Since(began), fleetsim.CPU()-cpu
	c.known = true
	cancel()
	if err := <-serving; err != nil {
		r.Failed, r.Error = len(c.Hosts), err.Error()
	}
	for n, e := range c.pool.Servers() {
		if h := c.Hosts[n]; e.Snapshot == nil || !deserves(h, e.Snapshot) {
			r.Failed++
			r.Error += fmt.Sprintf("%s is %s: %+v\n", h.Name, h.Kind, e.Snapshot)
		}
	}
	return r
}

// deserves tells whether a row says of a host what it is.
func deserves(h fleetsim.Host, s *pool.Snapshot) bool {
	switch h.Kind {
	case fleetsim.Healthy, fleetsim.Slow:
		return strings.HasPrefix(string(s.State), "Online") && s.Level != pool.LevelBlocked && s.Facts != nil && s.Facts.ComputerName == h.Name
	case fleetsim.Flooding:
		return s.State == pool.DataRetrievalFailures
	}
	return s.Server == h.Name && s.Level == pool.LevelBlocked && s.Reason != "" && s.Facts == nil
}

// refresh waits until every host has been asked, and notes when those that live
// had been.
func (c *pooled) refresh(ctx context.Context, began time.Time, r *round) error {
	var work pool.Work
	if c.known {
		var err error
		if work, err = c.pool.Start(ctx, pool.Action{Kind: pool.KindRefresh}, c.names, "fleetbench"); err != nil {
			return err
		}
	}
	for {
		left, dead := 0, 0
		for n, e := range c.pool.Servers() {
			if e.Snapshot != nil && e.Snapshot.Tried.After(began) {
				continue
			}
			left++
			if k := c.Hosts[n].Kind; k != fleetsim.Healthy && k != fleetsim.Slow {
				dead++
			}
		}
		if left == dead && r.Alive == 0 {
			r.Alive = time.Since(began)
		}
		if left == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d hosts were not asked: %w", left, ctx.Err())
		case <-time.After(50*time.Millisecond + time.Duration(len(c.Hosts))*100*time.Microsecond): // to look costs, too
		}
	}
	if c.known {
		_, results, err := c.pool.Wait(ctx, work.ID, func(_ pool.Work, results []pool.Result) bool { return len(results) == len(c.Hosts) })
		if err != nil || len(results) != len(c.Hosts) {
			return fmt.Errorf("%d results of %d: %w", len(results), len(c.Hosts), err)
		}
	}
	return nil
}

// BenchmarkRefresh refreshes a whole pool, in which 2 of 100 are dead and 1 is
// slow: all facts, services, disks, events, counters and roles of each. cold is
// the first time, with a handshake for each; hand is a work over the kept
// connections, whose every result is synced to disk.
func BenchmarkRefresh(b *testing.B) {
	for _, hosts := range []int{50, 500, 5000} {
		if hosts > size(b, 50, 5000) {
			break
		}
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			fleet := spawn(b, fleetsim.Options{Hosts: hosts, Dead: 0.02, Slow: 0.01, Delay: 200 * time.Millisecond})
			for b.Loop() {
				c := start(b, "pool", targetOf(fleet))
				before := c.usage()
				cold := c.poll()
				after := c.usage()
				hand := c.poll()
				n := float64(hosts)
				for _, r := range []struct {
					name string
					round
				}{{"cold", cold}, {"hand", hand}} {
					b.ReportMetric(r.Alive.Seconds(), r.name+"-alive-s")
					b.ReportMetric(r.Took.Seconds(), r.name+"-s")
					b.ReportMetric(float64(r.CPU.Nanoseconds())/n/1e6, r.name+"-cpu-ms/host")
				}
				b.ReportMetric(float64(after.RSS-before.RSS)/n/1e3, "rss-kB/host")
				b.ReportMetric(float64(after.RSS)/1e6, "rss-MB")
				b.ReportMetric((float64(after.Heap)-float64(before.Heap))/n/1e3, "heap-kB/host")
			}
		})
	}
}
