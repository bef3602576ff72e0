package wmiclient

import (
	"context"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
)

// maxClasses bounds how many classes a client keeps for the parameters of methods.
const maxClasses = 1024

// classCache keeps classes that the host gave.
type classCache struct {
	mu    sync.Mutex
	known map[classKey]*cim.Class
}

type classKey struct{ namespace, class string }

// class is a class of a namespace, "" being the session's own, as it was when it was asked for first.
func (s *Session) class(ctx context.Context, namespace, name string) (*cim.Class, error) {
	cache := &s.c.classes
	cache.mu.Lock()
	class := cache.known[s.classKey(namespace, name)]
	cache.mu.Unlock()
	if class != nil {
		return class, nil
	}
	return s.freshClass(ctx, namespace, name)
}

// freshClass is a class as it is now.
func (s *Session) freshClass(ctx context.Context, namespace, name string) (*cim.Class, error) {
	class, err := s.getClass(ctx, namespace, name, cim.GetOptions{})
	if err != nil {
		return nil, err
	}
	cache := &s.c.classes
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if cache.known == nil || len(cache.known) >= maxClasses {
		cache.known = map[classKey]*cim.Class{}
	}
	cache.known[s.classKey(namespace, name)] = class
	return class, nil
}

func (s *Session) classKey(namespace, name string) classKey {
	if namespace == "" {
		namespace = s.namespace
	}
	return classKey{cim.Fold(namespace), cim.Fold(name)}
}

// forget drops what is known of a class that is about to change.
func (s *Session) forget(name string) {
	cache := &s.c.classes
	cache.mu.Lock()
	defer cache.mu.Unlock()
	delete(cache.known, s.classKey("", name))
}

// PutClass implements cim.ClassWriter. See [MS-WMI] 3.1.4.3.6.
func (s *Session) PutClass(ctx context.Context, class *cim.Class, o cim.PutClassOptions) error {
	defer s.forget(class.Name)
	ctx, cancel := s.limit(ctx, o.OperationOptions)
	defer cancel()
	err := s.change(ctx, "", func(services *Services) error {
		_, err := services.PutClass(ctx, class, classFlags(o), o.Context)
		return err
	})
	return s.fail("PutClass", class.Name, err)
}

func classFlags(o cim.PutClassOptions) uint32 {
	flags := amended(o.Amended)
	switch o.Mode {
	case cim.ClassUpdateOnly:
		flags |= wmi.FlagUpdateOnly
	case cim.ClassCreateOnly:
		flags |= wmi.FlagCreateOnly
	}
	switch o.Conflict {
	case cim.SafeConflict:
		flags |= wmi.FlagSafeMode
	case cim.ForceConflict:
		flags |= wmi.FlagForceMode
	}
	return flags
}

// DeleteClass implements cim.ClassWriter. See [MS-WMI] 3.1.4.3.8.
func (s *Session) DeleteClass(ctx context.Context, name string, o cim.OperationOptions) error {
	defer s.forget(name)
	ctx, cancel := s.limit(ctx, o)
	defer cancel()
	err := s.change(ctx, "", func(services *Services) error {
		_, err := services.DeleteClass(ctx, name, 0, o.Context)
		return err
	})
	return s.fail("DeleteClass", name, err)
}
