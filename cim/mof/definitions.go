package mof

import (
	"context"
	"io/fs"
	"path"

	"github.com/casementhq/casement/cim"
)

// Definitions compiles the MOF texts that are built into a program: the
// classes, each behind its superclass, and the instances. The order of the
// texts and of the classes in them is of no meaning. Classes are whole and
// sealed; their namespace is that of #pragma namespace, and "" where there was
// none: such a class belongs to every namespace. Names of system classes,
// "__Event", are allowed here.
func Definitions(fsys fs.FS, files ...string) ([]*cim.Class, []*cim.Instance, error) {
	return DefinitionsOn(nil, fsys, files...)
}

// DefinitionsOn is Definitions for texts whose classes derive from others that
// are known already: base, whole and sealed. The result does not have them.
func DefinitionsOn(base []*cim.Class, fsys fs.FS, files ...string) ([]*cim.Class, []*cim.Instance, error) {
	m := &memory{classes: make(map[string]*cim.Class, len(base))}
	for _, c := range base {
		m.classes[memoryKey(c.Namespace, c.Name)] = c
	}
	var classes []Object
	others := make([][]Object, len(files))
	for n, name := range files {
		src, err := readBounded(fsys, name, MaxSize)
		if err != nil {
			return nil, nil, err
		}
		dir, err := fs.Sub(fsys, path.Dir(name))
		if err != nil {
			return nil, nil, err
		}
		f, err := Parse(name, src, ParseOptions{Include: dir})
		if err != nil {
			return nil, nil, err
		}
		for _, o := range f.Objects {
			if o.Class != nil {
				classes = append(classes, o)
			} else {
				others[n] = append(others[n], o)
			}
		}
	}
	classes, err := superclassesFirst(classes)
	if err != nil {
		return nil, nil, err
	}
	for _, objects := range append([][]Object{classes}, others...) { // aliases belong to one text
		if err := newCompiler(m, Options{}).run(context.Background(), objects); err != nil {
			return nil, nil, err
		}
	}
	return m.made, m.instances, nil
}

// superclassesFirst puts each class behind its superclass and otherwise keeps
// the order.
func superclassesFirst(classes []Object) ([]Object, error) {
	byName := make(map[string]int, len(classes))
	for i := range classes {
		d := classes[i].Class.Declared
		key := memoryKey(classes[i].Namespace, d.Name)
		if _, twice := byName[key]; twice {
			return nil, &Error{Code: cim.ErrAlreadyExists, Position: classes[i].Position, Detail: "the class " + d.Name + " is defined twice"}
		}
		byName[key] = i
	}
	super := func(i int) int {
		d := classes[i].Class.Declared
		for _, namespace := range [...]string{classes[i].Namespace, ""} {
			if s, ok := byName[memoryKey(namespace, d.Superclass)]; ok && d.Superclass != "" {
				return s
			}
		}
		return -1
	}
	out := make([]Object, 0, len(classes))
	state := make([]uint8, len(classes)) // 1: on the chain at hand, 2: in out
	for i := range classes {
		var chain []int
		for n := i; n >= 0 && state[n] != 2; n = super(n) {
			if state[n] == 1 {
				return nil, &Error{Code: cim.ErrCircularReference, Position: classes[n].Position,
					Detail: "the class " + classes[n].Class.Declared.Name + " derives from itself"}
			}
			state[n] = 1
			chain = append(chain, n)
		}
		for len(chain) > 0 {
			n := chain[len(chain)-1]
			chain = chain[:len(chain)-1]
			state[n] = 2
			out = append(out, classes[n])
		}
	}
	return out, nil
}

// memory is the Target of Definitions.
type memory struct {
	classes   map[string]*cim.Class
	made      []*cim.Class
	instances []*cim.Instance
}

func memoryKey(namespace, name string) string { return cim.Fold(namespace) + ":" + cim.Fold(name) }

// GetClass finds a class of the namespace or of every namespace.
func (m *memory) GetClass(_ context.Context, namespace, name string) (*cim.Class, error) {
	for _, n := range [...]string{namespace, ""} {
		if c := m.classes[memoryKey(n, name)]; c != nil {
			return c, nil
		}
	}
	return nil, &cim.Error{Status: cim.ErrNotFound, Namespace: namespace, Path: name}
}

func (m *memory) PutClass(ctx context.Context, namespace string, declared *cim.Class, _ cim.PutClassOptions) error {
	var super *cim.Class
	if declared.Superclass != "" {
		var err error
		if super, err = m.GetClass(ctx, namespace, declared.Superclass); err != nil {
			return &cim.Error{Status: cim.ErrInvalidSuperclass, Namespace: namespace, Path: declared.Superclass,
				Detail: "the superclass of " + declared.Name + " is not known"}
		}
	}
	whole, err := cim.Derive(super, declared)
	if err != nil {
		return err
	}
	m.classes[memoryKey(namespace, declared.Name)] = whole
	m.made = append(m.made, whole)
	return nil
}

func (m *memory) PutInstance(_ context.Context, _ string, i *cim.Instance, _ PutInstanceOptions) (cim.ObjectPath, error) {
	m.instances = append(m.instances, i)
	path, _ := i.Path()
	return path, nil
}

func (m *memory) DeleteClass(context.Context, string, string) error { return cim.ErrNotSupported }

func (m *memory) DeleteInstance(context.Context, string, cim.ObjectPath) error {
	return cim.ErrNotSupported
}
