package eventing

import (
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// lasting are the permanent subscriptions: filters, consumers and bindings
// that are stored, and what runs for them. See spec/wmi.md 5.3.
type lasting struct {
	hub *Hub

	mu        sync.Mutex
	closed    bool
	filters   map[string]*definition // by path
	consumers map[string]*consumer
	links     map[string]*link
}

// definition is an instance that is stored.
type definition struct {
	namespace string
	instance  *cim.Instance
	creator   security.SID // zero where CreatorSID is none
}

func newDefinition(namespace string, i *cim.Instance) definition {
	d := definition{namespace: namespace, instance: i.Clone()}
	b, _ := i.Get("CreatorSID").Bytes()
	if sid, n, err := security.DecodeSID(b); err == nil && n == len(b) {
		d.creator = sid
	}
	return d
}

func (d *definition) text(property string) string {
	s, _ := d.instance.Get(property).Str()
	return s
}

func (l *lasting) init(h *Hub) {
	l.hub = h
	l.filters, l.consumers, l.links = map[string]*definition{}, map[string]*consumer{}, map[string]*link{}
}

// Vet tells what stands against storing an instance of the classes that make
// permanent subscriptions, which creator is about to write: ErrUnparsableQuery
// and the like for a filter whose query cannot be read, ErrInvalidQueryType,
// ErrInvalidParameter for a bad EventAccess, ErrQuotaViolation for a binding
// too many.
func (h *Hub) Vet(namespace string, i *cim.Instance, creator security.SID) error {
	switch class := i.Class(); {
	case class.IsA("__EventFilter"):
		d := definition{instance: i}
		if language := d.text("QueryLanguage"); language != "" && !cim.EqualFold(language, "WQL") {
			return &cim.Error{Status: cim.ErrInvalidQueryType, Detail: "the only query language is WQL"}
		}
		if _, err := accessOf(&d); err != nil {
			return err
		}
		_, err := parse(d.text("Query"))
		return err
	case class.IsA("__FilterToConsumerBinding"):
		path, _ := i.Path()
		if h.lasting.has(pathKey(namespace, path)) {
			return nil // it takes the place of the old one
		}
		if err := h.ledger.take(creator, permanent, 1); err != nil {
			return err
		}
		h.ledger.give(creator, permanent, 1)
	}
	return nil
}

// has tells whether a binding is stored.
func (l *lasting) has(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.links[key] != nil
}

// accessOf is the EventAccess of a filter, nil where it has none.
func accessOf(filter *definition) (*security.SecurityDescriptor, error) {
	text := filter.text("EventAccess")
	if text == "" {
		return nil, nil
	}
	sd, err := security.ParseSDDL(text)
	if err != nil {
		return nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "EventAccess is no security descriptor in SDDL", Err: err}
	}
	return sd, nil
}

// Stored tells that an instance is stored, at the start or after a write; the
// hub takes it up if it is a filter, a consumer, a binding or a timer
// instruction. stopped is when the service stopped last, for the timers to
// catch up; zero: they begin anew.
func (h *Hub) Stored(namespace string, i *cim.Instance, stopped time.Time) {
	path, whole := i.Path()
	if !whole {
		return
	}
	key := pathKey(namespace, path)
	switch class := i.Class(); {
	case class.IsA("__TimerInstruction"):
		h.timers.set(namespace, key, i, stopped)
	case class.IsA("__EventFilter"):
		d := newDefinition(namespace, i)
		h.lasting.change(func(l *lasting) { l.filters[key] = &d }, func(k *link) bool { return k.filter == key })
	case class.IsA("__EventConsumer"):
		h.lasting.setConsumer(key, newDefinition(namespace, i), path)
	case class.IsA("__FilterToConsumerBinding"):
		h.lasting.setLink(key, newDefinition(namespace, i))
	}
}

// Removed tells that an instance is stored no more.
func (h *Hub) Removed(namespace string, class *cim.Class, path cim.ObjectPath) {
	key := pathKey(namespace, path)
	switch {
	case class.IsA("__TimerInstruction"):
		h.timers.remove(key)
	case class.IsA("__EventFilter"):
		h.lasting.change(func(l *lasting) { delete(l.filters, key) }, func(k *link) bool { return k.filter == key })
	case class.IsA("__EventConsumer"):
		h.lasting.removeConsumer(key)
	case class.IsA("__FilterToConsumerBinding"):
		h.lasting.removeLink(key)
	}
}

// NamespaceRemoved tells that a namespace is no more, with what was stored in
// it.
func (h *Hub) NamespaceRemoved(namespace string) {
	prefix := cim.Fold(namespace) + ":"
	below := cim.Fold(namespace) + `\`
	h.forget(func(key string) bool { return strings.HasPrefix(key, prefix) || strings.HasPrefix(key, below) })
	// One of that name that is made later is another, with its own rights.
	h.lasting.change(func(*lasting) {}, func(k *link) bool { return strings.HasPrefix(cim.Fold(k.events)+`\`, below) })
	h.mu.Lock()
	var gone []*Subscription
	for s := range h.open {
		if strings.HasPrefix(cim.Fold(s.namespace)+`\`, below) {
			gone = append(gone, s)
		}
	}
	h.mu.Unlock()
	for _, s := range gone {
		s.end(&cim.Error{Status: cim.ErrInvalidNamespace, Detail: "the namespace was deleted"})
	}
}

// Forget ends all that is made of what is stored, which is another
// repository's from now on.
func (h *Hub) Forget() { h.forget(func(string) bool { return true }) }

func (h *Hub) forget(inside func(key string) bool) {
	h.timers.removeAll(inside)
	h.lasting.removeAll(inside)
}

// SecurityChanged tells that the security of a namespace changed: who may not
// read there any more has no subscription there any more.
func (h *Hub) SecurityChanged(namespace string) {
	h.mu.Lock()
	var there []*Subscription
	for s := range h.open {
		if cim.EqualFold(s.namespace, namespace) {
			there = append(there, s)
		}
	}
	h.mu.Unlock()
	for _, s := range there {
		if err := h.host.Check(namespace, s.caller); err != nil {
			s.end(err)
		}
	}
	h.lasting.change(func(*lasting) {}, func(k *link) bool { return cim.EqualFold(k.events, namespace) })
}

// pathKey is the same for paths of the same instance.
func pathKey(namespace string, path cim.ObjectPath) string {
	if path.Namespace != "" {
		namespace = path.Namespace
	}
	parts := make([]string, len(path.Keys))
	for n, k := range path.Keys {
		name := cim.Fold(k.Name)
		if len(path.Keys) == 1 {
			name = ""
		}
		parts[n] = name + "=" + strings.ToLower(string(k.Value.AppendText(nil)))
	}
	sort.Strings(parts)
	return cim.Fold(namespaceName(namespace)) + ":" + cim.Fold(path.Class) + "\x00" + strings.Join(parts, "\x00")
}

// refKey is the pathKey of what a reference names; "" where it is no path.
func refKey(namespace, reference string) string {
	path, err := cim.ParsePath(reference)
	if err != nil || path.IsClass() {
		return ""
	}
	return pathKey(namespace, path)
}

func namespaceName(name string) string {
	return strings.Trim(strings.TrimPrefix(strings.ReplaceAll(name, "/", `\`), `\\.\`), `\`)
}
