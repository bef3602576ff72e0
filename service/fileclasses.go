package service

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/decoupled"
	"github.com/casementhq/casement/providers/host"
)

// fileClasses serves the classes of files. What a caller sees of them and
// changes is what its Unix user may: where that is the service's own, this
// process does it, else a provider host of that user. See docs/providers.md.
type fileClasses struct {
	own     *host.Provider
	perUser *decoupled.PerUser
	people  *people
}

func newFileClasses(p *people, hosts *providerHosts, log *slog.Logger) *fileClasses {
	own := host.NewFiles(host.Options{Log: log, Files: func(c cim.Caller) (host.FileActor, error) {
		own, err := p.isOwn(c)
		if err == nil && !own {
			err = errors.New("the service runs as another Unix user")
		}
		return host.OwnFiles{}, err
	}})
	return &fileClasses{own: own, perUser: hosts.perUser(host.FilesProviderName, own.Classes(), p), people: p}
}

// ProviderName is the name by which the provider is known.
func (f *fileClasses) ProviderName() string { return host.FilesProviderName }

// Classes are the classes of files.
func (f *fileClasses) Classes() []*cim.Class { return f.own.Classes() }

// List lists files.
func (f *fileClasses) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	if err := host.FilesBounded(r); err != nil { // no host is needed to say so
		return err
	}
	return f.as(r.Caller).List(ctx, r, yield)
}

// Walk lists what stands in a folder, or where a file stands.
func (f *fileClasses) Walk(ctx context.Context, r *cimom.Request, source cim.ObjectPath, role string, yield func(*cim.Instance) error) error {
	return f.as(r.Caller).Walk(ctx, r, source, role, yield)
}

// Invoke changes a file.
func (f *fileClasses) Invoke(ctx context.Context, r *cimom.Request, path cim.ObjectPath, method string, in cim.Arguments) (cim.Result, error) {
	return f.as(r.Caller).Invoke(ctx, r, path, method, in)
}

// as is who acts for a caller. Who has no Unix user has no host either, and is
// refused there.
func (f *fileClasses) as(c cim.Caller) interface {
	cimom.InstanceLister
	cimom.AssociationWalker
	cimom.MethodInvoker
} {
	if id, err := f.people.creatorIdentity(c); err == nil && int64(id.UID) == int64(os.Geteuid()) {
		return f.own
	}
	return f.perUser
}
