package cli

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// eventless notices a data query without rows, which failed or not, of a class of
// events: there are no instances of these to be read.
type eventless struct {
	class   string // that the query names, "" where no class of events is called like that
	noticed atomic.Bool
}

func newEventless(query string) *eventless {
	q, err := wql.Parse(query)
	if err != nil || wql.IsSchema(query) {
		return &eventless{}
	}
	name := strings.ToLower(q.Class)
	if !strings.HasSuffix(name, "event") && !strings.HasSuffix(name, "trace") {
		return &eventless{}
	}
	return &eventless{class: q.Class}
}

// watch looks whether there are rows.
func (n *eventless) watch(session cim.Session, e cim.Enumerator) cim.Enumerator {
	if n.class == "" {
		return e
	}
	return &countedRows{Enumerator: e, none: func(ctx context.Context) { n.ask(ctx, session) }}
}

// ask asks the host what the class is. One that begins with __ is of the system.
func (n *eventless) ask(ctx context.Context, session cim.Session) {
	if n.class == "" || n.noticed.Load() {
		return
	}
	isEvent := strings.HasPrefix(n.class, "__")
	if !isEvent {
		class, err := session.GetClass(ctx, n.class, cim.GetOptions{})
		isEvent = err == nil && slices.ContainsFunc(class.Derivation, func(c string) bool { return cim.EqualFold(c, "__Event") })
	}
	if isEvent {
		n.noticed.Store(true)
	}
}

// countedRows tell where there are none.
type countedRows struct {
	cim.Enumerator
	none func(context.Context)
	some bool
}

// Next implements cim.Enumerator.
func (r *countedRows) Next(ctx context.Context, limit int) ([]*cim.Instance, error) {
	batch, err := r.Enumerator.Next(ctx, limit)
	r.some = r.some || len(batch) > 0
	if err != nil && !r.some {
		r.none(ctx)
	}
	return batch, err
}
