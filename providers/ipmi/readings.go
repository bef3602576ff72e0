package ipmi

import (
	"context"
	"fmt"
	"strings"

	"github.com/bougou/go-ipmi/pkg/client"
	answers "github.com/bougou/go-ipmi/pkg/command/sensor"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
)

// level is one of the six thresholds, in the order of CIM_NumericSensor.SupportedThresholds.
type level int

const (
	lowerNonCritical level = iota
	upperNonCritical
	lowerCritical
	upperCritical
	lowerFatal
	upperFatal
	levels
)

// property is the property that holds a threshold.
func (l level) property() string {
	return [levels]string{
		"LowerThresholdNonCritical", "UpperThresholdNonCritical", "LowerThresholdCritical", "UpperThresholdCritical", "LowerThresholdFatal", "UpperThresholdFatal",
	}[l]
}

// state is what a sensor is in that has passed a threshold.
func (l level) state() string {
	return [levels]string{"Lower Non-Critical", "Upper Non-Critical", "Lower Critical", "Upper Critical", "Lower Fatal", "Upper Fatal"}[l]
}

// normal is the state of a sensor that has passed no threshold.
const normal = "Normal"

// wanted are the parts of a reading that cost a request each.
type wanted struct{ reading, thresholds, enabled, hysteresis bool }

// reading is what a sensor tells now.
type reading struct {
	*sensor
	value      cim.Value // CurrentReading
	passed     level     // the worst threshold that was passed, levels for none
	state      string
	known      bool // there is a reading
	thresholds [levels]cim.Value
	enabled    []cim.Value // EnabledThresholds, nil where not known
	hysteresis cim.Value
}

// read asks a BMC for what is wanted of a sensor. What the BMC refuses to tell is NULL; an error means that it does
// not answer.
func (s *sensor) read(ctx context.Context, c *client.Client, w wanted) (*reading, error) {
	r := &reading{sensor: s, passed: levels, value: cim.Null(cim.Sint32), hysteresis: cim.Null(cim.Uint32)}
	for l := range r.thresholds {
		r.thresholds[l] = cim.Null(cim.Sint32)
	}
	if s.owner&1 == 1 { // system software, which no request reaches
		return r, nil
	}
	ctx = at(ctx, s.owner, s.lun)
	steps := []struct {
		wanted bool
		f      func(context.Context, *client.Client) error
	}{
		{w.reading, r.readValue},
		{w.thresholds && s.scale != nil && s.threshold(), r.readThresholds},
		{w.enabled && s.threshold(), r.readEnabled},
		{w.hysteresis && s.scale != nil && s.threshold(), r.readHysteresis},
	}
	for _, step := range steps {
		if !step.wanted {
			continue
		}
		if err := step.f(ctx, c); err != nil {
			if _, refused := completion(err); !refused {
				return nil, err
			}
		}
	}
	return r, nil
}

// number is the number of a raw reading of the sensor.
func (s *sensor) numberOf(ctx context.Context, c *client.Client, raw uint8) (cim.Value, error) {
	factors := s.scale.factors
	if s.scale.varies() {
		answer, err := c.GetSensorReadingFactors(ctx, s.number, raw)
		if err != nil {
			return cim.Null(cim.Sint32), err
		}
		factors = answer.ReadingFactors
	}
	if n, ok := s.scale.number(raw, factors); ok {
		return cim.S32(n), nil
	}
	return cim.Null(cim.Sint32), nil
}

func (r *reading) readValue(ctx context.Context, c *client.Client) (err error) {
	answer, err := c.GetSensorReading(ctx, r.number)
	if err != nil {
		return err
	}
	if answer.ReadingUnavailable || answer.SensorScanningDisabled {
		return nil
	}
	r.known = true
	if !r.threshold() {
		r.state = strings.Join(r.states(answer.ActiveStates.TrueEvents()), ", ")
	} else {
		for l, passed := range [levels]bool{answer.Below_LNC, answer.Above_UNC, answer.Below_LCR, answer.Above_UCR, answer.Below_LNR, answer.Above_UNR} {
			if passed {
				r.passed = level(l) // the worst ones come last
			}
		}
		r.state = normal
		if r.passed != levels {
			r.state = r.passed.state()
		}
	}
	if r.scale != nil {
		r.value, err = r.numberOf(ctx, c, answer.Reading)
	}
	return err
}

