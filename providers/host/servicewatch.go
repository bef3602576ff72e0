package host

import (
	"context"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// ServiceWatcher is what a Services implements besides to tell of changes.
type ServiceWatcher interface {
	// Watch calls changed when it has begun, and then when services came, went or changed, until ctx ends. Several
	// changes may come as one call.
	Watch(ctx context.Context, changed func()) error
}

// serviceEvents are all kinds: a service manager that tells of one tells of all.
const serviceEvents = cimom.Creation | cimom.Modification | cimom.Deletion

// serviceSettle is how long changes are gathered before the services are looked at: the start of one is several.
const serviceSettle = 50 * time.Millisecond

// watchServices emits what becomes of services as their manager tells of it.
func (p *Provider) watchServices(ctx context.Context, c *cim.Class, q query, emit func(kind cimom.EventKinds, target, previous *cim.Instance) error) error {
	ctx, cancel := context.WithCancel(ctx)
	changes, ended := make(chan struct{}, 1), make(chan error, 1)
	defer func() {
		cancel()
		<-ended
	}()
	go func() {
		defer close(ended)
		ended <- p.o.Services.(ServiceWatcher).Watch(ctx, func() {
			select {
			case changes <- struct{}{}:
			default: // the look that is to come sees this one too
			}
		})
	}()
	var known map[string]*cim.Instance
	for {
		select {
		case err := <-ended:
			return err
		case <-changes:
		}
		if known != nil {
			time.Sleep(serviceSettle)
		}
		now, err := p.servicesByName(ctx, c, q)
		if err != nil {
			return err
		}
		if known != nil {
			if err := compareServices(known, now, emit); err != nil {
				return err
			}
		}
		known = now
	}
}

func (p *Provider) servicesByName(ctx context.Context, c *cim.Class, q query) (map[string]*cim.Instance, error) {
	now := map[string]*cim.Instance{}
	err := serviceTable.list(ctx, p, c, q, func(i *cim.Instance) error {
		name, _ := i.Get("Name").Str()
		now[name] = i.Clone()
		return nil
	})
	return now, err
}

func compareServices(before, now map[string]*cim.Instance, emit func(kind cimom.EventKinds, target, previous *cim.Instance) error) error {
	for name, i := range now {
		old, known := before[name]
		var err error
		switch {
		case !known:
			err = emit(cimom.Creation, i, nil)
		case !old.Equal(i):
			err = emit(cimom.Modification, i, old)
		}
		if err != nil {
			return err
		}
	}
	for name, old := range before {
		if _, still := now[name]; !still {
			if err := emit(cimom.Deletion, old, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
