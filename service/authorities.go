package service

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/internal/fileowner"
	"github.com/casementhq/casement/settings"
)

// Authorities are the certificates of the authorities from which this machine
// takes client certificates: one PEM file. The certificate authorities of the
// system are not among them, since each of those certifies anybody.
//
// Those that signed themselves are roots; the others only stand between a root
// and a client. Revocation lists are not read: a mapping is disabled or deleted,
// or an authority removed, and both hold with the next message.
type Authorities struct {
	path string

	mu    sync.Mutex
	seen  fs.FileInfo // nil: no file
	all   []*x509.Certificate
	roots *x509.CertPool
	chain *x509.CertPool // the others
}

const (
	maxAuthorities       = 1 << 20  // bytes of the file
	maxClientCertificate = 16 << 10 // bytes, see spec 5.8
	maxChain             = 10       // certificates that a client shows
)

// OpenAuthorities opens the file at path; one that is not there is empty.
func OpenAuthorities(path string) *Authorities { return &Authorities{path: path} }

// current reads the file again where it was replaced; a.mu is held. Where it
// cannot be read there is no authority at all.
func (a *Authorities) current() error {
	info, err := os.Stat(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		a.seen, a.all, a.roots, a.chain = nil, nil, x509.NewCertPool(), x509.NewCertPool()
		return nil
	}
	if err != nil {
		return fmt.Errorf("authorities: %w", err)
	}
	if a.seen != nil && os.SameFile(info, a.seen) && info.ModTime().Equal(a.seen.ModTime()) && info.Size() == a.seen.Size() {
		return nil
	}
	a.seen, a.all = nil, nil
	f, err := os.Open(a.path)
	if err != nil {
		return fmt.Errorf("authorities: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAuthorities+1))
	if err == nil && len(b) > maxAuthorities {
		err = fmt.Errorf("the file is larger than %d bytes", maxAuthorities)
	}
	if err == nil {
		a.all, err = parseCertificates(b)
	}
	if err != nil {
		return fmt.Errorf("authorities: %s: %w", a.path, err)
	}
	a.seen, a.roots, a.chain = info, x509.NewCertPool(), x509.NewCertPool()
	for _, c := range a.all {
		if SelfIssued(c) {
			a.roots.AddCert(c)
		} else {
			a.chain.AddCert(c)
		}
	}
	return nil
}

// parseCertificates reads the certificates of a PEM file, and nothing else.
func parseCertificates(b []byte) (all []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			if len(bytes.TrimSpace(b)) > 0 && len(all) == 0 {
				return nil, errors.New("it holds no certificate in PEM form")
			}
			return all, nil
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds a %s, want certificates alone", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
}

// All lists the authorities.
func (a *Authorities) All() ([]*x509.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.current()
	return slices.Clone(a.all), err
}

// mayIssue tells whether a certificate's own words permit that it signs others.
// A client's certificate that signed itself is its own issuer, and no other's.
func mayIssue(c *x509.Certificate) bool {
	return SelfIssued(c) || c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0)
}

// IsIssuer tells whether an authority has this thumbprint and may sign.
func (a *Authorities) IsIssuer(thumbprint string) bool {
	all, err := a.All()
	return err == nil && slices.ContainsFunc(all, func(c *x509.Certificate) bool {
		return strings.EqualFold(Thumbprint(c), thumbprint) && mayIssue(c)
	})
}

// Add adds the certificates of a PEM file and returns their thumbprints. Those
// that are there already stay as they are.
func (a *Authorities) Add(pemFile []byte) (thumbprints []string, err error) {
	more, err := parseCertificates(pemFile)
	if err == nil && len(more) == 0 {
		err = errors.New("it holds no certificate in PEM form")
	}
	if err != nil {
		return nil, fmt.Errorf("add an authority: %w", err)
	}
	err = a.change(func(all []*x509.Certificate) ([]*x509.Certificate, error) {
		for _, c := range more {
			if !mayIssue(c) {
				return nil, fmt.Errorf("%s may not sign other certificates", c.Subject)
			}
			thumbprints = append(thumbprints, Thumbprint(c))
			if !slices.ContainsFunc(all, c.Equal) {
				all = append(all, c)
			}
		}
		return all, nil
	})
	return thumbprints, err
}

// Remove takes an authority out. It fails with fs.ErrNotExist.
func (a *Authorities) Remove(thumbprint string) error {
	print := strings.ReplaceAll(thumbprint, " ", "")
	return a.change(func(all []*x509.Certificate) ([]*x509.Certificate, error) {
		left := slices.DeleteFunc(slices.Clone(all), func(c *x509.Certificate) bool { return strings.EqualFold(Thumbprint(c), print) })
		if len(left) == len(all) {
			return nil, fmt.Errorf("authority %q: %w", thumbprint, fs.ErrNotExist)
		}
		return left, nil
	})
}

func (a *Authorities) change(f func([]*x509.Certificate) ([]*x509.Certificate, error)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.current(); err != nil {
		return err
	}
	all, err := f(slices.Clone(a.all))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, c := range all {
		fmt.Fprintf(&b, "# %s\n", Thumbprint(c))
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			return err
		}
	}
	a.seen = nil // whatever the clock says
	return replaceFile(a.path, b.Bytes())
}

// replaceFile writes a file of mode 0600 in one step; it belongs to the owner of
// its folder.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	err = errors.Join(err, fileowner.GiveLike(f, filepath.Dir(path)), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Verify checks a client certificate, the first of those shown, and returns what
// mappings look at. It must lead to a root among the authorities, be valid at
// now, permit the authentication of a client, and have at most 16 KiB.
func (a *Authorities) Verify(shown []*x509.Certificate, now time.Time) (settings.ClientCertificate, error) {
	var c settings.ClientCertificate
	if len(shown) == 0 || len(shown) > maxChain {
		return c, fmt.Errorf("the client shows %d certificates, want 1 to %d", len(shown), maxChain)
	}
	if n := len(shown[0].Raw); n > maxClientCertificate {
		return c, fmt.Errorf("the client certificate has %d bytes, the limit is %d", n, maxClientCertificate)
	}
	a.mu.Lock()
	err := a.current()
	roots, between := a.roots, a.chain
	a.mu.Unlock()
	if err != nil {
		return c, err
	}
	between = between.Clone()
	for _, more := range shown[1:] {
		between.AddCert(more)
	}
	leaf := *shown[0]
	names, understood := subjectNames(&leaf)
	if understood { // the parser does not know the user principal name
		leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), oidSubjectAltName.Equal)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return c, fmt.Errorf("the client certificate of %s: %w", leaf.Subject, err)
	}
	c.Subjects = names
	for _, chain := range chains {
		issuer := Thumbprint(chain[min(1, len(chain)-1)])
		if !slices.Contains(c.Issuers, issuer) {
			c.Issuers = append(c.Issuers, issuer)
		}
	}
	return c, nil
}
