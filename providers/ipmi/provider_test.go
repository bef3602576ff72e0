package ipmi

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/ipmisim"
	"github.com/casementhq/casement/security"
)

// The values are those that the commands of the simulator and the records of its SDR repository say, and that
// ipmitool shows: 45 degrees C, 12.20 V, -5 degrees C.
func TestSensors(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(sim, "bmc"))
	s := h.admin()
	got := map[string][]string{}
	for _, i := range query(t, s, "SELECT * FROM CIM_Sensor") {
		name, _ := i.Get("Name").Str()
		got[name] = append([]string{i.Class().Name}, values(i, "DeviceID", "SystemName", "SensorType", "CurrentState", "HealthState", "Status")...)
	}
	equal(t, "CPU Temp", got["CPU Temp"], "NumericSensor", "1.0.32", "bmc", "2", "Normal", "5", "OK")
	equal(t, "12V", got["12V"], "NumericSensor", "2.0.32", "bmc", "3", "Normal", "5", "OK")
	equal(t, "Ambient", got["Ambient"], "NumericSensor", "3.0.32", "bmc", "2", "Normal", "5", "OK")
	equal(t, "Intrusion", got["Intrusion"], "Sensor", "4.0.32", "bmc", "1", "General Chassis Intrusion", "null", "null")
	if len(got) != 4 {
		t.Errorf("%d sensors, want 4", len(got))
	}
	numbers := []string{"CurrentReading", "UnitModifier", "BaseUnits", "RateUnits", "IsLinear", "EnabledState", "RequestedState", "EnabledDefault",
		"LowerThresholdNonCritical", "UpperThresholdNonCritical", "LowerThresholdCritical", "UpperThresholdCritical", "LowerThresholdFatal", "UpperThresholdFatal",
		"SupportedThresholds", "EnabledThresholds", "SettableThresholds", "NominalReading", "NormalMax", "NormalMin", "MaxReadable", "MinReadable", "Resolution", "Hysteresis", "PossibleStates"}
	for _, i := range query(t, s, "SELECT * FROM NumericSensor") {
		name, _ := i.Get("Name").Str()
		got[name] = values(i, numbers...)
	}
	equal(t, "CPU Temp", got["CPU Temp"], "45", "0", "2", "0", "true", "5", "12", "2", "10", "80", "5", "90", "0", "100",
		"{0, 1, 2, 3, 4, 5}", "{0, 1}", "{0, 1}", "60", "70", "20", "127", "0", "1", "2",
		"{Normal, Lower Non-Critical, Upper Non-Critical, Lower Critical, Upper Critical, Lower Fatal, Upper Fatal}")
	equal(t, "12V", got["12V"], "1220", "-2", "5", "0", "true", "5", "12", "2", "1130", "1280", "1100", "1310", "1070", "1370",
		"{0, 1, 2, 3, 4, 5}", "{}", "{}", "null", "null", "null", "1580", "50", "6", "null",
		"{Normal, Lower Non-Critical, Upper Non-Critical, Lower Critical, Upper Critical, Lower Fatal, Upper Fatal}")
	equal(t, "Ambient", got["Ambient"], "-50", "-1", "2", "0", "true", "5", "12", "2", "null", "null", "null", "null", "null", "null",
		"{}", "{}", "{}", "null", "null", "null", "635", "-640", "5", "null", "{Normal}")
	if out, ok := sim.Tool("sdr"); ok {
		for _, line := range []string{"CPU Temp         | 45 degrees C ", "12V              | 12.20 Volts ", "Ambient          | -5 degrees C "} {
			if !strings.Contains(out, line) {
				t.Errorf("ipmitool does not show %q:\n%s", line, out)
			}
		}
	}
}

func sensorPath(id string) cim.ObjectPath {
	return cim.ObjectPath{Class: numericClass, Keys: []cim.Key{
		{Name: "SystemCreationClassName", Value: cim.Str(computerClass)}, {Name: "SystemName", Value: cim.Str("bmc")},
		{Name: "CreationClassName", Value: cim.Str(numericClass)}, {Name: "DeviceID", Value: cim.Str(id)},
	}}
}

