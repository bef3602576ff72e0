package mof

import (
	"context"
	"errors"
	"slices"

	"github.com/casementhq/casement/cim"
)

// DefaultNamespace is where objects go for which neither the text nor the
// options name a namespace. It is not root\cimv2.
const DefaultNamespace = `root\default`

// Target is where Compile stores objects. Every method names the namespace;
// [Sessions] makes a Target of CIM sessions.
type Target interface {
	// GetClass reads a whole class: ErrNotFound, ErrInvalidNamespace.
	GetClass(ctx context.Context, namespace, name string) (*cim.Class, error)
	// PutClass stores a declaration, as [cim.ClassWriter] does.
	PutClass(ctx context.Context, namespace string, declared *cim.Class, o cim.PutClassOptions) error
	// PutInstance stores an instance and gives its path; flags are 0,
	// CreateOnly (ErrAlreadyExists) or UpdateOnly (ErrNotFound).
	PutInstance(ctx context.Context, namespace string, i *cim.Instance, o PutInstanceOptions) (cim.ObjectPath, error)
	// DeleteClass removes a class: ErrNotFound.
	DeleteClass(ctx context.Context, namespace, name string) error
	// DeleteInstance removes an instance: ErrNotFound.
	DeleteInstance(ctx context.Context, namespace string, path cim.ObjectPath) error
}

// PutInstanceOptions are the options of Target.PutInstance.
type PutInstanceOptions struct {
	Flags Flags
	// Qualifiers are those of the instance: NamespaceSecuritySDDL and
	// RequiresEncryption among them.
	Qualifiers cim.Qualifiers
	// Properties are the qualifiers of properties of the instance, by the name
	// that the class gives them; PropertyContext among them. nil for none.
	Properties map[string]cim.Qualifiers
}

// Options are the options of Compile; the zero value is the default.
type Options struct {
	Namespace     string // of objects in front of any #pragma namespace; "": root\default
	ClassFlags    Flags  // where no #pragma classflags was given
	InstanceFlags Flags  // where no #pragma instanceflags was given
	// Progress is told of each object after it was tried; err is nil where it
	// was stored. The last call of a compilation that fails has its error.
	Progress func(o *Object, namespace string, err error)
}

// Compile applies the objects of f to target one after the other, in the order
// of the text; an instance that refers to a later one by an alias waits for it.
// It is no transaction: the first object that fails ends it with an *Error, and
// what was stored before stays stored. See spec/wmi.md 2.9.
func Compile(ctx context.Context, f *File, target Target, o Options) error {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	return newCompiler(target, o).run(ctx, f.Objects)
}

type compiler struct {
	target  Target
	options Options
	paths   map[string]place // by folded alias
	classes map[string]*cim.Class
	waiting map[string][]*waiter // by the folded alias that is missing
}

// place is where an alias leads.
type place struct {
	namespace string
	path      cim.ObjectPath
	whole     bool
}

// waiter is an object some of whose aliases are not stored yet.
type waiter struct {
	object  *Object
	missing int
}

func newCompiler(target Target, o Options) *compiler {
	return &compiler{
		target: target, options: o,
		paths: map[string]place{}, classes: map[string]*cim.Class{}, waiting: map[string][]*waiter{},
	}
}

func (c *compiler) run(ctx context.Context, objects []Object) error {
	for n := range objects {
		if o := &objects[n]; o.Class != nil && o.Class.Alias != "" {
			c.paths[cim.Fold(o.Class.Alias)] = place{c.namespace(o), cim.ObjectPath{Class: o.Class.Declared.Name}, true}
		}
	}
	for n := range objects {
		if c.mustWait(&objects[n]) {
			continue
		}
		ready := []*Object{&objects[n]}
		for len(ready) > 0 {
			o := ready[0]
			ready = ready[1:]
			err := c.apply(ctx, o)
			if c.options.Progress != nil {
				c.options.Progress(o, c.namespace(o), err)
			}
			if err != nil {
				return err
			}
			if o.Instance != nil && o.Instance.Alias != "" {
				ready = append(ready, c.released(o.Instance.Alias)...)
			}
		}
	}
	return nil
}

