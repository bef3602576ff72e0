package settings

import "fmt"

// WSMan error codes that a configuration write can end with. See [MS-WSMV] 3.1.4.1.29;
// the numbers are those of wsmerror.h.
const (
	CodeAccessDenied           uint32 = 5
	CodeConfigCorrupted        uint32 = 0x80338005
	CodeActionNotSupported     uint32 = 0x80338013
	CodeAlreadyExists          uint32 = 0x80338033
	CodeSchemaValidation       uint32 = 0x80338041
	CodeResourceNotFound       uint32 = 0x80338000
	CodeUnexpectedSelectors    uint32 = 0x8033805B
	CodeUnknownMAC             uint32 = 0x8033807B
	CodeNoUnicastAddress       uint32 = 0x8033807C
	CodeCertNotFound           uint32 = 0x80338082
	CodePolicyCorrupted        uint32 = 0x80338088
	CodeListenerAddress        uint32 = 0x80338089
	CodeGPOControlled          uint32 = 0x8033808A
	CodeHostnamePattern        uint32 = 0x8033809F
	CodePortInvalid            uint32 = 0x803380DC
	CodeThumbprintBlank        uint32 = 0x803380E7
	CodeSSLConfigShared        uint32 = 0x803380E8
	CodeCertNameMismatch       uint32 = 0x803380E9
	CodeThumbprintNotEmpty     uint32 = 0x803380EB
	CodeIPFilter               uint32 = 0x803380EC
	CodeCannotChangeKeys       uint32 = 0x803380ED
	CodeCertUsage              uint32 = 0x803380EE
	CodeReadOnly               uint32 = 0x8033813F
	CodeCertMappingLocal       uint32 = 0x80338152
	CodeCertMappingLimit       uint32 = 0x80338153
	CodeCertMappingCredentials uint32 = 0x80338154
	CodeSecurityDescriptor     uint32 = 0x8033815C
	CodeURIKey                 uint32 = 0x80338160
	CodeSubjectKey             uint32 = 0x80338161
	CodeIssuerKey              uint32 = 0x80338162
	CodePasswordTooLong        uint32 = 0x8033816A
	CodePasswordBlank          uint32 = 0x8033816B
	CodePasswordUserTuple      uint32 = 0x8033816C
	CodeCertMappingKeys        uint32 = 0x80338172
	CodePluginCorrupted        uint32 = 0x80338190
	CodeInvalidFilePath        uint32 = 0x80338191
	CodeFileNotPresent         uint32 = 0x80338192
	CodeDeprecated             uint32 = 0x803381AE
	CodeURISecurity            uint32 = 0x803381AF
	CodeCbtHardening           uint32 = 0x803381B8
	CodeCustomRemoteShell      uint32 = 0x803381BC
	CodeConfigSDDLURL          uint32 = 0x803381BF
	CodeRunAsDisabled          uint32 = 0x803381E0
)

// SOAP subcodes of the errors, with the prefixes of [MS-WSMV] 2.2.1.
const (
	SubcodeSchema          = "wsman:SchemaValidationError"
	SubcodeInternal        = "wsman:InternalError"
	SubcodeAlreadyExists   = "wsman:AlreadyExists"
	SubcodeSelectors       = "wsman:InvalidSelectors"
	SubcodeUnreachable     = "wsa:DestinationUnreachable"
	SubcodeActionUnknown   = "wsa:ActionNotSupported"
	detailUnexpectedSelect = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors"
)

// Error is a refused read or write of the configuration.
type Error struct {
	Code    uint32 // WSMan or Win32 code
	Subcode string // SOAP subcode
	Detail  string // wsman:FaultDetail URI, or ""
	Setting string // path of the setting, for example Service/MaxConnections
	Message string // what was wrong and what is right
}

// Error implements error.
func (e *Error) Error() string {
	where := e.Setting
	if where != "" {
		where += ": "
	}
	return fmt.Sprintf("%s%s (0x%08X %s)", where, e.Message, e.Code, e.Subcode)
}

// Is compares by code, so that errors.Is(err, &Error{Code: CodeReadOnly}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

func fail(code uint32, setting, format string, args ...any) *Error {
	sub := SubcodeInternal
	switch code {
	case CodeSchemaValidation:
		sub = SubcodeSchema
	case CodeAlreadyExists:
		sub = SubcodeAlreadyExists
	case CodeUnexpectedSelectors:
		sub = SubcodeSelectors
	case CodeResourceNotFound:
		sub = SubcodeUnreachable
	case CodeActionNotSupported:
		sub = SubcodeActionUnknown
	}
	e := &Error{Code: code, Subcode: sub, Setting: setting, Message: fmt.Sprintf(format, args...)}
	if code == CodeUnexpectedSelectors {
		e.Detail = detailUnexpectedSelect
	}
	return e
}

func schemaErr(setting, format string, args ...any) *Error {
	return fail(CodeSchemaValidation, setting, format, args...)
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
