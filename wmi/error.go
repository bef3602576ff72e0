package wmi

import (
	"fmt"

	"github.com/casementhq/casement/cim"
)

// invalid is WBEM_E_INVALID_PARAMETER with a sentence.
func invalid(format string, args ...any) error {
	return &cim.Error{Status: cim.ErrInvalidParameter, Detail: fmt.Sprintf(format, args...)}
}
