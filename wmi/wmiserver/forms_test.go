package wmiserver

import (
	"bytes"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/static"
)

// What some clients, impacket among them, do not read otherwise: a method without parameters has signatures of length 0, and a value that is the
// default of its class is written out. Expected octets by hand after [MS-WMIO] 2.2.70 and 2.2.27.
func TestFormsForOtherClients(t *testing.T) {
	class := cim.NewClass("FO_Form", nil).Dynamic().Key("ID", cim.Uint8).Method("Do", cim.Untyped)
	class.Add(cim.Property{Name: "Zone", Type: cim.Uint16, Default: cim.U16(0x5a5a)})
	form := class.Build(`root\cimv2`)
	p := static.New(form)
	if err := p.Add(cim.MakeInstance(form, []cim.Value{cim.U8(7), cim.U16(0x5a5a)})); err != nil {
		t.Fatal(err)
	}
	c := newPeer(t, Options{Opener: manager(t, p)})
	services := c.login(`root\cimv2`)
	for path, parts := range map[string][]string{
		// in the description of the method, references to two signatures; in its heap, the name and their lengths
		"FO_Form": {"\x04\x00\x00\x00\x08\x00\x00\x00", "\x00Do\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		// no bit in the NdTable, the values, no qualifiers, the heap with the name of the class
		"FO_Form.ID=7": {"\x00\x07\x5a\x5a\x04\x00\x00\x00\x01\x09\x00\x00\x80\x00FO_Form\x00"},
	} {
		unit := c.get(services, text(path), 0).Object.Object
		for _, part := range parts {
			if !bytes.Contains(unit, []byte(part)) {
				t.Errorf("%s lacks % x: % x", path, part, unit)
			}
		}
	}
}
