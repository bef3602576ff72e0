package service_test

import (
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"

	"github.com/casementhq/casement/service"
)

// What a client certificate costs with every message: an ECDSA chain of three.
func BenchmarkVerifyClientCertificate(b *testing.B) {
	root := newAuthority(b, "Root", nil)
	middle := newAuthority(b, "Middle", root)
	a := service.OpenAuthorities(filepath.Join(b.TempDir(), "authorities.pem"))
	for _, c := range []*authority{root, middle} {
		if _, err := a.Add(c.pem()); err != nil {
			b.Fatal(err)
		}
	}
	shown := []*x509.Certificate{middle.issue("carol@casement.example", nil).Leaf}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Verify(shown, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