// mustWait puts o aside where an alias of it is not stored yet.
func (c *compiler) mustWait(o *Object) bool {
	var uses []aliasUse
	switch {
	case o.Instance != nil:
		uses = o.Instance.aliasUses()
	case o.Class != nil && len(o.Class.Defaults) > 0:
		uses = (&Instance{Values: o.Class.Defaults}).aliasUses()
	}
	w := &waiter{object: o}
	for _, use := range uses {
		name := cim.Fold(use.name)
		if _, stored := c.paths[name]; !stored {
			w.missing++
			c.waiting[name] = append(c.waiting[name], w)
		}
	}
	return w.missing > 0
}

// released are the objects that waited for nothing but alias.
func (c *compiler) released(alias string) []*Object {
	var ready []*Object
	alias = cim.Fold(alias)
	for _, w := range c.waiting[alias] {
		if w.missing--; w.missing == 0 {
			ready = append(ready, w.object)
		}
	}
	delete(c.waiting, alias)
	return ready
}

func (c *compiler) namespace(o *Object) string {
	if o.Namespace != "" {
		return o.Namespace
	}
	return c.options.Namespace
}

// apply stores or deletes one object.
func (c *compiler) apply(ctx context.Context, o *Object) error {
	namespace := c.namespace(o)
	var err error
	switch {
	case o.Class != nil:
		err = c.putClass(ctx, namespace, o)
	case o.Instance != nil:
		err = c.putInstance(ctx, namespace, o)
	case o.Delete.Class != "":
		clear(c.classes)
		err = c.target.DeleteClass(ctx, namespace, o.Delete.Class)
	default:
		err = c.target.DeleteInstance(ctx, namespace, o.Delete.Path)
	}
	if err != nil && !(o.Delete != nil && o.Delete.NoFail && missing(err)) {
		return located(err, o, namespace)
	}
	return nil
}

func missing(err error) bool {
	return errors.Is(err, cim.ErrNotFound) || errors.Is(err, cim.ErrInvalidClass)
}

// located gives an error of the target its place in the text.
func located(err error, o *Object, namespace string) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Code: cim.StatusOf(err), Position: o.Position, Detail: o.describe() + " " + namespace + because(err), Err: err}
}

// because is what an error of the target says that its status does not.
func because(err error) string {
	var e *cim.Error
	if errors.As(err, &e) && e.Detail != "" {
		return ": " + e.Detail
	}
	return ""
}

// describe begins a message about an object, which its namespace ends.
func (o *Object) describe() string {
	switch {
	case o.Class != nil:
		return "class " + o.Class.Declared.Name + " was not stored in"
	case o.Instance != nil:
		return "instance of " + o.Instance.Class + " was not stored in"
	case o.Delete.Class != "":
		return "class " + o.Delete.Class + " was not deleted from"
	}
	return o.Delete.Path.Relative() + " was not deleted from"
}

func (c *compiler) putClass(ctx context.Context, namespace string, o *Object) error {
	d := *o.Class.Declared
	d.Namespace = namespace
	if len(o.Class.Defaults) > 0 {
		d.Properties = append([]cim.Property(nil), d.Properties...)
	}
	rest := o.Class.Defaults // in the order of the properties
	for i := range d.Properties {
		p := &d.Properties[i]
		if len(rest) == 0 || rest[0].Property != p.Name {
			continue
		}
		v, err := c.value(ctx, namespace, &rest[0].Value, p.Type, p.RefClass)
		if err != nil {
			return err
		}
		p.Default, rest = v, rest[1:]
	}
	flags := o.ClassFlags
	if flags == 0 {
		flags = c.options.ClassFlags
	}
	options := cim.PutClassOptions{Amended: isAmended(&d)}
	switch {
	case flags&CreateOnly != 0:
		options.Mode = cim.ClassCreateOnly
	case flags&UpdateOnly != 0:
		options.Mode = cim.ClassUpdateOnly
	}
	switch {
	case flags&ForceUpdate != 0:
		options.Conflict = cim.ForceConflict
	case flags&SafeUpdate != 0:
		options.Conflict = cim.SafeConflict
	}
	clear(c.classes) // subclasses of it change too
	return c.target.PutClass(ctx, namespace, d.Seal(), options)
}

// isAmended tells whether a class or an element of it has an amended qualifier.
func isAmended(c *cim.Class) bool {
	parameter := func(p cim.Parameter) bool { return hasAmended(p.Qualifiers) }
	return hasAmended(c.Qualifiers) ||
		slices.ContainsFunc(c.Properties, func(p cim.Property) bool { return hasAmended(p.Qualifiers) }) ||
		slices.ContainsFunc(c.Methods, func(m cim.Method) bool {
			return hasAmended(m.Qualifiers) || slices.ContainsFunc(m.In, parameter) || slices.ContainsFunc(m.Out, parameter)
		})
}

