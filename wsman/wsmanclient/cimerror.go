package wsmanclient

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// statusOfCode are the codes of WS-Management that stand for a status of WMI
// where a fault carries none of its own. See spec section 4.4.
var statusOfCode = map[wsman.Code]cim.Status{
	wsman.CodeAccessDenied:                 cim.ErrAccessDenied,
	wsman.CodeWMIServiceAccessDenied:       cim.ErrAccessDenied,
	wsman.CodeWMIProviderAccessDenied:      cim.ErrAccessDenied,
	wsman.CodeWMIConnectAccessDenied:       cim.ErrAccessDenied,
	wsman.CodeResourceNotFound:             cim.ErrNotFound,
	wsman.CodeDestinationUnreachable:       cim.ErrNotFound,
	wsman.CodeAlreadyExists:                cim.ErrAlreadyExists,
	wsman.CodeActionNotSupported:           cim.ErrNotSupported,
	wsman.CodeNotSupported:                 cim.ErrNotSupported,
	wsman.CodeUnsupportedFeature:           cim.ErrNotSupported,
	wsman.CodeInvalidResourceURI:           cim.ErrNotSupported,
	wsman.CodeEnumerationModeUnsupported:   cim.ErrNotSupported,
	wsman.CodePolymorphismModeUnsupported:  cim.ErrNotSupported,
	wsman.CodeCannotProcessFilter:          cim.ErrInvalidQuery,
	wsman.CodeEnumerateCannotProcessFilter: cim.ErrInvalidQuery,
	wsman.CodeFilterDialectUnavailable:     cim.ErrInvalidQueryType,
	wsman.CodeFilteringNotSupported:        cim.ErrInvalidQueryType,
	wsman.CodeOperationTimedOut:            cim.ErrTimedOut,
	wsman.CodeNetworkTimedOut:              cim.ErrTimedOut,
	wsman.CodeInvalidSelectors:             cim.ErrInvalidObjectPath,
	wsman.CodeInsufficientSelectors:        cim.ErrInvalidObjectPath,
	wsman.CodeUnexpectedSelectors:          cim.ErrInvalidObjectPath,
	wsman.CodeSelectorTypeMismatch:         cim.ErrInvalidObjectPath,
	wsman.CodeInvalidSelectorValue:         cim.ErrInvalidObjectPath,
	wsman.CodeDuplicateSelectors:           cim.ErrInvalidObjectPath,
	wsman.CodeWMISingleton:                 cim.ErrInvalidObjectPath,
	wsman.CodeInvalidXMLValues:             cim.ErrTypeMismatch,
	wsman.CodeInvalidParameter:             cim.ErrInvalidParameter,
	wsman.CodeWin32InvalidParameter:        cim.ErrInvalidParameter,
	wsman.CodeInvalidEnumerationContext:    cim.ErrInvalidOperation,
	wsman.CodeQuotaLimit:                   cim.ErrQuotaViolation,
	wsman.CodeQuotaMaxOperations:           cim.ErrQuotaViolation,
	wsman.CodeQuotaUser:                    cim.ErrQuotaViolation,
	wsman.CodeQuotaSystem:                  cim.ErrQuotaViolation,
	0x80338102:                             cim.ErrProviderNotCapable,
}

// isStatus tells whether a number is a WBEMSTATUS.
func isStatus(c wsman.Code) bool { return c>>16 == 0x8004 && c&0xF000 >= 0x1000 && c&0xF000 <= 0x4000 }

// cimCode are the numbers of CIM_ERR that MSFT_WmiError carries beside.
var cimCode = map[uint32]cim.Status{
	2: cim.ErrAccessDenied, 3: cim.ErrInvalidNamespace, 4: cim.ErrInvalidParameter, 5: cim.ErrInvalidClass, 6: cim.ErrNotFound,
	7: cim.ErrNotSupported, 8: cim.ErrClassHasChildren, 9: cim.ErrClassHasInstances, 10: cim.ErrInvalidSuperclass,
	11: cim.ErrAlreadyExists, 12: cim.ErrInvalidProperty, 13: cim.ErrTypeMismatch, 14: cim.ErrInvalidQueryType,
	15: cim.ErrInvalidQuery, 16: cim.ErrMethodNotImplemented, 17: cim.ErrInvalidMethod,
}

