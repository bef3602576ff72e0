package static

import (
	"context"
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/cimom"
)

// Method is the body of a method. The path names the instance, or the class
// of a static method. The caller's arguments are in their declared types and
// order. The function may call the provider.
type Method func(ctx context.Context, path cim.ObjectPath, in cim.Arguments) (cim.Result, error)

// Provider keeps classes and their instances. It is safe for use by several
// goroutines; a listing shows the instances as they were when it began.
type Provider struct {
	mu      sync.RWMutex
	classes []*cim.Class
	tables  map[string]*table // by folded namespace and class
	methods map[string]Method // by folded namespace, class and method
}

// table are the instances of one class. The slice is replaced, never changed
// in place below its length, so that listings need no lock.
type table struct {
	class *cim.Class
	rows  []*cim.Instance
	index map[string]int // by the text of the keys
}

var (
	_ cimom.InstanceLister = (*Provider)(nil)
	_ cimom.InstanceGetter = (*Provider)(nil)
	_ cimom.InstanceWriter = (*Provider)(nil)
	_ cimom.MethodInvoker  = (*Provider)(nil)
)

// New makes a provider of classes, each with its namespace and after its
// superclass.
func New(classes ...*cim.Class) *Provider {
	p := &Provider{classes: classes, tables: map[string]*table{}, methods: map[string]Method{}}
	for _, c := range classes {
		p.tables[tableKey(c.Namespace, c.Name)] = &table{class: c, index: map[string]int{}}
	}
	return p
}

func tableKey(namespace, class string) string {
	return cim.Fold(namespace) + ":" + cim.Fold(class)
}

// Classes are the classes that New was given.
func (p *Provider) Classes() []*cim.Class { return p.classes }

// Add adds instances of classes that the provider has; it keeps them:
// ErrInvalidClass, ErrNoKey, ErrAlreadyExists.
func (p *Provider) Add(instances ...*cim.Instance) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range instances {
		t := p.tables[tableKey(i.Class().Namespace, i.Class().Name)]
		if t == nil {
			return &cim.Error{Status: cim.ErrInvalidClass, Path: i.Class().Name}
		}
		if err := t.add(i); err != nil {
			return err
		}
	}
	return nil
}

// Handle sets the body of a method for a class and those below it that have
// none of their own.
func (p *Provider) Handle(namespace, class, method string, f Method) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.methods[tableKey(namespace, class)+"."+cim.Fold(method)] = f
}

// List yields the instances of the class.
func (p *Provider) List(_ context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	for _, i := range p.rows(r.Namespace, r.Class.Name) {
		if err := yield(i); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) rows(namespace, class string) []*cim.Instance {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if t := p.tables[tableKey(namespace, class)]; t != nil {
		return t.rows
	}
	return nil
}

// Get finds an instance by its keys.
func (p *Provider) Get(_ context.Context, r *cimom.Request, path cim.ObjectPath) (*cim.Instance, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t := p.tables[tableKey(r.Namespace, r.Class.Name)]
	if t == nil {
		return nil, cim.ErrNotFound
	}
	n, err := t.find(path)
	if err != nil {
		return nil, err
	}
	return t.rows[n].Clone(), nil
}

// Invoke runs the function of the method.
func (p *Provider) Invoke(ctx context.Context, r *cimom.Request, path cim.ObjectPath, method string, in cim.Arguments) (cim.Result, error) {
	p.mu.RLock()
	f := p.methods[tableKey(r.Namespace, r.Class.Name)+"."+cim.Fold(method)]
	for i := 0; f == nil && i < len(r.Class.Derivation); i++ {
		f = p.methods[tableKey(r.Namespace, r.Class.Derivation[i])+"."+cim.Fold(method)]
	}
	p.mu.RUnlock()
	if f == nil {
		return cim.Result{}, cim.ErrMethodNotImplemented
	}
	return f(ctx, path, in)
}

// find is the position of the instance that path names.
func (t *table) find(path cim.ObjectPath) (int, error) {
	if t.class.IsSingleton() {
		if len(t.rows) == 0 {
			return 0, cim.ErrNotFound
		}
		return 0, nil
	}
	keys, err := wql.ConstraintsOf(t.class, path)
	if err != nil {
		return 0, err
	}
	var b strings.Builder
	for _, k := range keys {
		appendKey(&b, k.Value)
	}
	n, ok := t.index[b.String()]
	if !ok {
		return 0, cim.ErrNotFound
	}
	return n, nil
}

// keyOf is the text under which an instance is found; ok is false where a key
// is NULL.
func (t *table) keyOf(i *cim.Instance) (key string, ok bool) {
	if t.class.IsSingleton() {
		return "@", true
	}
	var b strings.Builder
	for _, k := range t.class.Keys() {
		if i.At(k).IsNull() {
			return "", false
		}
		appendKey(&b, i.At(k))
	}
	return b.String(), true
}

// appendKey writes a key so that two texts are the same only for keys that
// are; strings compare case-blind.
func appendKey(b *strings.Builder, v cim.Value) {
	s := strings.ToLower(v.String())
	for i := 0; i < len(s); i++ {
		if s[i] == 0 || s[i] == 1 {
			b.WriteByte(1)
		}
		b.WriteByte(s[i])
	}
	b.WriteByte(0)
}

func (t *table) add(i *cim.Instance) error {
	if len(t.class.Keys()) == 0 && !t.class.IsSingleton() {
		t.rows = append(t.rows, i)
		return nil
	}
	key, ok := t.keyOf(i)
	if !ok {
		return &cim.Error{Status: cim.ErrNoKey, Path: t.class.Name, Detail: "an instance needs a value for every key"}
	}
	if _, exists := t.index[key]; exists {
		path, _ := i.Path()
		return &cim.Error{Status: cim.ErrAlreadyExists, Path: path.Relative()}
	}
	t.index[key] = len(t.rows)
	t.rows = append(t.rows, i)
	return nil
}
