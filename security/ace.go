package security

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ACEType is the kind of an access control entry. See [MS-DTYP] 2.4.4.1.
type ACEType uint8

// The kinds of access control entry. See [MS-DTYP] 2.4.4.1.
const (
	AccessAllowed               ACEType = 0x00
	AccessDenied                ACEType = 0x01
	SystemAudit                 ACEType = 0x02
	SystemAlarm                 ACEType = 0x03
	AccessAllowedCompound       ACEType = 0x04
	AccessAllowedObject         ACEType = 0x05
	AccessDeniedObject          ACEType = 0x06
	SystemAuditObject           ACEType = 0x07
	SystemAlarmObject           ACEType = 0x08
	AccessAllowedCallback       ACEType = 0x09
	AccessDeniedCallback        ACEType = 0x0A
	AccessAllowedCallbackObject ACEType = 0x0B
	AccessDeniedCallbackObject  ACEType = 0x0C
	SystemAuditCallback         ACEType = 0x0D
	SystemAlarmCallback         ACEType = 0x0E
	SystemAuditCallbackObject   ACEType = 0x0F
	SystemAlarmCallbackObject   ACEType = 0x10
	SystemMandatoryLabel        ACEType = 0x11
	SystemResourceAttribute     ACEType = 0x12
	SystemScopedPolicyID        ACEType = 0x13
)

// known reports whether the layout of entries of this type is defined.
func (t ACEType) known() bool { return t <= SystemScopedPolicyID && t != AccessAllowedCompound }

// object reports whether entries of this type carry object GUIDs.
func (t ACEType) object() bool {
	switch t {
	case AccessAllowedObject, AccessDeniedObject, SystemAuditObject, SystemAlarmObject, AccessAllowedCallbackObject,
		AccessDeniedCallbackObject, SystemAuditCallbackObject, SystemAlarmCallbackObject:
		return true
	}
	return false
}

// ACEFlags is the set of control flags of an access control entry. See [MS-DTYP] 2.4.4.1.
type ACEFlags uint8

// The flags of an access control entry. See [MS-DTYP] 2.4.4.1.
const (
	ObjectInherit    ACEFlags = 0x01
	ContainerInherit ACEFlags = 0x02
	NoPropagate      ACEFlags = 0x04
	InheritOnly      ACEFlags = 0x08
	Inherited        ACEFlags = 0x10
	Critical         ACEFlags = 0x20
	AuditSuccess     ACEFlags = 0x40
	AuditFailure     ACEFlags = 0x80
)

// ErrBadDescriptor is matched by every error about a malformed ACE, ACL or security descriptor, in text or in
// binary.
var ErrBadDescriptor = errors.New("malformed security descriptor")

// ACE is one access control entry. See [MS-DTYP] 2.4.4.
type ACE struct {
	Type  ACEType
	Flags ACEFlags
	// Mask holds the rights; of a mandatory label, the policy.
	Mask uint32
	// SID is the trustee. It is zero only for an entry of a type that this package does not know.
	SID SID
	// HasObjectType and HasInheritedObjectType say which GUID of an object entry is present.
	HasObjectType, HasInheritedObjectType bool
	ObjectType, InheritedObjectType       GUID
	// Data is what follows the SID: the condition of a callback entry, the attribute of a resource attribute
	// entry. Of an entry of an unknown type it is everything after the header. It is kept as it came.
	Data []byte
}

const (
	objectTypePresent          = 0x1
	inheritedObjectTypePresent = 0x2
	maxACESize                 = 0xFFFC
)

// appendBinary appends the packet form of the entry.
func (a *ACE) appendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, byte(a.Type), byte(a.Flags), 0, 0)
	if a.Type.known() {
		if a.SID.IsZero() {
			return nil, fmt.Errorf("%w: entry of type 0x%02x without a SID", ErrBadDescriptor, uint8(a.Type))
		}
		b = binary.LittleEndian.AppendUint32(b, a.Mask)
		if a.Type.object() {
			b = a.appendObjectTypes(b)
		}
		b, _ = a.SID.AppendBinary(b)
	}
	if len(a.Data) > maxACESize {
		return nil, fmt.Errorf("%w: entry with %d bytes of data, at most %d fit", ErrBadDescriptor, len(a.Data), maxACESize)
	}
	b = append(b, a.Data...)
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	if len(b)-start > maxACESize {
		return nil, fmt.Errorf("%w: entry of %d bytes, at most %d fit", ErrBadDescriptor, len(b)-start, maxACESize)
	}
	binary.LittleEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b, nil
}

func (a *ACE) appendObjectTypes(b []byte) []byte {
	var present uint32
	if a.HasObjectType {
		present |= objectTypePresent
	}
	if a.HasInheritedObjectType {
		present |= inheritedObjectTypePresent
	}
	b = binary.LittleEndian.AppendUint32(b, present)
	if a.HasObjectType {
		b = append(b, a.ObjectType[:]...)
	}
	if a.HasInheritedObjectType {
		b = append(b, a.InheritedObjectType[:]...)
	}
	return b
}

// decodeACE reads the entry at the beginning of b and returns its size.
func decodeACE(b []byte) (ACE, int, error) {
	if len(b) < 4 {
		return ACE{}, 0, fmt.Errorf("%w: %d bytes left for an entry header of 4", ErrBadDescriptor, len(b))
	}
	a := ACE{Type: ACEType(b[0]), Flags: ACEFlags(b[1])}
	size := int(binary.LittleEndian.Uint16(b[2:]))
	if size < 4 || size%4 != 0 || size > len(b) {
		return ACE{}, 0, fmt.Errorf("%w: entry size %d with %d bytes left", ErrBadDescriptor, size, len(b))
	}
	body := b[4:size]
	if !a.Type.known() {
		a.Data = append([]byte(nil), body...)
		return a, size, nil
	}
	if len(body) < 4 {
		return ACE{}, 0, fmt.Errorf("%w: entry of %d bytes has no access mask", ErrBadDescriptor, size)
	}
	a.Mask = binary.LittleEndian.Uint32(body)
	body = body[4:]
	if a.Type.object() {
		var err error
		if body, err = a.decodeObjectTypes(body); err != nil {
			return ACE{}, 0, err
		}
	}
	sid, n, err := DecodeSID(body)
	if err != nil {
		return ACE{}, 0, fmt.Errorf("%w: entry: %w", ErrBadDescriptor, err)
	}
	a.SID = sid
	if len(body) > n {
		a.Data = append([]byte(nil), body[n:]...)
	}
	return a, size, nil
}

func (a *ACE) decodeObjectTypes(body []byte) ([]byte, error) {
	if len(body) < 4 {
		return nil, fmt.Errorf("%w: object entry without flags", ErrBadDescriptor)
	}
	present := binary.LittleEndian.Uint32(body)
	body = body[4:]
	a.HasObjectType = present&objectTypePresent != 0
	a.HasInheritedObjectType = present&inheritedObjectTypePresent != 0
	for _, f := range []struct {
		has bool
		to  *GUID
	}{{a.HasObjectType, &a.ObjectType}, {a.HasInheritedObjectType, &a.InheritedObjectType}} {
		if !f.has {
			continue
		}
		if len(body) < 16 {
			return nil, fmt.Errorf("%w: object entry cut off in a GUID", ErrBadDescriptor)
		}
		copy(f.to[:], body)
		body = body[16:]
	}
	return body, nil
}
