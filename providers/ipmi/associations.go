package ipmi

import (
	"context"
	"slices"

	"github.com/bougou/go-ipmi/pkg/client"

	"github.com/casementhq/casement/cim"
)

// path is a reference to an object of this provider; keys are names and values by turns.
func (c *call) path(class string, keys ...string) cim.Value {
	p := cim.ObjectPath{Server: c.r.Class.Server, Namespace: Namespace, Class: class}
	for pair := range slices.Chunk(keys, 2) {
		p.Keys = append(p.Keys, cim.Key{Name: pair[0], Value: cim.Str(pair[1])})
	}
	return cim.Ref(p.String())
}

func (c *call) domainPath() cim.Value {
	return c.path(domainClass, "CreationClassName", domainClass, "Name", c.p.domain)
}

func (c *call) computerPath(d Device) cim.Value {
	return c.path(computerClass, "CreationClassName", computerClass, "Name", d.Name)
}

// pair yields one association.
func (c *call) pair(role string, from cim.Value, other string, to cim.Value) error {
	o := newObject(c.r.Class)
	o.set(role, from)
	o.set(other, to)
	return c.emit(o)
}

func (c *call) systemsInDomain(ctx context.Context) error {
	return c.reached(ctx, "", func(d Device) error {
		return c.pair("GroupComponent", c.domainPath(), "PartComponent", c.computerPath(d))
	})
}

func (c *call) logsOfSystems(ctx context.Context) error {
	return c.reached(ctx, "", func(d Device) error {
		return c.pair("Antecedent", c.path(logClass, "InstanceID", logName(d.Name)), "Dependent", c.computerPath(d))
	})
}

func (c *call) sensorsOfSystems(ctx context.Context) error {
	var found []*sensor
	return c.each(ctx, "", func(ctx context.Context, b *bmc, conn *client.Client) (err error) {
		found, err = b.list(ctx, conn)
		return err
	}, func(d Device) error {
		for _, s := range found {
			class := sensorClass
			if s.scale != nil {
				class = numericClass
			}
			to := c.path(class, "SystemCreationClassName", computerClass, "SystemName", d.Name, "CreationClassName", class, "DeviceID", s.deviceID())
			if err := c.pair("GroupComponent", c.computerPath(d), "PartComponent", to); err != nil {
				return err
			}
		}
		return nil
	})
}
