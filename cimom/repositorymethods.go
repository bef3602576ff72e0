package cimom

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom/repository"
)

// repositoryMethod runs a method of Casement_Repository. Compile acts with the
// caller's own rights; the others are for administrators with Full Write.
func (p *systemProvider) repositoryMethod(ctx context.Context, r *Request, method string, in cim.Arguments) (cim.Result, error) {
	if cim.EqualFold(method, "Compile") {
		return p.compileMethod(ctx, r, in)
	}
	m := p.manager
	root := m.namespace(r.Namespace)
	if root == nil || !isAdministrator(r.Caller) {
		return cim.Result{}, &cim.Error{Status: cim.ErrAccessDenied, Detail: "only administrators look after the repository"}
	}
	if err := m.admit(root, r.Caller, rightFullWrite); err != nil {
		return cim.Result{}, err
	}
	done := cim.Result{ReturnValue: cim.U32(0)}
	name, _ := in.Get("Name").Str()
	switch cim.Fold(method) {
	case "backup":
		path, err := m.backupPath(name)
		if err == nil {
			err = m.repository.Backup(ctx, path)
		}
		done.Out = cim.NamedArray{{Name: "Path", Value: cim.Str(path)}}
		return done, err
	case "restore":
		path, err := m.backupPath(name)
		if err == nil {
			force, _ := in.Get("Force").Bool()
			err = m.replace(ctx, r.session, force, func() error { return m.repository.Restore(ctx, path) })
		}
		return done, err
	case "verify":
		problems, err := m.repository.Verify(ctx)
		if len(problems) > 0 {
			done.ReturnValue = cim.U32(repository.Damaged)
		}
		done.Out = cim.NamedArray{{Name: "Problems", Value: m.problems(problems)}}
		return done, err
	case "salvage":
		var salvaged repository.Salvaged
		err := m.replace(ctx, r.session, true, func() (err error) {
			salvaged, err = m.repository.Salvage(ctx)
			return err
		})
		done.Out = cim.NamedArray{{Name: "Problems", Value: m.problems(salvaged.Lost)}}
		return done, err
	case "reset":
		return done, m.replace(ctx, r.session, true, func() error { return m.repository.Reset(ctx) })
	}
	return cim.Result{}, cim.ErrMethodNotImplemented
}

// problems are lines about what is damaged, and about classes that are kept
// and not served.
func (m *Manager) problems(damaged []repository.Problem) cim.Value {
	lines := []string{}
	for _, p := range damaged {
		lines = append(lines, p.String())
	}
	for _, p := range m.unserved() {
		lines = append(lines, "not served: "+p.Object+": "+p.Detail)
	}
	return cim.Strs(lines)
}

// backupPath is where the backup of a name lies. A caller chooses no folder.
func (m *Manager) backupPath(name string) (string, error) {
	switch {
	case m.backups == "":
		return "", &cim.Error{Status: cim.ErrNotSupported, Detail: "this service keeps no backups"}
	case name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\:`) || filepath.Base(name) != name || len(name) > 200:
		return "", &cim.Error{Status: cim.ErrInvalidParameter, Detail: "Name is the name of a file without a folder"}
	}
	if err := os.MkdirAll(m.backups, 0o700); err != nil {
		return "", &cim.Error{Status: cim.ErrFailed, Detail: "the folder for backups cannot be made", Err: err}
	}
	return filepath.Join(m.backups, name), nil
}

// replace puts other content into the repository and begins anew with it. All
// sessions but that of the caller end; without force there must be none.
func (m *Manager) replace(ctx context.Context, own *session, force bool, f func() error) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	var others []*shared
	for s := range m.sessions {
		if own == nil || s != own.shared {
			others = append(others, s)
		}
	}
	if len(others) > 0 && !force {
		m.mu.Unlock()
		return &cim.Error{Status: cim.ErrBackupRestoreWinmgmtRunning, Detail: "others are connected; force ends their sessions"}
	}
	for _, s := range others {
		delete(m.sessions, s)
	}
	for _, ns := range m.namespaces {
		ns.settings.Store(&locked) // what comes in meanwhile finds no door ajar
	}
	m.mu.Unlock()
	for _, s := range others {
		s.close()
	}
	err := f()
	ctx = context.WithoutCancel(ctx) // else a caller who gives up leaves the manager without namespaces
	if err := errors.Join(err, m.reload(ctx)); err != nil {
		return err
	}
	return m.events.reload(ctx)
}

// reload begins anew with what the repository has now.
func (m *Manager) reload(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, ns := range m.namespaces {
		if ns.created || ns.waiting {
			ns.deleted.Store(true)
			delete(m.namespaces, key)
			continue
		}
		ns.writing.Lock()
		l := ns.layers.clone()
		clear(l.stored)
		ns.rebuild(l, m.server)
		ns.writing.Unlock()
	}
	if err := m.load(ctx); err != nil {
		return err
	}
	for _, ns := range m.namespaces {
		m.addCommon(ns)
		if ns.settings.Load() == &locked {
			ns.settings.Store(&ns.original)
		}
	}
	return nil
}
