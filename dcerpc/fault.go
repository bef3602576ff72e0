package dcerpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/ndr"
)

// Status is what a fault says: a code of [C706] appendix N (0x1C......), or an error of Windows.
type Status uint32

// Statuses that the runtime sends itself or that callers tell apart.
const (
	StatusAccessDenied    Status = 0x00000005
	StatusCallFailed      Status = 0x000006BE
	StatusProtocolError   Status = 0x000006C0
	StatusUnsupportedType Status = 0x000006C4
	StatusBadStubData     Status = 0x000006F7
	StatusOutOfMemory     Status = 0x0000000E
	StatusSecurityPackage Status = 0x00000721
	StatusCallCancelled   Status = 0x0000071A
	StatusNoMemory        Status = 0x1C00001B
	StatusContextMismatch Status = 0x1C00001A
	StatusCancelled       Status = 0x1C00000D
	StatusOpRange         Status = 0x1C010002
	StatusUnknownIf       Status = 0x1C010003
	StatusProtoError      Status = 0x1C01000B
	StatusTooBusy         Status = 0x1C010014

	statusNoCallActive Status = 0x000006BD
)

// statuses holds names and, where there is one, what to do about it.
var statuses = map[Status]struct{ name, text string }{
	StatusAccessDenied:    {"ERROR_ACCESS_DENIED", "access denied: the account may not do this, or the authentication level is too low"},
	StatusOutOfMemory:     {"ERROR_OUTOFMEMORY", "the server is out of memory"},
	StatusCallFailed:      {"RPC_S_CALL_FAILED", "the call failed at the server"},
	0x000006BA:            {"RPC_S_SERVER_UNAVAILABLE", "the RPC server is unavailable"},
	0x000006BB:            {"RPC_S_SERVER_TOO_BUSY", "the server is too busy"},
	0x000006BF:            {"RPC_S_CALL_FAILED_DNE", "the call failed and was not executed"},
	StatusProtocolError:   {"RPC_S_PROTOCOL_ERROR", "protocol error"},
	StatusUnsupportedType: {"RPC_S_UNSUPPORTED_TYPE", "the type is not supported by this interface"},
	0x000006AF:            {"RPC_S_NOT_LISTENING", "the server is not listening"},
	statusNoCallActive:    {"RPC_S_NO_CALL_ACTIVE", "there is no such call"},
	0x000006D8:            {"EPT_S_CANT_PERFORM_OP", "the endpoint mapper cannot do this"},
	0x000006D1:            {"RPC_S_PROCNUM_OUT_OF_RANGE", "the interface has no such operation"},
	0x000006D3:            {"RPC_S_UNKNOWN_AUTHN_SERVICE", "the server does not know this authentication"},
	0x000006D9:            {"EPT_S_NOT_REGISTERED", "the interface is not registered at the endpoint mapper"},
	0x000006F4:            {"RPC_X_NULL_REF_POINTER", "a pointer is NULL that may not be"},
	StatusBadStubData:     {"RPC_X_BAD_STUB_DATA", "the arguments are malformed"},
	StatusCallCancelled:   {"RPC_S_CALL_CANCELLED", "the call was cancelled"},
	StatusSecurityPackage: {"RPC_S_SEC_PKG_ERROR", "the authentication failed: wrong user name or password, or messages that do not verify"},
	0x00000776:            {"OR_INVALID_OXID", "the object exporter is not known"},
	0x1C000001:            {"nca_s_fault_int_div_by_zero", ""},
	0x1C000002:            {"nca_s_fault_addr_error", ""},
	0x1C000006:            {"nca_s_fault_invalid_tag", ""},
	0x1C000007:            {"nca_s_fault_invalid_bound", ""},
	0x1C000008:            {"nca_s_rpc_version_mismatch", ""},
	0x1C000009:            {"nca_s_unspec_reject", ""},
	StatusCancelled:       {"nca_s_fault_cancel", "the call was cancelled"},
	0x1C00000F:            {"nca_s_fault_fp_error", ""},
	0x1C000012:            {"nca_s_fault_unspec", ""},
	0x1C000013:            {"nca_s_fault_remote_comm_failure", ""},
	StatusContextMismatch: {"nca_s_fault_context_mismatch", "the context handle is not one of this association"},
	StatusNoMemory:        {"nca_s_fault_remote_no_memory", "the server is out of memory"},
	0x1C00001C:            {"nca_s_invalid_pres_context_id", ""},
	0x1C00001D:            {"nca_s_unsupported_authn_level", "the authentication level is not supported"},
	0x1C00001F:            {"nca_s_invalid_checksum", ""},
	0x1C000024:            {"nca_s_fault_object_not_found", "the object does not exist"},
	0x1C010001:            {"nca_s_comm_failure", ""},
	StatusOpRange:         {"nca_s_op_rng_error", "the interface has no such operation"},
	StatusUnknownIf:       {"nca_s_unk_if", "the server does not serve this interface on this connection"},
	0x1C010006:            {"nca_s_wrong_boot_time", ""},
	0x1C010009:            {"nca_s_you_crashed", ""},
	StatusProtoError:      {"nca_s_proto_error", "the server takes this for a violation of the protocol"},
	0x1C010013:            {"nca_s_out_args_too_big", ""},
	StatusTooBusy:         {"nca_s_server_too_busy", "the server is too busy"},
	0x1C010015:            {"nca_s_fault_string_too_long", ""},
	0x1C010017:            {"nca_s_unsupported_type", ""},
	0x80010108:            {"RPC_E_DISCONNECTED", "the object has disconnected from its clients"},
	0x80010110:            {"RPC_E_VERSION_MISMATCH", "the versions of DCOM do not match"},
	0x80010111:            {"RPC_E_INVALID_HEADER", "the header of the call is malformed"},
	0x80010114:            {"RPC_E_INVALID_OBJECT", "the object does not exist"},
	0x80070005:            {"E_ACCESSDENIED", "access denied"},
}

