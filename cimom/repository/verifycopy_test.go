package repository

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// TestVerifyCopy: backups, files and folders, whole and damaged. Nothing beside
// them appears and they stay as they are.
func TestVerifyCopy(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	db, backup := filepath.Join(dir, FileName), filepath.Join(t.TempDir(), "b")
	r, err := Open(db, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, r, 300)
	if err := r.Backup(ctx, backup); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	os.Remove(db + ".lock")
	lost := filepath.Join(t.TempDir(), FileName) // the records of a namespace are lost, the file is whole
	copyFile(t, db, lost)
	s, err := store.Open(lost, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.DeletePrefix([]byte{kindNamespace})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	change := func(path string, f func([]byte) []byte) string {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(to, f(bytes.Clone(b)), 0o400); err != nil {
			t.Fatal(err)
		}
		return to
	}
	same := func(b []byte) []byte { return b }
	half := func(b []byte) []byte { return b[:len(b)/2] }
	few := func(b []byte) []byte { return b[:5*os.Getpagesize()] } // what follows the pages in use may be missing
	flip := func(what string) func([]byte) []byte {
		return func(b []byte) []byte {
			at := bytes.Index(b, []byte(what))
			if at < 0 {
				t.Fatalf("no %q to damage", what)
			}
			b[at] ^= 0x20
			return b
		}
	}
	later := change(backup, func(b []byte) []byte { // with its checksum
		b = bytes.Replace(b, []byte("backup 1\n"), []byte("backup 2\n"), 1)
		sum := sha256.Sum256(b[:len(b)-sha256.Size])
		return append(b[:len(b)-sha256.Size], sum[:]...)
	})
	for _, tt := range []struct {
		why, path string
		problems  bool
		status    cim.Status
	}{
		{"a folder", dir, false, 0},
		{"a file", db, false, 0},
		{"a file that nobody may write", change(db, same), false, 0},
		{"a backup", backup, false, 0},
		{"a few pages of a file", change(db, few), true, 0},
		{"a value with another bit", change(db, flip("text of 7")), true, 0},
		{"a namespace lost", lost, true, 0},
		{"half a backup", change(backup, half), true, 0},
		{"a backup with another bit", change(backup, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), true, 0},
		{"an empty file", change(backup, func([]byte) []byte { return nil }), true, 0},
		{"a text", change(backup, func([]byte) []byte { return []byte("What is this?\n") }), true, 0},
		{"a backup of a later format", later, false, cim.ErrDatabaseVerMismatch},
		{"nothing", filepath.Join(dir, "none"), false, cim.ErrNotFound},
		{"an empty folder", t.TempDir(), false, cim.ErrNotFound},
		{"a device", os.DevNull, false, cim.ErrInvalidParameter},
	} {
		before, _ := os.ReadFile(tt.path)
		problems, err := VerifyCopy(ctx, tt.path)
		if tt.status == 0 && err != nil || tt.status != 0 && !errors.Is(err, tt.status) || len(problems) > 0 != tt.problems {
			t.Errorf("%s: %v, %v; want problems: %t, %v", tt.why, problems, err, tt.problems, tt.status)
		}
		if after, _ := os.ReadFile(tt.path); !bytes.Equal(before, after) {
			t.Errorf("%s was changed", tt.why)
		}
	}
	for _, folder := range []string{dir, os.TempDir()} {
		list, err := os.ReadDir(folder)
		if err != nil || len(list) > 1 || len(list) == 1 && list[0].Name() != FileName {
			t.Errorf("left in %s: %v, %v", folder, list, err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
