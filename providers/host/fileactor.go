package host

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/casementhq/casement/cim"
)

// FileActor changes files as one Unix user. No method follows a symbolic link in any part of a path, and none replaces
// what is there. Their errors are those of package os.
type FileActor interface {
	// Copy makes a file or a whole directory once more: fs.ErrExist where to is there.
	Copy(ctx context.Context, from, to string) error
	// Rename gives a file or a directory another place on its file system: fs.ErrExist, syscall.EXDEV.
	Rename(ctx context.Context, from, to string) error
	// Remove removes a file or an empty directory: syscall.ENOTEMPTY.
	Remove(ctx context.Context, name string) error
}

// FileWriter makes and removes files as one Unix user, likewise.
type FileWriter interface {
	// Write makes a new file: fs.ErrExist. A file that cannot be written to its end is removed.
	Write(ctx context.Context, name string, content io.Reader) error
	// Remove removes a file: fs.ErrNotExist.
	Remove(ctx context.Context, name string) error
}

// The further return values of the methods of CIM_DataFile. See its documentation.
const (
	fileInvalidObject = 9
	fileExists        = 10
	fileNotNTFS       = 11
	fileOtherDrive    = 13
	fileNotEmpty      = 14
	fileSharing       = 15
)

// fileReturn is the documented return value for what happened.
func (p *Provider) fileReturn(method, name string, err error) uint32 {
	switch {
	case err == nil:
		return returnOK
	case errors.Is(err, syscall.ENOTEMPTY):
		return fileNotEmpty
	case errors.Is(err, syscall.EXDEV):
		return fileOtherDrive
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.ETXTBSY):
		return fileSharing
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENAMETOOLONG):
		return returnInvalidParameter
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return returnAccessDenied
	case errors.Is(err, fs.ErrExist):
		return fileExists
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR):
		return fileInvalidObject
	}
	p.log.Warn("a file was not changed", "method", method, "file", name, "error", err)
	return returnUnknownFailure
}

// actor is who changes files for a caller; ok is false where nobody does.
func actor[A any](p *Provider, of func(cim.Caller) (A, error), caller cim.Caller) (a A, ok bool) {
	if of == nil {
		return a, false
	}
	a, err := of(caller)
	if err != nil {
		p.log.Info("a caller may not change files", "error", err)
	}
	return a, err == nil
}

// changeFile runs f for the file that the path of the call names.
func changeFile(name string, f func(ctx context.Context, a FileActor, path string) error) method {
	return func(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
		a, ok := actor(p, p.o.Files, c.caller)
		if !ok {
			return returnAccessDenied, nil, nil
		}
		path := c.key("Name")
		return p.fileReturn(name, path, f(ctx, a, filepath.Join(p.root, path))), nil, nil
	}
}

// changeFileTo is changeFile with the second path that the argument FileName gives.
func changeFileTo(name string, f func(ctx context.Context, a FileActor, from, to string) error) method {
	return func(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
		to := c.text("FileName")
		if !filepath.IsAbs(to) || filepath.Clean(to) != to {
			return returnInvalidParameter, nil, nil
		}
		return changeFile(name, func(ctx context.Context, a FileActor, from string) error {
			return f(ctx, a, from, filepath.Join(p.root, to))
		})(ctx, p, c)
	}
}

var (
	deleteFile = changeFile("Delete", func(ctx context.Context, a FileActor, path string) error { return a.Remove(ctx, path) })
	copyFile   = changeFileTo("Copy", func(ctx context.Context, a FileActor, from, to string) error { return a.Copy(ctx, from, to) })
	renameFile = changeFileTo("Rename", func(ctx context.Context, a FileActor, from, to string) error { return a.Rename(ctx, from, to) })
)

// compressFile says what Windows says of a drive that is not NTFS: compression is a thing of that file system.
func compressFile(context.Context, *Provider, *call) (uint32, cim.NamedArray, error) {
	return fileNotNTFS, nil, nil
}
