package service

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/decoupled"
)

// connected tells over CIM which decoupled providers are there.
type connected struct{ registrar *decoupled.Registrar }

var connectedClass = cim.NewClass("Casement_ConnectedProvider", nil).Dynamic().
	Qualifier(cim.Qualifier{Name: "Provider", Value: cim.Str(connectedName)}).
	Description("A decoupled provider that is connected to the service now. See __Win32Provider of its namespace.").
	Key("Namespace", cim.String, cim.Describes("The namespace of its __Win32Provider.")).
	Key("Name", cim.String, cim.Describes("The Name of its __Win32Provider.")).
	Property("Connections", cim.Uint32, cim.Describes("Its connections; each serves one operation at a time.")).
	Build("root")

const connectedName = "CasementService"

// ProviderName is the name by which the provider is known.
func (*connected) ProviderName() string { return connectedName }

// Classes implements cimom.Provider.
func (*connected) Classes() []*cim.Class { return []*cim.Class{connectedClass} }

// List implements cimom.InstanceLister.
func (c *connected) List(_ context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	for _, p := range c.registrar.Connected() {
		i := cim.NewInstance(r.Class)
		err := errors.Join(i.Set("Namespace", cim.Str(p.Namespace)), i.Set("Name", cim.Str(p.Provider)),
			i.Set("Connections", cim.U32(uint32(p.Count)))) // #nosec G115 -- 64 at most
		if err == nil {
			err = yield(i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
