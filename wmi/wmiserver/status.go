package wmiserver

import (
	"context"
	"errors"
	"io"
	"unicode/utf16"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
)

// What a method answers: an HRESULT. The numbers of [cim.Status] are HRESULTs; these are the others.
const (
	resultOK       uint32 = 0
	resultFalse    uint32 = 1          // WBEM_S_FALSE
	resultTimedOut uint32 = 0x00040004 // WBEM_S_TIMEDOUT
	resultNotImpl  uint32 = 0x80004001 // E_NOTIMPL
)

// failed tells whether an HRESULT has the severity bit.
func failed(result uint32) bool { return result&0x80000000 != 0 }

// refuse is the error of a call whose arguments cannot be.
func refuse(status cim.Status, detail string) error {
	return &cim.Error{Status: status, Detail: detail}
}

// result is the HRESULT for err. What is no status of CIM is WBEM_E_FAILED: the cause stays in the log of whoever made it.
func result(err error) uint32 {
	switch {
	case err == nil:
		return resultOK
	case errors.Is(err, io.EOF):
		return resultFalse
	case errors.Is(err, context.Canceled):
		return uint32(cim.ErrCallCancelled)
	case errors.Is(err, context.DeadlineExceeded):
		return uint32(cim.ErrTimedOut)
	}
	return uint32(cim.StatusOf(err))
}

// extendedStatus is the class of error objects, as the object manager of every WMI has it. See [MS-WMI] 2.2.31.
var extendedStatus = func() *cim.Class {
	notify := cim.NewClass("__NotifyStatus", cim.NewClass("__SystemClass", nil).Abstract().Build("")).
		Property("StatusCode", cim.Uint32).Build("")
	return cim.NewClass("__ExtendedStatus", notify).
		Property("Description", cim.String).Property("Operation", cim.String).
		Property("ParameterInfo", cim.String).Property("ProviderName", cim.String).Build("")
}()

// subject is what an error object is about: the method without Async, and the path, class or query that it was asked for.
type subject struct{ operation, parameter string }

// errorObject is the error object of a failed operation, nil for one that did not fail. What err carries from a provider is given as
// it is; of the inside of the service nothing is.
func errorObject(err error, of subject) *cim.Instance {
	code := result(err)
	if !failed(code) {
		return nil
	}
	var e *cim.Error
	if errors.As(err, &e) && e.Extended != nil {
		return e.Extended
	}
	i := cim.NewInstance(extendedStatus)
	set := func(name string, v cim.Value) { _ = i.Set(name, v) } // types and names are those of the class above
	set("StatusCode", cim.U32(code))
	set("Operation", cim.Str(of.operation))
	description := cim.Status(code).Text()
	if e != nil {
		if e.Detail != "" {
			description = e.Detail
		}
		if of.parameter == "" {
			of.parameter = e.Path
		}
	}
	if of.parameter != "" {
		set("ParameterInfo", cim.Str(of.parameter))
	}
	if description != "" {
		set("Description", cim.Str(description))
	}
	return i
}

// errorInfo is an error object as the extension of ORPCTHAT carries it: an error object of COM that is an IWbemClassObject, by value.
// See [MS-DCOM] 2.2.21.1 and spec/wmi.md 9.4.
func errorInfo(unit []byte) []byte {
	ref := &dcom.ObjRef{Kind: dcom.ObjRefCustom, IID: dcom.IIDErrorInfo, CLSID: wmi.CLSIDClassObject, Data: unit, Reserved: uint32(len(unit))}
	return ref.Append(nil)
}

// What a method may be asked that is too long gets WBEM_E_QUOTA_VIOLATION, in UTF-16 code units. See [MS-WMI] notes 32, 35, 42 and 48.
const (
	maxNamespace  = 8173
	maxIdentifier = 0x1000
	maxPath       = 0x2000
	maxQuery      = 0x4000
)

// tooLong tells whether s has more than limit UTF-16 code units.
func tooLong(s string, limit int) bool {
	if len(s) <= limit {
		return false
	}
	return len(utf16.Encode([]rune(s))) > limit
}

// within refuses a text that is too long.
func within(s string, limit int, what string) error {
	if tooLong(s, limit) {
		return refuse(cim.ErrQuotaViolation, what+" is too long")
	}
	return nil
}
