package registry

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Tools of several processes and a running service write at the same time: each update
// adds one to a counter that all share, and none is lost.
func TestConcurrentWriters(t *testing.T) {
	const env, each = "CASEMENT_TEST_WRITER", 60
	count := func(h *Hive, own string) error {
		return h.Update(func(tx *Tx) error {
			v, _ := tx.Get(testKey, "sum")
			n, _ := v.Uint()
			return errors.Join(tx.Set(testKey, "sum", QWORD(n+1)), tx.Set(testKey, own, QWORD(n)))
		})
	}
	if path := os.Getenv(env); path != "" {
		h := openHive(t, path, Options{})
		for i := range each {
			if err := count(h, fmt.Sprintf("%d-%d", os.Getpid(), i)); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hive.reg")
	service := openHive(t, path, Options{Service: true})
	const tools = 3
	var all sync.WaitGroup
	for range tools {
		all.Go(func() {
			cmd := exec.Command(exe, "-test.run=^TestConcurrentWriters$", "-test.timeout=30s")
			cmd.Env = append(os.Environ(), env+"="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("a tool: %v: %s", err, out)
			}
		})
	}
	for i := range each {
		if err := count(service, fmt.Sprintf("service-%d", i)); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	tool := openHive(t, path, Options{})
	if v, _ := tool.Get(testKey, "sum"); v != QWORD((tools+1)*each) {
		t.Errorf("the counter is %v, want %d", v, (tools+1)*each)
	}
	if n := len(tool.Values(testKey)); n != (tools+1)*each+1 {
		t.Errorf("%d values, want %d", n, (tools+1)*each+1)
	}
}

// Two services: the error names the hive and says what to do.
func TestSecondServiceIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hive.reg")
	first := openHive(t, path, Options{Service: true})
	_, err := Open(path, Options{Service: true})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "stop the other") {
		t.Errorf("the second service: %v", err)
	}
	set(t, first, "a", DWORD(1)) // the first is unharmed
	first.Close()
	openHive(t, path, Options{Service: true})
}

// What another writes is noticed although size, time and inode stay the same.
func TestSameSizeAndTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hive.reg")
	h := openHive(t, path, Options{})
	set(t, h, "a", DWORD(1))
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), "dword:00000001", "dword:00000002", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	set(t, h, "b", DWORD(7))
	if v, _ := openHive(t, path, Options{}).Get(testKey, "a"); v != DWORD(2) {
		t.Errorf("the other's write was lost: a is %v", v)
	}
}
