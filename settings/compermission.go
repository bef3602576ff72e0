package settings

import (
	"errors"
	"slices"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// Rights of COM in an access mask. See "Access Control Lists for COM".
const (
	COMExecute        uint32 = 1 // stands in every entry; alone it is the old format, and means all of the others
	COMExecuteLocal   uint32 = 2
	COMExecuteRemote  uint32 = 4
	COMActivateLocal  uint32 = 8
	COMActivateRemote uint32 = 16

	comAll = COMExecute | COMExecuteLocal | COMExecuteRemote | COMActivateLocal | COMActivateRemote
)

// Permission is a security descriptor of DCOM.
type Permission struct {
	// Descriptor as it is stored, or the default. Nil for a damaged value, which
	// permits nothing to anybody.
	Descriptor *security.SecurityDescriptor
	Source     registry.Source

	name  string                       // of the registry value
	check *security.SecurityDescriptor // Descriptor with the old format written out
}

// allows checks one right, which is one of those beside COMExecute.
func (p *Permission) allows(t *security.Token, right uint32) error {
	if _, err := security.AccessCheck(p.check, t, right, security.GenericMapping{}); err != nil {
		return &COMAccessError{Setting: p.name, Right: right, Err: err}
	}
	return nil
}

// audits tells whether the SACL asks for a record of an outcome; an entry with
// COMExecute alone means every right.
func (p *Permission) audits(t *security.Token, rights uint32, granted bool) bool {
	return len(security.Audit(p.Descriptor, t, rights|COMExecute, granted, security.GenericMapping{})) > 0
}

// COMAccessError says which descriptor of DCOM refused which right. It matches
// security.ErrAccessDenied. It is for the log: the peer gets E_ACCESSDENIED.
type COMAccessError struct {
	Setting string // registry value: MachineLaunchRestriction, AccessPermission and so on
	Right   uint32 // COMExecuteRemote and so on
	Err     error
}

// Error implements error.
func (e *COMAccessError) Error() string {
	return e.Setting + " does not grant " + COMRightName(e.Setting, e.Right) + ": " + e.Err.Error()
}

// Unwrap gives what the access check said.
func (e *COMAccessError) Unwrap() error { return e.Err }

// COMRightName names a right as the dialogs of DCOMCNFG do: COMExecute* is a
// launch in a descriptor for launching, and an access in one for access.
func COMRightName(setting string, right uint32) string {
	if setting == configPermission {
		return security.FormatRights(right)
	}
	execute := "Launch"
	if isAccessSetting(setting) {
		execute = "Access"
	}
	switch right {
	case COMExecuteLocal:
		return "Local " + execute
	case COMExecuteRemote:
		return "Remote " + execute
	case COMActivateLocal:
		return "Local Activation"
	case COMActivateRemote:
		return "Remote Activation"
	}
	return execute
}

func isAccessSetting(name string) bool {
	return slices.Contains([]string{machineAccess, defaultAccess, accessPermission}, name)
}

// loadPermission reads a descriptor of COM.
func loadPermission(r Reader, key, name, def string) (Permission, []Problem) {
	p := Permission{name: name}
	v, src, ok := r.Value(key, name)
	if !ok {
		p.Descriptor = mustSDDL(def)
		p.check, _ = comFormat(p.Descriptor)
		return p, nil
	}
	p.Source = src
	sd, err := decodeCOM(v)
	if err == nil {
		if p.check, err = comFormat(sd); err == nil {
			p.Descriptor = sd
			return p, nil
		}
	}
	p.check = &security.SecurityDescriptor{DACL: &security.ACL{}}
	return p, []Problem{problem(name, key, name, src, "the descriptor cannot be used, so nobody has access: %v", err)}
}

// COMDescriptor is the registry value of a descriptor of COM. One that COM would
// not accept is an *Error with CodeSecurityDescriptor.
func COMDescriptor(sd *security.SecurityDescriptor) (registry.Value, error) {
	if _, err := comFormat(sd); err != nil {
		return registry.Value{}, fail(CodeSecurityDescriptor, "", "%v", err)
	}
	b, err := sd.Bytes()
	if err != nil {
		return registry.Value{}, fail(CodeSecurityDescriptor, "", "%v", err)
	}
	return registry.Binary(b), nil
}

func decodeCOM(v registry.Value) (*security.SecurityDescriptor, error) {
	if v.Type() != registry.TypeBinary {
		return nil, errors.New("it is a " + v.Type().String() + ", want REG_BINARY")
	}
	return security.DecodeSecurityDescriptor(v.Bytes())
}

// comFormat writes out the old format. A list must not mix both formats, and each
// entry that grants has COMExecute. A descriptor without a list would admit
// everybody, and is not accepted.
func comFormat(sd *security.SecurityDescriptor) (*security.SecurityDescriptor, error) {
	if sd == nil || sd.DACL == nil {
		return nil, errors.New("it has no DACL and would admit everybody")
	}
	older, newer := false, false
	for _, a := range sd.DACL.ACEs {
		if a.Type != security.AccessAllowed {
			continue
		}
		if a.Mask&COMExecute == 0 {
			return nil, errors.New("an entry that grants lacks COM_RIGHTS_EXECUTE (1)")
		}
		if a.Mask&comAll == COMExecute {
			older = true
		} else {
			newer = true
		}
	}
	if older && newer {
		return nil, errors.New("it mixes entries of the old format (only COM_RIGHTS_EXECUTE) and of the new one")
	}
	out := *sd
	out.DACL = &security.ACL{Revision: sd.DACL.Revision, ACEs: slices.Clone(sd.DACL.ACEs)}
	for i := range out.DACL.ACEs {
		if out.DACL.ACEs[i].Mask&comAll == COMExecute {
			out.DACL.ACEs[i].Mask |= comAll
		}
	}
	return &out, nil
}

// mustSDDL reads a descriptor of this package's tables.
func mustSDDL(text string) *security.SecurityDescriptor {
	sd, err := security.ParseSDDL(text)
	if err != nil {
		panic(err)
	}
	return sd
}
