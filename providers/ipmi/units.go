package ipmi

import "github.com/bougou/go-ipmi/pkg/types"

// Values of CIM_NumericSensor.BaseUnits that have no unit of IPMI of their own.
const (
	unitUnknown = 0
	unitOther   = 1
	unitPercent = 65
)

// unit is a value of CIM_NumericSensor.BaseUnits and the power of ten that the unit of IPMI is of it.
type unit struct {
	base     uint16
	exponent int
}

// units are the units of IPMI, [IPMI] 43.17, in those of CIM; the others are unitOther.
var units = map[types.SensorUnitType]unit{
	0: {unitUnknown, 0}, 1: {2, 0}, 2: {3, 0}, 3: {4, 0}, 4: {5, 0}, 5: {6, 0}, 6: {7, 0}, 7: {8, 0}, 8: {9, 0}, 9: {10, 0}, // unspecified, degrees C, F, K, volts, amps, watts, joules, coulombs, VA
	10: {11, 0}, 11: {12, 0}, 12: {13, 0}, 13: {14, 0}, 14: {15, 0}, 15: {16, 0}, 16: {17, 0}, 17: {18, 0}, 18: {19, 0}, 19: {20, 0}, // nits, lumens, lux, candelas, kPa, PSI, newtons, CFM, RPM, Hz
	20: {21, -6}, 21: {21, -3}, 22: {21, 0}, 23: {22, 0}, 24: {23, 0}, 25: {24, 0}, 26: {25, 0}, // microseconds, milliseconds, seconds, minutes, hours, days, weeks
	27: {26, 0}, 28: {27, 0}, 29: {28, 0}, 30: {29, 0}, 31: {30, 0}, 32: {31, -3}, 33: {31, -2}, 34: {31, 0}, // mils, inches, feet, cubic inches, cubic feet, mm, cm, m
	35: {32, 0}, 36: {33, 0}, 37: {34, 0}, 38: {35, 0}, 39: {36, 0}, 40: {37, 0}, 41: {38, 0}, 42: {39, 0}, 43: {40, 0}, // cubic cm, cubic m, liters, fluid ounces, radians, steradians, revolutions, cycles, gravities
	44: {41, 0}, 45: {42, 0}, 46: {43, 0}, 47: {44, 0}, 48: {45, 0}, 49: {46, 0}, 50: {47, 0}, 51: {47, -3}, 52: {48, 0}, 53: {48, -6}, // ounces, pounds, foot-pounds, ounce-inches, gauss, gilberts, henries, mH, farads, uF
	54: {49, 0}, 55: {50, 0}, 56: {51, 0}, 57: {52, 0}, 58: {53, 0}, 60: {54, 0}, 61: {55, 0}, 62: {56, 0}, 63: {57, 0}, 64: {58, 0}, 65: {59, 0}, // ohms, siemens, moles, becquerels, PPM, dB, dBA, dBC, grays, sieverts, color temperature
	66: {60, 0}, 70: {61, 0}, 74: {62, 0}, 75: {63, 0}, 76: {64, 0}, // bits, bytes, words, double words, quad words
}

// unitOf is the unit of a sensor in CIM.
func unitOf(u types.SensorUnit) unit {
	if u.Percentage {
		return unit{base: unitPercent}
	}
	if out, ok := units[u.BaseUnit]; ok && u.ModifierRelation == types.SensorModifierRelation_None {
		return out
	}
	return unit{base: unitOther}
}

// Values of CIM_Sensor.SensorType.
const (
	typeOther       = 1
	typeTemperature = 2
	typeVoltage     = 3
	typeCurrent     = 4
	typeTachometer  = 5
)

// sensorType is the kind of a sensor in CIM; other is the kind in words where CIM has no number for it. See [IPMI]
// table 42-3.
func sensorType(kind types.SensorType) (n uint16, other string) {
	switch kind {
	case 1:
		return typeTemperature, ""
	case 2:
		return typeVoltage, ""
	case 3:
		return typeCurrent, ""
	case 4:
		return typeTachometer, ""
	}
	return typeOther, kind.String()
}
