package cimom

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/cimom/internal/eventing"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

// storage serves the instances that are stored: those of the classes without
// Dynamic. It is the source of every class that has no other.
type storage struct{ manager *Manager }

// storageBatch bounds how many instances are copied out of the repository
// before they are handed on: a reader that waits must not hold it.
const storageBatch = 128

// Classes are none: storage serves the classes of others.
func (st *storage) Classes() []*cim.Class { return nil }

// List yields the instances of a class that meet r.match. What does not is
// looked at where it lies and costs no memory.
func (st *storage) List(ctx context.Context, r *Request, yield func(*cim.Instance) error) error {
	return st.each(ctx, r.Class, r.Constraints, r.match, func(i *cim.Instance) error {
		if err := st.fill(ctx, r, i); err != nil {
			return err
		}
		return yield(i)
	})
}

// each calls f with the instances of exactly this class that meet the
// constraints and match. Damaged ones are passed over; the first of them is
// the error in the end.
func (st *storage) each(ctx context.Context, class *cim.Class, constraints []wql.Constraint, match func(*cim.Instance) bool, f func(*cim.Instance) error) error {
	repo := st.manager.repository
	var batch []*cim.Instance
	take := func(i *cim.Instance) bool {
		if match == nil || match(i) {
			batch = append(batch, repository.Keep(i))
		}
		return len(batch) < storageBatch
	}
	next := func(from repository.Position) (repository.Position, error) {
		for _, c := range constraints {
			p := &class.Properties[c.Property]
			if p.Type != cim.Reference && p.Qualifiers.True("Indexed") { // the same object has several references
				return repo.Lookup(ctx, class, c.Property, c.Value, from, 0, take)
			}
		}
		return repo.Scan(ctx, class, from, 0, take)
	}
	var damage error
	for at := (repository.Position{}); !at.End(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch = batch[:0]
		to, err := next(at)
		for _, i := range batch {
			if err := f(i); err != nil {
				return err
			}
		}
		if err != nil {
			if !repository.IsDamaged(err) || to == at {
				return err
			}
			if damage == nil {
				damage = err
			}
		}
		at = to
	}
	return damage
}

// Get reads an instance.
func (st *storage) Get(ctx context.Context, r *Request, path cim.ObjectPath) (*cim.Instance, error) {
	i, err := st.manager.repository.Get(ctx, r.Class, path)
	if err != nil {
		return nil, err
	}
	return i, st.fill(ctx, r, i)
}

// Create stores a new instance. An instance of another class of the same tree
// must not have the same keys.
func (st *storage) Create(ctx context.Context, r *Request, i *cim.Instance) error {
	if err := st.prepare(r, i); err != nil {
		return err
	}
	path, _ := i.Path()
	others := st.sameTree(r)
	err := st.update(ctx, r, func(tx *repository.Tx) error {
		for _, other := range others {
			there := path
			there.Class = other.Name
			switch _, err := tx.Get(other, there); {
			case err == nil:
				return &cim.Error{Status: cim.ErrAlreadyExists, Path: path.Relative(), Detail: "there is an instance of " + other.Name + " with the same keys"}
			case !errors.Is(err, cim.ErrNotFound) && !errors.Is(err, cim.ErrInvalidObjectPath):
				return err
			}
		}
		return tx.Create(i)
	})
	if err != nil {
		return err
	}
	st.manager.instanceChanged(ctx, r, nil, i)
	return st.setDynamic(ctx, r, i, nil)
}

// update changes the repository while the namespace and the class of r stay
// what they are.
func (st *storage) update(ctx context.Context, r *Request, f func(*repository.Tx) error) error {
	ns := st.manager.namespace(r.Namespace)
	if ns == nil {
		return cim.ErrInvalidNamespace
	}
	ns.writing.RLock()
	defer ns.writing.RUnlock()
	if ns.deleted.Load() {
		return cim.ErrInvalidNamespace
	}
	if ns.find(r.Class.Name) == nil {
		return cim.ErrInvalidClass
	}
	return st.manager.repository.Update(ctx, f)
}

// sameTree are the other classes that share the keys of r.Class: identity is
// that of the class that declares the keys. See spec/wmi.md 2.2.
func (st *storage) sameTree(r *Request) (others []*cim.Class) {
	ns := st.manager.namespace(r.Namespace)
	if ns == nil || len(r.Class.Derivation) == 0 && len(r.Class.Keys()) == 0 {
		return nil
	}
	top := ns.find(r.Class.Name)
	for top != nil && top.super != nil && len(top.super.class.Keys()) > 0 {
		top = top.super
	}
	if top == nil {
		return nil
	}
	for _, e := range ns.lineage(top) {
		if isStatic(e.class) && !cim.EqualFold(e.class.Name, r.Class.Name) {
			others = append(others, e.class)
		}
	}
	return others
}

