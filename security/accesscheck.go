package security

import (
	"errors"
	"fmt"
)

// ErrAccessDenied is matched by every refusal of AccessCheck. Its Windows code is 5 (ERROR_ACCESS_DENIED).
var ErrAccessDenied = errors.New("access denied")

// AccessDeniedError says which rights were asked for and which of them were not granted. It matches
// ErrAccessDenied.
type AccessDeniedError struct {
	// User is the SID of the caller.
	User SID
	// Desired is what was asked for, and Missing what was not granted, both after generic mapping.
	Desired, Missing uint32
}

// Error names the caller and the rights. It is for the log: the peer gets only the code.
func (e *AccessDeniedError) Error() string {
	return fmt.Sprintf("access denied (0x00000005 ERROR_ACCESS_DENIED): %s asked for 0x%08x (%s), not granted is 0x%08x (%s)",
		e.User, e.Desired, FormatRights(e.Desired), e.Missing, FormatRights(e.Missing))
}

// Is makes the error match ErrAccessDenied.
func (e *AccessDeniedError) Is(target error) bool { return target == ErrAccessDenied }

// ObjectType is one node of a tree of object types. The tree is a list in pre-order; Level is 0 for the root,
// which comes first, and one more for each step down. See [MS-DTYP] 2.3.9.
type ObjectType struct {
	Level uint16
	GUID  GUID
}

// AccessCheck decides whether token may have the rights desired on an object with the descriptor sd, and returns
// the rights that it has. Generic rights are mapped first, in the request and in the entries. With MaximumAllowed
// in desired it returns all that can be granted, and fails when that is nothing or lacks another right asked for.
// A desired mask of zero always succeeds. Refusals match ErrAccessDenied; a nil sd is refused.
//
// Entries count in their order, so a denial before a grant wins. The owner has READ_CONTROL and WRITE_DAC unless
// an entry for OWNER RIGHTS says otherwise. A conditional entry grants nothing and denies always, since conditions
// are not evaluated. See [MS-DTYP] 2.5.3.2.
func AccessCheck(sd *SecurityDescriptor, token *Token, desired uint32, mapping GenericMapping) (uint32, error) {
	return AccessCheckByType(sd, token, desired, mapping, SID{}, nil)
}

// AccessCheckByType is AccessCheck with a tree of object types, which object entries refer to, and with the SID
// that stands for PRINCIPAL_SELF (zero: no one). The root of the tree must be granted. Without a tree, an object
// entry with a type is ignored and one without counts as an ordinary entry. See [MS-DTYP] 2.5.3.2.
func AccessCheckByType(sd *SecurityDescriptor, token *Token, desired uint32, mapping GenericMapping, self SID, tree []ObjectType) (uint32, error) {
	c := check{token: token, mapping: mapping, self: self, desired: mapping.Map(desired)}
	if sd == nil || token == nil {
		return 0, &AccessDeniedError{Desired: c.desired, Missing: c.desired}
	}
	c.max = c.desired&MaximumAllowed != 0
	c.desired &^= MaximumAllowed
	c.remaining = c.desired
	c.tree = make([]node, len(tree))
	for i, n := range tree {
		c.tree[i] = node{ObjectType: n, remaining: c.desired}
	}
	if err := c.privileges(); err != nil {
		return 0, err
	}
	if sd.DACL == nil {
		return c.everything()
	}
	c.owner = token.Has(sd.Owner)
	if c.owner && !sd.DACL.names(SIDOwnerRights) {
		c.imply(ReadControl | WriteDAC)
	}
	for i := range sd.DACL.ACEs {
		a := &sd.DACL.ACEs[i]
		if a.Flags&InheritOnly != 0 {
			continue
		}
		if !c.apply(a) {
			return 0, c.denied(c.remaining & mapping.Map(a.Mask))
		}
	}
	return c.result()
}

// check is the state of one access check.
type check struct {
	token              *Token
	mapping            GenericMapping
	self               SID
	owner, max         bool
	desired, remaining uint32
	implied            uint32 // granted by privilege or ownership
	allowed, refused   uint32 // with max: what entries grant and deny
	tree               []node
}

type node struct {
	ObjectType
	remaining uint32
}

// imply grants rights that no entry can take away.
func (c *check) imply(mask uint32) {
	c.implied |= mask
	c.grant(mask)
}

