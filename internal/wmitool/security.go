package wmitool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

var systemSecurity = cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}

// ReadSecurity reads the security descriptor of the session's namespace.
func ReadSecurity(ctx context.Context, s cim.Session) (*security.SecurityDescriptor, error) {
	result, err := s.Invoke(ctx, systemSecurity, "GetSD", nil, cim.OperationOptions{})
	if err == nil {
		err = failed("GetSD", s.Namespace(), result.ReturnValue)
	}
	if err != nil {
		return nil, err
	}
	v, err := result.Out.Get("SD").As(cim.Uint8.Array()) // another machine's may be untyped
	if err != nil {
		return nil, fmt.Errorf("GetSD of %s: %w", s.Namespace(), err)
	}
	raw, _ := v.Bytes()
	sd, err := security.DecodeSecurityDescriptor(raw)
	if err != nil {
		return nil, fmt.Errorf("GetSD of %s: %w", s.Namespace(), err)
	}
	return sd, nil
}

// WriteSecurity changes the security descriptor of the session's namespace.
func WriteSecurity(ctx context.Context, s cim.Session, sd *security.SecurityDescriptor) error {
	raw, err := sd.Bytes()
	if err != nil {
		return fmt.Errorf("SetSD of %s: %w", s.Namespace(), err)
	}
	in := cim.Arguments{{Name: "SD", Value: cim.Bytes(raw)}}
	result, err := s.Invoke(ctx, systemSecurity, "SetSD", in, cim.OperationOptions{})
	if err != nil {
		return err
	}
	return failed("SetSD", s.Namespace(), result.ReturnValue)
}

// failed makes an error of a return value that is a status.
func failed(method, namespace string, v cim.Value) error {
	n, _ := v.Uint()
	if n == 0 {
		return nil
	}
	return &cim.Error{Status: cim.Status(n), Operation: method, Namespace: namespace, Remote: true} // #nosec G115 -- a status is 32 bits
}

// own tells whether an entry is the namespace's own and concerns a trustee.
func own(e *security.ACE, sid security.SID) bool {
	return e.Flags&security.Inherited == 0 && e.SID == sid
}

// Grant gives rights to a trustee in the namespace, and in those below it where
// inherit is set, beside what the trustee has. Entries that forbid stay first
// and stay in force.
func Grant(sd *security.SecurityDescriptor, sid security.SID, mask uint32, inherit bool) {
	if sd.DACL == nil {
		sd.DACL = &security.ACL{}
	}
	var flags security.ACEFlags
	if inherit {
		flags = security.ContainerInherit
	}
	for n := range sd.DACL.ACEs {
		if e := &sd.DACL.ACEs[n]; own(e, sid) && e.Type == security.AccessAllowed && e.Flags == flags {
			e.Mask |= mask
			return
		}
	}
	entry := security.ACE{Type: security.AccessAllowed, Flags: flags, Mask: mask, SID: sid}
	// Its own entries come before those that the namespace inherited.
	at := slices.IndexFunc(sd.DACL.ACEs, func(e security.ACE) bool { return e.Flags&security.Inherited != 0 })
	if at < 0 {
		at = len(sd.DACL.ACEs)
	}
	sd.DACL.ACEs = slices.Insert(sd.DACL.ACEs, at, entry)
}

// Revoke takes rights from what the namespace itself permits a trustee, and
// tells whether there was anything to take. Rights that are inherited stay.
func Revoke(sd *security.SecurityDescriptor, sid security.SID, mask uint32) bool {
	if sd.DACL == nil {
		return false
	}
	taken := false
	kept := sd.DACL.ACEs[:0]
	for _, e := range sd.DACL.ACEs {
		if own(&e, sid) && e.Type == security.AccessAllowed && e.Mask&mask != 0 {
			taken = true
			e.Mask &^= mask
			// Full Write without the kinds of writing in it may not be.
			if e.Mask&0x4 != 0 && e.Mask&0x18 != 0x18 {
				e.Mask &^= 0x4
			}
			if e.Mask == 0 {
				continue
			}
		}
		kept = append(kept, e)
	}
	sd.DACL.ACEs = kept
	return taken
}

// Trustee finds the SID of a user or group: a SID, a name that is the same
// everywhere ("Administrators", "ANONYMOUS LOGON"), or an account of the
// session's host, with or without the host's name before it.
func Trustee(ctx context.Context, s cim.Session, name string) (security.SID, error) {
	if sid, err := security.ParseSID(name); err == nil {
		return sid, nil
	}
	_, bare, qualified := strings.Cut(name, `\`)
	if !qualified {
		bare = name
	}
	if sid, ok := security.WellKnownSID(bare); ok {
		return sid, nil
	}
	for _, class := range []string{"Win32_UserAccount", "Win32_Group"} {
		query := "SELECT SID FROM " + class + " WHERE LocalAccount = TRUE AND Name = '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(bare) + "'"
		e, err := s.Query(ctx, query, cim.QueryOptions{})
		if err != nil {
			return security.SID{}, err
		}
		found, err := cim.Collect(ctx, e)
		if err != nil && !errors.Is(err, cim.ErrInvalidClass) {
			return security.SID{}, err
		}
		for _, i := range found {
			text, _ := i.Get("SID").Str()
			if sid, err := security.ParseSID(text); err == nil {
				return sid, nil
			}
		}
	}
	return security.SID{}, fmt.Errorf("%s is no user and no group of that machine: give its SID, or see 'casement user' and 'casement group'", name)
}
