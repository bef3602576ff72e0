package service

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBootstrapMakesAMachine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if _, err := OpenState(dir, StateOptions{}); !errors.Is(err, ErrNoState) {
		t.Fatalf("OpenState of nothing: %v, want ErrNoState", err)
	}
	s, err := OpenState(dir, StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := len(s.Snapshot().Listeners); n != 0 {
		t.Fatalf("a fresh state has %d listeners; none by default", n)
	}
	b, err := s.Bootstrap(BootstrapOptions{HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if b.User != "Administrator" || len(b.Password) < 20 || !strings.HasPrefix(b.HTTP, "http://127.0.0.1:") ||
		!strings.HasPrefix(b.HTTPS, "https://127.0.0.1:") || len(b.Thumbprint) != 64 {
		t.Errorf("%+v", b)
	}
	again, err := s.Bootstrap(BootstrapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Password != "" || again.HTTP != b.HTTP || again.HTTPS != b.HTTPS {
		t.Errorf("a second time it gave %+v, want the same without a password", again)
	}
	if n := len(s.Snapshot().Listeners); n != 2 {
		t.Errorf("%d listeners, want 2", n)
	}
}

func TestSecondServiceIsRefused(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenState(dir, StateOptions{Create: true, Service: true})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := OpenState(dir, StateOptions{Service: true}); err == nil {
		t.Error("two services share one state folder")
	}
}

func TestFormat(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "format"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(dir, StateOptions{Create: true}); err == nil || !strings.Contains(err.Error(), "newer casement") {
		t.Errorf("a folder of a later version: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.doc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(other, StateOptions{Create: true}); err == nil {
		t.Error("a folder full of somebody's files becomes a state folder")
	}
}

func TestSelfSignedServes(t *testing.T) {
	c, err := OpenCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	print, err := c.SelfSigned(testTime(), []string{"host.example"}, []net.IP{net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := c.Find(strings.ToLower(print[:2]) + " " + print[2:])
	if err != nil {
		t.Fatal(err)
	}
	if !SelfIssued(cert.Leaf) {
		t.Error("a self-signed certificate is not recognised as such")
	}
	if u := c.Usable(testTime()); len(u) != 1 || !u[0].ServerAuth || u[0].Thumbprint != print {
		t.Errorf("usable: %+v", u)
	}
	if u := c.Usable(testTime().AddDate(2, 0, 0)); len(u) != 0 {
		t.Errorf("an expired certificate is usable: %+v", u)
	}
}

func testTime() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
