package wsman

import (
	"fmt"
	"strings"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// Code is the number of an error as f:WSManFault carries it: one of the 512
// of WS-Management (facility 0x33), a Win32 code, or an HRESULT. It is an
// error, so that errors.Is(err, wsman.CodeOperationTimedOut) works on a
// Fault. See [MS-WSMV] 2.2.4.47.
type Code uint32

type codeRow struct{ name, subcode, detail string }

func (c Code) row() (codeRow, bool) {
	if i := c - CodeResourceNotFound; i < Code(len(codes)) {
		return codes[i], true
	}
	r, ok := win32Codes[c&^0x80070000]
	if c&0xFFFF0000 != 0 && c&0xFFFF0000 != 0x80070000 {
		ok = false
	}
	return r, ok
}

// Name returns the name of the code in wsmerror.h or winerror.h, or "" if it
// is not known here.
func (c Code) Name() string {
	r, ok := c.row()
	if !ok || strings.HasPrefix(r.name, "ERROR_") {
		return r.name
	}
	return "ERROR_WSMAN_" + r.name
}

// Subcode returns the subcode of the SOAP fault that carries this code,
// w:InternalError where there is none of its own.
func (c Code) Subcode() Subcode {
	r, _ := c.row()
	if r.subcode == "" {
		return "w:InternalError"
	}
	return Subcode(strings.TrimPrefix(r.subcode, "!"))
}

// Detail returns the w:FaultDetail URI that goes with the code, or "".
func (c Code) Detail() string {
	r, _ := c.row()
	if r.detail == "" {
		return ""
	}
	return FaultDetail(r.detail)
}

// soapCode returns the SOAP code of the fault: Sender, Receiver,
// MustUnderstand or VersionMismatch. See SOAP 1.2 part 1 section 5.4.6.
func (c Code) soapCode() SOAPCode {
	r, _ := c.row()
	switch {
	case r.subcode == "s:MustUnderstand":
		return MustUnderstand
	case r.subcode == "s:VersionMismatch":
		return VersionMismatch
	case r.subcode == "" || r.subcode[0] == '!':
		return Receiver
	}
	return Sender
}

// Known reports whether the code is in the tables.
func (c Code) Known() bool {
	_, ok := c.row()
	return ok
}

// Text returns one or two sentences that say what the code means; for codes
// that need no explanation they are made from the name.
func (c Code) Text() string {
	if t, ok := codeTexts[c]; ok {
		return t
	}
	r, ok := c.row()
	if !ok {
		return fmt.Sprintf("Error 0x%08X.", uint32(c))
	}
	if c < CodeResourceNotFound || c&0xFFFF0000 == 0x80070000 {
		if t, ok := codeTexts[c&0xFFFF]; ok {
			return t
		}
	}
	words := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(r.name, "ERROR_"), "_", " "))
	return "The WS-Management operation failed: " + words + "."
}

// Error gives the text, the number in both notations and the name.
func (c Code) Error() string {
	if name := c.Name(); name != "" {
		return fmt.Sprintf("%s (%d, 0x%08X, %s)", c.Text(), uint32(c), uint32(c), name)
	}
	return fmt.Sprintf("error %d (0x%08X)", uint32(c), uint32(c))
}

// FaultDetail returns the w:FaultDetail URI with this last part.
// See [MS-WSMV] 4.10.
func FaultDetail(name string) string { return uriWSMan + "/faultDetail/" + name }

// Subcode is the qualified name of a fault's subcode with the conventional
// prefix: "w:TimedOut", "a:ActionNotSupported", "n:InvalidEnumerationContext".
// A name of an unknown namespace is written "{uri}local".
type Subcode string

// Action returns the action of a fault with this subcode.
// See [MS-WSMV] 3.1.4.1 and WS-Addressing section 4.
func (s Subcode) Action() string {
	prefix, _, _ := strings.Cut(string(s), ":")
	switch prefix {
	case "a", "s":
		return ActionFaultAddressing
	case "n":
		return ActionFaultEnumeration
	case "e":
		return ActionFaultEventing
	case "x":
		return ActionFaultTransfer
	}
	return ActionFaultWSMan
}

// split returns the namespace and the local name, or the text as it is.
func (s Subcode) split() (soap.NS, string) {
	prefix, local, ok := strings.Cut(string(s), ":")
	if ns := subcodePrefixes[prefix]; ok && ns != soap.None {
		return ns, local
	}
	return soap.None, string(s)
}

var subcodePrefixes = map[string]soap.NS{
	"s": soap.Envelope, "a": soap.Addressing, "w": soap.WSMan, "n": soap.Enumeration, "e": soap.Eventing,
	"x": soap.Transfer, "b": soap.CIMBinding, "p": soap.WSMV,
}

// win32Codes are the codes of winerror.h that appear in faults.
var win32Codes = map[Code]codeRow{
	2:    {"ERROR_FILE_NOT_FOUND", "", ""},
	5:    {"ERROR_ACCESS_DENIED", "w:AccessDenied", ""},
	8:    {"ERROR_NOT_ENOUGH_MEMORY", "", ""},
	50:   {"ERROR_NOT_SUPPORTED", "", ""},
	87:   {"ERROR_INVALID_PARAMETER", "w:InvalidParameter", "InvalidValue"},
	995:  {"ERROR_OPERATION_ABORTED", "", ""},
	1223: {"ERROR_CANCELLED", "", ""},
	1326: {"ERROR_LOGON_FAILURE", "w:AccessDenied", ""},
	1460: {"ERROR_TIMEOUT", "!w:TimedOut", ""},
}
