package eventing

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/security"
)

// poll makes intrinsic events by listing instances again and again, as the
// subscriber, and comparing. What happens between two polls is one change; what
// comes and goes between them is not seen. See spec/wmi.md 5.1.
type poll struct {
	feed     *feed
	query    *wql.Query
	interval time.Duration
	kinds    Kinds // those that are wanted and that no provider makes
	caller   cim.Caller
	user     security.SID

	classes map[string]*snapshot // by folded name
	rounds  uint32
	key     []byte
	charged int64 // bytes of snapshots taken from the quota
	pending int64 // of them, not used yet
}

// snapshot is what one class had.
type snapshot struct {
	rows  map[string]*row
	turn  uint32
	round uint32 // the last one that had the class
	// ready says that the class was listed whole once: what is new since then is
	// an event.
	ready bool
}

type row struct {
	instance *cim.Instance // nil where only creations are wanted
	turn     uint32        // when it was seen last
	size     int64
}

const rowSize = 96 // a row and its place in the map, without the key

// start takes the first snapshot. A class below the one that was asked for
// that cannot be listed yet does not keep the others from being polled.
func (p *poll) start(ctx context.Context) error {
	p.classes = map[string]*snapshot{}
	err := p.round(ctx)
	if err != nil && (ends(err) || ctx.Err() != nil || !p.some()) {
		p.release()
		return err
	}
	return nil
}

// some tells whether any class was listed, the one that was asked for first of
// all, unless it has no instances of its own.
func (p *poll) some() bool {
	if top := p.classes[cim.Fold(p.query.Class)]; top != nil {
		return top.ready
	}
	for _, s := range p.classes {
		if s.ready {
			return true
		}
	}
	return false
}

// ends tells whether a poll cannot go on after an error.
func ends(err error) bool {
	return errors.Is(err, cim.ErrQuotaViolation) || errors.Is(err, cim.ErrAccessDenied) || errors.Is(err, cim.ErrInvalidNamespace)
}

// run polls until ctx ends. It pauses at least as long as a poll took, so that
// a class that is slow to list does not take all of a processor.
func (p *poll) run(ctx context.Context) error {
	defer p.release()
	t := time.NewTimer(p.interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		began := time.Now()
		if err := p.round(ctx); err != nil {
			if ctx.Err() != nil || ends(err) {
				return err
			}
			p.feed.hub.log.Warn("polling failed", "class", p.query.Class, "namespace", p.feed.namespace, "error", err)
		}
		took := time.Since(began)
		t.Reset(max(p.interval-took, took))
	}
}

// release gives the memory back.
func (p *poll) release() {
	p.feed.hub.ledger.give(p.user, pollingMemory, p.charged)
	p.charged, p.pending, p.classes = 0, 0, nil
}

