package registry

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must be quiet before it is read again that is written in
// place. One that replaces another by a rename, as our tools write, is whole at once.
const settle = 30 * time.Millisecond

// watcher reloads the hive when another process changed its file or the policy. It
// watches the folders, since both files are replaced by renames.
type watcher struct {
	h    *Hive
	fsw  *fsnotify.Watcher
	done sync.WaitGroup
}

func newWatcher(h *Hive) (*watcher, error) {
	fsw, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{h: h, fsw: fsw}
	for _, dir := range []string{filepath.Dir(h.path), filepath.Dir(h.policy)} {
		if err := fsw.Add(dir); err != nil {
			fsw.Close()
			return nil, err
		}
	}
	return w, nil
}

func (w *watcher) start() { w.done.Go(w.run) }

func (w *watcher) close() error {
	err := w.fsw.Close()
	w.done.Wait()
	return err
}

func (w *watcher) run() {
	quiet := time.NewTimer(0) // what changed between load and start is found at once
	defer quiet.Stop()
	for {
		select {
		case ev, ok := <-w.fsw.Events:
			if !ok {
				return
			}
			if name := filepath.Clean(ev.Name); name != w.h.path && name != filepath.Clean(w.h.policy) {
				continue
			}
			if ev.Has(fsnotify.Create) {
				w.h.reload()
			} else {
				quiet.Reset(settle)
			}
		case err, ok := <-w.fsw.Errors:
			if !ok {
				return
			}
			w.h.log.Warn("following the hive", "path", w.h.path, "err", err)
			quiet.Reset(settle)
		case <-quiet.C:
			w.h.reload()
		}
	}
}

func (h *Hive) reload() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	if err := h.load(); err != nil {
		h.log.Error("the changed hive or policy is not in use, the old state stays", "path", h.path, "err", err)
	}
}
