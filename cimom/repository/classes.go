package repository

import (
	"bytes"
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// StoredClass is what the repository has of a class: a declaration, or the mark
// that a built-in class was deleted.
type StoredClass struct {
	Name string
	// Declaration has the own members of the class only, with their qualifiers
	// and flavors; it is not sealed. nil: the built-in class of this name was
	// deleted.
	Declaration *cim.Class
}

// Classes lists the stored classes of a namespace by name. One whose record is
// damaged is not in the list but among the problems.
func (r *Repository) Classes(ctx context.Context, namespace string) (list []StoredClass, damaged []Problem, err error) {
	err = r.view(ctx, func(tx *store.Tx) error {
		list, damaged = nil, nil
		c := tx.Cursor(append(namespaceKey(kindClass, namespace), 0))
		for ok := c.Seek(nil); ok; ok = c.Next() {
			s, err := decodeClass(c.Key(), bytes.Clone(c.Value()))
			if err != nil {
				damaged = append(damaged, problemAt(c.Key(), err.Error()))
				continue
			}
			list = append(list, s)
		}
		return c.Err()
	})
	return list, damaged, err
}

// decodeClass reads a class record; the texts stay in it.
func decodeClass(key, record []byte) (s StoredClass, err error) {
	b, err := content(key, record)
	if err != nil {
		return s, err
	}
	d := decoder{b: b}
	s.Name = d.text()
	if d.bool() {
		s.Declaration = d.class()
	}
	return s, d.end()
}

// PutClass stores the declaration of a class in the namespace that it names:
// its own members only, see [cim.Class.Declaration]. It replaces what was
// stored of the class; its instances stay.
func (t *Tx) PutClass(declaration *cim.Class) error {
	return t.putClass(declaration.Namespace, declaration.Name, declaration)
}

// HideClass stores the mark that a built-in class is deleted.
func (t *Tx) HideClass(namespace, name string) error { return t.putClass(namespace, name, nil) }

func (t *Tx) putClass(namespace, name string, declaration *cim.Class) error {
	if err := checkNames(namespace, name); err != nil {
		return err
	}
	if err := t.needNamespace(namespace); err != nil {
		return err
	}
	e := encoder{b: begin(nil)}
	e.text(name)
	e.bool(declaration != nil)
	if declaration != nil {
		c := *declaration
		c.Server = "" // a repository may move to another machine
		e.class(&c)
	}
	return t.put(classKey(nil, kindClass, namespace, name), &e)
}

// DeleteClass removes what is stored of a class, declaration or mark, so that a
// built-in class of the name shows again. It fails with ErrNotFound. Instances
// stay.
func (t *Tx) DeleteClass(namespace, name string) error {
	if err := checkNames(namespace, name); err != nil {
		return err
	}
	key := classKey(nil, kindClass, namespace, name)
	old, err := t.tx.Get(key)
	if err != nil {
		return err
	}
	if old == nil {
		return &cim.Error{Status: cim.ErrNotFound, Namespace: namespace, Path: name}
	}
	return t.tx.Delete(key)
}
