package host

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
)

// linkRow are the two ends of an association.
type linkRow struct{ first, second cim.Value }

// linked is an association whose references are named first and second.
func linked(class, first, second string, gather func(ctx context.Context, p *Provider, server string, f func(*linkRow) error) error) *table[linkRow] {
	return &table[linkRow]{
		name: class,
		columns: []column[linkRow]{
			{name: first, get: func(r *linkRow) cim.Value { return r.first }},
			{name: second, get: func(r *linkRow) cim.Value { return r.second }},
		},
		gather: func(ctx context.Context, p *Provider, _ uint32, q query, f func(*linkRow) error) error {
			return gather(ctx, p, q.server, f)
		},
	}
}

// keyRef is the path of an object with one key.
func keyRef(server, class, key string, v cim.Value) cim.Value {
	p := cim.ObjectPath{Server: server, Namespace: Namespace, Class: class, Keys: []cim.Key{{Name: key, Value: v}}}
	return cim.Ref(p.String())
}

var adapterSettingTable = linked("Win32_NetworkAdapterSetting", "Element", "Setting",
	func(ctx context.Context, p *Provider, server string, f func(*linkRow) error) error {
		return gatherAdapters(ctx, p, 0, query{}, func(r *adapterRow) error {
			index := cim.U32(uint32(r.Index))
			return f(&linkRow{deviceRef(server, "Win32_NetworkAdapter", index.String()),
				keyRef(server, "Win32_NetworkAdapterConfiguration", "Index", index)})
		})
	})

// moduleLocationTable follows the handle that a memory device has of its array. See DMTF DSP0134 7.18.
var moduleLocationTable = linked("Win32_PhysicalMemoryLocation", "GroupComponent", "PartComponent",
	func(ctx context.Context, p *Provider, server string, f func(*linkRow) error) error {
		tags := map[uint64]string{}
		err := arrayTable.gather(ctx, p, 0, query{}, func(r *physicalRow) error {
			tags[uint64(r.handle)] = numbered("Physical Memory Array")(r)
			return nil
		})
		if err != nil {
			return err
		}
		return gatherModules(ctx, p, 0, query{}, func(r *physicalRow) error {
			handle, ok := r.number(0x04, 2)
			tag := tags[handle]
			if !ok || tag == "" {
				return nil
			}
			return f(&linkRow{keyRef(server, "Win32_PhysicalMemoryArray", "Tag", cim.Str(tag)),
				keyRef(server, "Win32_PhysicalMemory", "Tag", cim.Str(numbered("Physical Memory")(r)))})
		})
	})

var driverOfDeviceTable = linked("Win32_SystemDriverPNPEntity", "Antecedent", "Dependent",
	func(ctx context.Context, p *Provider, server string, f func(*linkRow) error) error {
		loaded := map[string]bool{}
		for line := range strings.SplitSeq(p.read("proc/modules"), "\n") {
			name, _, _ := strings.Cut(line, " ")
			loaded[name] = true
		}
		return gatherDevices(ctx, p, 0, query{}, func(d *pnpDevice) error {
			if d.driver() == "" || !loaded[d.module()] {
				return nil
			}
			return f(&linkRow{deviceRef(server, "Win32_PnPEntity", d.deviceID()), keyRef(server, "Win32_SystemDriver", "Name", cim.Str(d.module()))})
		})
	})
