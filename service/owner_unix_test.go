//go:build unix

package service

import (
	"os"
	"path/filepath"
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
	if err := giveLike(made, folder); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(victim); err != nil || ownedBy(info, other) {
		t.Errorf("root gave its own file away: %v", err)
	}
	if info, err := made.Stat(); err != nil || !ownedBy(info, other) {
		t.Errorf("root kept what it made: %v", err)
	}
}
