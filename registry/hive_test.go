package registry

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const testKey = `HKLM\SOFTWARE\Casement`

func openHive(t *testing.T, path string, o Options) *Hive {
	t.Helper()
	h, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func set(t *testing.T, h *Hive, name string, v Value) {
	t.Helper()
	if err := h.Update(func(tx *Tx) error { return tx.Set(testKey, name, v) }); err != nil {
		t.Fatal(err)
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hklm.reg")
	h := openHive(t, path, Options{})
	set(t, h, "a", DWORD(1))
	before := h.Snapshot()
	refused := errors.New("refused")
	err := h.Update(func(tx *Tx) error {
		if err := tx.Set(testKey, "a", DWORD(2)); err != nil {
			return err
		}
		if err := tx.DeleteKey(`HKLM\SOFTWARE`); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if v, _ := h.Get(testKey, "A"); v != DWORD(1) || h.Snapshot() != before {
		t.Errorf("a refused update left %v", v)
	}
	set(t, h, "a", DWORD(3))
	if v, _ := before.Get(testKey, "a"); v != DWORD(1) {
		t.Errorf("an old snapshot became %v", v)
	}
	if v, _ := openHive(t, path, Options{}).Get(testKey, "a"); v != DWORD(3) {
		t.Errorf("the file has %v", v)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("the new file is open to others: %v %v", fi.Mode(), err)
	}
}

// Two services on one state folder: the second is refused; a tool reads and writes
// beside the service, which follows, and after it.
func TestTwoOpeners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hklm.reg")
	service := openHive(t, path, Options{Service: true})
	set(t, service, "a", DWORD(1))
	if _, err := Open(path, Options{Service: true}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("second service: %v", err)
	}
	tool := openHive(t, path, Options{})
	if v, _ := tool.Get(testKey, "a"); v != DWORD(1) {
		t.Errorf("the tool reads %v", v)
	}
	write := func(tx *Tx) error { return tx.Set(testKey, "a", DWORD(2)) }
	ch, cancel := service.Subscribe()
	defer cancel()
	if err := tool.Update(write); err != nil {
		t.Errorf("the tool's update beside a service: %v", err)
	}
	await(t, ch, "the tool's update")
	if v, _ := service.Get(testKey, "a"); v != DWORD(2) {
		t.Errorf("the service has %v after the tool's update", v)
	}
	set(t, service, "b", DWORD(7))
	if err := service.Close(); err != nil {
		t.Fatal(err)
	}
	if err := service.Update(write); !errors.Is(err, ErrClosed) {
		t.Errorf("update after Close: %v", err)
	}
	if err := tool.Update(write); err != nil {
		t.Errorf("the tool's update after the service: %v", err)
	}
	if v, _ := tool.Get(testKey, "b"); v != DWORD(7) {
		t.Errorf("the tool lost the service's last write: b is %v", v)
	}
}

func await(t *testing.T, ch <-chan struct{}, what string) {
	t.Helper()
	select {
	case _, ok := <-ch:
		if !ok {
			t.Fatalf("%s: the channel is closed", what)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("%s: no message within 5 s", what)
	}
}

// A running service follows changes of the hive and of the policy by others, keeps the
// old state while a file is damaged, and never resets when the hive vanishes.
func TestServiceFollowsFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hklm.reg")
	h := openHive(t, path, Options{Service: true})
	ch, cancel := h.Subscribe()
	defer cancel()
	set(t, h, "a", DWORD(1))
	await(t, ch, "own update")

	edit := func(name, text string) {
		t.Helper()
		tmp := filepath.Join(dir, "edit.tmp")
		if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	edit("hklm.reg", regHeader+"\n["+testKey+"]\n\"a\"=dword:2\n")
	await(t, ch, "edited hive")
	if v, _ := h.Get(testKey, "a"); v != DWORD(2) {
		t.Errorf("after the edit a is %v", v)
	}
	var p Policy
	p.Set(testKey, "a", DWORD(9))
	edit("Registry.pol", string(p.AppendPol(nil)))
	await(t, ch, "new policy")
	if v, src, _ := h.Snapshot().Value(testKey, "a"); v != DWORD(9) || src != SourceGPO {
		t.Errorf("under the policy a is %v from %v", v, src)
	}
	set(t, h, "a", DWORD(3)) // below the policy
	await(t, ch, "update below the policy")
	if v, _ := h.Get(testKey, "a"); v != DWORD(9) {
		t.Errorf("the policy lost to %v", v)
	}
	edit("Registry.pol", "PRe")
	for end := time.Now().Add(5 * time.Second); h.Err() == nil && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if err := h.Err(); !errors.Is(err, ErrPolicyCorrupt) {
		t.Errorf("damaged policy: %v", err)
	}
	if v, _ := h.Get(testKey, "a"); v != DWORD(9) {
		t.Errorf("a damaged policy took effect: a is %v", v)
	}
	if err := os.Remove(filepath.Join(dir, "Registry.pol")); err != nil {
		t.Fatal(err)
	}
	await(t, ch, "policy removed")
	if v, src, _ := h.Snapshot().Value(testKey, "a"); v != DWORD(3) || src != SourceHive || h.Err() != nil {
		t.Errorf("without the policy a is %v from %v (%v)", v, src, h.Err())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	set(t, h, "b", DWORD(1))
	if v, _ := openHive(t, path, Options{}).Get(testKey, "a"); v != DWORD(3) {
		t.Errorf("the vanished hive came back with a = %v", v)
	}
}

// Update starts from what others wrote, even before the service heard of it.
func TestUpdateReadsFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hklm.reg")
	h := openHive(t, path, Options{})
	set(t, h, "a", DWORD(1))
	other := openHive(t, path, Options{})
	set(t, other, "b", DWORD(2))
	set(t, h, "c", DWORD(3))
	if got := len(h.Values(testKey)); got != 3 {
		t.Errorf("%d values, want 3", got)
	}
}

func TestOpenRefusesDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hklm.reg")
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	var pe *ParseError
	if _, err := Open(path, Options{Service: true}); !errors.As(err, &pe) || !strings.Contains(err.Error(), path) {
		t.Errorf("damaged hive: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	openHive(t, path, Options{Service: true}).Close() // the lock of the refused one is free
	if _, err := Open(filepath.Join(dir, "no", "hklm.reg"), Options{Service: true}); err == nil {
		t.Error("a missing folder was accepted")
	}
}

func TestCloseEndsSubscribers(t *testing.T) {
	h := openHive(t, filepath.Join(t.TempDir(), "hklm.reg"), Options{Service: true})
	ch, cancel := h.Subscribe()
	h.Close()
	if _, ok := <-ch; ok {
		t.Error("the channel is open after Close")
	}
	cancel()
	late, cancel := h.Subscribe()
	defer cancel()
	if _, ok := <-late; ok {
		t.Error("a late subscriber gets a message")
	}
}

// A hive that cannot be flushed is not changed, and the error says so.
func TestFailedFlushKeepsTheOldHive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hklm.reg")
	h := openHive(t, path, Options{})
	set(t, h, "a", DWORD(1))
	full := errors.New("no space left")
	h.seal = func(*os.File) error { return full }
	checkNotChanged(t, h, path, full, DWORD(2))
}

func checkNotChanged(t *testing.T, h *Hive, path string, want error, v Value) {
	t.Helper()
	err := h.Update(func(tx *Tx) error { return tx.Set(testKey, "a", v) })
	if !errors.Is(err, want) || !strings.Contains(err.Error(), "was not changed") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if v, _ := h.Get(testKey, "a"); v != DWORD(1) {
		t.Errorf("in memory a is %v", v)
	}
	if v, _ := openHive(t, path, Options{}).Get(testKey, "a"); v != DWORD(1) {
		t.Errorf("on disk a is %v", v)
	}
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("the unfinished file is left")
	}
}

// TestSIGKILL kills a writing process again and again: the hive is always whole, and
// no finished update is lost.
func TestSIGKILL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hklm.reg")
	if env := os.Getenv("CASEMENT_TEST_HIVE"); env != "" {
		writeForever(t, env)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	for round, end := 0, time.Now().Add(2*time.Second); time.Now().Before(end); round++ {
		cmd := exec.Command(exe, "-test.run=^TestSIGKILL$", "-test.timeout=20s")
		cmd.Env = append(os.Environ(), "CASEMENT_TEST_HIVE="+path)
		out := &strings.Builder{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+round*7%90) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if s := out.String(); s != "" {
			t.Fatalf("the writer: %s", s)
		}
		h, err := Open(path, Options{Service: true})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		one, _ := h.Get(testKey, "one")
		two, _ := h.Get(testKey+`\Deep`, "two")
		n, _ := one.Uint()
		if m, _ := two.Uint(); n != m || n < last {
			t.Fatalf("round %d: half an update: %d and %d after %d", round, n, m, last)
		}
		last = n
		h.Close()
	}
	if last < 10 {
		t.Fatalf("only %d updates were written", last)
	}
}

func writeForever(t *testing.T, path string) {
	h, err := Open(path, Options{Service: true})
	if err != nil {
		t.Fatal(err)
	}
	v, _ := h.Get(testKey, "one")
	n, _ := v.Uint()
	pad := Binary(make([]byte, 20000))
	for {
		n++
		err := h.Update(func(tx *Tx) error {
			return errors.Join(tx.Set(testKey, "one", QWORD(n)), tx.Set(testKey, "pad", pad), tx.Set(testKey+`\Deep`, "two", QWORD(n)))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
