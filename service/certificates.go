package service

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- a Windows thumbprint is the SHA-1 of the certificate
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/internal/fileowner"
	"github.com/casementhq/casement/settings"
)

// Certificates is the machine's certificate store: a folder of PEM files, each
// a certificate, its chain and its key.
type Certificates struct{ dir string }

// OpenCertificates opens the store in dir; a folder that is not there is empty.
func OpenCertificates(dir string) (*Certificates, error) {
	if info, err := os.Lstat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("open the certificates: %s is not a folder", dir)
	}
	return &Certificates{dir: dir}, nil
}

// Thumbprint is the SHA-1 of a certificate in 40 capital hexadecimal digits.
func Thumbprint(cert *x509.Certificate) string {
	sum := sha1.Sum(cert.Raw) // #nosec G401 -- see the import
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// Find loads the certificate with a thumbprint; case and blanks do not matter.
// It fails with fs.ErrNotExist.
func (c *Certificates) Find(thumbprint string) (*tls.Certificate, error) {
	name, err := c.file(thumbprint)
	if err != nil {
		return nil, err
	}
	return c.load(name)
}

// file is where the certificate with a thumbprint lies, or would.
func (c *Certificates) file(thumbprint string) (string, error) {
	name := strings.ToUpper(strings.ReplaceAll(thumbprint, " ", ""))
	if _, err := hex.DecodeString(name); err != nil || len(name) != 40 {
		return "", fmt.Errorf("certificate %q: %w", thumbprint, fs.ErrNotExist)
	}
	return filepath.Join(c.dir, name+".pem"), nil
}

func (c *Certificates) load(file string) (*tls.Certificate, error) {
	if info, err := os.Stat(file); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("load a certificate: %s has mode %04o and holds a private key; run chmod 600 on it", file, info.Mode().Perm())
	}
	pair, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		return nil, fmt.Errorf("load a certificate: %w", err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, fmt.Errorf("load %s: %w", file, err)
		}
	}
	return &pair, nil
}

// All lists the certificates that can be loaded.
func (c *Certificates) All() ([]*tls.Certificate, error) {
	files, err := filepath.Glob(filepath.Join(c.dir, "*.pem"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var all []*tls.Certificate
	var bad error
	for _, f := range files {
		cert, err := c.load(f)
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		all = append(all, cert)
	}
	return all, bad
}

// Usable are the facts that a listener needs of the certificates that are
// valid at now.
func (c *Certificates) Usable(now time.Time) []settings.Certificate {
	all, _ := c.All()
	var usable []settings.Certificate
	for _, cert := range all {
		leaf := cert.Leaf
		if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
			continue
		}
		names := slices.Clone(leaf.DNSNames)
		if cn := leaf.Subject.CommonName; cn != "" && !slices.Contains(names, cn) {
			names = append([]string{cn}, names...)
		}
		for _, ip := range leaf.IPAddresses {
			names = append(names, ip.String())
		}
		usable = append(usable, settings.Certificate{
			Thumbprint: Thumbprint(leaf), Names: names,
			ServerAuth: len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0 ||
				slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny),
		})
	}
	return usable
}

// Add stores a certificate with its key and returns its thumbprint.
func (c *Certificates) Add(certPEM, keyPEM []byte) (string, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return "", fmt.Errorf("add a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return "", fmt.Errorf("add a certificate: %w", err)
	}
	if err := c.makeFolder(); err != nil {
		return "", fmt.Errorf("add a certificate: %w", err)
	}
	print := Thumbprint(leaf)
	name := filepath.Join(c.dir, print+".pem")
	temp, err := os.CreateTemp(c.dir, ".new-*")
	if err != nil {
		return "", fmt.Errorf("add a certificate: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(append(append(slices.Clone(certPEM), '\n'), keyPEM...))
	err = errors.Join(err, fileowner.GiveLike(temp, c.dir), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		return "", fmt.Errorf("add a certificate: %w", err)
	}
	return print, nil
}

// Remove deletes a certificate and its key. It fails with fs.ErrNotExist.
func (c *Certificates) Remove(thumbprint string) error {
	name, err := c.file(thumbprint)
	if err != nil {
		return err
	}
	if err := os.Remove(name); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("certificate %q: %w", thumbprint, fs.ErrNotExist)
	} else if err != nil {
		return fmt.Errorf("remove a certificate: %w", err)
	}
	return nil
}

// makeFolder makes the folder of the store where there is none.
func (c *Certificates) makeFolder() error {
	err := os.Mkdir(c.dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(c.dir)) // which no link in it leads out of
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.Open(filepath.Base(c.dir))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", c.dir)
	}
	return fileowner.GiveLike(f, filepath.Dir(c.dir))
}

// SelfSigned makes and stores a certificate for names and addresses that this
// machine signed itself, valid for a year from now, and returns its thumbprint.
func (c *Certificates) SelfSigned(now time.Time, names []string, ips []net.IP) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: names, IPAddresses: ips, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return c.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// SelfIssued tells whether a certificate was signed by its own key, which
// quickconfig does not accept for HTTPS.
func SelfIssued(cert *x509.Certificate) bool {
	return cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// Fingerprint is the SHA-256 of a certificate in lower-case hexadecimal digits.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// unusable says why a listener's certificate cannot serve now, and whether one
// that this machine signs itself may take its place: never that of an
// authority.
func (s *State) unusable(thumbprint string) (why string, replace bool) {
	cert, err := s.Certificates.Find(thumbprint)
	switch now := s.now(); {
	case errors.Is(err, fs.ErrNotExist):
		return "is not in the state folder", true
	case err != nil:
		return "cannot be used: " + err.Error(), false
	case now.After(cert.Leaf.NotAfter):
		why = "expired on " + cert.Leaf.NotAfter.UTC().Format(time.DateOnly)
	case now.Before(cert.Leaf.NotBefore):
		why = "is not valid before " + cert.Leaf.NotBefore.UTC().Format(time.DateOnly) + ", and this machine has " + now.UTC().Format(time.DateOnly)
	}
	return why, SelfIssued(cert.Leaf)
}

// ownCertificate returns the thumbprint of a certificate for a host name that
// is usable now, and signs one itself where there is none.
func (s *State) ownCertificate(host string) (string, error) {
	if host == "" {
		host = hostName()
	}
	for _, c := range s.Certificates.Usable(s.now()) {
		if c.ServerAuth && namesHost(c.Names, host) {
			return c.Thumbprint, nil
		}
	}
	names := []string{host}
	for _, n := range []string{hostName(), "localhost"} {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return s.Certificates.SelfSigned(s.now(), names, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback})
}
