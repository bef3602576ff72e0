package repository

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// FileName is the name of the repository in the folder of its service.
const FileName = "repository.db"

// VerifyCopy is [Repository.Verify] for a saved copy, which nothing writes to: a
// backup, the file of a repository, or a folder with that file. It works on a
// copy of its own below the folder for temporary files. It fails with
// ErrNotFound where there is nothing, and with ErrDatabaseVerMismatch for what a
// newer release wrote.
func VerifyCopy(ctx context.Context, path string) (problems []Problem, err error) {
	failed := func(status cim.Status, why string, err error) error {
		return &cim.Error{Status: status, Operation: "Verify", Path: path, Detail: why, Err: err}
	}
	fi, err := os.Stat(path)
	if err == nil && fi.IsDir() {
		path = filepath.Join(path, FileName)
		fi, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failed(cim.ErrNotFound, "there is no repository", err)
	case err == nil && !fi.Mode().IsRegular():
		return nil, failed(cim.ErrInvalidParameter, "it is neither a file nor a folder", nil)
	case err == nil && fi.Size() == 0: // it would be taken for a repository that is about to be made
		return []Problem{{Detail: "the file is empty"}}, nil
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path) // #nosec G304 -- who asks reads it as himself
	}
	if err != nil {
		return nil, failed(cim.ErrFailed, "the copy cannot be read", err)
	}
	defer f.Close()
	dir, err := os.MkdirTemp("", "casement-verify-")
	if err != nil {
		return nil, failed(cim.ErrFailed, "there is no place to work", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	work := filepath.Join(dir, FileName)
	var broken backupError
	switch err := unpack(ctx, f, work); {
	case errors.Is(err, errBackupNewer):
		return nil, failed(cim.ErrDatabaseVerMismatch, err.Error(), err)
	case errors.As(err, &broken):
		return []Problem{{Detail: err.Error()}}, nil
	case err != nil:
		return nil, failed(cim.ErrFailed, "it cannot be copied", store.Full(err))
	}
	r, err := Open(work, Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.Verify(ctx)
}

// unpack makes the file of a repository of a copy: of a backup, or of such a
// file.
func unpack(ctx context.Context, f *os.File, work string) (err error) {
	header := make([]byte, len(backupHeader)-2) // without the number of the format
	if _, err := io.ReadFull(f, header); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if string(header) != backupHeader[:len(header)] {
		out, err := os.OpenFile(work, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- in a folder made just now
		if err != nil {
			return err
		}
		_, err = io.Copy(out, f)
		return errors.Join(err, out.Close())
	}
	if err := checkBackup(f); err != nil {
		return err
	}
	s, err := store.Open(work, store.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	w := writer{s: s}
	if err := readBackup(bufio.NewReaderSize(f, 1<<16), func(key, record []byte) error { return w.put(ctx, key, record) }); err != nil {
		return err
	}
	return w.flush(ctx)
}