// statusOf is the status that a failure stands for.
func statusOf(err error) cim.Status {
	var e *cim.Error
	if errors.As(err, &e) {
		return e.Status
	}
	var f *wsman.Fault
	if !errors.As(err, &f) {
		return cim.ErrTransportFailure
	}
	codes, objects := chain(f)
	for _, o := range objects {
		if isStatus(o.Code) {
			return cim.Status(o.Code)
		}
	}
	for i := len(codes) - 1; i >= 0; i-- {
		if isStatus(codes[i]) {
			return cim.Status(codes[i])
		}
	}
	for _, o := range objects {
		if s, ok := cimCode[o.CIMStatus]; ok {
			return s
		}
	}
	for i := len(codes) - 1; i >= 0; i-- {
		if s, ok := statusOfCode[codes[i]]; ok {
			return s
		}
	}
	if f.Remote {
		return cim.ErrFailed
	}
	return cim.ErrTransportFailure
}

// chain lists the codes of a fault, outermost first, and the WMI errors that
// came along, innermost first.
func chain(f *wsman.Fault) (codes []wsman.Code, objects []*wsman.WMIError) {
	codes = append(codes, f.Code)
	if f.WMI != nil {
		objects = append(objects, f.WMI)
	}
	for p := f.Provider; p != nil; {
		if p.WMI != nil {
			objects = append([]*wsman.WMIError{p.WMI}, objects...)
		}
		if p.Fault == nil {
			break
		}
		codes = append(codes, p.Fault.Code)
		p = p.Fault.Provider
	}
	return codes, objects
}

// fail makes the error of an operation of the session. A class that is unknown
// and an instance that is not there have one code in WS-Management: missing
// says which of the two the operation would mean.
func (s *Session) fail(operation, path string, err error, missing cim.Status) error {
	if err == nil {
		return nil
	}
	var own *cim.Error
	if errors.As(err, &own) {
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
	e := &cim.Error{Status: statusOf(err), Operation: operation, Namespace: s.namespace, Path: path, Err: err}
	var f *wsman.Fault
	if errors.As(err, &f) {
		e.Remote = f.Remote
		if e.Detail = f.Text(); !f.Remote {
			e.Detail = f.Message
		}
		if e.Status == cim.ErrNotFound && !hasStatus(f) && missing != 0 {
			e.Status = missing
		}
	}
	return e
}

// missing is fail for an operation on an instance. Hosts answer alike where the
// class does not exist, so the class is asked for.
func (s *Session) missing(ctx context.Context, operation string, path cim.ObjectPath, err error) error {
	err = s.fail(operation, path.Relative(), err, cim.ErrNotFound)
	var e *cim.Error
	if !errors.As(err, &e) || e.Status != cim.ErrNotFound || !e.Remote || ctx.Err() != nil {
		return err
	}
	namespace := path.Namespace
	if namespace == "" {
		namespace = s.namespace
	}
	_, unknown := s.c.loadClass(ctx, namespace, path.Class)
	if unknown == nil || !isNotFound(unknown) {
		return err
	}
	k := *e
	if k.Status = cim.ErrInvalidClass; statusOf(unknown) == cim.ErrInvalidNamespace {
		k.Status = cim.ErrInvalidNamespace
	}
	return &k
}

// hasStatus tells whether a fault carries a status of WMI itself.
func hasStatus(f *wsman.Fault) bool {
	codes, objects := chain(f)
	for _, o := range objects {
		if isStatus(o.Code) {
			return true
		}
	}
	for _, c := range codes {
		if isStatus(c) {
			return true
		}
	}
	return false
}
