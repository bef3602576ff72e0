package service

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/internal/fileowner"
)

// The service writes and reads backups of its repository in a folder of the
// state, and takes no path from anybody. These functions are for winmgmt, which
// runs as an administrator and moves them. The folder belongs to the service's
// user, who may have put anything there: what leads out of it is not followed.

// TakeBackup moves a backup that the service made to a file.
func TakeBackup(state, name, file string) (err error) {
	root, err := os.OpenRoot(filepath.Join(state, backupsName))
	if err != nil {
		return err
	}
	defer root.Close()
	in, err := root.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) // #nosec G304 -- the administrator named it
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), root.Remove(name))
}

// PlaceBackup copies a file to where the service can restore it from. remove
// removes the copy.
func PlaceBackup(state, file string) (name string, remove func() error, err error) {
	in, err := os.Open(file) // #nosec G304 -- the administrator named it
	if err != nil {
		return "", nil, err
	}
	defer in.Close()
	folder := filepath.Join(state, backupsName)
	root, err := os.OpenRoot(folder)
	if err != nil {
		return "", nil, err
	}
	name = "restore-" + rand.Text()
	out, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", nil, errors.Join(err, root.Close())
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, fileowner.GiveLike(out, folder), out.Close()); err != nil {
		return "", nil, errors.Join(err, root.Remove(name), root.Close())
	}
	return name, func() error { return errors.Join(root.Remove(name), root.Close()) }, nil
}

// VerifyCopy reads a saved copy of a repository: a backup, the file of a
// repository, or a folder with it. It says what is wrong, nothing where all is
// well; a service has no part in it.
func VerifyCopy(ctx context.Context, path string) (problems []string, err error) {
	list, err := repository.VerifyCopy(ctx, path)
	for _, p := range list {
		problems = append(problems, p.String())
	}
	return problems, err
}
