package settings

import (
	"errors"

	"github.com/casementhq/casement/security"
)

// errCheckedCallback is UnsecAppAccessControlDefault at the machine of a sink.
var errCheckedCallback = errors.New("UnsecAppAccessControlDefault is 1: only the machine that was given a sink may call it, and a caller without authentication proves no machine")

// CheckAnonymousSink reports whether a host may call a sink of this machine
// without authentication: MachineAccessRestriction must grant ANONYMOUS LOGON
// Remote Access, and UnsecAppAccessControlDefault be 0. See spec/wmi.md 1.7.
func CheckAnonymousSink(r Reader) error {
	limit, _ := loadPermission(r, KeyOle, machineAccess, defMachineAccess) // a damaged one permits nothing
	anonymous := &security.Token{User: security.SIDAnonymous, UserName: "ANONYMOUS LOGON", Groups: []security.GroupEntry{{SID: security.SIDNetwork}}}
	if err := limit.allows(anonymous, COMExecuteRemote); err != nil {
		return err
	}
	if c, _ := LoadCallbacks(r); c.AccessControl {
		return errCheckedCallback
	}
	return nil
}
