package cimom

import (
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// everyRight are the bits that an entry of a namespace may have: those of
// access.go and 0x40 and 0x80, which count for events.
const everyRight uint32 = 0x600FF

// everyAuditFlag are those of an entry that has accesses recorded.
const everyAuditFlag = everyFlag | security.AuditSuccess | security.AuditFailure

// everyFlag are the flags that an entry of a namespace may have. See
// [W: namespace-ace-flag-constants] in spec/wmi.md 5.7.
const everyFlag = security.ContainerInherit | security.NoPropagate | security.InheritOnly | security.Inherited

// decodeDescriptor reads and checks the bytes that SetSD is given:
// ErrInvalidObject for what is no descriptor, ErrInvalidParameter for one that
// a namespace cannot have.
func decodeDescriptor(b []byte) (*security.SecurityDescriptor, error) {
	sd, err := security.DecodeSecurityDescriptor(b)
	if err != nil {
		return nil, &cim.Error{Status: cim.ErrInvalidObject, Detail: "the bytes are no security descriptor", Err: err}
	}
	return sd, checkDescriptor(sd)
}

// checkDescriptor applies the rules of a namespace. See spec/wmi.md 5.7.
func checkDescriptor(sd *security.SecurityDescriptor) error {
	fail := func(why string) error {
		return &cim.Error{Status: cim.ErrInvalidParameter, Detail: "the security descriptor " + why}
	}
	switch {
	case sd.DACL == nil:
		return fail("has no discretionary access control list")
	case sd.Owner.IsZero() || sd.Group.IsZero():
		return fail("lacks its owner or its group")
	}
	for _, a := range sd.DACL.ACEs {
		switch {
		case a.Type != security.AccessAllowed && a.Type != security.AccessDenied:
			return fail("has an entry that neither allows nor denies")
		case a.Flags&^everyFlag != 0:
			return fail("has an entry with a flag that namespaces do not have")
		case a.Mask&^everyRight != 0:
			return fail("has an entry with a right that namespaces do not have")
		case a.Mask&rightFullWrite != 0 && a.Mask&(rightPartialWrite|rightWriteProvider) != rightPartialWrite|rightWriteProvider:
			return fail("has an entry with Full Write and without Partial Write and Provider Write")
		case a.Flags&security.InheritOnly != 0 && a.Flags&security.ContainerInherit == 0:
			return fail("has an entry that is for children only and goes to none")
		}
	}
	if sd.SACL == nil {
		return nil
	}
	for _, a := range sd.SACL.ACEs {
		if a.Type != security.SystemAudit || a.Flags&^everyAuditFlag != 0 || a.Mask&^everyRight != 0 ||
			a.Flags&security.InheritOnly != 0 && a.Flags&security.ContainerInherit == 0 {
			return fail("has an entry for auditing that namespaces do not have")
		}
	}
	return nil
}

// inherit is the security of a new namespace: its own entries (nil: none), and
// behind them those of its parent that descend, as inherited ones.
func inherit(parent, own *security.SecurityDescriptor) *security.SecurityDescriptor {
	sd := &security.SecurityDescriptor{Owner: parent.Owner, Group: parent.Group, Control: security.DACLPresent, DACL: &security.ACL{}}
	if own != nil {
		sd.Owner, sd.Group = own.Owner, own.Group
		sd.DACL.ACEs, sd.SACL = explicit(own.DACL), own.SACL
	}
	sd.DACL.ACEs = append(sd.DACL.ACEs, descending(parent.DACL)...)
	if more := descending(parent.SACL); len(more) > 0 {
		sd.SACL = &security.ACL{ACEs: append(explicit(sd.SACL), more...)}
	}
	return sd
}

// descending are the entries of a list that a new child has.
func descending(parent *security.ACL) (list []security.ACE) {
	if parent == nil {
		return nil
	}
	for _, a := range parent.ACEs {
		if a.Flags&security.ContainerInherit == 0 {
			continue
		}
		if a.Flags&security.NoPropagate != 0 {
			a.Flags &^= security.ContainerInherit | security.NoPropagate
		}
		a.Flags = a.Flags&^security.InheritOnly | security.Inherited
		list = append(list, a)
	}
	return list
}

// explicit are the entries that were not inherited, those that deny in front.
func explicit(acl *security.ACL) (list []security.ACE) {
	if acl == nil {
		return nil
	}
	for _, deny := range []bool{true, false} {
		for _, a := range acl.ACEs {
			if a.Flags&security.Inherited == 0 && (a.Type == security.AccessDenied) == deny {
				list = append(list, a)
			}
		}
	}
	return list
}

// replaceLists is the descriptor of a namespace after SetSD: of the new one only
// the entries count that are not inherited; what the namespace inherited
// stays. The SACL is replaced where the caller may do that.
func replaceLists(old, given *security.SecurityDescriptor, audit bool) *security.SecurityDescriptor {
	sd := *old
	sd.DACL = replaced(old.DACL, given.DACL)
	sd.Control |= security.DACLPresent
	if audit {
		if sd.SACL = replaced(old.SACL, given.SACL); len(sd.SACL.ACEs) == 0 {
			sd.SACL = nil
			sd.Control &^= security.SACLPresent
		}
	}
	return &sd
}

func replaced(old, given *security.ACL) *security.ACL {
	acl := &security.ACL{ACEs: explicit(given)}
	if old != nil {
		for _, a := range old.ACEs {
			if a.Flags&security.Inherited != 0 {
				acl.ACEs = append(acl.ACEs, a)
			}
		}
	}
	return acl
}
