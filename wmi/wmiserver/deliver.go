package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// The three deliveries: at once or through a call result (single), through an enumerator (many), into a sink (async). See [MS-WMI]
// 3.1.1.1.

// callResults says when a method that gives one result at most gives an IWbemCallResult.
type callResults uint8

const (
	onlyWithFlag  callResults = iota // with WBEM_FLAG_RETURN_IMMEDIATELY
	whereverGiven                    // also without it, where the caller gives a place for it: it has the result then
	alsoFinished                     // the same, and the result comes at once too
)

// single runs an operation with one result at most. Where it goes on behind a call result, that is in slot and there is no outcome.
func (s *services) single(ctx context.Context, c *call, p prepared, flags uint32, slot *iwbem.RefSlot, kind callResults) (outcome, error) {
	leave, err := c.enter(ctx)
	if err != nil {
		return outcome{}, err
	}
	if p.err != nil {
		leave()
		return outcome{}, p.err
	}
	immediately := flags&wmi.FlagReturnImmediately != 0
	if immediately && !slot.Given {
		leave()
		return outcome{}, refuse(cim.ErrInvalidParameter, "a semisynchronous call needs a place for its call result")
	}
	session := s.connection.session.With(c.caller)
	if !immediately && (kind != whereverGiven || !slot.Given) {
		kept := false
		defer func() {
			if !kept {
				leave()
			}
		}()
		out, err := p.run(ctx, session)
		if err == nil && kind == alsoFinished && slot.Given {
			kept = true
			slot.Ref, err = s.server.export(c, s.callResult(c, finished(p.subject, out, nil, leave)), wmi.IIDCallResult)
		}
		return out, err
	}
	if err := admitted(ctx, s.connection.session, c.caller); err != nil {
		leave()
		return outcome{}, err
	}
	held := s.connection.retain()
	pending := s.server.newPending(p.operation, session, leave, held.release)
	slot.Ref, err = s.server.export(c, s.callResult(c, pending), wmi.IIDCallResult)
	return outcome{}, err
}

// callResult is what tells a client of an operation.
func (s *services) callResult(c *call, p *pending) *callResult {
	return &callResult{pending: p, connection: s.connection.retain(), protection: c.caller.Protection}
}

// effect runs an operation whose result is that it was done.
func (s *services) effect(ctx context.Context, c *call, p prepared, flags uint32, slot iwbem.RefSlot) ndr.Marshaler {
	out := &iwbem.CallResultResponse{CallResult: iwbem.RefSlot{Given: slot.Given}}
	_, err := s.single(ctx, c, p, flags, &out.CallResult, whereverGiven)
	out.Result = result(err)
	return c.answer(out, err)
}

// many runs an operation with many results. A synchronous one is over, or has given as much as may be kept, when the call returns.
func (s *services) many(ctx context.Context, c *call, p prepared, flags uint32) ndr.Marshaler {
	ref, err := s.enumerator(ctx, c, p, flags)
	return c.answer(&iwbem.RefResponse{Ref: ref, Result: result(err)}, err)
}

func (s *services) enumerator(ctx context.Context, c *call, p prepared, flags uint32) (*dcom.ObjRef, error) {
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	if p.err != nil {
		leave()
		return nil, p.err
	}
	if err := admitted(ctx, s.connection.session, c.caller); err != nil {
		leave()
		return nil, err
	}
	held := s.connection.retain()
	session := held.session.With(c.caller)
	set := s.server.newResultSet(c.owner, flags&wmi.FlagForwardOnly == 0, func(ctx context.Context) (cim.Enumerator, error) {
		out, err := p.run(ctx, session)
		return out.enum, err
	}, held.release)
	e := &enumerator{server: s.server, cursor: newCursor(set, 0), connection: held.retain(), protection: c.caller.Protection, subject: p.subject, leave: leave}
	switch {
	case p.subject.operation == "ExecNotificationQuery":
		err = set.wait(ctx) // a subscription that cannot begin fails at once
	case flags&wmi.FlagReturnImmediately == 0:
		err = set.collect(ctx)
	}
	if err != nil {
		e.released()
		return nil, err
	}
	return s.server.export(c, e, wmi.IIDEnumClassObject)
}

// async runs an operation into a sink of the caller. Unless it begins, the sink is neither called nor referred to. See [MS-WMI]
// 3.1.1.1.3.
func (s *services) async(ctx context.Context, c *call, p prepared, sink *dcom.ObjRef) ndr.Marshaler {
	return c.status(s.begin(ctx, c, p, sink))
}

func (s *services) begin(ctx context.Context, c *call, p prepared, ref *dcom.ObjRef) error {
	leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	if p.err != nil {
		leave()
		return p.err
	}
	target, key, err := s.server.sink(ctx, c, s.connection, ref)
	if err != nil {
		leave()
		return err
	}
	held := s.connection.retain()
	session := held.session.With(c.caller)
	run, end := func(ctx context.Context) (outcome, error) { return p.run(ctx, session) }, func() {}
	if p.subject.operation == "ExecNotificationQuery" { // no event after this call is missed, and a subscription that cannot begin fails at once
		out, err := run(ctx)
		if err != nil {
			held.release()
			leave()
			return err
		}
		run, end = func(context.Context) (outcome, error) { return out, nil }, func() { out.enum.Close() }
	}
	a := &asyncCall{key: key, sink: target, log: s.server.log, subject: p.subject}
	return s.server.begin(a, func(ctx context.Context) (uint32, string, error) { return a.deliver(ctx, run) }, func() {
		end()
		held.release()
		leave()
	})
}

// cancelAsyncCall ends the operations that the caller began with a sink. See [MS-WMI] 3.1.4.3.2.
func (s *services) cancelAsyncCall(_ context.Context, c *call, r *iwbem.CancelAsyncCallRequest) ndr.Marshaler {
	return c.status(func() error {
		if err := impersonated(c.caller); err != nil {
			return err
		}
		key, err := keyOf(c.owner, r.Sink)
		if err != nil {
			return err
		}
		return s.server.calls.stop(key)
	}())
}
