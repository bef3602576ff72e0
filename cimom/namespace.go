package cimom

import (
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// Namespace are the settings of one namespace.
type Namespace struct {
	Name string // "root\cimv2"
	// Security says who may do what. Default: Administrators everything,
	// Authenticated Users and the service accounts Enable, Execute Methods and
	// Provider Write. See spec/wmi.md 5.7.
	Security *security.SecurityDescriptor
	// RequiresEncryption refuses remote calls below packet privacy.
	RequiresEncryption bool
}

// standardNamespaces exist in every manager. See spec/wmi.md 2.1.
var standardNamespaces = []string{
	`root`, `root\cimv2`, `root\cimv2\security`, `root\cimv2\security\microsoftvolumeencryption`, `root\default`,
	`root\hardware`, `root\interop`, `root\microsoft`, `root\microsoft\windows`, `root\microsoft\windows\storage`,
	`root\standardcimv2`, `root\subscription`, `root\wmi`,
}

// namespace is a namespace with the classes that are served in it.
type namespace struct {
	name     string
	security *security.SecurityDescriptor
	encrypt  bool

	mu      sync.RWMutex
	classes map[string]*entry // by folded name
	order   []*entry          // superclasses first
}

// entry is a class with the provider that serves it.
type entry struct {
	class    *cim.Class // with namespace and server
	given    *cim.Class // as the provider gave it
	provider Provider
	subs     []*entry
}

func newNamespace(n Namespace) *namespace {
	if n.Security == nil {
		n.Security = defaultSecurity
	}
	return &namespace{name: n.Name, security: n.Security, encrypt: n.RequiresEncryption, classes: map[string]*entry{}}
}

// namespaceName is a name with backslashes and without an edge of them.
func namespaceName(name string) string {
	return strings.Trim(strings.ReplaceAll(name, "/", `\`), `\`)
}

// find is the class of that name, or nil.
func (ns *namespace) find(class string) *entry {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	return ns.classes[cim.Fold(class)]
}

// all are the classes, superclasses first.
func (ns *namespace) all() []*entry {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	return ns.order[:len(ns.order):len(ns.order)]
}

// below are the subclasses of an entry; deep includes theirs.
func (ns *namespace) below(e *entry, deep bool) []*entry {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	return appendBelow(nil, e, deep)
}

func appendBelow(list []*entry, e *entry, deep bool) []*entry {
	for _, sub := range e.subs {
		list = append(list, sub)
		if deep {
			list = appendBelow(list, sub, deep)
		}
	}
	return list
}

// lineage is an entry with everything below it.
func (ns *namespace) lineage(e *entry) []*entry {
	return append([]*entry{e}, ns.below(e, true)...)
}

// AddNamespace makes a namespace below one that exists: ErrAlreadyExists,
// ErrInvalidNamespace where the parent is missing, ErrInvalidParameter for a
// name that may not be.
func (m *Manager) AddNamespace(n Namespace) error {
	n.Name = namespaceName(n.Name)
	fail := func(status cim.Status, why string) error {
		return &cim.Error{Status: status, Operation: "AddNamespace", Namespace: n.Name, Detail: why}
	}
	parent, last := "", n.Name
	if cut := strings.LastIndexByte(n.Name, '\\'); cut >= 0 {
		parent, last = n.Name[:cut], n.Name[cut+1:]
	}
	if !isName(last) {
		return fail(cim.ErrInvalidParameter, "a namespace name is a letter, then letters, digits and underscores")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.namespaces[cim.Fold(n.Name)] != nil {
		return fail(cim.ErrAlreadyExists, "")
	}
	if m.namespaces[cim.Fold(parent)] == nil {
		return fail(cim.ErrInvalidNamespace, "the parent namespace does not exist")
	}
	ns := newNamespace(n)
	for _, p := range m.everywhere {
		ns.add(p, p.Classes(), m.server)
	}
	m.namespaces[cim.Fold(n.Name)] = ns
	return nil
}

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || s[i] != '_' && (s[i] < '0' || s[i] > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= 255
}
