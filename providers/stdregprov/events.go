package stdregprov

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/registry"
)

// hiveName is the Hive property of every event.
const hiveName = "HKEY_LOCAL_MACHINE"

// Events emits what changes in the hive until ctx ends: RegistryValueChangeEvent for each value,
// RegistryKeyChangeEvent for each key whose values or whose subkeys changed, and RegistryTreeChangeEvent for that key
// and all above it. Changes that follow each other quickly may come as one. See [cimom.EventSource].
func (p *Provider) Events(ctx context.Context, r *cimom.Request, emit func(*cim.Instance) error) error {
	list := events[cim.Fold(r.Class.Name)]
	if list == nil {
		return &cim.Error{Status: cim.ErrProviderNotCapable, Operation: "Events", Path: r.Class.Name}
	}
	changed, cancel := p.hive.Subscribe()
	defer cancel()
	seen := p.hive.Snapshot()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-changed:
			if !open {
				return nil
			}
		}
		now := p.hive.Snapshot()
		for _, e := range list(registry.Diff(seen, now)) {
			if err := p.emit(r.Class, e, emit); err != nil {
				return err
			}
		}
		seen = now
	}
}

// event is one event: the path of the key and, for an event of a value, its name.
type event struct {
	pathProperty, path string
	value              *string
}

func (p *Provider) emit(c *cim.Class, e event, emit func(*cim.Instance) error) error {
	i := cim.NewInstance(c)
	set := func(name string, v cim.Value) error {
		if c.PropertyIndex(name) < 0 {
			return nil
		}
		return i.Set(name, v)
	}
	err := set("Hive", cim.Str(hiveName))
	if err == nil {
		err = set(e.pathProperty, cim.Str(e.path))
	}
	if err == nil && e.value != nil {
		err = set("ValueName", cim.Str(*e.value))
	}
	if err != nil {
		return err
	}
	return emit(i)
}

// events make the events of each class from changes.
var events = map[string]func([]registry.Change) []event{
	"registryvaluechangeevent": valueEvents,
	"registrykeychangeevent":   keyEvents,
	"registrytreechangeevent":  treeEvents,
}

func valueEvents(changes []registry.Change) (out []event) {
	for _, c := range changes {
		if !c.Subkeys {
			out = append(out, event{"KeyPath", c.Key, &c.Name})
		}
	}
	return out
}

func keyEvents(changes []registry.Change) (out []event) {
	for i, c := range changes {
		if i == 0 || changes[i-1].Key != c.Key { // the changes of one key follow each other
			out = append(out, event{"KeyPath", c.Key, nil})
		}
	}
	return out
}

func treeEvents(changes []registry.Change) (out []event) {
	told := map[string]bool{}
	for _, c := range changes {
		for path, more := c.Key, true; more; {
			if told[path] {
				break
			}
			told[path] = true
			out = append(out, event{"RootPath", path, nil})
			at := strings.LastIndexByte(path, '\\')
			more = path != ""
			path = path[:max(at, 0)]
		}
	}
	return out
}
