package pool

import (
	"context"
	"errors"
	"time"

	"github.com/casementhq/casement/cim"
)

// osTypeWindows is WINNT of Win32_OperatingSystem.OSType.
const osTypeWindows = 18

// productClient is Win32_OperatingSystem.ProductType of a client.
const productClient = 1

// tile is a part of the data. It fails alone.
type tile struct {
	name string
	// gather asks, and writes what it learned into c.next.
	gather func(ctx context.Context, c *collection) error
}

// errNotAsked is the answer of a tile that has nothing to ask of this server.
var errNotAsked = errors.New("not asked")

// collection is one full refresh.
type collection struct {
	*questions
	server  Server
	reached reached
	next    *Snapshot
	now     func() time.Time
}

// cancelled tells whether nobody waits any more.
func (c *collection) cancelled(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled)
}

// onlyFacts tells whether nothing but the facts of a server is asked: it is no server,
// or one of which no more than whether it is online is shown.
func onlyFacts(f *Facts) bool {
	return f.ProductType == productClient || f.Windows && releaseOf(f.Version).onlineOnly
}

// windows tells whether the server is known to be Windows of this release or later.
func (c *collection) windows(version string) bool {
	f := c.next.Facts
	return f != nil && f.Windows && !older(f.Version, version)
}

// The tiles, in the order in which they are asked: what decides the state first, what
// may take long last.
var tiles = []tile{
	{"Facts", gatherFacts},
	{"Required updates", gatherSoftware},
	{"Services", gatherServices},
	{"Disks", gatherDisks},
	{"Performance", gatherCounters},
	{rolesTile, gatherRoles},
	{"Addresses", gatherAddresses},
	{"Restart pending", gatherRestart},
	{"Properties", gatherProperties},
	{"Events", gatherEvents},
}

const rolesTile = "Roles and features"

// collect asks for all data. What fails is a TileFailure; the error is that of a
// server that gave nothing because it cannot be reached.
func (g *gatherer) collect(ctx context.Context, l *link, r reached, next *Snapshot) error {
	ctx, cancel := context.WithTimeoutCause(ctx, collectLimit, &cim.Error{Status: cim.ErrTimedOut,
		Detail: "no time was left for it", Err: context.DeadlineExceeded})
	defer cancel()
	q, err := l.questions(ctx, r.transport)
	if err != nil {
		return err
	}
	defer q.close()
	before := *next
	c := &collection{questions: q, server: l.server, reached: r, next: next, now: g.o.Now}
	next.Facts, next.Software, next.Services, next.Disks = nil, nil, nil, nil
	next.Counters, next.Roles, next.Events = nil, nil, nil
	var failures []TileFailure
	var first error
	answered := 0
	for n, t := range tiles {
		err := t.gather(ctx, c)
		if errors.Is(err, errNotAsked) {
			continue
		}
		if err == nil {
			answered++
			if n == 0 && onlyFacts(next.Facts) {
				break
			}
			continue
		}
		if n == 0 {
			first = err
		}
		code, _ := codeOf(err)
		failures = append(failures, TileFailure{Tile: t.name, Reason: sentence(err), Code: hexOf(code)})
		if answered == 0 && (n > 0 || lost(err)) || c.cancelled(ctx) {
			break // it gives nothing: the rest would only take time
		}
	}
	if answered == 0 {
		*next = before
		return first
	}
	next.Failures = failures
	next.Full = g.o.Now().UTC()
	next.Alerts = g.o.Thresholds().alerts(next, before.Alerts, next.Full)
	return nil
}
