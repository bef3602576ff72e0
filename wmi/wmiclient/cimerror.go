package wmiclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
)

// statuses are the HRESULTs of DCOM that stand for a status of WMI.
var statuses = map[uint32]cim.Status{
	dcom.E_ACCESSDENIED:                           cim.ErrAccessDenied,
	dcom.RPC_E_ACCESS_DENIED:                      cim.ErrAccessDenied,
	dcom.FromWin32(dcom.ERROR_LOGON_FAILURE):      cim.ErrAccessDenied,
	dcom.FromWin32(dcom.RPC_S_SEC_PKG_ERROR):      cim.ErrAccessDenied,
	dcom.E_OUTOFMEMORY:                            cim.ErrOutOfMemory,
	dcom.E_NOTIMPL:                                cim.ErrNotSupported,
	dcom.E_NOINTERFACE:                            cim.ErrNotSupported,
	dcom.E_INVALIDARG:                             cim.ErrInvalidParameter,
	dcom.E_POINTER:                                cim.ErrInvalidParameter,
	dcom.FromWin32(dcom.RPC_X_BAD_STUB_DATA):      cim.ErrInvalidParameter,
	dcom.FromWin32(dcom.RPC_S_SERVER_TOO_BUSY):    cim.ErrServerTooBusy,
	dcom.RPC_E_TIMEOUT:                            cim.ErrTimedOut,
	dcom.REGDB_E_CLASSNOTREG:                      cim.ErrTransportFailure,
	dcom.FromWin32(dcom.RPC_S_SERVER_UNAVAILABLE): cim.ErrTransportFailure,
}

// statusOf is the status that an HRESULT stands for. One of WMI itself has facility 4.
func statusOf(result uint32) cim.Status {
	if s, ok := statuses[result]; ok {
		return s
	}
	if result>>16 == 0x8004 && result&0xffff >= 0x1000 {
		return cim.Status(result)
	}
	return cim.ErrTransportFailure
}

// failed tells whether an HRESULT has the severity bit.
func failed(result uint32) bool { return result&0x8000_0000 != 0 }

// callError is the error of a call that the host did not answer with a result of its own.
func callError(err error) error {
	var own *cim.Error
	if errors.As(err, &own) {
		return err
	}
	e := &cim.Error{Status: cim.ErrTransportFailure, Err: err}
	var hr *dcom.Error
	var fault *dcerpc.Fault
	var kerberos *krb5.Error
	switch {
	case errors.Is(err, context.Canceled):
		e.Status = cim.ErrCallCancelled
	case errors.Is(err, context.DeadlineExceeded):
		e.Status = cim.ErrTimedOut
	case errors.As(err, &kerberos):
		e.Detail = kerberos.Error()
		if kerberos.Code != krb5.NoAuthenticatingAuthority {
			e.Status = cim.ErrAccessDenied
		}
	case errors.As(err, &hr):
		e.Status = statusOf(hr.HRESULT)
	case errors.As(err, &fault):
		e.Status, e.Remote = statusOf(dcom.FromWin32(uint32(fault.Status))), true
	}
	return e
}

// resultError is the error of a failed HRESULT of a method. info is the error object that came with it, nil for none.
func resultError(result uint32, info *cim.Instance) error {
	e := &cim.Error{Status: statusOf(result), Remote: true, Extended: info}
	if e.Status == cim.ErrTransportFailure && result != uint32(cim.ErrTransportFailure) {
		e.Status = cim.Status(result)
		e.Detail = dcom.ResultName(result)
	}
	if info != nil {
		if text, ok := info.Get("Description").Str(); ok {
			e.Detail = text
		}
	}
	return e
}

// fail makes the error of an operation of the session.
func (s *Session) fail(operation, path string, err error) error {
	if err == nil {
		return nil
	}
	var own *cim.Error
	if !errors.As(err, &own) {
		errors.As(callError(err), &own)
	}
	e := *own
	if e.Operation == "" {
		e.Operation = operation
	}
	if e.Namespace == "" {
		e.Namespace = s.namespace
	}
	if e.Path == "" {
		e.Path = path
	}
	return &e
}

func invalid(format string, args ...any) error {
	return &cim.Error{Status: cim.ErrInvalidParameter, Detail: fmt.Sprintf(format, args...)}
}
