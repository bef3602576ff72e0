package cimom

import (
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// descriptorObject is a security descriptor as an object of
// __SecurityDescriptor with its __ACE and __Trustee objects.
func descriptorObject(ns *namespace, sd *security.SecurityDescriptor) (*cim.Instance, error) {
	return DescriptorObject(sd, func(name string) *cim.Class {
		if e := ns.find(name); e != nil {
			return e.class
		}
		return nil
	})
}

// DescriptorObject is descriptorObject for a provider, which names the system
// classes that it knows: ErrInvalidClass where one is nil.
func DescriptorObject(sd *security.SecurityDescriptor, named func(string) *cim.Class) (*cim.Instance, error) {
	class, ace, trustee := named("__SecurityDescriptor"), named("__ACE"), named("__Trustee")
	if class == nil || ace == nil || trustee == nil {
		return nil, cim.ErrInvalidClass
	}
	person := func(sid security.SID) (cim.Value, error) {
		i := cim.NewInstance(trustee)
		return cim.Obj(i), errors.Join(
			i.Set("SID", cim.Bytes(sid.Bytes())),
			i.Set("SidLength", cim.U32(uint32(sid.Size()))), // #nosec G115 -- at most 68
			i.Set("SIDString", cim.Str(sid.String())),
		)
	}
	i := cim.NewInstance(class)
	owner, err1 := person(sd.Owner)
	group, err2 := person(sd.Group)
	err := errors.Join(err1, err2, i.Set("Owner", owner), i.Set("Group", group),
		i.Set("ControlFlags", cim.U32(uint32(sd.Control|security.SelfRelative))))
	for name, acl := range map[string]*security.ACL{"DACL": sd.DACL, "SACL": sd.SACL} {
		if acl == nil {
			continue
		}
		list := []cim.Value{}
		for _, a := range acl.ACEs {
			entry := cim.NewInstance(ace)
			who, werr := person(a.SID)
			err = errors.Join(err, werr, entry.Set("AccessMask", cim.U32(a.Mask)), entry.Set("AceFlags", cim.U32(uint32(a.Flags))),
				entry.Set("AceType", cim.U32(uint32(a.Type))), entry.Set("Trustee", who))
			list = append(list, cim.Obj(entry))
		}
		err = errors.Join(err, i.Set(name, cim.Array(cim.Object, list)))
	}
	return i, err
}

// descriptorOf reads a __SecurityDescriptor object: ErrInvalidObject for what
// cannot be read.
func descriptorOf(i *cim.Instance) (*security.SecurityDescriptor, error) {
	if i == nil {
		return nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "Descriptor is missing"}
	}
	sd := &security.SecurityDescriptor{Control: security.DACLPresent}
	var err error
	if sd.Owner, err = trusteeOf(i.Get("Owner").Object()); err != nil {
		return nil, err
	}
	if sd.Group, err = trusteeOf(i.Get("Group").Object()); err != nil {
		return nil, err
	}
	if sd.DACL, err = listOf(i.Get("DACL")); err != nil {
		return nil, err
	}
	sd.SACL, err = listOf(i.Get("SACL"))
	return sd, err
}

// listOf reads an array of __ACE objects; nil for NULL.
func listOf(entries cim.Value) (*security.ACL, error) {
	if entries.IsNull() {
		return nil, nil
	}
	acl := &security.ACL{}
	for _, v := range entries.Elems() {
		entry := v.Object()
		if entry == nil {
			return nil, badObject("an entry of the list is NULL")
		}
		mask, _ := entry.Get("AccessMask").Uint()
		flags, _ := entry.Get("AceFlags").Uint()
		kind, _ := entry.Get("AceType").Uint()
		if flags > 0xFF || kind > 0xFF || mask > 0xFFFF_FFFF {
			return nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "a number in an entry of the list is too large"}
		}
		who, err := trusteeOf(entry.Get("Trustee").Object())
		if err != nil {
			return nil, err
		}
		if who.IsZero() {
			return nil, badObject("an entry of the list names nobody")
		}
		acl.ACEs = append(acl.ACEs, security.ACE{
			Type: security.ACEType(kind), Flags: security.ACEFlags(flags), Mask: uint32(mask), SID: who, // #nosec G115 -- checked above
		})
	}
	return acl, nil
}

// trusteeOf reads a __Trustee object: its SID as bytes or as text; zero for
// none.
func trusteeOf(i *cim.Instance) (security.SID, error) {
	if i == nil {
		return security.SID{}, nil
	}
	if b, ok := i.Get("SID").Bytes(); ok && len(b) > 0 {
		sid, _, err := security.DecodeSID(b)
		if err != nil {
			return sid, badObject("the SID of a trustee is no SID")
		}
		return sid, nil
	}
	if text, ok := i.Get("SIDString").Str(); ok && text != "" {
		sid, err := security.ParseSID(text)
		if err != nil {
			return sid, badObject("the SIDString of a trustee is no SID")
		}
		return sid, nil
	}
	return security.SID{}, nil
}

func badObject(why string) error { return &cim.Error{Status: cim.ErrInvalidObject, Detail: why} }
