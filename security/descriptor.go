package security

import (
	"encoding/binary"
	"fmt"
)

// MaxDescriptorSize is the largest binary security descriptor that is read, in bytes: two full ACLs and two SIDs
// fit.
const MaxDescriptorSize = 20 + 2*0xFFFC + 2*maxSIDBytes

// Control is the set of control flags of a security descriptor. See [MS-DTYP] 2.4.6.
type Control uint16

// The control flags of a security descriptor. See [MS-DTYP] 2.4.6.
const (
	OwnerDefaulted      Control = 0x0001
	GroupDefaulted      Control = 0x0002
	DACLPresent         Control = 0x0004
	DACLDefaulted       Control = 0x0008
	SACLPresent         Control = 0x0010
	SACLDefaulted       Control = 0x0020
	DACLTrusted         Control = 0x0040
	ServerSecurity      Control = 0x0080
	DACLInheritRequired Control = 0x0100
	SACLInheritRequired Control = 0x0200
	DACLAutoInherited   Control = 0x0400
	SACLAutoInherited   Control = 0x0800
	DACLProtected       Control = 0x1000
	SACLProtected       Control = 0x2000
	RMControlValid      Control = 0x4000
	SelfRelative        Control = 0x8000
)

// ACL is an access control list. See [MS-DTYP] 2.4.5.
type ACL struct {
	// Revision is 2, or 4 for lists with object entries. Default (0): the smallest that fits.
	Revision uint8
	// ACEs are the entries in the order in which they are checked.
	ACEs []ACE
}

// SecurityDescriptor says who owns an object, who may use it and whose use is recorded. Its zero value has no
// owner and no list, and so permits everything to everybody. See [MS-DTYP] 2.4.6.
type SecurityDescriptor struct {
	// Control holds the flags. The presence flags of a list that is not nil, and SelfRelative, are set by the
	// encoder whatever Control says.
	Control Control
	// ResourceManager is the byte of the resource manager, valid with RMControlValid.
	ResourceManager uint8
	// Owner and Group are zero when absent.
	Owner, Group SID
	// DACL is nil when absent, and also when it is present but NULL, which DACLPresent tells: both permit
	// everything. An empty list permits nothing.
	DACL *ACL
	// SACL is nil when absent or NULL.
	SACL *ACL
}

// DecodeSecurityDescriptor reads a self-relative security descriptor. Errors match ErrBadDescriptor. Bytes
// outside the parts that the header points to are ignored. See [MS-DTYP] 2.4.6.
func DecodeSecurityDescriptor(b []byte) (*SecurityDescriptor, error) {
	if len(b) < 20 || len(b) > MaxDescriptorSize {
		return nil, fmt.Errorf("%w: %d bytes, between 20 and %d are possible", ErrBadDescriptor, len(b), MaxDescriptorSize)
	}
	sd := &SecurityDescriptor{ResourceManager: b[1], Control: Control(binary.LittleEndian.Uint16(b[2:]))}
	if b[0] != 1 {
		return nil, fmt.Errorf("%w: revision %d, only 1 is known", ErrBadDescriptor, b[0])
	}
	if sd.Control&SelfRelative == 0 {
		return nil, fmt.Errorf("%w: it is not self-relative", ErrBadDescriptor)
	}
	var err error
	if sd.Owner, err = sidAt(b, 4, "owner"); err != nil {
		return nil, err
	}
	if sd.Group, err = sidAt(b, 8, "group"); err != nil {
		return nil, err
	}
	if sd.Control&SACLPresent != 0 {
		if sd.SACL, err = aclAt(b, 12, "SACL"); err != nil {
			return nil, err
		}
	}
	if sd.Control&DACLPresent != 0 {
		if sd.DACL, err = aclAt(b, 16, "DACL"); err != nil {
			return nil, err
		}
	}
	return sd, nil
}

// part returns the bytes from the offset that stands at position at; nil when the offset is zero.
func part(b []byte, at int, what string) ([]byte, error) {
	off := binary.LittleEndian.Uint32(b[at:])
	if off == 0 {
		return nil, nil
	}
	if off < 20 || uint64(off) >= uint64(len(b)) {
		return nil, fmt.Errorf("%w: %s at offset %d of %d bytes", ErrBadDescriptor, what, off, len(b))
	}
	return b[off:], nil
}

