package pool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An entry that is changed is reached anew; a command that runs goes on over the old
// connection to its end.
func TestChangedEntryLeavesWhatRuns(t *testing.T) {
	p, _ := newHostPool(t, "one")
	serveTest(t, p, ServeOptions{})
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // root's commands run as nobody there
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	begun, goOn := filepath.Join(dir, "begun"), filepath.Join(dir, "go")
	w := startTest(t, p, KindRun, RunParameters{Command: "touch " + begun + "; while [ ! -e " + goOn + " ]; do sleep 0.05; done; echo through"}, "one")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(begun); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the command did not begin")
		}
	}
	if err := p.Update(t.Context(), "one", func(s *Server) error { s.Address = "127.0.0.2"; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, results := endedWork(t, p, startTest(t, p, KindRefresh, RefreshParameters{}, "one").ID); results[0].State != Done {
		t.Fatalf("%+v", results) // the way to the new address is made
	}
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, results := endedWork(t, p, w.ID)
	out, err := p.Output(t.Context(), w.ID, "one")
	if results[0].State != Done || strings.TrimSpace(out) != "through" {
		t.Errorf("%+v: %q, %v", results, out, err)
	}
	p.gather.mu.Lock()
	defer p.gather.mu.Unlock()
	if l := p.gather.links["one"]; len(p.gather.links) != 1 || l == nil || l.holds != 0 || l.server.Address != "127.0.0.2" {
		t.Errorf("%+v", p.gather.links)
	}
}
