package ipmi

import (
	"testing"

	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
)

// The bytes and the texts are the examples in the documentation of LogRecord.
func TestRecordData(t *testing.T) {
	for _, c := range []struct {
		bytes              selRecord
		id, stamp          string
		format, data, what string
	}{
		{
			selRecord{1, 0, 2, 0x0f, 0xac, 0xc1, 0x49, 0x20, 0, 4, 0x10, 0x72, 0x6f, 2, 0xff, 0xff}, "1", "20090319022103.000000+000",
			"*string CIM_Sensor.DeviceID*uint8[2] IPMI_RecordID*uint8 IPMI_RecordType*uint8[4] IPMI_Timestamp*uint8[2] IPMI_GeneratorID*uint8 IPMI_EvMRev*uint8 IPMI_SensorType*uint8 IPMI_SensorNumber*boolean IPMI_AssertionEvent*uint8 IPMI_EventType*uint8 IPMI_EventData1*uint8 IPMI_EventData2*uint8 IPMI_EventData3*",
			"*SEL(114.0.32)*01 00*02*0F AC C1 49*20 00*04*10*72*true*6F*02*FF*FF*", "Event Logging Disabled: Log Area Reset/Cleared (asserted)",
		},
		{
			selRecord{3, 0, 0xdd, 0x7b, 0xfe, 0xc4, 0x49, 0x37, 1, 0, 0, 0, 0, 0, 0xc0, 0}, "3", "20090321144931.000000+000",
			"*uint8[2] IPMI_RecordID*uint8 IPMI_RecordType*uint8[4] IPMI_Timestamp*uint8[3] IPMI_ManufacturerID*uint8[6] IPMI_OEMDefinedData*",
			"*03 00*DD*7B FE C4 49*37 01 00*00 00 00 00 C0 00*", "null",
		},
		{
			selRecord{4, 1, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, "260", "19700101000000.000000+000",
			"*uint8[2] IPMI_RecordID*uint8 IPMI_RecordType*uint8[13] IPMI_OEMDefinedData*",
			"*04 01*E0*01 02 03 04 05 06 07 08 09 0A 0B 0C 0D*", "null",
		},
	} {
		var class *cim.Class
		for _, k := range New(Options{}).Classes() {
			if k.Name == recordClass {
				class = k
			}
		}
		o := newObject(class)
		o.fillRecord(Device{Name: "bmc"}, c.bytes)
		if o.err != nil {
			t.Fatal(o.err)
		}
		equal(t, c.id, values(o.Instance, "RecordID", "MessageTimestamp", "RecordFormat", "RecordData", "Description"), c.id, c.stamp, c.format, c.data, c.what)
	}
}

// The formula of [IPMI] 36.3: y = L[(Mx + B 10^K1) 10^K2].
func TestScale(t *testing.T) {
	for _, c := range []struct {
		what     string
		format   types.SensorAnalogUnitFormat
		factors  types.ReadingFactors
		function types.LinearizationFunc
		raw      uint8
		number   int32
		exponent int
	}{
		{"volts", 0, types.ReadingFactors{M: 6, B: 5, B_Exp: 1, R_Exp: -2}, 0, 195, 1220, -2},
		{"a finer B", 0, types.ReadingFactors{M: 1, B: 5, B_Exp: -1}, 0, 20, 205, -1},
		{"one's complement", 1, types.ReadingFactors{M: 1}, 0, 0xfe, -1, 0},
		{"two's complement", 2, types.ReadingFactors{M: 5, R_Exp: -1}, 0, 0xf6, -50, -1},
		{"large", 0, types.ReadingFactors{M: 511, R_Exp: 7}, 0, 255, 130305, 7},
		{"large and fine", 0, types.ReadingFactors{M: 511, B: 1, B_Exp: -8}, 0, 255, 1303050000, -4},
		{"one over x", 0, types.ReadingFactors{M: 4}, 7, 2, 125, -3},
		{"a square", 0, types.ReadingFactors{M: 2}, 8, 3, 36000, -3},
	} {
		s := newScale(c.format, c.factors, c.function)
		if n, ok := s.number(c.raw, c.factors); !ok || n != c.number || s.exponent != c.exponent {
			t.Errorf("%s: %d x 10^%d (%v), want %d x 10^%d", c.what, n, s.exponent, ok, c.number, c.exponent)
		}
		if raw, ok := s.raw(c.number); !ok || raw != c.raw {
			t.Errorf("%s: the reading of %d is %d (%v), want %d", c.what, c.number, raw, ok, c.raw)
		}
	}
	if n, ok := newScale(0, types.ReadingFactors{M: 1}, 7).number(0, types.ReadingFactors{M: 1}); ok {
		t.Errorf("one over zero is %d", n)
	}
}
