package ipmi

import (
	"math"

	"github.com/bougou/go-ipmi/pkg/types"
)

// scale makes numbers of the raw readings of a sensor: integers times ten to the power of exponent. For a linear
// sensor they are exact as long as they fit. See [IPMI] 36.3.
type scale struct {
	format   types.SensorAnalogUnitFormat
	factors  types.ReadingFactors
	function types.LinearizationFunc
	exponent int
}

// curvedExponent is the finest exponent of a sensor whose readings go through a function.
const curvedExponent = -3

func newScale(format types.SensorAnalogUnitFormat, f types.ReadingFactors, function types.LinearizationFunc) *scale {
	s := &scale{format: format, factors: f, function: function, exponent: curvedExponent}
	if s.linear() {
		s.exponent = int(f.R_Exp)
		if f.B != 0 {
			s.exponent = min(s.exponent, int(f.R_Exp)+int(f.B_Exp))
		}
	}
	for !s.fits() {
		s.exponent++
	}
	return s
}

func (s *scale) linear() bool { return s.function == types.LinearizationFunc_Linear }

// varies tells whether the factors differ from reading to reading, so that the BMC must be asked for them.
func (s *scale) varies() bool { return s.function.IsNonLinear() }

// fits tells whether every reading has a number, or none because the function has none there.
func (s *scale) fits() bool {
	for raw := range 256 {
		if y := s.real(uint8(raw), s.factors); !math.IsNaN(y) && !math.IsInf(y, 0) && math.Abs(y) > math.MaxInt32 {
			return false
		}
	}
	return true
}

// signed is the raw reading as a number.
func (s *scale) signed(raw uint8) float64 {
	switch s.format {
	case types.SensorAnalogUnitFormat_1sComplement:
		if raw >= 0x80 {
			return -float64(^raw)
		}
	case types.SensorAnalogUnitFormat_2sComplement:
		return float64(int8(raw))
	}
	return float64(raw)
}

// real is the number before it is rounded.
func (s *scale) real(raw uint8, f types.ReadingFactors) float64 {
	if s.linear() { // in one step, so that whole numbers stay whole
		return float64(f.M)*s.signed(raw)*math.Pow10(int(f.R_Exp)-s.exponent) + float64(f.B)*math.Pow10(int(f.B_Exp)+int(f.R_Exp)-s.exponent)
	}
	y := (float64(f.M)*s.signed(raw) + float64(f.B)*math.Pow10(int(f.B_Exp))) * math.Pow10(int(f.R_Exp))
	return s.function.Apply(y) * math.Pow10(-s.exponent)
}

// number is the number of a raw reading; ok is false where it has none.
func (s *scale) number(raw uint8, f types.ReadingFactors) (_ int32, ok bool) {
	y := math.Round(s.real(raw, f))
	if math.IsNaN(y) || math.Abs(y) > math.MaxInt32 {
		return 0, false
	}
	return int32(y), true
}

// steps is how much a number of raw counts is; ok is false for a sensor that is not linear.
func (s *scale) steps(counts float64) (_ int32, ok bool) {
	y := math.Round(math.Abs(float64(s.factors.M)) * counts * math.Pow10(int(s.factors.R_Exp)-s.exponent))
	if !s.linear() || y > math.MaxInt32 {
		return 0, false
	}
	return int32(y), true
}

// raw is the raw reading whose number is nearest; ok is false where the number is beyond what the sensor can have.
func (s *scale) raw(number int32) (nearest uint8, ok bool) {
	low, high, best := int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64)
	for r := range 256 {
		n, fine := s.number(uint8(r), s.factors)
		if !fine {
			continue
		}
		low, high = min(low, int64(n)), max(high, int64(n))
		distance := max(int64(n)-int64(number), int64(number)-int64(n))
		if distance < best {
			best, nearest = distance, uint8(r)
		}
	}
	return nearest, low <= int64(number) && int64(number) <= high
}