func TestThresholdsAreSet(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(sim, "bmc"))
	s := h.admin()
	get := func() *cim.Instance {
		t.Helper()
		i, err := s.Get(t.Context(), sensorPath("1.0.32"), cim.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return i.Clone()
	}
	set := func(s cim.Session, name string, n int32) error {
		i := get()
		if err := i.Set(name, cim.S32(n)); err != nil {
			t.Fatal(err)
		}
		return s.Put(t.Context(), i, cim.PutOptions{})
	}
	if err := set(s, "UpperThresholdNonCritical", 75); err != nil {
		t.Fatal(err)
	}
	if err := set(s, "LowerThresholdNonCritical", 12); err != nil {
		t.Fatal(err)
	}
	equal(t, "after it", values(get(), "LowerThresholdNonCritical", "UpperThresholdNonCritical", "UpperThresholdCritical"), "12", "75", "90")
	if out, ok := sim.Tool("sensor", "get", "CPU Temp"); ok {
		for _, line := range []string{"Lower Non-Critical    : 12.000", "Upper Non-Critical    : 75.000"} {
			if !strings.Contains(out, line) {
				t.Errorf("ipmitool does not show %q:\n%s", line, out)
			}
		}
	}
	is(t, "a threshold that is critical", set(s, "UpperThresholdCritical", 85), cim.ErrReadOnly)
	is(t, "what the sensor cannot measure", set(s, "UpperThresholdNonCritical", 300), cim.ErrValueOutOfRange)
	is(t, "somebody who is no administrator", set(h.open(Namespace, token()), "UpperThresholdNonCritical", 70), cim.ErrAccessDenied)
	equal(t, "after refusals", values(get(), "LowerThresholdNonCritical", "UpperThresholdNonCritical", "UpperThresholdCritical"), "12", "75", "90")
	// 45 degrees are too warm now, and the state says so.
	if err := set(s, "UpperThresholdNonCritical", 45); err != nil {
		t.Fatal(err)
	}
	equal(t, "too warm", values(get(), "CurrentState", "HealthState", "Status"), "Upper Non-Critical", "10", "Degraded")
}

func TestEventLog(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(sim, "bmc"))
	s := h.admin()
	log := query(t, s, "SELECT * FROM CIM_RecordLog")
	if len(log) != 1 {
		t.Fatalf("%d logs", len(log))
	}
	equal(t, "the log", values(log[0], "InstanceID", "Name", "MaxNumberOfRecords", "CurrentNumberOfRecords"), "IPMI:bmc", "IPMI:bmc", "1000", "2")
	records := query(t, s, "SELECT * FROM LogRecord")
	if len(records) != 2 {
		t.Fatalf("%d records", len(records))
	}
	equal(t, "the first", values(records[0], "RecordID", "LogName", "LogCreationClassName", "ElementName"), "1", "IPMI:bmc", "RecordLog", "Event Logging Disabled")
	path, whole := log[0].Path()
	if !whole {
		t.Fatal("no path")
	}
	_, err := h.open(Namespace, token()).Invoke(t.Context(), path, "ClearLog", nil, cim.OperationOptions{})
	is(t, "somebody who is no administrator", err, cim.ErrAccessDenied)
	got, err := s.Invoke(t.Context(), path, "ClearLog", nil, cim.OperationOptions{})
	if n, _ := got.ReturnValue.Uint(); err != nil || n != 0 {
		t.Fatalf("ClearLog: %v, %v", got.ReturnValue, err)
	}
	if left := query(t, s, "SELECT * FROM LogRecord"); len(left) != 0 {
		t.Errorf("%d records after ClearLog", len(left))
	}
	if out, ok := sim.Tool("sel", "info"); ok && !strings.Contains(out, "Entries          : 0") {
		t.Errorf("ipmitool sees records after ClearLog:\n%s", out)
	}
}

func TestComputerAndUsers(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(sim, "bmc"))
	s := h.admin()
	c := query(t, s, "SELECT * FROM ComputerSystem")
	if len(c) != 1 {
		t.Fatalf("%d computers", len(c))
	}
	equal(t, "the computer", values(c[0], "Name", "CreationClassName", "OtherIdentifyingInfo"), "bmc", "ComputerSystem", "{4753, 3842, 9.08, 2.0}")
	d := query(t, s, "SELECT * FROM CIM_AdminDomain")
	if len(d) != 1 {
		t.Fatalf("%d domains", len(d))
	}
	equal(t, "the domain", values(d[0], "Name"), "here")
	path, _ := d[0].Path()
	found := query(t, s, "ASSOCIATORS OF {"+path.Relative()+"}")
	if len(found) != 1 || found[0].Class().Name != computerClass {
		t.Fatalf("the domain has %d objects", len(found))
	}
	path, _ = found[0].Path()
	classes := map[string]int{}
	for _, i := range query(t, s, "ASSOCIATORS OF {"+path.Relative()+"}") {
		classes[i.Class().Name]++
	}
	if classes[numericClass] != 3 || classes[sensorClass] != 1 || classes[logClass] != 1 || classes[domainClass] != 1 {
		t.Errorf("the computer has %v", classes)
	}
	u := query(t, s, "SELECT * FROM Account")
	if len(u) != 2 {
		t.Fatalf("%d users", len(u))
	}
	equal(t, "the first user", values(u[0], "Name", "UserID", "UserPassword", "Descriptions"), "2", "admin", "null", "{Privilege limit: ADMINISTRATOR}")
	equal(t, "the second user", values(u[1], "Name", "UserID", "UserPassword", "Descriptions"), "3", "reader", "null", "{Privilege limit: USER}")
	_, err := tryQuery(t, h.open(Namespace, token()), "SELECT * FROM Account")
	is(t, "somebody who is no administrator", err, cim.ErrAccessDenied)
}

