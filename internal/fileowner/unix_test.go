//go:build unix

package fileowner

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Root makes a file in the state folder and gives it to the folder's owner, who
// puts another name of a file of root's in its place meanwhile. What root made
// is given away, not what has its name now.
func TestRootGivesAwayWhatItMade(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const other = 65534
	folder, victims := t.TempDir(), t.TempDir()
	victim := filepath.Join(victims, "shadow")
	if err := os.WriteFile(victim, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(folder, other, other); err != nil {
		t.Fatal(err)
	}
	made, err := os.CreateTemp(folder, "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	if err := os.Remove(made.Name()); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(victim, made.Name()); err != nil {
		t.Fatal(err)
	}
	if err := GiveLike(made, folder); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(victim); err != nil || ownedBy(info, other) {
		t.Errorf("root gave its own file away: %v", err)
	}
	if info, err := made.Stat(); err != nil || !ownedBy(info, other) {
		t.Errorf("root kept what it made: %v", err)
	}
}

func ownedBy(info fs.FileInfo, uid int) bool { return int(info.Sys().(*syscall.Stat_t).Uid) == uid }

// What replaces a file has its owner and mode; a link, and no file at all, leave
// the choice to the folder.
func TestKeep(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const owner, of = 65534, 65533
	folder := t.TempDir()
	old, link := filepath.Join(folder, "old"), filepath.Join(folder, "link")
	if err := os.WriteFile(old, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(old, link); err != nil {
		t.Fatal(err)
	}
	for name, uid := range map[string]int{folder: of, old: owner} {
		if err := os.Chown(name, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		replaces string
		uid      int
		mode     fs.FileMode
	}{{old, owner, 0o640}, {link, of, 0o600}, {filepath.Join(folder, "none"), of, 0o600}} {
		made, err := os.CreateTemp(folder, "new-")
		if err != nil {
			t.Fatal(err)
		}
		defer made.Close()
		if err := Keep(made, tt.replaces); err != nil {
			t.Fatal(err)
		}
		if info, err := made.Stat(); err != nil || !ownedBy(info, tt.uid) || info.Mode().Perm() != tt.mode {
			t.Errorf("in the place of %s: %v %v", tt.replaces, info.Mode(), err)
		}
	}
}
