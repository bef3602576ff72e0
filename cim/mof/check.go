package mof

import (
	"context"
	"errors"

	"github.com/casementhq/casement/cim"
)

// Check finds the mistakes of f that show without a repository beyond those
// that [Parse] finds: classes of the text that break a rule of inheritance
// against each other, and values that do not fit them. What the text uses and
// does not declare is taken to be right. The error is an *Error.
func Check(f *File) error {
	k := &checker{memory{classes: map[string]*cim.Class{}}}
	c := newCompiler(k, Options{Namespace: DefaultNamespace})
	for i := range f.Objects {
		o := &f.Objects[i]
		switch {
		case o.Instance != nil && o.Instance.Alias != "":
			c.paths[cim.Fold(o.Instance.Alias)] = place{c.namespace(o), cim.ObjectPath{Class: o.Instance.Class}, true}
		case o.Class != nil && o.Class.Alias != "":
			c.paths[cim.Fold(o.Class.Alias)] = place{c.namespace(o), cim.ObjectPath{Class: o.Class.Declared.Name}, true}
		}
	}
	for i := range f.Objects {
		if err := c.apply(context.Background(), &f.Objects[i]); err != nil && !errors.Is(err, errUnknown) {
			return err
		}
	}
	return nil
}

// errUnknown is a class that the text does not declare.
var errUnknown = errors.New("the text does not declare the class")

// checker is the Target of Check.
type checker struct{ memory }

func (k *checker) GetClass(ctx context.Context, namespace, name string) (*cim.Class, error) {
	if c, err := k.memory.GetClass(ctx, namespace, name); err == nil {
		return c, nil
	}
	return nil, errUnknown
}

func (k *checker) PutClass(ctx context.Context, namespace string, declared *cim.Class, o cim.PutClassOptions) error {
	if declared.Superclass != "" {
		if _, err := k.GetClass(ctx, namespace, declared.Superclass); err != nil {
			return err
		}
	}
	return k.memory.PutClass(ctx, namespace, declared, o)
}

func (k *checker) DeleteClass(_ context.Context, namespace, name string) error {
	delete(k.classes, memoryKey(namespace, name))
	return nil
}

func (k *checker) DeleteInstance(context.Context, string, cim.ObjectPath) error { return nil }
