package casementtest_test

import (
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/ipmisim"
	"github.com/casementhq/casement/providers/ipmi"
)

// A BMC over WinRM, in the default namespace of DMTF URIs, and over DCOM: enumerate, get, put and invoke in root\hardware.
func TestIPMIOverBothTransports(t *testing.T) {
	for name, url := range map[string]func(*casementtest.Server) string{
		"WinRM": func(s *casementtest.Server) string { return s.HTTP },
		"DCOM":  func(s *casementtest.Server) string { return "dcom://" + s.DCOM },
	} {
		t.Run(name, func(t *testing.T) { testIPMI(t, url) })
	}
}

func testIPMI(t *testing.T, url func(*casementtest.Server) string) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	s := casementtest.New(t, casementtest.Options{})
	if err := ipmi.OpenStore(s.Service.State.Dir).Put(ipmi.Device{Name: "bmc", Host: sim.Host, Port: sim.Port, User: ipmisim.User, Password: ipmisim.Password}); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	conn, err := casement.Dial(ctx, url(s), casement.Options{User: s.User, Password: s.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	session, err := conn.Session(ctx, `root\hardware`)
	if err != nil {
		t.Fatal(err)
	}
	list := func(class string) []*cim.Instance {
		t.Helper()
		e, err := session.Enumerate(ctx, class, cim.EnumerateOptions{})
		if err != nil {
			t.Fatalf("%s: %v", class, err)
		}
		defer e.Close()
		all, err := cim.Collect(ctx, e)
		if err != nil {
			t.Fatalf("%s: %v", class, err)
		}
		return all
	}
	readings := map[string]string{}
	for _, i := range list("NumericSensor") {
		readings[i.Get("Name").String()] = i.Get("CurrentReading").String() + " x 10^" + i.Get("UnitModifier").String()
	}
	if len(readings) != 3 || readings["CPU Temp"] != "45 x 10^0" || readings["12V"] != "1220 x 10^-2" || readings["Ambient"] != "-50 x 10^-1" {
		t.Errorf("the readings are %v", readings)
	}
	path := cim.ObjectPath{Class: "NumericSensor", Keys: []cim.Key{
		{Name: "SystemCreationClassName", Value: cim.Str("ComputerSystem")}, {Name: "SystemName", Value: cim.Str("bmc")},
		{Name: "CreationClassName", Value: cim.Str("NumericSensor")}, {Name: "DeviceID", Value: cim.Str("1.0.32")},
	}}
	i, err := session.Get(ctx, path, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Set("UpperThresholdNonCritical", cim.S32(66)); err != nil {
		t.Fatal(err)
	}
	if err := session.Put(ctx, i, cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if i, err = session.Get(ctx, path, cim.GetOptions{}); err != nil || i.Get("UpperThresholdNonCritical").String() != "66" {
		t.Errorf("after Put: %v, %v", i.Get("UpperThresholdNonCritical"), err)
	}
	if n := len(list("LogRecord")); n != 2 {
		t.Errorf("%d records", n)
	}
	logs := list("RecordLog")
	if len(logs) != 1 {
		t.Fatalf("%d logs", len(logs))
	}
	log := cim.ObjectPath{Class: "RecordLog", Keys: []cim.Key{{Name: "InstanceID", Value: logs[0].Get("InstanceID")}}}
	if r, err := session.Invoke(ctx, log, "ClearLog", nil, cim.OperationOptions{}); err != nil || r.ReturnValue.String() != "0" {
		t.Errorf("ClearLog: %v, %v", r.ReturnValue, err)
	}
	if n := len(list("LogRecord")); n != 0 {
		t.Errorf("%d records after ClearLog", n)
	}
}