// String gives the name and the number in hex.
func (s Status) String() string {
	if t, ok := statuses[s]; ok {
		return fmt.Sprintf("%s (0x%08X)", t.name, uint32(s))
	}
	return fmt.Sprintf("0x%08X", uint32(s))
}

// Fault is what a peer answered instead of results, or what a handler wants to answer. It ends the call and not the connection.
type Fault struct {
	Status Status
	// DidNotExecute says that the call never began, so that it may be made again.
	DidNotExecute bool
	// Unconfirmed says, at a client, that access was denied before the server answered anything to this identity. With NTLM a wrong name or
	// password shows in no other way, since the last message of its exchange is not answered.
	Unconfirmed bool
}

// Error tells the status, its name and what it means.
func (f *Fault) Error() string {
	text := "RPC fault " + f.Status.String()
	if t := statuses[f.Status].text; t != "" {
		text += ": " + t
	}
	if f.Unconfirmed {
		text += "; or the user name or password is wrong, which NTLM shows in no other way"
	}
	return text
}

// Is lets errors.Is compare faults by their status alone.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Status == f.Status
}

// faultOf turns a handler's error into what the peer is told: nothing of the inside.
func faultOf(err error) *Fault {
	var f *Fault
	switch {
	case errors.As(err, &f):
		if forbidden(f.Status) {
			return &Fault{Status: StatusCallFailed}
		}
		return &Fault{Status: f.Status, DidNotExecute: f.DidNotExecute || f.Status == StatusOpRange}
	case errors.Is(err, ndr.ErrBadStub):
		return &Fault{Status: StatusBadStubData}
	case errors.Is(err, context.Canceled):
		return &Fault{Status: StatusCancelled}
	}
	return &Fault{Status: StatusCallFailed}
}

// forbidden lists the statuses that a server must not send. See [MS-RPCE] 3.3.3.5.1.
func forbidden(s Status) bool {
	switch s {
	case 0, 0x80000001, 0x80000002, 0x80000003, 0xC0000005, 0xC0000006, 0xC000001D, 0xC0000096, 0xC00000AA, 0xC00000FD, 0xC0000194,
		0xC0000235, 0xC0000409, 0xC0000420:
		return true
	}
	return false
}

