package cimom

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom/repository"
)

// PutClass makes or changes a class. See [MS-WMI] 3.1.4.3.6 and spec/wmi.md
// 2.2.
func (s *session) PutClass(ctx context.Context, class *cim.Class, o cim.PutClassOptions) error {
	const operation = "PutClass"
	if err := s.begin(ctx, rightEnable|rightFullWrite); err != nil {
		return s.fail(err, operation, class.Name)
	}
	_, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (struct{}, error) {
		before, after, err := s.putClass(ctx, class, o)
		if after != nil {
			s.manager.classChanged(ctx, s.ns, s.caller, before, after)
		}
		return struct{}{}, err
	})
	return s.fail(err, operation, class.Name)
}

// putClass gives the class before and after; neither where nothing changed.
func (s *session) putClass(ctx context.Context, class *cim.Class, o cim.PutClassOptions) (before, after *cim.Class, err error) {
	if err := cim.ValidClassName(class.Name); err != nil {
		return nil, nil, err
	}
	if class.Partial {
		return nil, nil, &cim.Error{Status: cim.ErrIncompleteClass, Detail: "the class has only some of its properties"}
	}
	declared, err := s.unamended(class, o.Amended)
	if err != nil {
		return nil, nil, err
	}
	ns := s.ns
	ns.writing.Lock()
	defer ns.writing.Unlock()
	if ns.deleted.Load() {
		return nil, nil, cim.ErrInvalidNamespace
	}
	t := ns.table.Load()
	old := t.classes[cim.Fold(class.Name)]
	switch {
	case old != nil && old.source == s.manager.system:
		return nil, nil, errSystemClass
	case o.Mode == cim.ClassCreateOnly && old != nil:
		return nil, nil, cim.ErrAlreadyExists
	case o.Mode == cim.ClassUpdateOnly && old == nil:
		return nil, nil, cim.ErrNotFound
	}
	var super *entry
	if class.Superclass != "" {
		if super = t.classes[cim.Fold(class.Superclass)]; super == nil {
			return nil, nil, &cim.Error{Status: cim.ErrInvalidSuperclass, Detail: "the superclass " + class.Superclass + " does not exist"}
		}
	}
	declared.Namespace, declared.Server = ns.name, s.manager.server
	whole, err := cim.Derive(classOf(super), declared)
	if err != nil {
		return nil, nil, err
	}
	u := classUpdate{session: s, table: t, old: old, whole: whole, declaration: whole.Declaration(classOf(super)), conflict: o.Conflict}
	if err := u.check(ctx); err != nil || u.same {
		return nil, nil, err
	}
	if err := u.store(ctx); err != nil {
		return nil, nil, err
	}
	return classOf(old), ns.find(class.Name).class, nil
}

// errSystemClass refuses changes of what the manager itself needs, such as the
// class that resets the repository.
var errSystemClass = &cim.Error{Status: cim.ErrInvalidOperation, Detail: "the classes of the system are neither changed nor deleted"}

func classOf(e *entry) *cim.Class {
	if e == nil {
		return nil
	}
	return e.class
}

// classUpdate is the change of one class with what it means for those below.
type classUpdate struct {
	session     *session
	table       *table
	old         *entry // nil: the class is new
	whole       *cim.Class
	declaration *cim.Class
	conflict    cim.ClassConflict
	same        bool         // nothing would change
	further     []*cim.Class // declarations of subclasses that lose something
}

// check finds out whether the change may be. Descriptions and the like may
// always change; a class with subclasses only in the modes that say so; one
// with instances, its own or those of a subclass, never.
func (u *classUpdate) check(ctx context.Context) error {
	if u.old == nil {
		return nil
	}
	before := u.old.class.Declaration(classOf(u.old.super))
	if reflect.DeepEqual(before, u.declaration) {
		u.same = true
		return nil
	}
	moved := !cim.EqualFold(before.Superclass, u.declaration.Superclass)
	if !moved && reflect.DeepEqual(structure(before), structure(u.declaration)) {
		return nil
	}
	below := u.table.appendBelow(nil, u.old, true)
	if len(below) > 0 && (u.conflict == cim.RefuseConflict || moved) {
		return &cim.Error{Status: cim.ErrClassHasChildren, Path: u.whole.Name, Detail: "the class has subclasses; a safe or forced update may change it"}
	}
	for _, e := range append(below, u.old) {
		some, err := u.session.manager.hasStored(ctx, e.class)
		if err != nil {
			return err
		}
		if some {
			return &cim.Error{Status: cim.ErrClassHasInstances, Path: e.class.Name, Detail: "instances of the class are stored; delete them first"}
		}
	}
	return u.rederive(below)
}

// rederive tries the change on the subclasses.
func (u *classUpdate) rederive(below []*entry) error {
	changed := map[*entry]*cim.Class{u.old: u.whole}
	for _, e := range below {
		super := changed[e.super]
		decl := e.class.Declaration(e.super.class)
		dropped := false
		if u.conflict == cim.ForceConflict {
			decl, dropped = withoutConflicts(super, decl)
		}
		c, err := cim.Derive(super, decl)
		if err != nil {
			if _, before := cim.Derive(e.super.class, decl); before != nil {
				changed[e] = e.class // built in by other rules
				continue
			}
			return updateError(err)
		}
		if dropped {
			u.further = append(u.further, decl)
		}
		changed[e] = c
	}
	return nil
}

// updateError gives a conflict of a subclass the code that an update has for
// it. See spec/wmi.md 2.2.
func updateError(err error) error {
	status := cim.StatusOf(err)
	switch status {
	case cim.ErrOverrideNotAllowed:
		status = cim.ErrUpdateOverrideNotAllowed
	case cim.ErrPropagatedMethod:
		status = cim.ErrUpdatePropagatedMethod
	}
	return &cim.Error{Status: status, Detail: "a subclass stands against the change", Err: err}
}