func TestDriverClass(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(sim, "bmc"))
	s := h.open(`root\wmi`, token(security.SIDAdministrators))
	all := query(t, s, "SELECT * FROM Microsoft_IPMI")
	if len(all) != 1 {
		t.Fatalf("%d instances", len(all))
	}
	equal(t, "the BMC", values(all[0], "InstanceName", "BMCAddress"), "bmc", "32")
	path, _ := all[0].Path()
	// Get Device ID: the answer is what mc_add said, after the completion code. See [IPMI] 20.1.
	for method, data := range map[string]string{"RequestResponse": "RequestData", "RequestResponseEx": "Data"} {
		got, err := s.Invoke(t.Context(), path, method, cim.Arguments{
			{Name: "Command", Value: cim.U8(1)}, {Name: "NetworkFunction", Value: cim.U8(6)}, {Name: "Lun", Value: cim.U8(0)},
			{Name: "ResponderAddress", Value: cim.U8(0x20)}, {Name: data, Value: cim.Array(cim.Uint8, []cim.Value{})},
		}, cim.OperationOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out, _ := got.Out.Get("ResponseData").Bytes()
		if text := hexBytes(out); !strings.HasPrefix(text, "00 00 03 09 08 02 9F 91 12 00 02 0F") {
			t.Errorf("%s: %s", method, text)
		}
		equal(t, method, []string{got.Out.Get("CompletionCode").String()}, "0")
	}
	got, err := s.Invoke(t.Context(), path, "RequestResponse", cim.Arguments{{Name: "Command", Value: cim.U8(0xfe)}, {Name: "NetworkFunction", Value: cim.U8(6)}}, cim.OperationOptions{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "an unknown command", []string{got.Out.Get("CompletionCode").String(), got.Out.Get("ResponseData").String()}, "193", "{193}")
	_, err = s.Invoke(t.Context(), path, "SMS_Attention", nil, cim.OperationOptions{})
	is(t, "the register of a machine elsewhere", err, cim.ErrNotSupported)
	_, err = h.open(`root\wmi`, token()).Invoke(t.Context(), path, "SMS_Attention", nil, cim.OperationOptions{})
	is(t, "somebody who is no administrator", err, cim.ErrAccessDenied)
}

func TestWrongPassword(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	d := device(sim, "bmc")
	d.Password = "wrong-one"
	h := newHost(t, d)
	_, err := tryQuery(t, h.admin(), "SELECT * FROM NumericSensor")
	is(t, "a wrong password", err, cim.ErrFailed)
	if err == nil || !strings.Contains(err.Error(), "refuses the user or the password") {
		t.Errorf("the error is %v", err)
	}
	if strings.Contains(h.log.String()+err.Error(), d.Password) {
		t.Error("the wrong password is told")
	}
}

// One BMC goes away: its objects are missing, those of the other come, and the log says so once.
func TestBMCGoesAway(t *testing.T) {
	stays, goes := ipmisim.Start(t, ipmisim.Machine()), ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(stays, "stays"), device(goes, "goes"))
	s := h.admin()
	if n := len(query(t, s, "SELECT * FROM NumericSensor")); n != 6 {
		t.Fatalf("%d sensors, want 6", n)
	}
	goes.Stop()
	for range 2 {
		for _, i := range query(t, s, "SELECT * FROM NumericSensor") {
			if name, _ := i.Get("SystemName").Str(); name != "stays" {
				t.Errorf("a sensor of %s", name)
			}
		}
	}
	if n := strings.Count(h.log.String(), "does not answer"); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, h.log)
	}
	_, err := tryQuery(t, s, "SELECT * FROM NumericSensor WHERE SystemName = 'goes'")
	is(t, "the one that is away", err, cim.ErrFailed)
	if n := len(query(t, s, "SELECT * FROM NumericSensor WHERE SystemName = 'stays'")); n != 3 {
		t.Errorf("%d sensors of the other", n)
	}
}

func TestDeadline(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(sim, "bmc"))
	s := h.admin()
	sim.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	e, err := s.Query(ctx, "SELECT * FROM NumericSensor", cim.QueryOptions{})
	if err == nil {
		_, err = cim.Collect(ctx, e)
		e.Close()
	}
	if err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// The list of devices is followed while the provider runs.
