package security

// Audit returns the entries of the SACL that ask for a record of this access: those whose trustee is in the
// token, whose flags name this outcome, and whose rights meet access. Pass the granted rights of a success and
// the desired rights of a failure; generic rights are mapped on both sides. Conditional entries always fire, so
// that no access goes unrecorded. It returns nil when there is nothing to record. See [MS-DTYP] 2.4.4.10.
func Audit(sd *SecurityDescriptor, token *Token, access uint32, success bool, mapping GenericMapping) []ACE {
	if sd == nil || sd.SACL == nil || token == nil {
		return nil
	}
	want := AuditFailure
	if success {
		want = AuditSuccess
	}
	access = mapping.Map(access)
	var fired []ACE
	for _, a := range sd.SACL.ACEs {
		switch a.Type {
		case SystemAudit, SystemAuditObject, SystemAuditCallback, SystemAuditCallbackObject:
		default:
			continue
		}
		if a.Flags&InheritOnly == 0 && a.Flags&want != 0 && mapping.Map(a.Mask)&access != 0 && token.HasForDeny(a.SID) {
			fired = append(fired, a)
		}
	}
	return fired
}
