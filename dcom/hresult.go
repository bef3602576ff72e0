package dcom

import (
	"errors"
	"fmt"

	"github.com/casementhq/casement/dcerpc"
)

// Results of the protocol, by the names of [MS-ERREF] 2.1.
//
//nolint:revive // the names are those of the specification
const (
	S_OK                     uint32 = 0
	S_FALSE                  uint32 = 1
	E_NOTIMPL                uint32 = 0x80004001
	E_NOINTERFACE            uint32 = 0x80004002
	E_POINTER                uint32 = 0x80004003
	E_ABORT                  uint32 = 0x80004004
	E_FAIL                   uint32 = 0x80004005
	E_UNEXPECTED             uint32 = 0x8000ffff
	E_ACCESSDENIED           uint32 = 0x80070005
	E_OUTOFMEMORY            uint32 = 0x8007000e
	E_INVALIDARG             uint32 = 0x80070057
	RPC_E_CALL_REJECTED      uint32 = 0x80010001
	RPC_E_SERVERFAULT        uint32 = 0x80010105
	RPC_E_INVALIDMETHOD      uint32 = 0x80010107
	RPC_E_DISCONNECTED       uint32 = 0x80010108
	RPC_E_VERSION_MISMATCH   uint32 = 0x80010110
	RPC_E_INVALID_HEADER     uint32 = 0x80010111
	RPC_E_INVALID_EXTENSION  uint32 = 0x80010112
	RPC_E_INVALID_IPID       uint32 = 0x80010113
	RPC_E_INVALID_OBJECT     uint32 = 0x80010114
	RPC_E_ACCESS_DENIED      uint32 = 0x8001011b
	RPC_E_INVALID_OBJREF     uint32 = 0x8001011d
	RPC_E_TIMEOUT            uint32 = 0x8001011f
	CLASS_E_NOAGGREGATION    uint32 = 0x80040110
	REGDB_E_CLASSNOTREG      uint32 = 0x80040154
	CO_E_OBJNOTREG           uint32 = 0x800401fc
	CO_E_OBJNOTCONNECTED     uint32 = 0x800401fd
	CO_E_RUNAS_LOGON_FAILURE uint32 = 0x8000401a
	CO_E_SERVER_EXEC_FAILURE uint32 = 0x80080005
)

// Results of the resolver and of the runtime below, which are numbers of [MS-ERREF] 2.2; as an HRESULT they have 0x8007 before them.
//
//nolint:revive // the names are those of the specification
const (
	ERROR_ACCESS_DENIED        uint32 = 5
	ERROR_LOGON_FAILURE        uint32 = 1326
	ERROR_OUTOFMEMORY          uint32 = 14
	RPC_S_CALL_CANCELLED       uint32 = 1818
	RPC_S_UNKNOWN_IF           uint32 = 1717
	RPC_S_SERVER_UNAVAILABLE   uint32 = 1722
	RPC_S_SERVER_TOO_BUSY      uint32 = 1723
	RPC_S_CALL_FAILED          uint32 = 1726
	RPC_S_CALL_FAILED_DNE      uint32 = 1727
	RPC_S_PROTOCOL_ERROR       uint32 = 1728
	RPC_S_PROCNUM_OUT_OF_RANGE uint32 = 1745
	RPC_X_BAD_STUB_DATA        uint32 = 1783
	RPC_S_SEC_PKG_ERROR        uint32 = 1825
	OR_INVALID_OXID            uint32 = 1910
	OR_INVALID_OID             uint32 = 1911
	OR_INVALID_SET             uint32 = 1912
)

// FromWin32 makes an HRESULT of a number of [MS-ERREF] 2.2; what is an HRESULT already, or 0, stays.
func FromWin32(code uint32) uint32 {
	if code == 0 || code > 0xffff {
		return code
	}
	return 0x80070000 | code
}

