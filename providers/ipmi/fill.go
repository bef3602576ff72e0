package ipmi

import (
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
)

// object is an instance that is being filled; the first failure stays.
type object struct {
	*cim.Instance
	err error
}

func newObject(c *cim.Class) *object { return &object{Instance: cim.NewInstance(c)} }

func (o *object) set(name string, v cim.Value) {
	if o.err == nil {
		o.err = o.Set(name, v)
	}
}

func (o *object) text(name, s string) { o.set(name, cim.Str(s)) }

// Names of the classes that stand in keys.
const (
	domainClass   = "AdminDomain"
	computerClass = "ComputerSystem"
	sensorClass   = "Sensor"
	numericClass  = "NumericSensor"
	logClass      = "RecordLog"
	recordClass   = "LogRecord"
	accountClass  = "Account"
)

// health is what a state is in the properties of CIM_ManagedSystemElement.
type health struct {
	state  uint16 // HealthState
	status uint16 // OperationalStatus
	text   string // Status
}

var (
	unknownHealth = health{0, 0, "Unknown"}
	goodHealth    = health{5, 2, "OK"}
	degraded      = health{10, 3, "Degraded"}
	critical      = health{25, 6, "Error"}
	fatal         = health{30, 7, "NonRecover"}
)

// health of a sensor with thresholds.
func (r *reading) health() health {
	switch {
	case !r.known:
		return unknownHealth
	case r.passed == levels:
		return goodHealth
	case r.passed <= upperNonCritical:
		return degraded
	case r.passed <= upperCritical:
		return critical
	}
	return fatal
}

func (o *object) health(h health) {
	o.set("HealthState", cim.U16(h.state))
	o.set("OperationalStatus", cim.Array(cim.Uint16, []cim.Value{cim.U16(h.status)}))
	o.text("Status", h.text)
}

// fillSensor fills what both classes of sensors have.
func (o *object) fillSensor(d Device, r *reading) {
	o.text("SystemCreationClassName", computerClass)
	o.text("SystemName", d.Name)
	o.text("CreationClassName", o.Class().Name)
	o.text("DeviceID", r.deviceID())
	for _, name := range []string{"Caption", "ElementName", "Name"} {
		o.text(name, r.name)
	}
	kind, other := sensorType(r.kind)
	o.set("SensorType", cim.U16(kind))
	if other != "" {
		o.text("OtherSensorTypeDescription", other)
	}
	o.set("PossibleStates", cim.Strs(r.possibleStates()))
	if r.known {
		o.text("CurrentState", r.state)
	}
	if r.threshold() {
		o.health(r.health())
	}
}

// fillNumbers fills what a sensor with numbers has besides.
func (o *object) fillNumbers(r *reading) {
	u := unitOf(r.unit)
	o.set("BaseUnits", cim.U16(u.base))
	if u.base == unitOther {
		o.text("Description", r.unit.String())
	}
	o.set("UnitModifier", cim.S32(int32(r.scale.exponent+u.exponent)))
	o.set("RateUnits", cim.U16(uint16(r.unit.RateUnit)))
	o.set("IsLinear", cim.Bool(r.scale.linear()))
	o.set("CurrentReading", r.value)
	o.fillDeclared(r)
	for l, v := range r.thresholds {
		o.set(level(l).property(), v)
	}
	o.set("Hysteresis", r.hysteresis)
	supported, settable := []cim.Value{}, []cim.Value{}
	if r.threshold() && r.capabilities.ThresholdAccess != types.SensorThresholdAccess_No {
		for l, readable := range r.masks.readable {
			if readable {
				supported = append(supported, cim.U16(uint16(l)))
			}
			if r.settable(level(l)) {
				settable = append(settable, cim.U16(uint16(l)))
			}
		}
	}
	o.set("SupportedThresholds", cim.Array(cim.Uint16, supported))
	o.set("SettableThresholds", cim.Array(cim.Uint16, settable))
	if r.enabled != nil {
		o.set("EnabledThresholds", cim.Array(cim.Uint16, r.enabled))
	}
}

// settable tells whether a threshold can be set here: the two that are not critical, where the BMC permits it.
func (s *sensor) settable(l level) bool {
	return l <= upperNonCritical && s.scale != nil && !s.scale.varies() && s.threshold() &&
		s.capabilities.ThresholdAccess == types.SensorThresholdAccess_ReadableSettable && s.masks.settable[l]
}

// fillDeclared fills what the sensor's record declares once for all.
func (o *object) fillDeclared(r *reading) {
	f := r.full
	if f == nil || r.scale.varies() {
		return
	}
	for _, p := range []struct {
		name string
		told bool
		raw  uint8
	}{
		{"NominalReading", f.NominalReadingSpecified, f.NominalReadingRaw},
		{"NormalMax", f.NormalMaxSpecified, f.NormalMaxRaw},
		{"NormalMin", f.NormalMinSpecified, f.NormalMinRaw},
		{"MaxReadable", true, f.SensorMaxReadingRaw},
		{"MinReadable", true, f.SensorMinReadingRaw},
	} {
		if n, ok := r.scale.number(p.raw, r.scale.factors); ok && p.told {
			o.set(p.name, cim.S32(n))
		}
	}
	if n, ok := r.scale.steps(1); ok {
		o.set("Resolution", cim.U32(uint32(n)))
	}
	if n, ok := r.scale.steps(float64(f.Tolerance) / 2); ok { // it is in halves of a count
		o.set("Tolerance", cim.S32(n))
	}
	accuracy := int32(f.Accuracy)
	for range f.Accuracy_Exp {
		accuracy *= 10
	}
	o.set("Accuracy", cim.S32(accuracy))
}
