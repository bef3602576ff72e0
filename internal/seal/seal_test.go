package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func made(t testing.TB) *Identity {
	t.Helper()
	i, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestSealAndOpen(t *testing.T) {
	a, b, stranger := made(t), made(t), made(t)
	secret := []byte("correct horse battery staple")
	sealed, err := Seal(secret, a.Key(), b.Key())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, secret) {
		t.Error("it is not sealed")
	}
	for _, i := range []*Identity{a, b} {
		if got, err := i.Open(sealed); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := stranger.Open(sealed); !errors.Is(err, ErrNotForUs) {
		t.Errorf("a stranger: %v", err)
	}
	for n := range sealed {
		bad := bytes.Clone(sealed)
		bad[n] ^= 1
		if got, err := a.Open(bad); err == nil {
			t.Fatalf("octet %d was changed, and it opened as %q", n, got)
		}
		if n == 200 {
			break
		}
	}
	if _, err := a.Open(sealed[:len(sealed)-1]); err == nil {
		t.Error("the end was cut off, and it opened")
	}
	if _, err := Seal(secret); err == nil {
		t.Error("sealed for nobody")
	}
	if _, err := Seal(secret, "age1notakey"); err == nil || CheckKey("age1notakey") == nil || CheckKey(a.Key()) != nil {
		t.Errorf("a wrong key: %v", err)
	}
}

func TestIdentityFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "identity")
	if _, err := Load(name); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("without a file: %v", err)
	}
	i, err := LoadOrCreate(name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again, err := LoadOrCreate(name)
	if err != nil || again.Key() != i.Key() {
		t.Errorf("%v, %v", again, err)
	}
	if _, err := Create(name); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made over an old one: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(form, i); strings.Contains(s, lines[1]) || strings.Contains(s, "SECRET") {
			t.Errorf("%s prints the secret: %s", form, s)
		}
	}
	if err := os.Chmod(name, 0o640); err != nil { //nolint:gosec // it is open on purpose
		t.Fatal(err)
	}
	if _, err := Load(name); err == nil {
		t.Error("a file that others may read was taken")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Chmod(name, 0o600), os.Symlink(name, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(link); err == nil {
		t.Error("a link was followed")
	}
	if err := os.WriteFile(name, []byte("AGE-SECRET-KEY-PQ-1WRONG\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(name); err == nil || strings.Contains(err.Error(), "WRONG") {
		t.Errorf("a damaged file: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	i := made(f)
	sealed, err := Seal([]byte("secret"), i.Key())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("age-encryption.org/v1\n-> X25519 x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := i.Open(b); err == nil && string(got) != "secret" {
			t.Errorf("opened as %q", got)
		}
	})
}
