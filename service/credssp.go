package service

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/credssp"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/wsman/wsmanserver"
)

// credSSP is the service's side of CredSSP. Its TLS channel is bound to the negotiation inside by the protocol
// itself, so no channel binding is asked for there: clients send none.
func (p *people) credSSP(peer wsmanserver.Peer) (auth.Acceptor, error) {
	snap := p.state.Snapshot()
	certificate, err := p.credSSPCertificate(snap.WinRM.Service.CertificateThumbprint)
	if err != nil {
		return nil, err
	}
	return credssp.NewAcceptor(credssp.AcceptorOptions{
		Certificate: certificate,
		MinVersion:  snap.WinRM.Client.Delegation.Oracle.ServiceMinVersion(),
		Inner: func() auth.Acceptor {
			return p.spnego(peer.Remote, ntlm.AcceptorOptions{Services: []string{"HTTP", "WSMAN", "HOST"}}, false)
		},
	})
}

// credSSPCertificate is the one that CertificateThumbprint names, without it one of this process, which
// encrypts and vouches for nothing.
func (p *people) credSSPCertificate(thumbprint string) (*tls.Certificate, error) {
	if thumbprint != "" {
		return p.state.Certificates.Find(thumbprint)
	}
	return p.selfSigned.get()
}

// credSSPCertificate is a self-signed certificate that is made when it is first needed, and again before it ends.
type credSSPCertificate struct {
	mu   sync.Mutex
	cert *tls.Certificate
}

const (
	credSSPLife  = 365 * 24 * time.Hour
	credSSPRenew = 24 * time.Hour // before its end
)

func (c *credSSPCertificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.cert != nil && now.Add(credSSPRenew).Before(c.cert.Leaf.NotAfter) {
		return c.cert, nil
	}
	cert, err := newCredSSPCertificate(now)
	if err == nil {
		c.cert = cert
	}
	return cert, err
}

// newCredSSPCertificate makes one with an RSA key: pyspnego reads no others.
func newCredSSPCertificate(now time.Time) (*tls.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for CredSSP: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a certificate for CredSSP: %w", err)
	}
	name := "CREDSSP-" + machineName()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(credSSPLife),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for CredSSP: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for CredSSP: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
