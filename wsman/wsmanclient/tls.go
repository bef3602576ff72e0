package wsmanclient

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/casementhq/casement/wsman"
)

// pin reads the SHA-256 of a certificate; nil for none.
func pin(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(s))
	if err != nil || len(b) != sha256.Size {
		return nil, wsman.NewFault(wsman.CodeInvalidParameter,
			"the certificate's thumbprint is not a SHA-256 of 64 hexadecimal digits")
	}
	return b, nil
}

// tlsConfig is what connections check, nil for http.
func (c *Client) tlsConfig() (*tls.Config, error) {
	if c.url.Scheme != "https" {
		return nil, nil
	}
	o := &c.opts.TLS
	cfg := o.Config.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.url.Hostname()
	}
	pinned, err := pin(o.SHA256)
	if err != nil {
		return nil, err
	}
	if pinned == nil && !o.SkipCA && !o.SkipCN {
		return cfg, nil
	}
	// The verifier below stands in for the one that is switched off here.
	cfg.InsecureSkipVerify = true
	roots, name, now := cfg.RootCAs, cfg.ServerName, cfg.Time
	if now == nil {
		now = time.Now
	}
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return fmt.Errorf("the server shows no certificate")
		}
		cert := state.PeerCertificates[0]
		if pinned != nil {
			return checkPin(cert, pinned)
		}
		if !o.SkipCN {
			if err := cert.VerifyHostname(name); err != nil {
				return err
			}
		}
		if o.SkipCA {
			return checkDates(cert, now())
		}
		between := x509.NewCertPool()
		for _, more := range state.PeerCertificates[1:] {
			between.AddCert(more)
		}
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now()})
		return err
	}
	return cfg, nil
}

func checkPin(cert *x509.Certificate, pinned []byte) error {
	sum := sha256.Sum256(cert.Raw)
	if subtle.ConstantTimeCompare(sum[:], pinned) != 1 {
		return fmt.Errorf("the server's certificate is not the one that was pinned: its SHA-256 is %X", sum)
	}
	return nil
}

func checkDates(cert *x509.Certificate, now time.Time) error {
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired,
			Detail: fmt.Sprintf("it is valid from %s to %s", cert.NotBefore.Format(time.DateOnly), cert.NotAfter.Format(time.DateOnly))}
	}
	return nil
}