// Put changes the wanted properties of an instance.
func (st *storage) Put(ctx context.Context, r *Request, i *cim.Instance) error {
	path, _ := i.Path()
	var before *cim.Instance
	err := st.update(ctx, r, func(tx *repository.Tx) (err error) {
		if before, err = tx.Get(r.Class, path); err != nil {
			return err
		}
		for n := range i.Len() {
			if !r.WantsAt(n) {
				if err := i.SetAt(n, before.At(n)); err != nil {
					return err
				}
			}
		}
		if err := st.prepare(r, i); err != nil {
			return err
		}
		return tx.Put(i)
	})
	if err != nil {
		return err
	}
	st.manager.instanceChanged(ctx, r, before, i)
	return st.setDynamic(ctx, r, i, r.wanted)
}

// Delete removes an instance.
func (st *storage) Delete(ctx context.Context, r *Request, path cim.ObjectPath) error {
	var before *cim.Instance
	err := st.update(ctx, r, func(tx *repository.Tx) (err error) {
		if before, err = tx.Get(r.Class, path); err != nil && !repository.IsDamaged(err) {
			return err
		}
		return tx.Delete(r.Class, path)
	})
	if err == nil && before != nil {
		st.manager.instanceChanged(ctx, r, before, nil)
	}
	return err
}

// prepare checks an instance that is to be stored and fills in what the
// manager decides itself.
func (st *storage) prepare(r *Request, i *cim.Instance) error {
	c := i.Class()
	if name, _ := i.Get("Name").Str(); c.IsA("__EventFilter") && name == "" {
		if err := i.Set("Name", cim.Str(newGUID())); err != nil {
			return err
		}
	}
	if _, whole := i.Path(); !whole {
		return &cim.Error{Status: cim.ErrNoKey, Path: c.Name, Detail: "an instance needs a value for every key"}
	}
	for n := range c.Properties {
		q := c.Properties[n].Qualifiers
		if i.At(n).IsNull() && (q.True("Not_Null") || q.True("Indexed")) {
			return &cim.Error{Status: cim.ErrIllegalNull, Path: c.Name + "." + c.Properties[n].Name, Detail: "the property must have a value"}
		}
	}
	if c.IsA("__Win32Provider") {
		if _, err := hostingOf(i); err != nil {
			return err
		}
	}
	if c.IsA("__TimerInstruction") {
		return eventing.CheckTimer(i, time.Now())
	}
	if c.IsA("__EventConsumer") {
		if err := st.checkConsumer(r, c, i); err != nil {
			return err
		}
	}
	if c.IsA("__EventProviderRegistration") {
		return r.session.checkEventQueries(i)
	}
	if c.IsA("__EventFilter") || c.IsA("__EventConsumer") || c.IsA("__FilterToConsumerBinding") {
		if err := i.Set("CreatorSID", creatorSID(r.Caller.Token)); err != nil {
			return err
		}
		return st.manager.events.vet(r, i)
	}
	return nil
}

// checkConsumer asks the provider of the class of a logical consumer, or of the
// class that it derives from.
func (st *storage) checkConsumer(r *Request, c *cim.Class, i *cim.Instance) error {
	// Not by the name of the namespace: its lock is held, and the manager's comes first.
	for e := r.session.ns.find(c.Name); e != nil; e = e.super {
		if e.source == nil {
			continue
		}
		if checker, ok := e.source.provider.(ConsumerChecker); ok {
			return checker.CheckConsumer(i)
		}
	}
	return nil
}

// creatorSID is how the creator of a part of a permanent subscription is
// known, whatever the caller says: administrators by their group. See
// spec/wmi.md 5.3.
func creatorSID(token *security.Token) cim.Value {
	if token == nil {
		return cim.Null(cim.Uint8.Array())
	}
	sid := token.User
	if token.Has(security.SIDAdministrators) {
		sid = security.SIDAdministrators
	}
	return cim.Bytes(sid.Bytes())
}

func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return fmt.Sprintf("{%X-%X-%X-%X-%X}", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// stored reads an instance of a system class out of the repository.
func (m *Manager) stored(ctx context.Context, e *entry, path cim.ObjectPath) (*cim.Instance, error) {
	return m.repository.Get(ctx, e.class, path)
}

// hasStored tells whether the repository has instances of exactly this class.
func (m *Manager) hasStored(ctx context.Context, c *cim.Class) (some bool, err error) {
	_, err = m.repository.Scan(ctx, c, repository.Position{}, 1, func(*cim.Instance) bool {
		some = true
		return false
	})
	if repository.IsDamaged(err) {
		return true, nil
	}
	return some, err
}
