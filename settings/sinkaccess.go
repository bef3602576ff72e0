package settings

import (
	"errors"

	"github.com/casementhq/casement/registry"
)

// ErrCheckedCallback is why a call without authentication is refused where
// UnsecAppAccessControlDefault is 1 at the machine of a sink.
var ErrCheckedCallback = errors.New("UnsecAppAccessControlDefault is 1: only the machine that was given a sink may call it, and a caller without authentication proves no machine")

// CheckAnonymousSink reports whether a host may call a sink of this machine
// without authentication: MachineAccessRestriction must grant ANONYMOUS LOGON
// Remote Access, and UnsecAppAccessControlDefault be 0. admitted says that the
// program admits such callers itself; that counts where the limit of the machine
// is not set. See spec/wmi.md 1.7.
func CheckAnonymousSink(r Reader, admitted bool) error {
	if c, _ := LoadCallbacks(r); c.AccessControl {
		return ErrCheckedCallback
	}
	d, _ := LoadDCOM(r) // what is damaged permits nothing
	if admitted && d.AccessLimit.Source == registry.SourceNone {
		return nil
	}
	return d.CheckAnonymousCallback()
}

// AnonymousSinks is the change of MachineAccessRestriction that lets hosts call
// sinks without authentication: its default, with Remote Access for ANONYMOUS
// LOGON. Undo it by deleting the value.
func AnonymousSinks() Change {
	v, err := COMDescriptor(mustSDDL("O:BAG:BAD:(A;;CCDCLC;;;WD)(A;;CCDCLC;;;AN)(A;;CCDCLC;;;S-1-5-32-562)"))
	if err != nil {
		panic(err) // a constant
	}
	return Change{Key: KeyOle, Name: machineAccess, Value: v}
}