// store commits the change and swaps the table.
func (u *classUpdate) store(ctx context.Context) error {
	ns, m := u.session.ns, u.session.manager
	all := append([]*cim.Class{u.declaration}, u.further...)
	err := m.repository.Update(ctx, func(tx *repository.Tx) error {
		for _, decl := range all {
			if err := tx.PutClass(decl); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	l := ns.layers.clone()
	for _, decl := range all {
		l.stored[cim.Fold(decl.Name)] = decl
	}
	ns.rebuild(l, m.server)
	return nil
}

// DeleteClass removes a class without subclasses and instances. See [MS-WMI]
// 3.1.4.3.8.
func (s *session) DeleteClass(ctx context.Context, name string, o cim.OperationOptions) error {
	const operation = "DeleteClass"
	if err := s.begin(ctx, rightEnable|rightFullWrite); err != nil {
		return s.fail(err, operation, name)
	}
	_, err := call(ctx, s.manager, o.Timeout, func(ctx context.Context) (struct{}, error) {
		gone, err := s.deleteClass(ctx, name)
		if err == nil {
			s.manager.classChanged(ctx, s.ns, s.caller, gone, nil)
		}
		return struct{}{}, err
	})
	return s.fail(err, operation, name)
}

func (s *session) deleteClass(ctx context.Context, name string) (*cim.Class, error) {
	ns, m := s.ns, s.manager
	ns.writing.Lock()
	defer ns.writing.Unlock()
	key := cim.Fold(name)
	t := ns.table.Load()
	old := t.classes[key]
	switch {
	case old == nil:
		return nil, cim.ErrNotFound
	case strings.HasPrefix(name, "__"), old.source == m.system:
		return nil, errSystemClass
	case len(t.subs[old]) > 0:
		return nil, &cim.Error{Status: cim.ErrClassHasChildren, Detail: "delete the subclasses first"}
	}
	if some, err := m.hasStored(ctx, old.class); err != nil || some {
		if err == nil {
			err = &cim.Error{Status: cim.ErrClassHasInstances, Detail: "delete the instances first"}
		}
		return nil, err
	}
	_, given := ns.layers.builtin[key]
	err := m.repository.Update(ctx, func(tx *repository.Tx) error {
		if given {
			return tx.HideClass(ns.name, old.class.Name)
		}
		return tx.DeleteClass(ns.name, old.class.Name)
	})
	if err != nil {
		return nil, err
	}
	l := ns.layers.clone()
	if delete(l.stored, key); given {
		l.stored[key] = nil
	}
	ns.rebuild(l, m.server)
	return old.class, nil
}

// withoutConflicts leaves out of a declaration the qualifiers that the new
// superclass does not let it have.
func withoutConflicts(super, decl *cim.Class) (*cim.Class, bool) {
	dropped := false
	strip := func(own, above cim.Qualifiers) cim.Qualifiers {
		return slices.DeleteFunc(slices.Clone(own), func(q cim.Qualifier) bool {
			n := slices.IndexFunc(above, func(a cim.Qualifier) bool { return cim.EqualFold(a.Name, q.Name) })
			conflict := n >= 0 && above[n].Flavor&cim.ToSubClass != 0 && above[n].Flavor&cim.NotOverridable != 0 && !above[n].Value.Equal(q.Value)
			dropped = dropped || conflict
			return conflict
		})
	}
	out := *decl
	out.Qualifiers = strip(decl.Qualifiers, super.Qualifiers)
	out.Properties = slices.Clone(decl.Properties)
	for i := range out.Properties {
		if p := super.Property(out.Properties[i].Name); p != nil {
			out.Properties[i].Qualifiers = strip(out.Properties[i].Qualifiers, p.Qualifiers)
		}
	}
	out.Methods = slices.Clone(decl.Methods)
	for i := range out.Methods {
		if m := super.Method(out.Methods[i].Name); m != nil {
			out.Methods[i].Qualifiers = strip(out.Methods[i].Qualifiers, m.Qualifiers)
		}
	}
	return out.Seal(), dropped
}

// descriptive are the qualifiers that only tell people something: a class in
// use may change them.
var descriptive = map[string]bool{
	"description": true, "displayname": true, "mappingstrings": true, "modelcorrespondence": true, "units": true,
	"valuemap": true, "values": true, "bitmap": true, "bitvalues": true, "version": true, "revision": true,
	"deprecated": true, "experimental": true,
}

// structure is a declaration without its descriptive qualifiers.
func structure(c *cim.Class) *cim.Class {
	bare := func(q cim.Qualifiers) cim.Qualifiers {
		return slices.DeleteFunc(slices.Clone(q), func(one cim.Qualifier) bool { return descriptive[cim.Fold(one.Name)] })
	}
	parameters := func(list []cim.Parameter) []cim.Parameter {
		list = slices.Clone(list)
		for i := range list {
			list[i].Qualifiers = bare(list[i].Qualifiers)
		}
		return list
	}
	out := &cim.Class{Name: c.Name, Qualifiers: bare(c.Qualifiers)}
	for _, p := range c.Properties {
		if p.Qualifiers = bare(p.Qualifiers); len(p.Qualifiers) == 0 {
			p.Qualifiers = nil
		}
		out.Properties = append(out.Properties, p)
	}
	for _, m := range c.Methods {
		m.Qualifiers, m.In, m.Out = bare(m.Qualifiers), parameters(m.In), parameters(m.Out)
		out.Methods = append(out.Methods, m)
	}
	return out
}
