package registry

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A tool that runs as root writes the hive of a service without taking it away from
// the service's user.
func TestOwnerStays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write the file of another user")
	}
	const uid, gid = 12345, 12346
	dir := t.TempDir()
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hklm.reg")
	for range 2 { // a new file takes the owner of its folder, a replaced one keeps its own
		h := openHive(t, path, Options{})
		set(t, h, "a", DWORD(1))
		for _, p := range []string{path, path + ".writing"} {
			fi, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			if st := fi.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid {
				t.Errorf("%s belongs to %d:%d", p, st.Uid, st.Gid)
			}
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("mode %v %v", fi.Mode(), err)
	}
}

// The user of the folder cannot get another file by naming it as the lock.
func TestLockDoesNotGiveFilesAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write the file of another user")
	}
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hklm.reg")
	if err := os.Link(secret, path+".writing"); err != nil {
		t.Fatal(err)
	}
	h := openHive(t, path, Options{})
	set(t, h, "a", DWORD(1))
	fi, err := os.Stat(secret)
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 0 {
		t.Errorf("the file now belongs to %d", st.Uid)
	}
	if err := os.Symlink(secret, path+".lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{Service: true}); err == nil {
		t.Error("a link was taken as the lock file")
	}
}