// grant removes rights from what is still asked for, in the whole tree.
func (c *check) grant(mask uint32) {
	c.remaining &^= mask
	for i := range c.tree {
		c.tree[i].remaining &^= mask
	}
}

// privileges grants what privileges give, and refuses access to the SACL without its privilege.
func (c *check) privileges() error {
	if c.desired&AccessSystemSecurity != 0 {
		if !c.token.HasPrivilege(SeSecurity) {
			return c.denied(AccessSystemSecurity)
		}
		c.imply(AccessSystemSecurity)
	}
	if c.desired&WriteOwner != 0 && c.token.HasPrivilege(SeTakeOwnership) {
		c.imply(WriteOwner)
	}
	return nil
}

// everything is the answer without a DACL.
func (c *check) everything() (uint32, error) {
	if c.max {
		return c.desired | c.mapping.Map(GenericAll) | c.implied, nil
	}
	return c.desired, nil
}

// apply lets one entry count. It returns false when the entry denies something that is still asked for.
func (c *check) apply(a *ACE) bool {
	mask := c.mapping.Map(a.Mask) &^ (AccessSystemSecurity | MaximumAllowed) // neither can be granted by an entry
	switch a.Type {
	case AccessAllowed:
		if c.matches(a.SID, false) {
			c.allow(mask)
		}
	case AccessDenied, AccessDeniedCallback:
		return !c.matches(a.SID, true) || c.deny(mask)
	case AccessAllowedObject:
		if c.matches(a.SID, false) {
			c.allowObject(a, mask)
		}
	case AccessDeniedObject, AccessDeniedCallbackObject:
		return !c.matches(a.SID, true) || c.denyObject(a, mask)
	}
	return true
}

// matches is SidInToken with the two SIDs that stand for someone else.
func (c *check) matches(sid SID, deny bool) bool {
	switch sid {
	case SIDPrincipalSelf:
		sid = c.self
	case SIDOwnerRights:
		return c.owner
	}
	return c.token.contains(sid, deny)
}

func (c *check) allow(mask uint32) {
	c.allowed |= mask
	if !c.max {
		c.grant(mask)
	}
}

func (c *check) deny(mask uint32) bool {
	if c.max {
		c.refused |= mask
		return true
	}
	return c.remaining&mask == 0
}

// allowObject grants to the node with the type of the entry and to its descendants.
func (c *check) allowObject(a *ACE, mask uint32) {
	if !a.HasObjectType {
		c.allow(mask)
		return
	}
	i := c.find(a.ObjectType)
	if i < 0 || c.max {
		return
	}
	level := c.tree[i].Level
	c.tree[i].remaining &^= mask
	for j := i + 1; j < len(c.tree) && c.tree[j].Level > level; j++ {
		c.tree[j].remaining &^= mask
	}
}

func (c *check) denyObject(a *ACE, mask uint32) bool {
	if !a.HasObjectType {
		return c.deny(mask)
	}
	i := c.find(a.ObjectType)
	if i < 0 {
		return true
	}
	if c.max {
		c.refused |= mask
		return true
	}
	return c.tree[i].remaining&mask == 0
}

func (c *check) find(g GUID) int {
	for i := range c.tree {
		if c.tree[i].GUID == g {
			return i
		}
	}
	return -1
}

func (c *check) result() (uint32, error) {
	if c.max {
		granted := c.allowed&^c.refused | c.implied
		if granted == 0 {
			return 0, c.denied(MaximumAllowed)
		}
		if missing := c.desired &^ granted; missing != 0 {
			return 0, c.denied(missing)
		}
		return granted, nil
	}
	missing := c.remaining
	if len(c.tree) > 0 {
		missing = c.tree[0].remaining
	}
	if missing != 0 {
		return 0, c.denied(missing)
	}
	return c.desired, nil
}

func (c *check) denied(missing uint32) error {
	if c.max {
		return &AccessDeniedError{User: c.token.User, Desired: c.desired | MaximumAllowed, Missing: missing}
	}
	return &AccessDeniedError{User: c.token.User, Desired: c.desired, Missing: missing}
}

// names reports whether an entry of the list that counts for this object is for sid.
func (l *ACL) names(sid SID) bool {
	for i := range l.ACEs {
		if a := &l.ACEs[i]; a.SID == sid && a.Flags&InheritOnly == 0 {
			return true
		}
	}
	return false
}
