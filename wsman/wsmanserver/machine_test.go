package wsmanserver_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
)

// many is how many instances class CT_Many has.
const many = 5000

// machine is a manager with the classes that the statements speak of.
func machine(t testing.TB) *cimom.Manager {
	t.Helper()
	m := cimom.New(cimom.Options{Server: "HOST"})
	t.Cleanup(func() { m.Close() })
	if err := m.AddNamespace(cimom.Namespace{Name: `root\secret`, RequiresEncryption: true}); err != nil {
		t.Fatal(err)
	}
	const ns = `root\cimv2`
	service := cim.NewClass("Win32_Service", nil).Dynamic().Key("Name", cim.String).
		Property("State", cim.String).Property("ProcessId", cim.Uint32).
		Property("StartMode", cim.String, cim.Writable()).Property("ServicesDependedOn", cim.String.Array(), cim.Writable()).
		Property("InstallDate", cim.Datetime).
		Method("StartService", cim.Uint32).Method("Slow", cim.Uint32).Build(ns)
	quota := cim.NewClass("Win32_QuotaSetting", nil).Dynamic().Key("VolumePath", cim.String).Property("State", cim.Uint32).Build(ns)
	element := cim.NewClass("CT_Base", nil).Dynamic().Key("ID", cim.String).Build(ns)
	derived := cim.NewClass("CT_Derived", element).Dynamic().Property("Extra", cim.Uint32).Build(ns)
	lots := cim.NewClass("CT_Many", nil).Dynamic().Key("N", cim.Uint32).Property("Text", cim.String).Build(ns)
	only := cim.NewClass("CT_Only", nil).Dynamic().Singleton().Property("Value", cim.String).Build(ns)
	sensor := cim.NewClass("CIM_Sensor", nil).Dynamic().Key("DeviceID", cim.String).Build(`root\hardware`)
	secret := cim.NewClass("CT_Secret", nil).Dynamic().Key("ID", cim.String).Build(`root\secret`)
	p := static.New(service, quota, element, derived, lots, only, sensor, secret)
	p.Handle(ns, "Win32_Service", "StartService", func(context.Context, cim.ObjectPath, cim.Arguments) (cim.Result, error) {
		return cim.Result{ReturnValue: cim.U32(0)}, nil
	})
	p.Handle(ns, "Win32_Service", "Slow", func(ctx context.Context, _ cim.ObjectPath, _ cim.Arguments) (cim.Result, error) {
		select {
		case <-ctx.Done():
			return cim.Result{}, ctx.Err()
		case <-time.After(20 * time.Second):
			return cim.Result{ReturnValue: cim.U32(0)}, nil
		}
	})
	add := func(class *cim.Class, pairs ...any) {
		i := cim.NewInstance(class)
		for n := 0; n < len(pairs); n += 2 {
			if err := i.Set(pairs[n].(string), pairs[n+1].(cim.Value)); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	add(service, "Name", cim.Str("WinRM"), "State", cim.Str("Running"), "ProcessId", cim.U32(42), "StartMode", cim.Str("Auto"),
		"ServicesDependedOn", cim.Array(cim.String, []cim.Value{cim.Str("RPCSS"), cim.Str("HTTP")}))
	add(service, "Name", cim.Str("Spooler"), "State", cim.Str("Stopped"), "StartMode", cim.Str("Manual"))
	add(element, "ID", cim.Str("base"))
	add(derived, "ID", cim.Str("derived"), "Extra", cim.U32(7))
	for n := range uint32(many) {
		add(lots, "N", cim.U32(n), "Text", cim.Str(fmt.Sprintf("instance number %d of many", n)))
	}
	add(only, "Value", cim.Str("one"))
	add(sensor, "DeviceID", cim.Str("fan1"))
	add(secret, "ID", cim.Str("s"))
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	return m
}

// serve starts a service over the machine, with Basic, and a raw client of its
// Administrator.
func serve(t testing.TB, settings ...string) (*casementtest.Server, *wire) {
	t.Helper()
	o := casementtest.Options{Opener: machine(t), Settings: map[string]string{"Service/Auth/Basic": "true"}}
	for i := 0; i < len(settings); i += 2 {
		o.Settings[settings[i]] = settings[i+1]
	}
	s := casementtest.New(t, o)
	return s, newWire(t, s)
}