func (c *compiler) putInstance(ctx context.Context, namespace string, o *Object) error {
	i, err := c.instance(ctx, namespace, o.Instance)
	if err != nil {
		return err
	}
	flags := o.InstanceFlags
	if flags == 0 {
		flags = c.options.InstanceFlags
	}
	options := PutInstanceOptions{Flags: flags, Qualifiers: o.Instance.Qualifiers}
	for n := range o.Instance.Values {
		if a := &o.Instance.Values[n]; len(a.Qualifiers) > 0 {
			if options.Properties == nil {
				options.Properties = map[string]cim.Qualifiers{}
			}
			options.Properties[i.Class().Property(a.Property).Name] = a.Qualifiers
		}
	}
	path, err := c.target.PutInstance(ctx, namespace, i, options)
	if err == nil && o.Instance.Alias != "" {
		path.Server, path.Namespace = "", ""
		c.paths[cim.Fold(o.Instance.Alias)] = place{namespace, path, !path.IsClass()}
	}
	return err
}

// class reads a class once.
func (c *compiler) class(ctx context.Context, namespace, name string) (*cim.Class, error) {
	key := cim.Fold(namespace) + ":" + cim.Fold(name)
	if known := c.classes[key]; known != nil {
		return known, nil
	}
	class, err := c.target.GetClass(ctx, namespace, name)
	if err == nil {
		c.classes[key] = class
	}
	return class, err
}

// instance makes the instance that a declaration means.
func (c *compiler) instance(ctx context.Context, namespace string, d *Instance) (*cim.Instance, error) {
	class, err := c.class(ctx, namespace, d.Class)
	if err != nil {
		return nil, &Error{Code: cim.StatusOf(err), Position: d.Position, Detail: "the class " + d.Class + " cannot be read in " + namespace + because(err), Err: err}
	}
	i := cim.NewInstance(class)
	for n := range d.Values {
		a := &d.Values[n]
		p := class.Property(a.Property)
		if p == nil {
			return nil, &Error{Code: cim.ErrInvalidProperty, Position: a.Position, Detail: class.Name + " has no property " + a.Property}
		}
		if a.NoValue {
			continue
		}
		v, err := c.value(ctx, namespace, &a.Value, p.Type, p.RefClass)
		if err != nil {
			return nil, err
		}
		if err := i.Set(p.Name, v); err != nil {
			return nil, &Error{Code: cim.ErrMofTypeMismatch, Position: a.Position, Detail: p.Name + " cannot have the value" + because(err), Err: err}
		}
	}
	return i, nil
}

// value makes a value of a declared type of what the text writes.
func (c *compiler) value(ctx context.Context, namespace string, i *Initializer, t cim.Type, class string) (cim.Value, error) {
	if err := checkObjects(i, t); err != nil {
		return cim.Value{}, err
	}
	switch {
	case i.Alias != "":
		return c.reference(namespace, i)
	case i.Instance != nil:
		e, err := c.instance(ctx, namespace, i.Instance)
		if err != nil {
			return cim.Value{}, err
		}
		if class != "" && !e.Class().IsA(class) {
			return cim.Value{}, i.fail(cim.ErrMofTypeMismatch, e.Class().Name+" is no "+class)
		}
		return cim.Obj(e), nil
	case !i.usesObjects():
		return i.as(t)
	}
	elems := make([]cim.Value, len(i.Elems))
	for n := range i.Elems {
		v, err := c.value(ctx, namespace, &i.Elems[n], t.Elem(), class)
		if err != nil {
			return cim.Value{}, err
		}
		elems[n] = v
	}
	return cim.Array(t.Elem(), elems), nil
}

// reference is the path that an alias stands for: relative within the
// namespace, and with the namespace from another one.
func (c *compiler) reference(namespace string, i *Initializer) (cim.Value, error) {
	at, stored := c.paths[cim.Fold(i.Alias)]
	if !stored || !at.whole {
		return cim.Value{}, i.fail(cim.ErrMofUnexpectedAlias, "the object $"+i.Alias+" has no path: a key of it has no value")
	}
	path := at.path
	if !cim.EqualFold(at.namespace, namespace) {
		path.Server, path.Namespace = ".", at.namespace
	}
	return cim.Ref(path.String()), nil
}
