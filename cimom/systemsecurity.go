package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// thisNamespace is the view of the namespace's security as a property.
func (p *systemProvider) thisNamespace(r *Request) (*cim.Instance, error) {
	ns := p.manager.namespace(r.Namespace)
	if ns == nil {
		return nil, cim.ErrInvalidNamespace
	}
	i := cim.NewInstance(r.Class)
	if !r.Wants("SECURITY_DESCRIPTOR") {
		return i, nil
	}
	b, err := p.securityBytes(r, ns)
	if err != nil {
		return nil, err
	}
	return i, i.Set("SECURITY_DESCRIPTOR", cim.Bytes(b))
}

// readSecurity is the namespace's descriptor; it needs Read Security, and
// SeSecurityPrivilege for what is audited, which others do not see.
func (p *systemProvider) readSecurity(r *Request, ns *namespace) (*security.SecurityDescriptor, error) {
	if err := p.manager.admit(ns, r.Caller, rightReadControl); err != nil {
		return nil, err
	}
	sd := *ns.settings.Load().security
	if !r.Caller.Token.HasPrivilege(security.SeSecurity) {
		sd.SACL = nil
		sd.Control &^= security.SACLPresent | security.SACLDefaulted | security.SACLInheritRequired | security.SACLAutoInherited | security.SACLProtected
	}
	return &sd, nil
}

// securityBytes is what readSecurity gives, as bytes.
func (p *systemProvider) securityBytes(r *Request, ns *namespace) ([]byte, error) {
	sd, err := p.readSecurity(r, ns)
	if err != nil {
		return nil, err
	}
	return sd.Bytes()
}

// securityMethod runs a method of __SystemSecurity. See spec/wmi.md 5.7.
func (p *systemProvider) securityMethod(ctx context.Context, r *Request, method string, in cim.Arguments) (cim.Result, error) {
	ns := p.manager.namespace(r.Namespace)
	if ns == nil {
		return cim.Result{}, cim.ErrInvalidNamespace
	}
	done := cim.Result{ReturnValue: cim.U32(0)}
	switch cim.Fold(method) {
	case "getcalleraccessrights":
		rights, err := security.AccessCheck(ns.settings.Load().security, r.Caller.Token, security.MaximumAllowed, security.GenericMapping{})
		if err != nil {
			rights = 0
		}
		done.Out = cim.NamedArray{{Name: "rights", Value: cim.S32(int32(rights & everyRight))}} // #nosec G115 -- a mask of 19 bits
		return done, nil
	case "getsd":
		b, err := p.securityBytes(r, ns)
		done.Out = cim.NamedArray{{Name: "SD", Value: cim.Bytes(b)}}
		return done, err
	case "getsecuritydescriptor":
		sd, err := p.readSecurity(r, ns)
		if err != nil {
			return cim.Result{}, err
		}
		i, err := descriptorObject(ns, sd)
		done.Out = cim.NamedArray{{Name: "Descriptor", Value: cim.Obj(i)}}
		return done, err
	case "setsd":
		b, ok := in.Get("SD").Bytes()
		if !ok {
			return cim.Result{}, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "SD is missing"}
		}
		sd, err := decodeDescriptor(b)
		if err != nil {
			return cim.Result{}, err
		}
		return done, p.writeSecurity(ctx, r, ns, sd)
	case "setsecuritydescriptor":
		sd, err := descriptorOf(in.Get("Descriptor").Object())
		if err == nil {
			err = checkDescriptor(sd)
		}
		if err != nil {
			return cim.Result{}, err
		}
		return done, p.writeSecurity(ctx, r, ns, sd)
	}
	return cim.Result{}, cim.ErrMethodDisabled
}

// writeSecurity needs Edit Security, and SeSecurityPrivilege for what is
// audited: with it a descriptor without a SACL ends the auditing, without it the
// SACL stays. See spec/wmi.md 5.7.
func (p *systemProvider) writeSecurity(ctx context.Context, r *Request, ns *namespace, sd *security.SecurityDescriptor) error {
	if err := p.manager.admit(ns, r.Caller, rightWriteDAC); err != nil {
		return err
	}
	privileged := r.Caller.Token.HasPrivilege(security.SeSecurity)
	if sd.SACL != nil && !privileged {
		return &cim.Error{Status: cim.ErrAccessDenied, Detail: "to change what is audited needs SeSecurityPrivilege"}
	}
	return p.manager.setSecurity(ctx, ns, func(set *settings) { set.security = replaceLists(set.security, sd, privileged) })
}