// round lists every class once. One that fails keeps its snapshot, and the
// others are polled all the same. A class that its provider does not list
// whole has no part in a poll of its superclass.
func (p *poll) round(ctx context.Context) error {
	host := p.feed.hub.host
	var failure error
	p.rounds++
	for _, class := range host.Lineage(p.feed.namespace, p.query.Class) {
		t := host.Target(p.feed.namespace, class)
		kinds := p.kinds &^ t.Own
		if t.Stored || kinds == 0 || class.IsAbstract() {
			continue
		}
		bound, err := wql.Bind(p.query, class)
		if err != nil {
			return err
		}
		if bound.Never {
			continue
		}
		err = p.one(ctx, bound, kinds)
		if errors.Is(err, cim.ErrProviderNotCapable) && !cim.EqualFold(class.Name, p.query.Class) && !p.classes[cim.Fold(class.Name)].ready {
			err = nil
		}
		if err != nil && failure == nil {
			failure = err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for name, s := range p.classes { // of classes that are no more
		if s.round != p.rounds {
			for _, r := range s.rows {
				_ = p.charge(-r.size) // giving back does not fail
			}
			delete(p.classes, name)
		}
	}
	return failure
}

// one polls one class.
func (p *poll) one(ctx context.Context, bound *wql.Bound, kinds Kinds) error {
	name := cim.Fold(bound.Class.Name)
	s := p.classes[name]
	if s == nil {
		s = &snapshot{rows: map[string]*row{}}
		p.classes[name] = s
	}
	s.round = p.rounds
	s.turn++
	give, err := p.feed.hub.turns.take(ctx, p.user)
	if err != nil {
		return err
	}
	defer give()
	err = p.feed.hub.host.List(ctx, p.caller, p.feed.namespace, bound, func(i *cim.Instance) error {
		if !bound.Match(i) {
			return nil
		}
		return p.see(ctx, s, i, kinds, !s.ready)
	})
	if err != nil {
		return err
	}
	s.ready = true
	for key, r := range s.rows {
		if r.turn == s.turn {
			continue
		}
		delete(s.rows, key)
		_ = p.charge(-r.size) // giving back does not fail
		if kinds&Deletion != 0 && r.instance != nil {
			p.emit(ctx, Deletion, r.instance, nil)
		}
	}
	return nil
}

// see compares an instance with what was there.
func (p *poll) see(ctx context.Context, s *snapshot, i *cim.Instance, kinds Kinds, first bool) error {
	ok := false
	if p.key, ok = appendKeys(p.key[:0], i); !ok {
		return nil // without keys it cannot be told from others
	}
	r := s.rows[string(p.key)]
	if r == nil {
		r = &row{turn: s.turn, size: rowSize + int64(len(p.key))}
		var copied *cim.Instance
		if !first && kinds&Creation != 0 || kinds != Creation {
			copied = i.Clone()
		}
		if kinds != Creation {
			r.instance = copied
			r.size += sizeOf(copied)
		}
		if err := p.charge(r.size); err != nil {
			return err
		}
		s.rows[string(p.key)] = r
		if !first && kinds&Creation != 0 {
			p.emit(ctx, Creation, copied, nil)
		}
		return nil
	}
	r.turn = s.turn
	if r.instance == nil || r.instance.Equal(i) {
		return nil
	}
	previous := r.instance
	r.instance = i.Clone()
	size := rowSize + int64(len(p.key)) + sizeOf(r.instance)
	if err := p.charge(size - r.size); err != nil {
		return err
	}
	r.size = size
	if kinds&Modification != 0 {
		p.emit(ctx, Modification, r.instance, previous)
	}
	return nil
}

// chargeBlock is how much polling takes from the quota at once.
const chargeBlock = 4096

// charge takes memory from the quota, or gives some back.
func (p *poll) charge(n int64) error {
	p.pending -= n
	if p.pending >= 0 && p.pending < 2*chargeBlock {
		return nil
	}
	l := p.feed.hub.ledger
	if p.pending >= 0 {
		spare := p.pending - chargeBlock
		l.give(p.user, pollingMemory, spare)
		p.charged -= spare
		p.pending -= spare
		return nil
	}
	need := chargeBlock - p.pending
	if err := l.take(p.user, pollingMemory, need); err != nil {
		return err
	}
	p.charged += need
	p.pending += need
	return nil
}

// emit publishes an event that nobody else changes.
func (p *poll) emit(ctx context.Context, kind Kinds, target, previous *cim.Instance) {
	p.feed.intrinsic(ctx, kind, target, previous)
}

// intrinsic publishes an event about an instance that is not changed any more.
func (f *feed) intrinsic(ctx context.Context, kind Kinds, target, previous *cim.Instance) {
	class := f.hub.host.Class(f.namespace, kind.ClassName())
	if !f.wants(class) {
		return
	}
	event := cim.NewInstance(class)
	put(event, "targetinstance", cim.Obj(target))
	if previous != nil {
		put(event, "previousinstance", cim.Obj(previous))
	}
	f.publish(ctx, publication{event: event, own: true, patient: true})
}

// appendKeys appends what tells an instance from others of its class; ok is
// false where nothing does.
func appendKeys(b []byte, i *cim.Instance) (key []byte, ok bool) {
	if i.Class().IsSingleton() {
		return b, true
	}
	keys := i.Class().Keys()
	for _, k := range keys {
		v := i.At(k)
		if v.IsNull() {
			return b, false
		}
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		if s, isText := v.Str(); isText {
			b = append(b, strings.ToLower(s)...)
		} else {
			b = v.AppendText(b)
		}
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	}
	return b, len(keys) > 0
}
