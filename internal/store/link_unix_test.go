//go:build unix

package store

import (
	"os"
	"path/filepath"
	"testing"
)

// A new file that becomes a link before it is opened leads nowhere: a tool of
// root makes it in a folder of somebody else.
func TestNewFileIsNoLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	f, err := openFile(link, Options{NoSync: true}, false)
	if err == nil && f.db != nil {
		f.db.Close()
		t.Error("the link is followed")
	}
	if fi, err := os.Stat(target); err != nil || fi.Size() != 0 {
		t.Errorf("what it leads to was written: %v, %v", fi.Size(), err)
	}
}