// Reasons of a BindError. See [MS-RPCE] 2.2.2.5.
const (
	ReasonNotSpecified       = 0
	ReasonCongestion         = 1
	ReasonLocalLimit         = 2
	ReasonProtocolVersion    = 4
	ReasonAuthTypeUnknown    = 8
	ReasonAuthTypeChecksum   = 9
	reasonAbstractSyntax     = 1 // of a rejected presentation context, [C706] 12.6.3.1
	reasonTransferSyntaxes   = 2
	reasonLocalLimitExceeded = 3
)

// BindError says that the server refused the whole bind (bind_nak).
type BindError struct {
	Reason uint16
	// Versions that the server speaks, as "5.0", if it named any.
	Versions []string
}

// Error tells the reason and its number.
func (e *BindError) Error() string {
	text := "no reason is given"
	switch e.Reason {
	case ReasonCongestion, ReasonLocalLimit:
		text = "the server has too many connections"
	case ReasonProtocolVersion:
		text = fmt.Sprintf("protocol error; the server speaks version %v", e.Versions)
	case ReasonAuthTypeUnknown:
		text = "the server does not know this kind of authentication"
	case ReasonAuthTypeChecksum:
		text = "the authentication failed: wrong user name or password, or a server that does not accept this mechanism"
	}
	return fmt.Sprintf("RPC bind refused (reason %d): %s", e.Reason, text)
}

// Unwrap makes a failed authentication an auth.ErrLogonFailure.
func (e *BindError) Unwrap() error {
	switch e.Reason {
	case ReasonAuthTypeChecksum:
		return auth.ErrLogonFailure
	case ReasonAuthTypeUnknown:
		return auth.ErrUnsupported
	}
	return nil
}

// RejectedError says that the server does not serve an interface, or none of the representations that were proposed.
type RejectedError struct {
	Interface SyntaxID
	// Result is 1 (user rejection) or 2 (provider rejection); Reason is of [C706] 12.6.3.1, p_provider_reason_t.
	Result, Reason uint16
}

// Error tells the interface and the reason.
func (e *RejectedError) Error() string {
	text := "no reason is given"
	switch e.Reason {
	case reasonAbstractSyntax:
		text = "the server does not serve this interface (or not this version) on this port"
	case reasonTransferSyntaxes:
		text = "the server knows neither NDR 2.0 nor NDR64 for it"
	case reasonLocalLimitExceeded:
		text = "the server has too many presentation contexts"
	}
	return fmt.Sprintf("RPC interface %s rejected (result %d, reason %d): %s", e.Interface, e.Result, e.Reason, text)
}

// protocolError is a violation by the peer that ends the connection.
type protocolError struct {
	text  string
	cause error // ErrNotRPC or nil
}

func (e *protocolError) Error() string { return "RPC protocol error: " + e.text }
func (e *protocolError) Unwrap() error { return e.cause }

func violation(format string, args ...any) error {
	return &protocolError{text: fmt.Sprintf(format, args...)}
}

// ErrNotRPC is within the error of a connection whose other end speaks another protocol.
var ErrNotRPC = errors.New("this port does not speak DCE/RPC")

// notRPC tells what speaks instead, where the first octets show it.
func notRPC(head []byte) error {
	text := fmt.Sprintf("%v: the answer begins with %q", ErrNotRPC, head[:min(len(head), 8)])
	switch {
	case bytes.HasPrefix(head, []byte("HTTP/")):
		text = "an HTTP server answered"
	case bytes.HasPrefix(head, []byte("\x15\x03")):
		text = "a TLS server answered"
	}
	return &protocolError{text, ErrNotRPC}
}

// ErrNotSent is what a call fails with, beside the reason, of which not one octet was sent: it can be made again on another connection.
var ErrNotSent = errors.New("the request was not sent")

// ErrClosed is the error of calls on a connection that Close ended.
var ErrClosed = errors.New("RPC connection closed")
