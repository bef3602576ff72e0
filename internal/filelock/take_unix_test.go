//go:build unix && !aix && !solaris

package filelock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOneHolder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.lock")
	f, err := Take(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(name); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), name) {
		t.Errorf("the second one: %v", err)
	}
	Sign(f)
	began := time.Now()
	_, err = Wait(name, 30*time.Millisecond)
	if !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (", os.Getpid())) || time.Since(began) < 30*time.Millisecond {
		t.Errorf("one that waits: %v after %v", err, time.Since(began))
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		f.Close()
	}()
	again, err := Wait(name, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}
}

// Root takes the lock in a folder of another user, who made the name one of
// another file: it neither follows a link nor writes into what has two names.
func TestTraps(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link, name := filepath.Join(dir, "link.lock"), filepath.Join(dir, "name.lock")
	if err := errors.Join(os.Symlink(victim, link), os.Link(victim, name)); err != nil {
		t.Fatal(err)
	}
	if f, err := Take(link); err == nil {
		f.Close()
		t.Error("a link was taken for the lock file")
	}
	f, err := Take(name)
	if err != nil {
		t.Fatal(err)
	}
	Sign(f)
	f.Close()
	if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
		t.Errorf("the victim has %q, %v", b, err)
	}
}
