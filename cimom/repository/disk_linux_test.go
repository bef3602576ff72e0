package repository

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/casementhq/casement/cim"
)

// On a full disk the last committed state stays, and the error says why.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(dir, "r")
	r, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { r.Close() }()
	class := thing()
	n := uint32(0)
	big := strings.Repeat("x", 2000)
	for ; n < 10000; n++ {
		if err = r.Update(ctx, func(tx *Tx) error { return tx.Create(newThing(class, n, "n", big, "g")) }); err != nil {
			break
		}
	}
	check := func(err error) {
		t.Helper()
		if !errors.Is(err, cim.ErrOutOfDiskSpace) {
			t.Fatalf("after %d instances: %v", n, err)
		}
		if p, err := r.Verify(ctx); err != nil || len(p) > 0 {
			t.Fatal(p, err)
		}
		if c, err := r.Count(ctx, class); err != nil || c != int(n) || r.Damage() != nil {
			t.Fatalf("%d instances of %d, %v, %v", c, n, err, r.Damage())
		}
	}
	check(err)
	check(r.Update(ctx, func(tx *Tx) error { return tx.Create(newThing(class, n, "n", strings.Repeat(big, 500), "g")) }))
	check(r.Backup(ctx, filepath.Join(dir, "b")))
	_, err = r.Salvage(ctx)
	check(err)
	// What needs no room goes on: removing makes some.
	for id := range n / 2 {
		p, _ := newThing(class, id, "n", "", "").Path()
		if err = r.Update(ctx, func(tx *Tx) error { return tx.Delete(class, p) }); err != nil {
			break
		}
	}
	left, e := r.Count(ctx, class)
	if e != nil {
		t.Fatal(e)
	}
	t.Logf("%d instances fit; after removing, %d are left (%v)", n, left, err)
	r.Close()
	if r, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	if c, err := r.Count(ctx, class); err != nil || c != left {
		t.Errorf("%d instances, want %d, %v", c, left, err)
	}
	if rest, _ := filepath.Glob(filepath.Join(dir, "*")); len(rest) != 2 { // it and its lock
		t.Errorf("%v", rest)
	}
}

// A tool that runs as root leaves the files of the service to its user.
func TestOwnerStays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write the file of another user")
	}
	const uid, gid = 12345, 12346
	dir := t.TempDir()
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "r")
	backup := filepath.Join(t.TempDir(), "b")
	check := func(step string, mode os.FileMode) {
		t.Helper()
		for _, p := range []string{path, path + ".lock"} {
			fi, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			if st := fi.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid {
				t.Errorf("%s: %s belongs to %d:%d", step, p, st.Uid, st.Gid)
			}
			if p == path && fi.Mode().Perm() != mode {
				t.Errorf("%s: the mode is %v", step, fi.Mode())
			}
		}
	}
	r := open(t, path)
	fill(t, r, 10)
	check("made", 0o600)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := r.Backup(ctx, backup); err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(ctx, backup); err != nil {
		t.Fatal(err)
	}
	check("restored", 0o640)
	if _, err := r.Salvage(ctx); err != nil {
		t.Fatal(err)
	}
	check("salvaged", 0o640)
	if err := r.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	check("reset", 0o640)
}
