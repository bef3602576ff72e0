package repository

import (
	"bytes"
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// Namespace is a namespace of which something is stored: one that a user made,
// or a built-in one that has attributes, classes or instances here.
type Namespace struct {
	Name    string // "root\cimv2"
	Created bool   // a user made it
	// Security is its security descriptor, self-relative; nil: the default.
	Security []byte
	// RequiresEncryption refuses connections that are not encrypted.
	RequiresEncryption bool
}

// Namespaces lists the namespaces by name. One whose record is damaged is not
// in the list but among the problems.
func (r *Repository) Namespaces(ctx context.Context) (list []Namespace, damaged []Problem, err error) {
	err = r.view(ctx, func(tx *store.Tx) error {
		list, damaged = nil, nil
		c := tx.Cursor([]byte{kindNamespace})
		for ok := c.Seek(nil); ok; ok = c.Next() {
			n, err := loadNamespace(tx, c.Key(), c.Value())
			if err != nil {
				damaged = append(damaged, problemAt(c.Key(), err.Error()))
				continue
			}
			list = append(list, n)
		}
		return c.Err()
	})
	return list, damaged, err
}

// loadNamespace reads a namespace from its record or from the second one.
func loadNamespace(tx *store.Tx, key, record []byte) (Namespace, error) {
	n, err := decodeNamespace(key, record)
	if err == nil {
		return n, nil
	}
	second := bytes.Clone(key)
	second[0] = kindNamespace2
	record, e := tx.Get(second)
	if e != nil {
		return n, e
	}
	if n, e := decodeNamespace(second, record); e == nil {
		return n, nil
	}
	return n, err
}

func decodeNamespace(key, record []byte) (Namespace, error) {
	b, err := content(key, record)
	if err != nil {
		return Namespace{}, err
	}
	d := decoder{b: b}
	n := Namespace{Name: strings.Clone(d.text()), Created: d.bool(), RequiresEncryption: d.bool()}
	if d.bool() {
		n.Security = []byte(d.text())
	}
	return n, d.end()
}

// PutNamespace makes a namespace or changes its attributes.
func (t *Tx) PutNamespace(n Namespace) error {
	if err := checkNames(n.Name); err != nil {
		return err
	}
	for _, kind := range []byte{kindNamespace, kindNamespace2} { // twice: its descriptor must not get lost
		e := encoder{b: begin(nil)}
		e.text(n.Name)
		e.bool(n.Created)
		e.bool(n.RequiresEncryption)
		e.bool(n.Security != nil)
		if n.Security != nil {
			e.text(string(n.Security))
		}
		if err := t.put(namespaceKey(kind, n.Name), &e); err != nil {
			return err
		}
	}
	return nil
}

// needNamespace makes the record of a built-in namespace with the first thing
// that is stored in it.
func (t *Tx) needNamespace(name string) error {
	if err := checkNames(name); err != nil {
		return err
	}
	if old, err := t.tx.Get(namespaceKey(kindNamespace, name)); err != nil || old != nil {
		return err
	}
	return t.PutNamespace(Namespace{Name: name})
}

// DeleteNamespace removes a namespace with everything below it (spec/wmi.md
// T-92): its classes, its instances and the namespaces in it. It fails with
// ErrNotFound where nothing of it is stored.
func (t *Tx) DeleteNamespace(name string) error {
	if err := checkNames(name); err != nil {
		return err
	}
	n := 0
	for _, kind := range []byte{kindNamespace, kindNamespace2, kindClass, kindInstance, kindIndexed, kindIndex} {
		// What is in it has a 0 after its name, what is below it a backslash.
		for _, after := range []byte{0, '\\'} {
			d, err := t.tx.DeletePrefix(append(namespaceKey(kind, name), after))
			if err != nil {
				return err
			}
			n += d
		}
	}
	for _, kind := range []byte{kindNamespace, kindNamespace2} {
		key := namespaceKey(kind, name)
		old, err := t.tx.Get(key)
		if err != nil {
			return err
		}
		if old != nil {
			n++
		}
		if err := t.tx.Delete(key); err != nil {
			return err
		}
	}
	if n == 0 {
		return &cim.Error{Status: cim.ErrNotFound, Path: name, Detail: "there is no such namespace"}
	}
	return nil
}
