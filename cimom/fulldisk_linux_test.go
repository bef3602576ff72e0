package cimom_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
)

// On a full disk a write fails with WBEM_E_OUT_OF_DISK_SPACE and changes
// nothing, reading and the providers go on, and with room again writing does.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=768k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 256<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	repo, err := repository.Open(filepath.Join(dir, "r"), repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	m := cimom.New(cimom.Options{Repository: repo})
	defer m.Close()
	if err := m.Register(newLiar()); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, faultyNamespace)
	put(t, s, keyed("Kept", ""), cim.PutClassOptions{})
	note := strings.Repeat("x", 2000)
	kept := 0
	write := func(id int) error {
		i := make1(t, s, "Kept", map[string]cim.Value{"Id": cim.Str(strconv.Itoa(id)), "Note": cim.Str(note)})
		return s.Put(t.Context(), i, cim.PutOptions{Mode: cim.CreateOrUpdate})
	}
	for err = error(nil); err == nil && kept < 10000; kept++ {
		err = write(kept)
	}
	kept--
	if !errors.Is(err, cim.ErrOutOfDiskSpace) {
		t.Fatalf("after %d instances: %v", kept, err)
	}
	changed := make1(t, s, "Kept", map[string]cim.Value{"Id": cim.Str("0"), "Note": cim.Str(strings.Repeat(note, 100))})
	if err := s.Put(t.Context(), changed, cim.PutOptions{}); !errors.Is(err, cim.ErrOutOfDiskSpace) {
		t.Errorf("a larger instance: %v", err)
	}
	large := keyed("Large", "")
	large.Qualifiers = cim.Qualifiers{{Name: "Description", Value: cim.Str(strings.Repeat(note, 100))}}
	if err := s.(cim.ClassWriter).PutClass(t.Context(), &large, cim.PutClassOptions{}); !errors.Is(err, cim.ErrOutOfDiskSpace) {
		t.Errorf("a class: %v", err)
	}
	if _, err := s.GetClass(t.Context(), "Large", cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a class that could not be stored: %v", err)
	}
	if got := query(t, s, "SELECT * FROM Kept"); len(got) != kept || got[0].Get("Note").String() != note {
		t.Errorf("%d instances of %d", len(got), kept)
	}
	if got := query(t, s, "SELECT * FROM L_Good"); len(got) != 1 {
		t.Errorf("a provider on a full disk: %v", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := write(kept); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if got := query(t, s, "SELECT * FROM Kept"); len(got) != kept+1 {
		t.Errorf("%d instances, want one more than %d", len(got), kept)
	}
}
