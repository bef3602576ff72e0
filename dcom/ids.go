package dcom

import (
	"encoding/binary"

	"github.com/casementhq/casement/security"
)

// The interfaces and classes of the protocol itself ([MS-DCOM] 1.9).
var (
	IIDUnknown             = standardGUID(0x000)
	IIDClassFactory        = standardGUID(0x001)
	IIDRemUnknown          = standardGUID(0x131)
	IIDRemUnknown2         = standardGUID(0x143)
	IIDRemoteSCMActivator  = standardGUID(0x1a0)
	IIDActivation          = mustGUID("4d9f4ab8-7d1c-11cf-861e-0020af6e7c57")
	IIDObjectExporter      = mustGUID("99fcfec4-5260-101b-bbcb-00aa0021347a")
	IIDContext             = standardGUID(0x1c0)
	IIDActivationPropsIn   = standardGUID(0x1a2)
	IIDActivationPropsOut  = standardGUID(0x1a3)
	IIDErrorInfo           = mustGUID("1cf2b120-547d-101b-8e65-08002b2bd119")
	CLSIDActivationPropsIn = standardGUID(0x338)
	// CLSIDActivationPropsOut also names the property PropsOutInfo within them.
	CLSIDActivationPropsOut = standardGUID(0x339)
	CLSIDContextMarshaler   = standardGUID(0x33b)
	CLSIDErrorObject        = standardGUID(0x31b)
	// ExtentErrorInfo and ExtentContext name the extensions of ORPCTHIS and ORPCTHAT ([MS-DCOM] 2.2.21).
	ExtentErrorInfo = standardGUID(0x31c)
	ExtentContext   = standardGUID(0x334)
)

// The properties of an activation ([MS-DCOM] 2.2.22.2).
var (
	clsidServerLocation    = standardGUID(0x1a4)
	clsidActivationContext = standardGUID(0x1a5)
	clsidSecurityInfo      = standardGUID(0x1a6)
	clsidScmRequest        = standardGUID(0x1aa)
	clsidInstantiation     = standardGUID(0x1ab)
	clsidInstance          = standardGUID(0x1ad)
	clsidScmReply          = standardGUID(0x1b6)
	clsidSpecialProperties = standardGUID(0x1b9)
)

// standardGUID is 0000XXXX-0000-0000-C000-000000000046, the family that COM itself uses.
func standardGUID(n uint32) security.GUID {
	g := security.GUID{8: 0xc0, 15: 0x46}
	binary.LittleEndian.PutUint32(g[:], n)
	return g
}

func mustGUID(s string) security.GUID {
	g, err := security.ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}
