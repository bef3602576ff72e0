package cim

import "fmt"

// Status is WBEMSTATUS, the HRESULT of every WMI operation. Values with the
// top bit set are errors.
//
// See [MS-WMI] 2.2.11.
type Status uint32

// Name is the constant's name as the WMI documentation spells it, or "" for a
// number that is none of them.
func (s Status) Name() string { return statusNames[s] }

// Failed tells whether s is an error.
func (s Status) Failed() bool { return s&0x8000_0000 != 0 }

// Error is the hexadecimal number and the name: "0x80041010 WBEM_E_INVALID_CLASS".
func (s Status) Error() string {
	if n := s.Name(); n != "" {
		return fmt.Sprintf("0x%08X %s", uint32(s), n)
	}
	return fmt.Sprintf("0x%08X", uint32(s))
}