// resultInfo is the one table of what a result is called and what its reader can do about it.
var resultInfo = map[uint32]struct{ name, advice string }{
	S_OK:                     {"S_OK", ""},
	S_FALSE:                  {"S_FALSE", ""},
	E_NOTIMPL:                {"E_NOTIMPL", "the server does not implement this method"},
	E_NOINTERFACE:            {"E_NOINTERFACE", "the object does not have this interface"},
	E_POINTER:                {"E_POINTER", "an argument is missing"},
	E_ABORT:                  {"E_ABORT", "the operation was ended before it was done"},
	E_FAIL:                   {"E_FAIL", "the server does not say why; its log may"},
	E_UNEXPECTED:             {"E_UNEXPECTED", "the server does not say why; its log may"},
	E_ACCESSDENIED:           {"E_ACCESSDENIED", "user name or password are wrong; or the account lacks remote launch, remote activation or remote access in the server's DCOM permissions (members of Distributed COM Users and Administrators have them); or the authentication level is too low: activation takes packet integrity, and WMI what its host demands"},
	E_OUTOFMEMORY:            {"E_OUTOFMEMORY", "the server has reached a limit; release objects or try later"},
	E_INVALIDARG:             {"E_INVALIDARG", "an argument has a value that the server does not take"},
	RPC_E_CALL_REJECTED:      {"RPC_E_CALL_REJECTED", "the server is busy; try again"},
	RPC_E_SERVERFAULT:        {"RPC_E_SERVERFAULT", "the server failed while it served the call; its log may say why"},
	RPC_E_INVALIDMETHOD:      {"RPC_E_INVALIDMETHOD", "the interface has no such method"},
	RPC_E_DISCONNECTED:       {"RPC_E_DISCONNECTED", "the object is gone: released, or not pinged for six minutes, or the service was restarted; make it anew"},
	RPC_E_VERSION_MISMATCH:   {"RPC_E_VERSION_MISMATCH", "client and server speak different versions of DCOM"},
	RPC_E_INVALID_HEADER:     {"RPC_E_INVALID_HEADER", "the header of the call is malformed"},
	RPC_E_INVALID_EXTENSION:  {"RPC_E_INVALID_EXTENSION", "an extension of the call is malformed"},
	RPC_E_INVALID_IPID:       {"RPC_E_INVALID_IPID", "the interface of the call is not there"},
	RPC_E_INVALID_OBJECT:     {"RPC_E_INVALID_OBJECT", "the object is gone; make it anew"},
	RPC_E_ACCESS_DENIED:      {"RPC_E_ACCESS_DENIED", "the server's DCOM access permissions do not let this account call"},
	RPC_E_INVALID_OBJREF:     {"RPC_E_INVALID_OBJREF", "the reference to the object is malformed"},
	RPC_E_TIMEOUT:            {"RPC_E_TIMEOUT", "the server did not answer in time"},
	CLASS_E_NOAGGREGATION:    {"CLASS_E_NOAGGREGATION", "objects of this class cannot be part of others"},
	REGDB_E_CLASSNOTREG:      {"REGDB_E_CLASSNOTREG", "the server does not have this class; for WMI, is the service running there?"},
	CO_E_OBJNOTREG:           {"CO_E_OBJNOTREG", "the object is gone; make it anew"},
	CO_E_OBJNOTCONNECTED:     {"CO_E_OBJNOTCONNECTED", "the object is gone; make it anew"},
	CO_E_RUNAS_LOGON_FAILURE: {"CO_E_RUNAS_LOGON_FAILURE", "the server has no logon session like that"},
	CO_E_SERVER_EXEC_FAILURE: {"CO_E_SERVER_EXEC_FAILURE", "the server could not start the process of this class"},

	FromWin32(ERROR_LOGON_FAILURE):        {"ERROR_LOGON_FAILURE", "user name or password are wrong"},
	FromWin32(RPC_S_UNKNOWN_IF):           {"RPC_S_UNKNOWN_IF", "the port belongs to something else than DCOM"},
	FromWin32(RPC_S_SERVER_UNAVAILABLE):   {"RPC_S_SERVER_UNAVAILABLE", "the machine cannot be reached: name, power, and its firewall for TCP 135 and the port of WMI"},
	FromWin32(RPC_S_SERVER_TOO_BUSY):      {"RPC_S_SERVER_TOO_BUSY", "the server is busy; try again"},
	FromWin32(RPC_S_CALL_FAILED):          {"RPC_S_CALL_FAILED", "the connection broke, or the server failed during the call"},
	FromWin32(RPC_S_CALL_FAILED_DNE):      {"RPC_S_CALL_FAILED_DNE", "the server did not begin the call; try again"},
	FromWin32(RPC_S_PROTOCOL_ERROR):       {"RPC_S_PROTOCOL_ERROR", "the other side does not speak the protocol"},
	FromWin32(RPC_S_PROCNUM_OUT_OF_RANGE): {"RPC_S_PROCNUM_OUT_OF_RANGE", "the interface has no such method"},
	FromWin32(RPC_X_BAD_STUB_DATA):        {"RPC_X_BAD_STUB_DATA", "the arguments could not be read"},
	FromWin32(RPC_S_SEC_PKG_ERROR):        {"RPC_S_SEC_PKG_ERROR", "authentication failed: user name, password, or a protection that the other side does not allow"},
	FromWin32(OR_INVALID_OXID):            {"OR_INVALID_OXID", "the process that has the object is gone"},
	FromWin32(OR_INVALID_OID):             {"OR_INVALID_OID", "the object is gone"},
	FromWin32(OR_INVALID_SET):             {"OR_INVALID_SET", "the server has forgotten what this client pings for"},
}

// ResultName is the name of an HRESULT, or its number where it has none here.
func ResultName(hr uint32) string {
	if i, ok := resultInfo[hr]; ok {
		return i.name
	}
	return fmt.Sprintf("0x%08X", hr)
}

// Error is a result that is not success, of an activation, a resolution or a call.
type Error struct {
	// HRESULT is the code; what the runtime below says has 0x8007 before it.
	HRESULT uint32
	// Op says what failed and where, for example "activation at server1".
	Op string
	// Detail says more, where something is known. Text of a peer in it is escaped.
	Detail string
	// Err is what is behind it, if anything.
	Err error
}

// Error gives operation, name and code, detail, and what can be done.
func (e *Error) Error() string {
	s := ""
	if e.Op != "" {
		s = e.Op + ": "
	}
	info, known := resultInfo[e.HRESULT]
	if known {
		s += fmt.Sprintf("%s (0x%08X, %d)", info.name, e.HRESULT, int32(e.HRESULT)) // #nosec G115 -- as scripts print it
	} else {
		s += fmt.Sprintf("0x%08X", e.HRESULT)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	var fault *dcerpc.Fault // says the code again
	if e.Err != nil && !errors.As(e.Err, &fault) {
		s += ": " + e.Err.Error()
	}
	if info.advice != "" {
		s += "; " + info.advice
	}
	return s
}

// Unwrap gives Err.
func (e *Error) Unwrap() error { return e.Err }

// Is tells whether target is an Error that names nothing but the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && *t == Error{HRESULT: e.HRESULT}
}
