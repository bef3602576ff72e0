package repository

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// fill stores n things in a namespace with a descriptor, and a class.
func fill(t testing.TB, r *Repository, n int) *cim.Class {
	t.Helper()
	class := thing()
	update(t, r, func(tx *Tx) error {
		if err := tx.PutNamespace(Namespace{Name: testNamespace, Created: true, Security: []byte("descriptor")}); err != nil {
			return err
		}
		if err := tx.PutClass(class); err != nil {
			return err
		}
		for i := range n {
			if err := tx.Create(newThing(class, uint32(i), "n", fmt.Sprint("text of ", i), fmt.Sprint("Group", i%10))); err != nil {
				return err
			}
		}
		return nil
	})
	return class
}

func TestBackupAndRestore(t *testing.T) {
	both(t, func(t *testing.T, r *Repository) {
		class := fill(t, r, 500)
		path := filepath.Join(t.TempDir(), "b")
		if err := r.Backup(ctx, path); err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", fi, err)
		}
		want := scan(t, r, class, 1000)
		empty(t, r, class)
		update(t, r, func(tx *Tx) error { return tx.Create(newThing(class, 9999, "later", "", "")) })
		other := open(t, filepath.Join(t.TempDir(), "other machine"))
		for _, to := range []*Repository{r, other, Memory()} {
			if err := to.Restore(ctx, path); err != nil {
				t.Fatal(err)
			}
			got := scan(t, to, class, 1000)
			if len(got) != len(want) {
				t.Fatalf("%d instances, want %d", len(got), len(want))
			}
			for i := range got {
				if !got[i].Equal(want[i]) {
					t.Fatalf("%v, want %v", got[i], want[i])
				}
			}
			if p, err := to.Verify(ctx); err != nil || len(p) > 0 {
				t.Error(p, err)
			}
			if list, _, _ := to.Namespaces(ctx); len(list) != 1 || string(list[0].Security) != "descriptor" {
				t.Errorf("%v", list)
			}
			update(t, to, func(tx *Tx) error { return tx.Create(newThing(class, 9999, "later", "", "")) })
		}
		if err := r.Reset(ctx); err != nil {
			t.Fatal(err)
		}
		if got := scan(t, r, class, 10); len(got) > 0 {
			t.Error("a reset left something")
		}
	})
}

// A backup that is damaged or of a newer release changes nothing.
func TestBadBackup(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "r"))
	class := fill(t, r, 20)
	path := filepath.Join(t.TempDir(), "b")
	if err := r.Backup(ctx, path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(b []byte, want cim.Status) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Restore(ctx, path); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if got := scan(t, r, class, 100); len(got) != 20 {
			t.Errorf("%d instances left", len(got))
		}
	}
	for i := 0; i < len(good); i += 1 + len(good)/100 {
		b := bytes.Clone(good)
		b[i] ^= 4
		try(b, cim.ErrInvalidStream)
		try(good[:i], cim.ErrInvalidStream)
	}
	if err := r.Restore(ctx, path+".none"); !errors.Is(err, cim.ErrNotFound) {
		t.Error(err)
	}
	// A newer release: the header says so, the checksum is right.
	newer := bytes.Replace(good[:len(good)-32], []byte("backup 1\n"), []byte("backup 2\n"), 1)
	if err := readBackup(bufio.NewReader(bytes.NewReader(newer)), nil); !errors.Is(err, errBackupNewer) {
		t.Error(err)
	}
}

// A file of a newer release is refused.
func TestNewerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	r := open(t, path)
	if err := r.store.Update(ctx, func(tx *store.Tx) error {
		return tx.Put(formatKey, end(formatKey, append(begin(nil), formatVersion+1)))
	}); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := Open(path, Options{}); !errors.Is(err, cim.ErrDatabaseVerMismatch) {
		t.Error(err)
	}
}

func FuzzReadBackup(f *testing.F) {
	r := Memory()
	fill(f, r, 3)
	path := filepath.Join(f.TempDir(), "b")
	if err := r.Backup(ctx, path); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:len(b)-32])
	f.Add([]byte(backupHeader))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		_ = readBackup(bufio.NewReader(bytes.NewReader(b)), func(key, record []byte) error {
			if n++; n > 10000 {
				return errNotBackup
			}
			return nil
		})
	})
}

func FuzzDecode(f *testing.F) {
	class, values := every()
	var e encoder
	e.object(cim.MakeInstance(class, values[:40]))
	f.Add(e.b)
	e = encoder{}
	e.object(cim.ClassObject(thing()))
	f.Add(e.b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{b: b}
		i := d.object()
		if d.err != nil {
			return
		}
		// What was read is written and read again as the same.
		var e encoder
		e.object(i)
		if e.err != nil {
			t.Fatal(e.err)
		}
		again := decoder{b: e.b}
		j := again.object()
		if again.end() != nil {
			t.Fatal("it cannot be read again")
		}
		var f encoder
		f.object(j)
		if !bytes.Equal(e.b, f.b) {
			t.Fatalf("%x\n%x", e.b, f.b)
		}
	})
}