func TestListIsFollowed(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t)
	s := h.admin()
	count := func(want int, when string) {
		t.Helper()
		for _, class := range []string{"NumericSensor", "CIM_RecordLog", "CIM_System", "CIM_SystemComponent"} {
			if n := len(query(t, s, "SELECT * FROM "+class)); (n > 0) != (want > 0) {
				t.Errorf("%s: %d objects of %s", when, n, class)
			}
		}
	}
	count(0, "at first")
	if !strings.Contains(h.log.String(), "no BMC was added") {
		t.Errorf("the log does not say why:\n%s", h.log)
	}
	if err := h.store.Put(device(sim, "bmc")); err != nil {
		t.Fatal(err)
	}
	count(1, "added")
	if err := h.store.SetDisabled("bmc", true); err != nil {
		t.Fatal(err)
	}
	count(0, "disabled")
	if !strings.Contains(h.log.String(), "every BMC is disabled") {
		t.Errorf("the log does not say why:\n%s", h.log)
	}
	if err := h.store.SetDisabled("bmc", false); err != nil {
		t.Fatal(err)
	}
	count(1, "enabled")
	if err := h.store.Remove("bmc"); err != nil {
		t.Fatal(err)
	}
	count(0, "removed")
	// The BMC of this machine without a driver.
	if err := h.store.Put(Device{Name: LocalName}); err != nil {
		t.Fatal(err)
	}
	count(0, "local")
	if !strings.Contains(h.log.String(), "the kernel has no driver") {
		t.Errorf("the log does not say why:\n%s", h.log)
	}
}

func TestBMCComesBack(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(sim, "bmc"))
	h.p.pace.retry = 0
	s := h.admin()
	if n := len(query(t, s, "SELECT * FROM RecordLog")); n != 1 {
		t.Fatalf("%d logs", n)
	}
	sim.Stop()
	_, err := tryQuery(t, s, "SELECT * FROM RecordLog")
	is(t, "while it is away", err, cim.ErrFailed)
	sim.Restart()
	if n := len(query(t, s, "SELECT * FROM RecordLog")); n != 1 {
		t.Errorf("%d logs when it is back", n)
	}
	if log := h.log.String(); strings.Count(log, "does not answer") != 1 || strings.Count(log, "answers again") != 1 {
		t.Errorf("the log:\n%s", log)
	}
}

// A connection that nobody uses is closed, and one that lived long enough is renewed.
func TestConnectionsEnd(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	h := newHost(t, device(sim, "bmc"))
	h.p.pace = pace{rest: 10 * time.Millisecond, life: time.Nanosecond}
	s := h.admin()
	for range 3 {
		if n := len(query(t, s, "SELECT * FROM NumericSensor")); n != 3 {
			t.Fatalf("%d sensors", n)
		}
	}
	b := h.p.bmcs["bmc"]
	for range 200 {
		<-b.turn
		open := b.client != nil
		b.turn <- struct{}{}
		if !open {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the connection is still open")
}

// A request that is under way ends with the provider.
func TestCloseEndsRequests(t *testing.T) {
	d := relay(t, Device{Name: "bmc", Host: "127.0.0.1", Port: 9, User: "u", Password: "p"}, func([]byte) [][]byte { return nil })
	h := newHost(t, d)
	s := h.admin()
	done := make(chan error, 1)
	go func() {
		_, err := tryQuery(t, s, "SELECT * FROM NumericSensor")
		done <- err
	}()
	for range 200 {
		h.p.mu.Lock()
		b := h.p.bmcs["bmc"]
		h.p.mu.Unlock()
		if b != nil && len(b.turn) == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	began := time.Now()
	if err := h.manager.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// A user of the BMC who may only read is enough to read.
func TestPrivilege(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	d := device(sim, "bmc")
	d.User, d.Privilege = ipmisim.Reader, "user"
	s := newHost(t, d).admin()
	if n := len(query(t, s, "SELECT * FROM NumericSensor")); n != 3 {
		t.Errorf("%d sensors", n)
	}
	if n := len(query(t, s, "SELECT * FROM LogRecord")); n != 2 {
		t.Errorf("%d records", n)
	}
	path := cim.ObjectPath{Class: logClass, Keys: []cim.Key{{Name: "InstanceID", Value: cim.Str(logName("bmc"))}}}
	got, err := s.Invoke(t.Context(), path, "ClearLog", nil, cim.OperationOptions{})
	if n, _ := got.ReturnValue.Uint(); err != nil || n != clearFailed {
		t.Errorf("ClearLog: %v, %v", got.ReturnValue, err)
	}
}
