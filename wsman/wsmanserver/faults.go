package wsmanserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/quota"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/shell"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanserver/internal/shellhost"
)

// The plug-ins that faults name, with the paths that Windows gives them.
const (
	providerWMI     = "WMIv1 plugin for Windows Remote Management"
	providerWMIPath = `%systemroot%\system32\WsmWmiPl.dll`
	providerCmd     = "Shell cmd plugin"
	providerCmdPath = `%systemroot%\system32\winrscmd.dll`
	providerShell   = "Shell provider"
	providerSvcPath = `%systemroot%\system32\WsmSvc.dll`
)

// faultOf maps the errors of the packages below to faults; an error that none
// of them knows becomes a general one and its text stays here.
func faultOf(err error) *wsman.Fault {
	var (
		conf *settings.Error
		over *quota.ExceededError
		page *shell.CodePageError
		c    *cim.Error
		s    cim.Status
	)
	switch {
	case errors.As(err, &conf):
		return configFault(conf)
	case errors.As(err, &over):
		return quotaFault(over)
	case errors.As(err, &page):
		return wsman.NewFault(wsman.Code(page.Code()), page.Error())
	case errors.Is(err, shellhost.ErrNoShell):
		return wsman.NewFault(wsman.CodeUnexpectedSelectors, "The shell was not found on the server: it was closed, or its idle time ran out.").
			WithProvider(providerShell, providerSvcPath)
	case errors.Is(err, shellhost.ErrNoCommand):
		return wsman.NewFault(wsman.CodeUnexpectedSelectors, "The shell has no command of that identifier: it has ended, or it never was.")
	case errors.As(err, &c):
		return cimFault(c)
	case errors.As(err, &s):
		return cimFault(&cim.Error{Status: s})
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return wsman.NewFault(wsman.CodeOperationTimedOut, "")
	}
	f := wsman.NewFault(wsman.CodeProviderFailure, "")
	f.Err = err
	return f
}

// configFault carries the code and subcode that the settings decided on.
func configFault(e *settings.Error) *wsman.Fault {
	f := wsman.NewFault(wsman.Code(e.Code), e.Error())
	if e.Subcode != "" {
		code := wsman.Sender
		if e.Subcode == settings.SubcodeInternal {
			code = wsman.Receiver
		}
		f = f.WithSubcode(subcode(e.Subcode), code)
	}
	if e.Detail != "" {
		f.Detail = e.Detail
	}
	return f
}

// subcode writes the prefix that the wire uses for one that the specification
// prints.
func subcode(s string) wsman.Subcode {
	for _, p := range [][2]string{{"wsman:", "w:"}, {"wsa:", "a:"}, {"wsen:", "n:"}, {"wst:", "x:"}, {"wse:", "e:"}} {
		if rest, ok := strings.CutPrefix(s, p[0]); ok {
			return wsman.Subcode(p[1] + rest)
		}
	}
	return wsman.Subcode(s)
}

// quotaFault is the documented answer to each limit. See spec 6.
func quotaFault(e *quota.ExceededError) *wsman.Fault {
	code := wsman.CodeQuotaLimit
	if e.Plugin != "" {
		switch e.Limit {
		case quota.MaxShellsPerUser:
			code = 0x803381E4
		case quota.MaxConcurrentUsers:
			code = 0x803381E5
		case quota.MaxShells:
			code = 0x803381E6
		case quota.MaxConcurrentOperations:
			code = 0x803381E7
		case quota.MaxConcurrentOperationsPerUser:
			code = 0x803381E8
		case quota.MaxConcurrentCommandsPerShell:
			code = 0x803381E9
		}
	} else {
		switch e.Limit {
		case quota.MaxShellsPerUser:
			code = wsman.CodeQuotaMaxShells
		case quota.MaxConcurrentUsers:
			code = wsman.CodeQuotaMaxShellUsers
		case quota.MaxConcurrentOperationsPerUser:
			code = wsman.CodeQuotaMaxOperations
		case quota.MaxProcessesPerShell, quota.MaxMemoryPerShellMB:
			return wsman.NewFault(code, e.Error()).WithSubcode("w:InternalError", wsman.Receiver)
		}
	}
	return wsman.NewFault(code, "").WithSubcode("w:QuotaLimit", wsman.Sender)
}

// cimFault is the answer to a status of the object manager, wrapped as the WMI
// plug-in of Windows wraps it. The WMI error object carries the status itself.
func cimFault(e *cim.Error) *wsman.Fault {
	code, ok := codesOfStatus[e.Status]
	text := e.Detail
	if !ok {
		code = wsman.Code(uint32(e.Status))
	}
	if text == "" {
		text = e.Status.Text()
	}
	if text == "" {
		text = strings.TrimPrefix(e.Status.Error(), fmt.Sprintf("0x%08X ", uint32(e.Status)))
	}
	f := wsman.NewFault(code, text)
	if !ok {
		f = f.WithSubcode("w:InternalError", wsman.Receiver)
	}
	f.Err = e.Err
	if sub, ok := subcodesOfStatus[e.Status]; ok {
		f = f.WithSubcode(sub, wsman.Sender)
	}
	f = f.WithProvider(providerWMI, providerWMIPath)
	f.Provider.WMI = &wsman.WMIError{
		Code: wsman.Code(uint32(e.Status)), Type: "HRESULT", Message: text, MessageID: fmt.Sprintf("HRESULT 0x%08x", uint32(e.Status)),
	}
	return f
}

// codesOfStatus are the statuses that have a code of WS-Management. The table
// is read both ways: the client turns the codes back (see wsman/wsmanclient).
var codesOfStatus = map[cim.Status]wsman.Code{
	cim.ErrNotFound:           wsman.CodeResourceNotFound,
	cim.ErrInvalidClass:       wsman.CodeResourceNotFound,
	cim.ErrInvalidNamespace:   wsman.CodeResourceNotFound,
	cim.ErrAccessDenied:       wsman.CodeAccessDenied,
	cim.ErrAlreadyExists:      wsman.CodeAlreadyExists,
	cim.ErrInvalidQuery:       wsman.CodeCannotProcessFilter,
	cim.ErrInvalidQueryType:   wsman.CodeFilterDialectUnavailable,
	cim.ErrInvalidMethod:      wsman.CodeActionNotSupported,
	cim.ErrTimedOut:           wsman.CodeOperationTimedOut,
	cim.ErrTypeMismatch:       wsman.CodeInvalidXMLValues,
	cim.ErrInvalidProperty:    wsman.CodeInvalidXMLValues,
	cim.ErrValueOutOfRange:    wsman.CodeInvalidXMLValues,
	cim.ErrInvalidObjectPath:  wsman.CodeInvalidSelectors,
	cim.ErrProviderNotCapable: 0x80338102,
}

var subcodesOfStatus = map[cim.Status]wsman.Subcode{
	cim.ErrAccessDenied: "w:AccessDenied",
	cim.ErrInvalidQuery: "n:CannotProcessFilter",
}
