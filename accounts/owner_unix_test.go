//go:build unix

package accounts

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The service runs as another user than the root who adds a user beside it.
func TestRootKeepsTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65533); err != nil {
		t.Fatal(err)
	}
	s, err := Create(dir, "HOST", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		fi, err := os.Stat(filepath.Join(dir, FileName))
		if err != nil {
			t.Fatal(err)
		}
		if st := fi.Sys().(*syscall.Stat_t); st.Uid != 65534 || st.Gid != 65533 || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s belongs to %d:%d with mode %v", FileName, st.Uid, st.Gid, fi.Mode())
		}
		if _, err := s.AddUser(NewUser{Name: "alice"}); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteUser("alice"); err != nil {
			t.Fatal(err)
		}
	}
}
