package cimom

import (
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// The rights of a namespace. See [MS-WMI] 5.2 and spec/wmi.md 5.7.
const (
	rightEnable        uint32 = 0x1
	rightExecute       uint32 = 0x2
	rightFullWrite     uint32 = 0x4
	rightPartialWrite  uint32 = 0x8
	rightWriteProvider uint32 = 0x10
	rightRemote        uint32 = 0x20
	rightReadControl   uint32 = 0x20000
	rightWriteDAC      uint32 = 0x40000
)

// DefaultSDDL is the security of a namespace that has none of its own:
// Administrators everything, Authenticated Users, LOCAL SERVICE and NETWORK
// SERVICE Enable, Execute Methods and Provider Write; so a remote caller must
// be an administrator or be given Remote Enable.
const DefaultSDDL = "O:BAG:BAD:(A;CI;0x6003f;;;BA)(A;CI;0x13;;;AU)(A;CI;0x13;;;LS)(A;CI;0x13;;;NS)"

var defaultSecurity = mustParse(DefaultSDDL)

// check tells whether a caller may do something here that needs rights; a
// remote caller needs Remote Enable too.
func (ns *namespace) check(caller cim.Caller, rights uint32) error {
	set := ns.settings.Load()
	if caller.Remote {
		rights |= rightRemote
		if set.encrypt && caller.Protection < cim.ProtectionPktPrivacy {
			return &cim.Error{Status: cim.ErrAccessDenied, Detail: "the namespace requires an encrypted connection"}
		}
	}
	if _, err := security.AccessCheck(set.security, caller.Token, rights, security.GenericMapping{}); err != nil {
		return &cim.Error{Status: cim.ErrAccessDenied, Err: err}
	}
	return nil
}

// MayRead tells whether a caller may read in a namespace; it leaves no trace in
// the log: ErrAccessDenied, ErrInvalidNamespace.
func (m *Manager) MayRead(namespace string, caller cim.Caller) error {
	ns := m.namespace(namespace)
	if ns == nil {
		return &cim.Error{Status: cim.ErrInvalidNamespace, Namespace: namespace}
	}
	return ns.check(caller, rightEnable)
}

func isAdministrator(caller cim.Caller) bool {
	return caller.Token != nil && caller.Token.Has(security.SIDAdministrators)
}
