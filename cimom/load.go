package cimom

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

// lockedSDDL is the security of a namespace whose own cannot be read:
// administrators alone.
const lockedSDDL = "O:BAG:BAD:(A;CI;0x6003f;;;BA)"

var locked = settings{security: mustParse(lockedSDDL)}

// load makes the namespaces and classes of the repository. What cannot be read
// is logged and left out.
func (m *Manager) load(ctx context.Context) error {
	list, damaged, err := m.repository.Namespaces(ctx)
	if repository.IsDamaged(err) {
		m.lock(err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range damaged {
		m.log.Error("the record of a namespace is damaged: administrators alone may use it", "namespace", p.Object, "error", p.Detail)
		list = append(list, repository.Namespace{Name: p.Object, Security: []byte{}})
	}
	slices.SortFunc(list, func(a, b repository.Namespace) int { // parents first
		return slices.Compare([]byte(cim.Fold(a.Name)), []byte(cim.Fold(b.Name)))
	})
	for _, n := range list {
		if err := m.loadNamespace(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// lock leaves every namespace to administrators, who can salvage the
// repository: who else may use which cannot be read.
func (m *Manager) lock(why error) {
	m.log.Error("the repository is damaged: what is built in is served, to administrators alone; 'winmgmt /salvagerepository' keeps what can be read", "error", why)
	for _, ns := range m.namespaces {
		set := *ns.settings.Load()
		set.security = mustParse(lockedSDDL)
		ns.settings.Store(&set)
	}
}

func (m *Manager) loadNamespace(ctx context.Context, n repository.Namespace) error {
	ns := m.namespaces[cim.Fold(n.Name)]
	if ns == nil {
		ns = newNamespace(Namespace{Name: n.Name})
		ns.created, ns.waiting = n.Created, !n.Created
		m.namespaces[ns.key] = ns
	}
	set := ns.original
	set.encrypt = set.encrypt || n.RequiresEncryption
	if n.Security != nil {
		sd, err := security.DecodeSecurityDescriptor(n.Security)
		if err == nil && sd.DACL == nil {
			err = errors.New("it has no DACL and would let everybody in")
		}
		if err != nil {
			m.log.Error("the security of a namespace cannot be read: administrators alone may use it", "namespace", n.Name, "error", err)
			sd = locked.security
		}
		set.security = sd
	}
	ns.settings.Store(&set)
	return m.loadClasses(ctx, ns)
}

// loadClasses reads the stored layer of a namespace; its table is built when
// the built-in layer comes.
func (m *Manager) loadClasses(ctx context.Context, ns *namespace) error {
	classes, damaged, err := m.repository.Classes(ctx, ns.name)
	if repository.IsDamaged(err) {
		m.log.Error("the classes that are stored in a namespace cannot be read: what is built in is served", "namespace", ns.name, "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	for _, p := range damaged {
		m.log.Error("the record of a class is damaged", "class", p.Object, "error", p.Detail)
	}
	ns.writing.Lock()
	defer ns.writing.Unlock()
	l := ns.layers.clone()
	clear(l.stored)
	for _, c := range classes {
		if strings.HasPrefix(c.Name, "__") { // nobody can have stored it here
			m.log.Error("a class of the system is not taken out of the repository", "namespace", ns.name, "class", c.Name)
			continue
		}
		if c.Declaration != nil {
			c.Declaration.Namespace, c.Declaration.Server = ns.name, m.server
			c.Declaration.Seal()
		}
		l.stored[cim.Fold(c.Name)] = c.Declaration
	}
	ns.rebuild(l, m.server)
	return nil
}

// Problem is something wrong with what is stored: a record that is damaged, or
// a class that no longer derives and is kept and not served.
type Problem struct {
	Object string // namespace, class or instance
	Detail string
}

// unserved are the stored classes that do not derive.
func (m *Manager) unserved() (list []Problem) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, ns := range m.namespaces {
		for _, b := range ns.table.Load().broken {
			list = append(list, Problem{ns.name + ":" + b.name, b.err.Error()})
		}
	}
	slices.SortFunc(list, func(a, b Problem) int { return slices.Compare([]byte(a.Object), []byte(b.Object)) })
	return list
}

func mustParse(sddl string) *security.SecurityDescriptor {
	sd, err := security.ParseSDDL(sddl)
	if err != nil {
		panic(err) // a constant
	}
	return sd
}
