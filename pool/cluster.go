package pool

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/casementhq/casement/cim"
)

// mutualTLS proves us by a certificate, and the cluster by its authority alone.
func mutualTLS(cert, key, ca string) (*tls.Config, error) {
	const operation = "reach the pool's cluster"
	if cert == "" || key == "" || ca == "" {
		return nil, &cim.Error{Status: cim.ErrInvalidParameter, Operation: operation, Detail: "a cluster is reached by mutual TLS: name the files of the certificate, its key and the authority"}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s: the certificate: %w", operation, err)
	}
	pem, err := os.ReadFile(ca) // #nosec G304 -- the name is the user's to choose
	if err != nil {
		return nil, fmt.Errorf("%s: the authority: %w", operation, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, &cim.Error{Status: cim.ErrInvalidParameter, Operation: operation, Detail: ca + " has no certificate in it"}
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: roots}, nil
}
