package security

import (
	"fmt"
	"strings"
)

// SDDL prints the descriptor as SDDL text, with aliases where there are some; those of a domain need it in d. It
// fails with ErrBadDescriptor on entries that SDDL cannot express. See [MS-DTYP] 2.5.1.
func (sd *SecurityDescriptor) SDDL(d Domains) (string, error) {
	var b strings.Builder
	if !sd.Owner.IsZero() {
		b.WriteString("O:" + printSID(sd.Owner, d))
	}
	if !sd.Group.IsZero() {
		b.WriteString("G:" + printSID(sd.Group, d))
	}
	if sd.DACL != nil || sd.Control&DACLPresent != 0 {
		b.WriteString("D:")
		flags := listFlags(sd.Control, DACLProtected, DACLInheritRequired, DACLAutoInherited)
		if err := sd.DACL.print(&b, flags, d); err != nil {
			return "", err
		}
	}
	if sd.SACL != nil || sd.Control&SACLPresent != 0 {
		b.WriteString("S:")
		flags := listFlags(sd.Control, SACLProtected, SACLInheritRequired, SACLAutoInherited)
		if err := sd.SACL.print(&b, flags, d); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// String is SDDL without domains; of a descriptor that SDDL cannot express it says so.
func (sd *SecurityDescriptor) String() string {
	s, err := sd.SDDL(Domains{})
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return s
}

func listFlags(c, protected, required, auto Control) string {
	s := ""
	if c&protected != 0 {
		s += "P"
	}
	if c&required != 0 {
		s += "AR"
	}
	if c&auto != 0 {
		s += "AI"
	}
	return s
}

func (l *ACL) print(b *strings.Builder, flags string, d Domains) error {
	b.WriteString(flags)
	if l == nil {
		b.WriteString(noAccessControl)
		return nil
	}
	for i := range l.ACEs {
		if err := l.ACEs[i].print(b, d); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return nil
}

func (a *ACE) print(b *strings.Builder, d Domains) error {
	token := a.Type.String()
	if strings.HasPrefix(token, "0x") {
		return fmt.Errorf("%w: SDDL has no name for entry type %s", ErrBadDescriptor, token)
	}
	b.WriteString("(" + token + ";")
	for _, t := range aceFlagTokens {
		if a.Flags&t.flag != 0 {
			b.WriteString(t.token)
		}
	}
	b.WriteByte(';')
	if a.Type == SystemMandatoryLabel {
		b.WriteString(formatBits(a.Mask, labelRights))
	} else {
		b.WriteString(FormatRights(a.Mask))
	}
	b.WriteByte(';')
	if a.HasObjectType {
		b.WriteString(a.ObjectType.String())
	}
	b.WriteByte(';')
	if a.HasInheritedObjectType {
		b.WriteString(a.InheritedObjectType.String())
	}
	b.WriteString(";" + printSID(a.SID, d))
	tail, err := formatACEData(a.Type, a.Data, d)
	if err != nil {
		return err
	}
	if tail != "" {
		b.WriteString(";" + tail)
	}
	b.WriteByte(')')
	return nil
}

func printSID(s SID, d Domains) string {
	if t := s.Alias(d); t != "" {
		return t
	}
	return s.String()
}
