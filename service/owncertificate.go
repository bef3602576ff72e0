package service

import (
	"crypto/tls"
	"sync"
	"time"
)

// OwnCertificate is what a listener of this machine beside WinRM's serves with: a
// certificate of the state folder for this machine's name, or one that the machine
// signs itself, which is made where there is none and anew when it has expired.
func (s *State) OwnCertificate() (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	var mu sync.Mutex
	var cert *tls.Certificate
	get := func() (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := s.now(); cert != nil && now.Before(cert.Leaf.NotAfter.Add(-time.Hour)) {
			return cert, nil
		}
		print, err := s.ownCertificate("")
		if err != nil {
			return nil, err
		}
		cert, err = s.Certificates.Find(print)
		return cert, err
	}
	_, err := get()
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return get() }, err
}
