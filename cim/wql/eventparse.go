package wql

import (
	"errors"
	"math"
	"time"

	"github.com/casementhq/casement/cim"
)

// EventQuery is an event query: SELECT … FROM event class [WITHIN seconds]
// [WHERE …] [GROUP WITHIN seconds [BY …] [HAVING NumberOfEvents …]]. See
// spec/wmi.md 3.5.
type EventQuery struct {
	Text   string
	Select []Name // nil for *
	Class  string
	Within time.Duration // polling interval; 0 without WITHIN
	Where  Expr          // nil without WHERE
	Group  *Group        // nil without GROUP
}

// Group says that events come together, as one __AggregateEvent for each
// group.
type Group struct {
	Within time.Duration // from the first event of a group on; whole seconds, more than 0
	By     []Name        // events that are equal in these are one group; nil: all are
	Having *Having       // nil: every group is delivered
}

// Having compares NumberOfEvents with Count.
type Having struct {
	Op    Op
	Count uint32
}

// Holds tells whether a group of n events is delivered.
func (h *Having) Holds(n uint32) bool {
	switch {
	case h == nil:
		return true
	case n < h.Count:
		return h.Op.holds(-1)
	case n > h.Count:
		return h.Op.holds(1)
	}
	return h.Op.holds(0)
}

// MinInterval and MaxInterval are the limits of the polling WITHIN: a
// millisecond, and 0xFFFFFFFF of them. See [MS-WMI] 3.1.2.
const (
	MinInterval = time.Millisecond
	MaxInterval = math.MaxUint32 * time.Millisecond
)

// ParseEvent reads an event query. Its errors are *cim.Error:
// ErrInvalidParameter for an empty text, ErrQuotaViolation beyond the limits,
// ErrMissingGroupWithin for GROUP, BY or HAVING without GROUP WITHIN,
// ErrMissingAggregationList for BY without names or with *, otherwise
// ErrUnparsableQuery with the column in the detail.
func ParseEvent(query string) (*EventQuery, error) {
	q, err := parseEvent(query)
	var e *cim.Error
	if errors.As(err, &e) && e.Status == cim.ErrInvalidQuery {
		e.Status = cim.ErrUnparsableQuery
	}
	if err != nil {
		return nil, err
	}
	q.Text = query
	return q, nil
}

func parseEvent(query string) (*EventQuery, error) {
	p, err := newParser(query)
	if err != nil {
		return nil, err
	}
	p.event = true
	q := &EventQuery{}
	if q.Select, q.Class, err = p.selectFrom(); err != nil {
		return nil, err
	}
	if ok, err := p.accept("WITHIN"); err != nil {
		return nil, err
	} else if ok {
		if q.Within, err = p.interval(); err != nil {
			return nil, err
		}
	}
	if q.Where, err = p.where(); err != nil {
		return nil, err
	}
	if q.Group, err = p.group(); err != nil {
		return nil, err
	}
	return q, p.finish()
}

// interval reads the seconds after WITHIN, whole or not.
func (p *parser) interval() (time.Duration, error) {
	seconds, ok := p.tok.value.Float()
	if p.tok.kind != number64 || !ok {
		return 0, invalid(p.tok.at, "a number of seconds is missing")
	}
	if !(seconds >= MinInterval.Seconds() && seconds <= MaxInterval.Seconds()) {
		return 0, invalid(p.tok.at, "the interval is not between a millisecond and 4294967 seconds")
	}
	return time.Duration(seconds * float64(time.Second)), p.advance()
}

// groupInterval reads the seconds after GROUP WITHIN: a uint32, no fraction. See
// the page "WITHIN Clause" of the WMI documentation.
func (p *parser) groupInterval() (time.Duration, error) {
	if p.tok.kind != number64 {
		return 0, invalid(p.tok.at, "a number of seconds is missing")
	}
	seconds, ok := p.tok.value.Uint()
	if !ok || seconds == 0 || seconds > math.MaxUint32 {
		return 0, invalid(p.tok.at, "GROUP WITHIN takes a whole number of seconds, from 1 to 4294967295")
	}
	return time.Duration(seconds) * time.Second, p.advance()
}

// group reads GROUP and what follows it.
func (p *parser) group() (*Group, error) {
	at := p.tok.at
	grouped, err := p.accept("GROUP")
	if err != nil {
		return nil, err
	}
	within := false
	if grouped {
		if within, err = p.accept("WITHIN"); err != nil {
			return nil, err
		}
	}
	switch {
	case !within && (grouped || p.tok.is("BY") || p.tok.is("HAVING")):
		return nil, fail(cim.ErrMissingGroupWithin, at, "GROUP WITHIN is missing")
	case !grouped:
		return nil, nil
	}
	g := &Group{}
	if g.Within, err = p.groupInterval(); err != nil {
		return nil, err
	}
	if by, err := p.accept("BY"); err != nil {
		return nil, err
	} else if by {
		if p.tok.kind == end || p.tok.is("*") || p.tok.is("HAVING") || p.tok.is(";") {
			return nil, fail(cim.ErrMissingAggregationList, p.tok.at, "BY needs the names of properties")
		}
		if g.By, err = p.names(); err != nil {
			return nil, err
		}
	}
	g.Having, err = p.having()
	return g, err
}

// having reads HAVING NumberOfEvents and a comparison with a uint32.
func (p *parser) having() (*Having, error) {
	if ok, err := p.accept("HAVING"); err != nil || !ok {
		return nil, err
	}
	at := p.tok.at
	x, err := p.predicate()
	if err != nil {
		return nil, err
	}
	c, ok := x.(*Compare)
	if !ok || !cim.EqualFold(c.Name.String(), "NumberOfEvents") {
		return nil, invalid(at, "HAVING compares NumberOfEvents")
	}
	n, ok := c.Value.Uint()
	if !ok || n > math.MaxUint32 {
		return nil, invalid(c.At, "NumberOfEvents compares with a uint32")
	}
	return &Having{Op: c.Op, Count: uint32(n)}, nil
}
