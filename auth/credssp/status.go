package credssp

import (
	"fmt"

	"github.com/casementhq/casement/auth"
)

// Statuses of errorCode. See [MS-ERREF] 2.3.
const (
	statusLogonFailure = 0xC000006D
	statusNotSupported = 0xC00000BB
)

// knowsErrors tells which versions have errorCode. See [MS-CSSP] 2.2.1.
func knowsErrors(version int) bool { return version == 3 || version == 4 || version >= 6 }

// StatusError is what a service refused with. It wraps ErrLogonFailure, or ErrUnsupported for
// STATUS_NOT_SUPPORTED.
type StatusError struct {
	// Status is the NTSTATUS.
	Status uint32
}

// Error gives the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("credssp: the service refuses with status 0x%08X: %v", e.Status, e.Unwrap())
}

// Unwrap returns what it means.
func (e *StatusError) Unwrap() error {
	if e.Status == statusNotSupported {
		return auth.ErrUnsupported
	}
	return auth.ErrLogonFailure
}
