package wmi

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// Privilege is a privilege by its number in scripts, WbemPrivilegeEnum: 1 to 27.
type Privilege uint8

// privileges are the short names, which the constant and the name in C have around them.
var privileges = [...]string{
	"", "CreateToken", "AssignPrimaryToken", "LockMemory", "IncreaseQuota", "MachineAccount", "Tcb", "Security", "TakeOwnership", "LoadDriver",
	"SystemProfile", "Systemtime", "ProfileSingleProcess", "IncreaseBasePriority", "CreatePagefile", "CreatePermanent", "Backup", "Restore", "Shutdown",
	"Debug", "Audit", "SystemEnvironment", "ChangeNotify", "RemoteShutdown", "Undock", "SyncAgent", "EnableDelegation", "ManageVolume",
}

// String is the short name: "RemoteShutdown".
func (p Privilege) String() string {
	if p >= 1 && int(p) < len(privileges) {
		return privileges[p]
	}
	return strconv.Itoa(int(p))
}

// Name is the name in C, which tokens hold: "SeRemoteShutdownPrivilege".
func (p Privilege) Name() security.Privilege {
	return security.Privilege("Se" + p.String() + "Privilege")
}

// Script is the name in scripts: "wbemPrivilegeRemoteShutdown".
func (p Privilege) Script() string {
	if p == 2 {
		return "wbemPrivilegePrimaryToken"
	}
	return "wbemPrivilege" + p.String()
}

// ParsePrivilege reads a privilege by any of its names, case-blind, or as a number: ErrInvalidParameter.
func ParsePrivilege(s string) (Privilege, error) {
	for n := 1; n < len(privileges); n++ {
		p := Privilege(n)
		for _, name := range []string{p.String(), string(p.Name()), p.Script(), p.String() + "Privilege"} {
			if cim.EqualFold(s, name) {
				return p, nil
			}
		}
		if s == strconv.Itoa(n) {
			return p, nil
		}
	}
	return 0, invalid("%.40q is no privilege; there are %s", s, strings.Join(privileges[1:], ", "))
}
