package service

import (
	"crypto/x509"
	"encoding/hex"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// SubjectAltName as DER, by hand: [RFC5280] 4.2.1.6; the user principal name is the other name 1.3.6.1.4.1.311.20.2.3.
func TestPrincipalNames(t *testing.T) {
	const (
		oid = "060a2b060104018237140203"
		upn = "a013" + oid + "a005" + "0c03" + "614062" // a@b
	)
	for _, row := range []struct {
		what, der string
		names     []string
		ok        bool
	}{
		{"one", "3015" + upn, []string{"a@b"}, true},
		{"two beside a DNS name", "302e" + upn + "8202" + "7878" + upn, []string{"a@b", "a@b"}, true},
		{"only a DNS name", "3004" + "82027878", nil, true},
		{"empty", "3000", nil, true},
		{"another other name", "300a" + "a008" + "06022a03" + "a0020500", nil, true},
		{"a value that is no UTF8String", "3015" + "a013" + oid + "a005" + "1603" + "614062", nil, false},
		{"not UTF-8", "3014" + "a012" + oid + "a004" + "0c02" + "c328", nil, true},
		{"cut", "3015" + upn[:30], nil, false},
		{"a length too long", "3016" + upn, nil, false},
		{"more after it", "3015" + upn + "00", nil, false},
		{"no sequence", "0c03614062", nil, false},
		{"nothing", "", nil, false},
	} {
		der, err := hex.DecodeString(row.der)
		if err != nil {
			t.Fatal(row.what, err)
		}
		if names, ok := principalNames(der); ok != row.ok || ok && !slices.Equal(names, row.names) {
			t.Errorf("%s: %q %v", row.what, names, ok)
		}
	}
}

func FuzzClientCertificate(f *testing.F) {
	for _, s := range []string{"3015a013060a2b060104018237140203a0050c03614062", "300482027878", "3000"} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	authorities := OpenAuthorities(filepath.Join(f.TempDir(), "authorities.pem"))
	f.Fuzz(func(t *testing.T, der []byte) {
		names, ok := principalNames(der)
		for _, n := range names {
			if n == "" || !utf8.ValidString(n) {
				t.Fatalf("%q of %x", n, der)
			}
		}
		if len(names) > maxNames || !ok && names != nil {
			t.Fatalf("%d names of %x", len(names), der)
		}
		if c, err := x509.ParseCertificate(der); err == nil {
			if _, err := authorities.Verify([]*x509.Certificate{c}, time.Now()); err == nil {
				t.Fatal("a certificate is verified without any authority")
			}
		}
		if all, err := parseCertificates(der); err == nil && len(all) > len(der)/8 {
			t.Fatalf("%d certificates in %d bytes", len(all), len(der))
		}
	})
}
