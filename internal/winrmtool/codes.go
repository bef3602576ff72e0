package winrmtool

import (
	"fmt"

	"github.com/casementhq/casement/wsman"
)

// Codes of misused switches that package wsman has no constant for. See spec
// sections 1.3 and 5.1.
const (
	codeMachineRequired     wsman.Code = 0x803380A5
	codeCredsWithNone       wsman.Code = 0x803380AB
	codeMultipleAuth        wsman.Code = 0x803380AD
	codeSPNAuth             wsman.Code = 0x803380AE
	codeCredsNeeded         wsman.Code = 0x803380B0
	codeCertNeeded          wsman.Code = 0x803380B4
	codeCertInvalid         wsman.Code = 0x803380B7
	codeLocalCreds          wsman.Code = 0x803380B8
	codeBlankURI            wsman.Code = 0x803380BF
	codeBlankInput          wsman.Code = 0x803380C1
	codeBlankAction         wsman.Code = 0x803380C4
	codeUnencryptedHTTPOnly wsman.Code = 0x803380D7
	codeCertOverHTTP        wsman.Code = 0x803380D8
	codeConnectionString    wsman.Code = 0x803380D9
	codeTransport           wsman.Code = 0x803380DA
	codePort                wsman.Code = 0x803380DB
	codeMultipleCreds       wsman.Code = 0x80338144
	codeAuthFlag            wsman.Code = 0x80338145
	codeCertAuthMissing     wsman.Code = 0x80338156
	codeCertAndCreds        wsman.Code = 0x80338157
	codeParameterName       wsman.Code = 0x80338055
	codeProxyAuthFlag       wsman.Code = 0x8033819A
	codeProxyCreds          wsman.Code = 0x8033819B
	codeProxyAccess         wsman.Code = 0x8033819C
	codeNoProxy             wsman.Code = 0x8033819D
	codeCredSSPCreds        wsman.Code = 0x803381A1
	codeImplicitOverHTTP    wsman.Code = 0x803381B0
	codeProxyOverHTTP       wsman.Code = 0x803381B1
	codeProxyKerberos       wsman.Code = 0x803381B2
	codeProxyCredSSP        wsman.Code = 0x803381B3
	codeMultipleProxyAuth   wsman.Code = 0x803381B4
	codeUseSSL              wsman.Code = 0x803381BE
	codeConfigSDDLURL       wsman.Code = 0x803381BF
	codeDescriptor          wsman.Code = 0x8033815C
)

// fault is a refusal on this side with its documented code.
func fault(code wsman.Code, format string, args ...any) error {
	return wsman.NewFault(code, fmt.Sprintf(format, args...))
}

// UsageError is a command line that cannot be read. Nothing was tried.
type UsageError struct{ Message string }

// Error says what is wrong and where help is.
func (e *UsageError) Error() string { return e.Message }

func usage(format string, args ...any) error {
	return &UsageError{Message: fmt.Sprintf(format, args...)}
}
