package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/casementhq/casement/internal/fileowner"
)

// save writes the tree beside the hive, flushes it and renames it over the hive. The
// caller holds the write lock, so that the name of the new file may be fixed: what a
// killed process left behind is removed here. On an error the result is h.seen.
func (h *Hive) save(t *Tree) (content, error) {
	var b bytes.Buffer
	if err := WriteReg(&b, t); err != nil {
		return h.seen, err
	}
	if err := h.replace(h.path, b.Bytes()); err != nil {
		return h.seen, err
	}
	return contentOf(b.Bytes()), nil
}

// replace puts new contents in the place of a file in one step, and keeps its owner and
// mode.
func (h *Hive) replace(path string, b []byte) (err error) {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an unfinished file: %w", err)
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
		}
	}()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := fileowner.Keep(f, path); err != nil {
		return fmt.Errorf("keeping its owner: %w", err)
	}
	if err := h.seal(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// syncDir makes the rename durable. The change is in force already, so that an error
// (some file systems cannot) is no failure.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