func sidAt(b []byte, at int, what string) (SID, error) {
	p, err := part(b, at, what)
	if p == nil {
		return SID{}, err
	}
	s, _, err := DecodeSID(p)
	if err != nil {
		return SID{}, fmt.Errorf("%w: %s: %w", ErrBadDescriptor, what, err)
	}
	return s, nil
}

func aclAt(b []byte, at int, what string) (*ACL, error) {
	p, err := part(b, at, what)
	if p == nil {
		return nil, err
	}
	a, err := DecodeACL(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return a, nil
}

// DecodeACL reads the access control list at the beginning of b. Errors match ErrBadDescriptor. See [MS-DTYP]
// 2.4.5.
func DecodeACL(b []byte) (*ACL, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("%w: %d bytes for a list header of 8", ErrBadDescriptor, len(b))
	}
	size, count := int(binary.LittleEndian.Uint16(b[2:])), int(binary.LittleEndian.Uint16(b[4:]))
	if b[0] < 2 || b[0] > 4 {
		return nil, fmt.Errorf("%w: list revision %d, known are 2 to 4", ErrBadDescriptor, b[0])
	}
	if size < 8 || size > len(b) {
		return nil, fmt.Errorf("%w: list of %d bytes with %d left", ErrBadDescriptor, size, len(b))
	}
	if count > (size-8)/4 {
		return nil, fmt.Errorf("%w: %d entries do not fit in a list of %d bytes", ErrBadDescriptor, count, size)
	}
	acl := &ACL{Revision: b[0], ACEs: make([]ACE, 0, min(count, (size-8)/16+1))}
	rest := b[8:size]
	for i := range count {
		a, n, err := decodeACE(rest)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		acl.ACEs = append(acl.ACEs, a)
		rest = rest[n:]
	}
	return acl, nil
}

// AppendBinary appends the packet form of the list to b. It fails when the list is larger than 65535 bytes.
// See [MS-DTYP] 2.4.5.
func (l *ACL) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, l.revision(), 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(l.ACEs)))
	b = append(b, 0, 0)
	for i := range l.ACEs {
		var err error
		if b, err = l.ACEs[i].appendBinary(b); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if len(b)-start > 0xFFFF {
			return nil, fmt.Errorf("%w: list of more than 65535 bytes", ErrBadDescriptor)
		}
	}
	binary.LittleEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b, nil
}

// revision returns the revision to write.
func (l *ACL) revision() uint8 {
	if l.Revision != 0 {
		return l.Revision
	}
	for i := range l.ACEs {
		if l.ACEs[i].Type.object() {
			return 4
		}
	}
	return 2
}

// Bytes returns the self-relative form: header, SACL, DACL, owner, group, as Windows writes it. It fails when a
// list is too large or an entry lacks its SID. See [MS-DTYP] 2.4.6, 2.5.1.4.
func (sd *SecurityDescriptor) Bytes() ([]byte, error) {
	control := sd.Control | SelfRelative
	if sd.SACL != nil {
		control |= SACLPresent
	}
	if sd.DACL != nil {
		control |= DACLPresent
	}
	b := make([]byte, 20, 256)
	b[0], b[1] = 1, sd.ResourceManager
	binary.LittleEndian.PutUint16(b[2:], uint16(control))
	var err error
	for _, l := range []struct {
		acl *ACL
		at  int
	}{{sd.SACL, 12}, {sd.DACL, 16}} {
		if l.acl == nil {
			continue
		}
		binary.LittleEndian.PutUint32(b[l.at:], uint32(len(b)))
		if b, err = l.acl.AppendBinary(b); err != nil {
			return nil, err
		}
	}
	for _, s := range []struct {
		sid SID
		at  int
	}{{sd.Owner, 4}, {sd.Group, 8}} {
		if s.sid.IsZero() {
			continue
		}
		binary.LittleEndian.PutUint32(b[s.at:], uint32(len(b)))
		b, _ = s.sid.AppendBinary(b)
	}
	return b, nil
}
