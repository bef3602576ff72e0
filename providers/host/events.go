package host

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

var (
	_ cimom.EventSource     = (*Provider)(nil)
	_ cimom.InstanceWatcher = (*Provider)(nil)
)

// eventTables are the extrinsic events by the folded name of their class: what follows the machine and emits them.
var eventTables = map[string]func(ctx context.Context, p *Provider, c *cim.Class, emit func(*cim.Instance) error) error{
	"win32_processstarttrace": func(ctx context.Context, p *Provider, c *cim.Class, emit func(*cim.Instance) error) error {
		return p.traceProcesses(ctx, func(t trace) error { return t.emit(p, c, false, emit) }, func(trace) error { return nil })
	},
	"win32_processstoptrace": func(ctx context.Context, p *Provider, c *cim.Class, emit func(*cim.Instance) error) error {
		return p.traceProcesses(ctx, func(trace) error { return nil }, func(t trace) error { return t.emit(p, c, true, emit) })
	},
	"win32_volumechangeevent": func(ctx context.Context, p *Provider, c *cim.Class, emit func(*cim.Instance) error) error {
		return p.watchVolumes(ctx, func(mountPoint string, kind uint16) error {
			i := cim.NewInstance(c)
			if err := i.Set("EventType", cim.U16(kind)); err != nil {
				return err
			}
			if err := i.Set("DriveName", cim.Str(mountPoint)); err != nil {
				return err
			}
			return emit(i)
		})
	},
}

// Events emits the events of a class until ctx ends. See [cimom.EventSource].
func (p *Provider) Events(ctx context.Context, r *cimom.Request, emit func(*cim.Instance) error) error {
	follow := eventTables[cim.Fold(r.Class.Name)]
	if follow == nil {
		return &cim.Error{Status: cim.ErrProviderNotCapable, Path: r.Class.Name, Detail: "nothing makes the event"}
	}
	return ended(ctx, follow(ctx, p, r.Class, emit))
}

// ended is no error where something failed because its time was over.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// watched are the classes of which the provider tells changes itself, besides services: the clocks, which change each
// second, and the event log, which only grows.
var watched = map[string]cimom.EventKinds{
	"win32_localtime": cimom.Modification, "win32_utctime": cimom.Modification, "win32_ntlogevent": cimom.Creation,
}

// Watches are the kinds of changes that the provider tells of itself. See [cimom.InstanceWatcher].
func (p *Provider) Watches(c *cim.Class) cimom.EventKinds {
	if _, filled := p.sources[cim.Fold(c.Name)]; !filled {
		return 0
	}
	if _, tells := p.o.Services.(ServiceWatcher); tells && cim.EqualFold(c.Name, "Win32_Service") {
		return serviceEvents
	}
	return watched[cim.Fold(c.Name)]
}

// Watch emits what changes until ctx ends. See [cimom.InstanceWatcher].
func (p *Provider) Watch(ctx context.Context, r *cimom.Request, emit func(kind cimom.EventKinds, target, previous *cim.Instance) error) error {
	q := query{server: r.Class.Server, caller: r.Caller}
	if cim.EqualFold(r.Class.Name, "Win32_NTLogEvent") {
		return ended(ctx, newEventTable.list(ctx, p, r.Class, q, func(i *cim.Instance) error { return emit(cimom.Creation, i, nil) }))
	}
	if cim.EqualFold(r.Class.Name, "Win32_Service") {
		return ended(ctx, p.watchServices(ctx, r.Class, q, emit))
	}
	return ended(ctx, p.watchClock(ctx, r.Class, q, func(now, before *cim.Instance) error { return emit(cimom.Modification, now, before) }))
}
