package service

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// at opens a state folder as a machine would whose clock stands at a time.
func at(t *testing.T, dir string, now time.Time) *State {
	t.Helper()
	s, err := OpenState(dir, StateOptions{Create: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func bootstrap(t *testing.T, s *State, o BootstrapOptions) Bootstrapped {
	t.Helper()
	b, err := s.Bootstrap(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// https is the HTTPS listener of a state.
func https(t *testing.T, s *State) settings.Listener {
	t.Helper()
	for _, l := range s.Snapshot().Listeners {
		if l.Transport == "HTTPS" {
			return l
		}
	}
	t.Fatal("there is no HTTPS listener")
	return settings.Listener{}
}

var freePorts = BootstrapOptions{HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0"}

// A machine whose clock moves far gets a certificate that a client at that time
// accepts, and its listener is moved to it; while it is valid it stays.
func TestOwnCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	clock := func(year int) time.Time { return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC) }
	first := at(t, dir, clock(2026))
	b := bootstrap(t, first, freePorts)
	if len(b.Notes) != 0 {
		t.Errorf("a new machine has notes: %q", b.Notes)
	}
	print := https(t, first).CertificateThumbprint
	for _, c := range []struct {
		now  time.Time
		note string // "" keeps the certificate
	}{
		{clock(2026).AddDate(0, 11, 0), ""},
		{clock(2028), "expired on 2027-06-01"},
		{clock(1970), "is not valid before 2028-05-31, and this machine has 1970-06-01"},
		{clock(2049), "expired on 1971-06-01"},
		{clock(2060), "expired on 2050-06-01"},
	} {
		s := at(t, dir, c.now)
		b := bootstrap(t, s, freePorts)
		l := https(t, s)
		if kept := l.CertificateThumbprint == print; kept != (c.note == "") {
			t.Errorf("%v: the certificate is kept: %v", c.now, kept)
		}
		if notes := strings.Join(b.Notes, "\n"); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
			t.Errorf("%v: notes %q, want %q", c.now, notes, c.note)
		}
		print = l.CertificateThumbprint
		cert, err := s.Certificates.Find(print)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(cert.Leaf)
		for _, name := range []string{l.Hostname, "localhost", "127.0.0.1"} {
			if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: c.now, DNSName: name}); err != nil {
				t.Errorf("%v: a client that asks for %s: %v", c.now, name, err)
			}
		}
	}
}

// The certificate of an authority is never replaced by one that nobody trusts.
func TestCertificateOfAnAuthorityIsKept(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir, testTime())
	bootstrap(t, s, freePorts)
	print := addIssued(t, s, testTime())
	if err := s.moveTo(https(t, s), print); err != nil {
		t.Fatal(err)
	}
	later := at(t, dir, testTime().AddDate(5, 0, 0))
	b := bootstrap(t, later, freePorts)
	if l := https(t, later); l.CertificateThumbprint != print {
		t.Error("the certificate of an authority was replaced")
	}
	if notes := strings.Join(b.Notes, "\n"); !strings.Contains(notes, "expired on 2026-02-01") {
		t.Errorf("notes: %q", notes)
	}
}

// addIssued stores a certificate that another one signed, valid for a month.
func addIssued(t *testing.T, s *State, now time.Time) string {
	t.Helper()
	issue := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	until := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	ca, caKey := issue(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0), KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf, key := issue(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{hostName()}, NotBefore: now.AddDate(0, -1, 0), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca, caKey)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	print, err := s.Certificates.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return print
}

// A key that others could read is not used, and the words say what to do.
func TestCertificateModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file modes are Unix's")
	}
	s := at(t, t.TempDir(), testTime())
	bootstrap(t, s, freePorts)
	print := https(t, s).CertificateThumbprint
	file := filepath.Join(s.Dir, "certificates", print+".pem")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("a new certificate has mode %v (%v)", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o602} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Certificates.Find(print); err == nil || !strings.Contains(err.Error(), "chmod 600") || !strings.Contains(err.Error(), file) {
			t.Errorf("mode %v: %v", mode, err)
		}
		if n := len(s.Certificates.Usable(testTime())); n != 0 {
			t.Errorf("mode %v: %d certificates are usable", mode, n)
		}
		b := bootstrap(t, s, freePorts)
		if len(b.Notes) != 1 || !strings.Contains(b.Notes[0], "chmod 600") || https(t, s).CertificateThumbprint != print {
			t.Errorf("mode %v: up says %q", mode, b.Notes)
		}
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if b := bootstrap(t, s, freePorts); len(b.Notes) != 0 {
		t.Errorf("after chmod 600, up says %q", b.Notes)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if b := bootstrap(t, s, freePorts); len(b.Notes) != 1 || https(t, s).CertificateThumbprint == print {
		t.Errorf("without its certificate the listener stays where it was: %q", b.Notes)
	}
}

// A folder that another version wrote: what is older loads, a newer one is
// refused (see TestFormat). The first format is what this version writes too,
// so that the oldest folder is one with nothing but its number.
func TestOldestFolderLoads(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "format"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hive := "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WSMAN\\Listener\\*+HTTP]\n\"Port\"=dword:00000050\n"
	if err := os.WriteFile(filepath.Join(dir, "hive.reg"), []byte(hive), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenState(dir, StateOptions{Create: true, Service: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if l := s.Snapshot().Listeners; len(l) != 1 || l[0].Port != 80 || l[0].Address != "*" {
		t.Errorf("a listener on port 80 of an older folder became %+v", l)
	}
}

func TestUnreadableState(t *testing.T) {
	for file, text := range map[string]string{"format": "soon", "hive.reg": "REGEDIT9", "accounts.json": "{", "certificates": "a file"} {
		dir := t.TempDir()
		s, err := OpenState(dir, StateOptions{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Hive.Update(func(tx *registry.Tx) error { return tx.Set(settings.KeyCasement, "x", registry.DWORD(1)) }); err != nil {
			t.Fatal(err)
		}
		s.Close()
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = OpenState(dir, StateOptions{Create: true, Service: true})
		if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), file) {
			t.Errorf("a damaged %s: %v", file, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("a damaged %s was changed to %q (%v)", file, b, err)
		}
	}
}
