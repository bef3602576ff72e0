package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestCredentialsHideSecrets(t *testing.T) {
	c := Credentials{Username: `CORP\bob`, Password: "hunter2", NTHash: []byte("0123456789abcdef")}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c, "p", &c)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c)
	text, err := json.Marshal(map[string]any{"c": c})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		all += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c) + fmt.Sprintf(verb, struct{ C Credentials }{c})
	}
	for _, secret := range []string{"hunter2", "0123456789abcdef", fmt.Sprintf("%d", c.NTHash), hex.EncodeToString(c.NTHash)} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is shown in %s", secret, all)
		}
	}
	if !strings.Contains(all, "bob") {
		t.Error("the user is not named")
	}
}

func TestDelegationHidesAndForgets(t *testing.T) {
	cache, hash := []byte("ticket of bob"), []byte("0123456789abcdef")
	d := &Delegation{Credentials: Credentials{Username: "bob", Password: "hunter2", NTHash: hash}, CCache: cache}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "d", *d, "p", d)
	all := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		all += fmt.Sprintf(verb, *d) + fmt.Sprintf(verb, d) + fmt.Sprintf(verb, struct{ D Delegation }{*d})
	}
	for _, secret := range []string{"hunter2", string(hash), string(cache), fmt.Sprintf("%d", cache)} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is shown in %s", secret, all)
		}
	}
	copied := d.Clone()
	d.Wipe()
	if string(copied.CCache) != "ticket of bob" || string(copied.Credentials.NTHash) != "0123456789abcdef" || copied.Credentials.Password != "hunter2" {
		t.Errorf("a copy was wiped with the other: %s", copied.CCache)
	}
	if !d.Credentials.IsZero() || d.CCache != nil || !bytes.Equal(cache, make([]byte, len(cache))) || !bytes.Equal(hash, make([]byte, len(hash))) {
		t.Errorf("something is left: %q, %q", cache, hash)
	}
	(*Delegation)(nil).Wipe()
	if (*Delegation)(nil).Clone() != nil {
		t.Error("a copy of nothing")
	}
}

func TestSplit(t *testing.T) {
	for in, want := range map[string][2]string{
		"bob": {"bob", ""}, `CORP\bob`: {"bob", "CORP"}, `.\bob`: {"bob", ""}, "bob@corp.example": {"bob@corp.example", ""},
	} {
		if u, d := (Credentials{Username: in}).Split(); u != want[0] || d != want[1] {
			t.Errorf("%s: %s, %s", in, u, d)
		}
	}
}

// The value that the ntlm-auth package for Python expects; pyspnego 0.12.0 computes the same.
func TestBindingHash(t *testing.T) {
	cert, err := hex.DecodeString("e3ca49271e5089cc48ce82109f1324f41dbeddc29a777410c738f7868c4ff405")
	if err != nil {
		t.Fatal(err)
	}
	b := &ChannelBindings{ApplicationData: append([]byte("tls-server-end-point:"), cert...)}
	sum := b.MD5()
	if got := hex.EncodeToString(sum[:]); got != "6ea19df066da4622051f9c4f92c6df74" {
		t.Error(got)
	}
	if (*ChannelBindings)(nil).MD5() != [16]byte{} {
		t.Error("no binding is not zero")
	}
}

func TestTLSServerEndPoint(t *testing.T) {
	raw := []byte("certificate")
	s256, s384, s512 := sha256.Sum256(raw), sha512.Sum384(raw), sha512.Sum512(raw)
	for algorithm, want := range map[x509.SignatureAlgorithm][]byte{
		x509.MD5WithRSA: s256[:], x509.SHA1WithRSA: s256[:], x509.ECDSAWithSHA1: s256[:], x509.SHA256WithRSA: s256[:],
		x509.SHA384WithRSA: s384[:], x509.ECDSAWithSHA512: s512[:], x509.SHA512WithRSAPSS: s512[:],
		x509.PureEd25519: s256[:], x509.UnknownSignatureAlgorithm: s256[:],
	} {
		got := TLSServerEndPoint(&x509.Certificate{Raw: raw, SignatureAlgorithm: algorithm})
		if string(got.ApplicationData) != "tls-server-end-point:"+string(want) {
			t.Errorf("%v: %x", algorithm, got.ApplicationData)
		}
	}
	if TLSServerEndPoint(nil) != nil {
		t.Error("binding without a certificate")
	}
}

func TestHardening(t *testing.T) {
	own := &ChannelBindings{ApplicationData: []byte("x")}
	var none, other [16]byte
	other[3] = 1
	for _, tt := range []struct {
		h    Hardening
		sent [16]byte
		ok   bool
	}{
		{None, other, true}, {None, none, true}, {Relaxed, none, true}, {Relaxed, other, false}, {Relaxed, own.MD5(), true},
		{Strict, none, false}, {Strict, other, false}, {Strict, own.MD5(), true},
	} {
		if err := tt.h.Check(own, tt.sent); (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrBadBindings)) {
			t.Errorf("%s %x: %v", tt.h, tt.sent, err)
		}
	}
	if Strict.Check(nil, none) != nil {
		t.Error("bindings are demanded without TLS")
	}
}
