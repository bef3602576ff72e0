//go:build !unix

package consumers

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// Syslog makes a Report that writes to the log of this machine. It is not
// supported on this system: every record is refused.
func Syslog(string) func(context.Context, cim.Caller, Record) error {
	return func(context.Context, cim.Caller, Record) error {
		return &cim.Error{Status: cim.ErrNotSupported, Detail: "there is no log of the system to write to"}
	}
}
