package ipmi

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Interface is how the processor of a machine reaches its BMC, as the firmware tells.
type Interface uint8

// The interfaces; SPMI and SMBIOS number them alike. See [IPMI] C1.1 and C3.
const (
	KCS  Interface = 1
	SMIC Interface = 2
	BT   Interface = 3
	SSIF Interface = 4
)

func (i Interface) String() string {
	switch i {
	case KCS:
		return "KCS"
	case SMIC:
		return "SMIC"
	case BT:
		return "BT"
	case SSIF:
		return "SSIF"
	}
	return "unknown interface"
}

var errTable = errors.New("the table is damaged")

// parseSPMI reads the Service Processor Management Interface table of ACPI. See [IPMI] C3.
func parseSPMI(b []byte) (Interface, error) {
	const headerSize, interfaceAt, specificationAt = 36, 36, 38
	if len(b) < specificationAt+2 || string(b[:4]) != "SPMI" {
		return 0, errTable
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if size < headerSize || uint64(size) > uint64(len(b)) || size < specificationAt+2 {
		return 0, errTable
	}
	sum := byte(0)
	for _, c := range b[:size] {
		sum += c
	}
	if sum != 0 {
		return 0, errTable
	}
	return Interface(b[interfaceAt]), nil
}

// parseSMBIOS finds the IPMI device information, structure type 38, in a table of SMBIOS; ok is false where there is
// none. See DSP0134 6.1.2 and 7.39.
func parseSMBIOS(b []byte) (_ Interface, ok bool, err error) {
	const ipmiDevice, endOfTable, interfaceAt = 38, 127, 4
	for len(b) >= 4 {
		kind, size := b[0], int(b[1])
		if size < 4 || size > len(b) {
			return 0, false, errTable
		}
		switch {
		case kind == endOfTable:
			return 0, false, nil
		case kind == ipmiDevice && size <= interfaceAt:
			return 0, false, errTable
		case kind == ipmiDevice:
			return Interface(b[interfaceAt]), true, nil
		}
		strings := bytes.Index(b[size:], []byte{0, 0}) // the text after a structure ends so
		if strings < 0 {
			return 0, false, errTable
		}
		b = b[size+strings+2:]
	}
	return 0, false, nil
}
