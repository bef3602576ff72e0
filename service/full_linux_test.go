package service

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/internal/hosts"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// smallDisk mounts a file system of 96 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no byte free, and returns how to free them again.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for page := make([]byte, 4096); err == nil; {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// On a full disk every file of the state and the hosts file stay as they were,
// the errors say what failed and why, and everything works again afterwards.
func TestFullDiskKeepsTheState(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "state")
	s, err := OpenState(dir, StateOptions{Create: true, Service: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bootstrap(t, s, freePorts)
	hostsFile := filepath.Join(disk, "hosts.json")
	if err := hosts.Put(hostsFile, hosts.Entry{Name: "here", URL: "http://127.0.0.1:1", Password: "old"}); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range []string{hostsFile, filepath.Join(dir, "hive.reg"), filepath.Join(dir, accounts.FileName), filepath.Join(dir, "format")} {
		if files[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	changes := map[string]func() error{
		"hive.reg": func() error {
			return s.Hive.Update(func(tx *registry.Tx) error { return tx.Set(settings.KeyCasement, "x", registry.DWORD(1)) })
		},
		accounts.FileName: func() error { _, err := s.Accounts.AddUser(accounts.NewUser{Name: "alice", Password: "p"}); return err },
		"certificate":     func() error { _, err := s.Certificates.SelfSigned(testTime(), []string{"x"}, nil); return err },
		"hosts.json": func() error {
			return hosts.Put(hostsFile, hosts.Entry{Name: "here", URL: "http://127.0.0.1:2", Password: "new"})
		},
	}
	free := fill(t, disk)
	for name, change := range changes {
		err := change()
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), strings.TrimSuffix(name, ".json")) && !strings.Contains(err.Error(), name) {
			t.Errorf("%s on a full disk: %v", name, err)
		}
	}
	for f, before := range files {
		if after, err := os.ReadFile(f); err != nil || !bytes.Equal(after, before) {
			t.Errorf("a full disk changed %s to %q (%v)", f, after, err)
		}
	}
	other, err := OpenState(dir, StateOptions{}) // a full disk can be read
	if err != nil {
		t.Errorf("open on a full disk: %v", err)
	} else {
		other.Close()
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "certificates", ".new-*")); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
	free()
	for name, change := range changes {
		if err := change(); err != nil {
			t.Errorf("%s with room again: %v", name, err)
		}
	}
}

// A state folder that cannot be made for want of room can be made later.
func TestFullDiskAtTheFirstStart(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	free := fill(t, disk)
	if s, err := OpenState(dir, StateOptions{Create: true, Service: true}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a new state on a full disk: %v", err)
		if err == nil {
			s.Close()
		}
	}
	free()
	s, err := OpenState(dir, StateOptions{Create: true, Service: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bootstrap(t, s, freePorts)
}
