package registry

import (
	"path/filepath"
	"syscall"
	"testing"
)

// On a full disk the old hive stays and the error says so.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(dir, "hklm.reg")
	h, err := Open(path, Options{Service: true})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	set(t, h, "a", DWORD(1))
	checkNotChanged(t, h, path, syscall.ENOSPC, Binary(make([]byte, 64<<10)))
	set(t, h, "a", DWORD(2))
}
