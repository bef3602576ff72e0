package cimom

import (
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// everyRight are the bits that an entry of a namespace may have: those of
// access.go and 0x40 and 0x80, which count for events.
const everyRight uint32 = 0x600FF

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
	return nil
}

// inherit is the security of a new namespace: its own entries (nil: none), and
// behind them those of its parent that descend, as inherited ones.
func inherit(parent, own *security.SecurityDescriptor) *security.SecurityDescriptor {
	sd := &security.SecurityDescriptor{Owner: parent.Owner, Group: parent.Group, Control: security.DACLPresent, DACL: &security.ACL{}}
	if own != nil {
		sd.Owner, sd.Group = own.Owner, own.Group
		sd.DACL.ACEs = append(sd.DACL.ACEs, explicit(own)...)
	}
	if parent.DACL == nil {
		return sd
	}
	for _, a := range parent.DACL.ACEs {
		if a.Flags&security.ContainerInherit == 0 {
			continue
		}
		if a.Flags&security.NoPropagate != 0 {
			a.Flags &^= security.ContainerInherit | security.NoPropagate
		}
		a.Flags = a.Flags&^security.InheritOnly | security.Inherited
		sd.DACL.ACEs = append(sd.DACL.ACEs, a)
	}
	return sd
}

// explicit are the entries that were not inherited, those that deny in front.
func explicit(sd *security.SecurityDescriptor) (list []security.ACE) {
	if sd.DACL == nil {
		return nil
	}
	for _, deny := range []bool{true, false} {
		for _, a := range sd.DACL.ACEs {
			if a.Flags&security.Inherited == 0 && (a.Type == security.AccessDenied) == deny {
				list = append(list, a)
			}
		}
	}
	return list
}

// replaceDACL is the descriptor of a namespace after SetSD: of the new one only
// the entries count that are not inherited; what the namespace inherited
// stays.
func replaceDACL(old, given *security.SecurityDescriptor) *security.SecurityDescriptor {
	sd := *old
	sd.DACL = &security.ACL{ACEs: explicit(given)}
	sd.Control |= security.DACLPresent
	if old.DACL != nil {
		for _, a := range old.DACL.ACEs {
			if a.Flags&security.Inherited != 0 {
				sd.DACL.ACEs = append(sd.DACL.ACEs, a)
			}
		}
	}
	return &sd
}