func (r *reading) readThresholds(ctx context.Context, c *client.Client) (err error) {
	var raw [levels]uint8
	var told [levels]bool
	switch r.capabilities.ThresholdAccess {
	case types.SensorThresholdAccess_Readable, types.SensorThresholdAccess_ReadableSettable:
		answer, err := c.GetSensorThresholds(ctx, r.number)
		if err != nil {
			return err
		}
		raw, told = rawThresholds(answer)
	case types.SensorThresholdAccess_Fixed: // only the record has them
		f := r.full
		raw = [levels]uint8{f.LNC_Raw, f.UNC_Raw, f.LCR_Raw, f.UCR_Raw, f.LNR_Raw, f.UNR_Raw}
		told = r.masks.readable
	default:
		return nil
	}
	for l := range raw {
		if !told[l] {
			continue
		}
		if r.thresholds[l], err = r.numberOf(ctx, c, raw[l]); err != nil {
			return err
		}
	}
	return nil
}

func rawThresholds(a *answers.GetSensorThresholdsResponse) (raw [levels]uint8, told [levels]bool) {
	return [levels]uint8{a.LNC_Raw, a.UNC_Raw, a.LCR_Raw, a.UCR_Raw, a.LNR_Raw, a.UNR_Raw},
		[levels]bool{a.LNC_Readable, a.UNC_Readable, a.LCR_Readable, a.UCR_Readable, a.LNR_Readable, a.UNR_Readable}
}

// readEnabled finds the thresholds that make events.
func (r *reading) readEnabled(ctx context.Context, c *client.Client) error {
	a, err := c.GetSensorEventEnable(ctx, r.number)
	if err != nil {
		return err
	}
	r.enabled = []cim.Value{}
	if a.EventMessagesDisabled {
		return nil
	}
	for l, on := range [levels]bool{
		a.SensorEvent_LNC_Low_Assert || a.SensorEvent_LNC_High_Assert || a.SensorEvent_LNC_Low_Deassert || a.SensorEvent_LNC_High_Deassert,
		a.SensorEvent_UNC_Low_Assert || a.SensorEvent_UNC_High_Assert || a.SensorEvent_UNC_Low_Deassert || a.SensorEvent_UNC_High_Deassert,
		a.SensorEvent_LCR_Low_Assert || a.SensorEvent_LCR_High_Assert || a.SensorEvent_LCR_Low_Deassert || a.SensorEvent_LCR_High_Deassert,
		a.SensorEvent_UCR_Low_Assert || a.SensorEvent_UCR_High_Assert || a.SensorEvent_UCR_Low_Deassert || a.SensorEvent_UCR_High_Deassert,
		a.SensorEvent_LNR_Low_Assert || a.SensorEvent_LNR_High_Assert || a.SensorEvent_LNR_Low_Deassert || a.SensorEvent_LNR_High_Deassert,
		a.SensorEvent_UNR_Low_Assert || a.SensorEvent_UNR_High_Assert || a.SensorEvent_UNR_Low_Deassert || a.SensorEvent_UNR_High_Deassert,
	} {
		if on {
			r.enabled = append(r.enabled, cim.U16(uint16(l)))
		}
	}
	return nil
}

func (r *reading) readHysteresis(ctx context.Context, c *client.Client) error {
	counts := uint8(0)
	switch r.capabilities.HysteresisAccess {
	case types.SensorHysteresisAccess_Readable, types.SensorHysteresisAccess_ReadableSettable:
		answer, err := c.GetSensorHysteresis(ctx, r.number)
		if err != nil {
			return err
		}
		counts = answer.PositiveRaw
	case types.SensorHysteresisAccess_Fixed:
		counts = r.full.PositiveHysteresisRaw
	default:
		return nil
	}
	if n, ok := r.scale.steps(float64(counts)); ok && counts != 0xff { // FFh: none
		r.hysteresis = cim.U32(uint32(n))
	}
	return nil
}

// states are the names of states of a discrete sensor.
func (s *sensor) states(offsets []uint8) (out []string) {
	for _, offset := range offsets {
		if e := s.event.EventForOffset(s.kind, offset); e != nil && e.EventName != "" {
			out = append(out, e.EventName)
			continue
		}
		out = append(out, fmt.Sprintf("State %d", offset))
	}
	return out
}

// possibleStates are the states that a sensor can tell.
func (s *sensor) possibleStates() []string {
	const most = 15
	if !s.threshold() {
		var offsets []uint8
		for offset := range uint8(most) {
			if s.masks.states>>offset&1 == 1 {
				offsets = append(offsets, offset)
			}
		}
		return s.states(offsets)
	}
	out := []string{normal}
	for l, passed := range s.masks.passed {
		if passed {
			out = append(out, level(l).state())
		}
	}
	return out
}
