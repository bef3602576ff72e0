package cimom

import (
	"strings"
	"sync"
	"sync/atomic"

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
	`root\security`, `root\standardcimv2`, `root\subscription`, `root\wmi`,
}

// namespace is a namespace with the classes that are served in it.
type namespace struct {
	name     string
	key      string   // the name, folded
	original settings // without what is stored
	settings atomic.Pointer[settings]
	table    atomic.Pointer[table]

	created bool        // by a user, through a __NAMESPACE instance
	waiting bool        // it stands in the repository and was not added yet
	deleted atomic.Bool // its sessions have lost it

	// writing serialises changes of the layers, and keeps instances from being
	// stored meanwhile.
	writing sync.RWMutex
	layers  *layers
}

// settings are who may do what in a namespace.
type settings struct {
	security *security.SecurityDescriptor
	encrypt  bool
}

func newNamespace(n Namespace) *namespace {
	if n.Security == nil {
		n.Security = defaultSecurity
	}
	ns := &namespace{name: n.Name, key: cim.Fold(n.Name), layers: &layers{builtin: map[string]builtin{}, stored: map[string]*cim.Class{}}}
	ns.original = settings{n.Security, n.RequiresEncryption}
	ns.settings.Store(&ns.original)
	ns.table.Store(&table{})
	return ns
}

// namespaceName is a name with backslashes and without an edge of them.
func namespaceName(name string) string {
	return strings.Trim(strings.ReplaceAll(name, "/", `\`), `\`)
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
	if ns := m.namespaces[cim.Fold(n.Name)]; ns != nil && ns.waiting {
		ns.waiting = false // what is stored of it was loaded already
		return nil
	} else if ns != nil {
		return fail(cim.ErrAlreadyExists, "")
	}
	if m.namespaces[cim.Fold(parent)] == nil {
		return fail(cim.ErrInvalidNamespace, "the parent namespace does not exist")
	}
	ns := newNamespace(n)
	m.addCommon(ns)
	m.namespaces[ns.key] = ns
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
