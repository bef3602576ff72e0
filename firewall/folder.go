package firewall

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/casementhq/casement/registry"
)

// FolderSnapshot gives the hive of a state folder for a Gate in another process than the
// service's. It is read once a second at most, and is an empty one where there is no
// such folder.
func FolderSnapshot(dir string) func() (Snapshot, error) {
	f := folder{dir: dir}
	return f.snapshot
}

type folder struct {
	dir string

	mu   sync.Mutex
	read time.Time
	last Snapshot
	err  error
}

func (f *folder) snapshot() (Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.read) < time.Second {
		return f.last, f.err
	}
	f.last, f.err = f.load()
	f.read = time.Now()
	return f.last, f.err
}

func (f *folder) load() (Snapshot, error) {
	if _, err := os.Stat(f.dir); errors.Is(err, fs.ErrNotExist) {
		return registry.NewTree(), nil
	}
	h, err := registry.Open(filepath.Join(f.dir, "hive.reg"), registry.Options{})
	if err != nil {
		return nil, err
	}
	defer h.Close()
	return h.Snapshot(), nil
}
