package krb5

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The default cache is in a folder where everybody can make a file of that name before its owner does: tickets of somebody else, whose
// keys he knows, are not taken for ours. Nor does a pipe there stop us. A cache that was named is read whosever it is.
func TestCacheOfSomebodyElse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root to give a file away")
	}
	l := newLocal(t, strong[0])
	path := filepath.Join(t.TempDir(), "krb5cc_0")
	if err := os.WriteFile(path, encodeCCache(l.ticket(ticketOptions{})), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func() error { _, _, err := loadCCache("FILE:"+path, true); return err }
	if err := load(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := load(); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("a cache of nobody: %v", err)
	}
	if _, _, err := loadCCache(path, false); err != nil {
		t.Errorf("a cache that was named: %v", err)
	}
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	if err := load(); err == nil {
		t.Error("a pipe is a cache")
	}
}
