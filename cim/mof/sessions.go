package mof

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// Sessions is a Target made of CIM sessions. A Sessions serves one compilation
// at a time.
type Sessions struct {
	open     func(ctx context.Context, namespace string) (cim.Session, error)
	sessions map[string]cim.Session
}

// NewSessions makes a Target that opens a session for a namespace when it first
// needs one. The sessions must be [cim.ClassWriter] where classes are stored or
// deleted; ErrNotSupported otherwise. Close ends them.
func NewSessions(open func(ctx context.Context, namespace string) (cim.Session, error)) *Sessions {
	return &Sessions{open: open, sessions: map[string]cim.Session{}}
}

// Close ends the sessions.
func (s *Sessions) Close() error {
	var errs []error
	for name, session := range s.sessions {
		errs = append(errs, session.Close())
		delete(s.sessions, name)
	}
	return errors.Join(errs...)
}

func (s *Sessions) session(ctx context.Context, namespace string) (cim.Session, error) {
	key := cim.Fold(namespace)
	if session := s.sessions[key]; session != nil {
		return session, nil
	}
	session, err := s.open(ctx, namespace)
	if err == nil {
		s.sessions[key] = session
	}
	return session, err
}

func (s *Sessions) writer(ctx context.Context, namespace string) (cim.ClassWriter, error) {
	session, err := s.session(ctx, namespace)
	if err != nil {
		return nil, err
	}
	w, ok := session.(cim.ClassWriter)
	if !ok {
		return nil, &cim.Error{Status: cim.ErrNotSupported, Namespace: namespace, Detail: "the way to this host does not carry class definitions"}
	}
	return w, nil
}

// GetClass is Session.GetClass.
func (s *Sessions) GetClass(ctx context.Context, namespace, name string) (*cim.Class, error) {
	session, err := s.session(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return session.GetClass(ctx, name, cim.GetOptions{})
}

// PutClass is ClassWriter.PutClass.
func (s *Sessions) PutClass(ctx context.Context, namespace string, declared *cim.Class, o cim.PutClassOptions) error {
	w, err := s.writer(ctx, namespace)
	if err != nil {
		return err
	}
	return w.PutClass(ctx, declared, o)
}

// DeleteClass is ClassWriter.DeleteClass.
func (s *Sessions) DeleteClass(ctx context.Context, namespace, name string) error {
	w, err := s.writer(ctx, namespace)
	if err != nil {
		return err
	}
	return w.DeleteClass(ctx, name, cim.OperationOptions{})
}

// DeleteInstance is Session.Delete.
func (s *Sessions) DeleteInstance(ctx context.Context, namespace string, path cim.ObjectPath) error {
	session, err := s.session(ctx, namespace)
	if err != nil {
		return err
	}
	return session.Delete(ctx, path, cim.OperationOptions{})
}

// PutInstance is Session.Create for CreateOnly, otherwise Session.Put. Of the
// qualifiers of an instance, a session carries only what it has an operation
// for: NamespaceSecuritySDDL of a namespace is set by SetSD of its
// __SystemSecurity. RequiresEncryption, and Dynamic of a property, fail with
// ErrNotSupported, since without them the text would not mean what it says;
// other qualifiers change nothing and are left out.
func (s *Sessions) PutInstance(ctx context.Context, namespace string, i *cim.Instance, o PutInstanceOptions) (cim.ObjectPath, error) {
	if o.Qualifiers.True("RequiresEncryption") {
		return cim.ObjectPath{}, &cim.Error{Status: cim.ErrNotSupported, Namespace: namespace, Path: i.Class().Name,
			Detail: "RequiresEncryption cannot be set in this way"}
	}
	for name, q := range o.Properties {
		if q.True("Dynamic") {
			return cim.ObjectPath{}, &cim.Error{Status: cim.ErrNotSupported, Namespace: namespace, Path: i.Class().Name + "." + name,
				Detail: "the provider of one property of an instance cannot be set in this way"}
		}
	}
	sddl, secured := o.Qualifiers.Get("NamespaceSecuritySDDL")
	secured = secured && i.Class().IsA("__NAMESPACE")
	var descriptor []byte
	if secured {
		text, _ := sddl.Str()
		sd, err := security.ParseSDDL(text)
		if err == nil {
			descriptor, err = sd.Bytes()
		}
		if err != nil {
			return cim.ObjectPath{}, &cim.Error{Status: cim.ErrInvalidParameter, Namespace: namespace, Detail: "NamespaceSecuritySDDL is no security descriptor", Err: err}
		}
	}
	session, err := s.session(ctx, namespace)
	if err != nil {
		return cim.ObjectPath{}, err
	}
	path, err := put(ctx, session, i, o.Flags)
	if err == nil && secured {
		err = s.secure(ctx, namespace, i, descriptor)
	}
	return path, err
}

func put(ctx context.Context, session cim.Session, i *cim.Instance, flags Flags) (cim.ObjectPath, error) {
	if flags&CreateOnly != 0 {
		return session.Create(ctx, i, cim.OperationOptions{})
	}
	mode := cim.CreateOrUpdate
	if flags&UpdateOnly != 0 {
		mode = cim.UpdateOnly
	}
	path, _ := i.Path()
	return path, session.Put(ctx, i, cim.PutOptions{Mode: mode})
}

// secure gives the namespace that i names its security descriptor.
func (s *Sessions) secure(ctx context.Context, parent string, i *cim.Instance, descriptor []byte) error {
	name, _ := i.Get("Name").Str()
	session, err := s.session(ctx, parent+`\`+name)
	if err != nil {
		return err
	}
	result, err := session.Invoke(ctx, cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "SetSD",
		cim.Arguments{{Name: "SD", Value: cim.Bytes(descriptor)}}, cim.OperationOptions{})
	if err != nil {
		return err
	}
	if code, ok := result.ReturnValue.Uint(); ok && code != 0 {
		return &cim.Error{Status: cim.Status(code), Operation: "SetSD", Namespace: parent + `\` + name}
	}
	return nil
}
