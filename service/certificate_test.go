package service_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// authority signs certificates of clients.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string, signer *authority) *authority {
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a := &authority{t: t}
	a.key, a.cert = sign(t, template, signer)
	return a
}

func sign(t testing.TB, template *x509.Certificate, signer *authority) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, parentKey := template, key
	if signer != nil {
		parent, parentKey = signer.cert, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue makes a certificate for a user principal name; change may make it worse.
func (a *authority) issue(upn string, change func(*x509.Certificate)) *tls.Certificate {
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "somebody"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if upn != "" {
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: principal(a.t, upn)}}
	}
	if change != nil {
		change(template)
	}
	key, cert := sign(a.t, template, a)
	return &tls.Certificate{Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key, Leaf: cert}
}

// principal is a SubjectAltName with one user principal name: the other name
// 1.3.6.1.4.1.311.20.2.3.
func principal(t testing.TB, upn string) []byte {
	text := tlv(t, 0x0c, []byte(upn))
	id := []byte{0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03}
	return tlv(t, 0x30, tlv(t, 0xa0, append(id, tlv(t, 0xa0, text)...)))
}

func tlv(t testing.TB, tag byte, value []byte) []byte {
	if len(value) > 127 {
		t.Fatal("too long for a length of one octet")
	}
	return append([]byte{tag, byte(len(value))}, value...)
}

const mutual = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"

const getConfig = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:To>x</a:To>` +
	`<w:ResourceURI>%s</w:ResourceURI><a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>` +
	`<a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action><a:MessageID>uuid:1</a:MessageID></s:Header><s:Body/></s:Envelope>`

// post sends a Get as any program would that knows HTTP and TLS.
func post(t *testing.T, s *casementtest.Server, cert *tls.Certificate, uri string, session tls.ClientSessionCache) (status int, answer string) {
	t.Helper()
	cfg := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: session} // #nosec G402 -- a test
	if cert != nil {
		cfg.Certificates = []tls.Certificate{*cert}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTPS, strings.NewReader(fmt.Sprintf(getConfig, uri)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", mutual)
	req.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.TLS.DidResume {
		t.Error("a TLS session was resumed")
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if offered := strings.Join(resp.Header.Values("WWW-Authenticate"), ", "); resp.StatusCode == 401 && offered != "Negotiate" {
		t.Errorf("401 offers %q", offered)
	}
	return resp.StatusCode, string(body)
}

// manager is the Administrator in a remote session.
func manager(t *testing.T, s *casementtest.Server) *wsmanclient.Client {
	t.Helper()
	c, err := wsmanclient.New(s.HTTP, wsmanclient.Options{Credentials: auth.Credentials{Username: s.User, Password: s.Password}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func mapping(issuer, subject, uri string) wsman.EPR {
	return wsman.EPR{ResourceURI: settings.URICertMapping, Selectors: wsman.SelectorSet{{Name: "Issuer", Value: issuer}, {Name: "Subject", Value: subject}, {Name: "URI", Value: uri}}}
}

func userBody(pairs ...string) []byte {
	var b strings.Builder
	b.WriteString(`<p:CertMapping xmlns:p="` + settings.URICertMapping + `">`)
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "<p:%s>%s</p:%[1]s>", pairs[i], pairs[i+1])
	}
	return []byte(b.String() + "</p:CertMapping>")
}

// wantFault checks the code of a fault.
func wantFault(t *testing.T, what string, err error, code wsman.Code) {
	t.Helper()
	var f *wsman.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: %v, want 0x%08X", what, err, uint32(code))
	}
}

// Sign-in by a client certificate: [MS-WSMV] 3.1.4.1.35, spec 5.8, statements 62 to 64, checklist 2.39, 2.58, 2.80.
func TestCertificateSignIn(t *testing.T) {
	const secret = "Winter-77-kitchen"
	s := casementtest.New(t, casementtest.Options{Users: map[string]string{"carol": secret, "dora": secret}})
	root, other := newAuthority(t, "Root", nil), newAuthority(t, "Stranger", nil)
	middle := newAuthority(t, "Middle", root)
	state := s.Service.State
	for _, a := range []*authority{root, middle} {
		if _, err := state.Authorities.Add(a.pem()); err != nil {
			t.Fatal(err)
		}
	}
	issuer := service.Thumbprint(middle.cert)
	admin := manager(t, s)
	create := func(subject, uri string, pairs ...string) error {
		_, err := admin.Create(t.Context(), mapping(issuer, subject, uri), userBody(pairs...), nil)
		return err
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	good := []string{"UserName", "carol", "Password", secret}

	// 63 and 64, and what else Create refuses.
	local, err := wsmanclient.New("http://localhost", wsmanclient.Options{Local: true, DialContext: unixSocket(state.Dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	_, err = local.Create(t.Context(), mapping(issuer, "*", "*"), userBody(good...), nil)
	wantFault(t, "63: create in a local session", err, 0x80338152)
	wantFault(t, "64: a blank password", create("*", "*", "UserName", "carol", "Password", ""), 0x8033816B)
	wantFault(t, "64: a password of 256 characters", create("*", "*", "UserName", "carol", "Password", strings.Repeat("x", 256)), 0x8033816A)
	wantFault(t, "2.39: an account of a domain", create("*", "*", "UserName", `CORP\carol`, "Password", secret), 0x80338154)
	wantFault(t, "2.39: an account of a realm", create("*", "*", "UserName", "carol@corp.example", "Password", secret), 0x80338154)
	wantFault(t, "a wrong password", create("*", "*", "UserName", "carol", "Password", "x"), 0x80338154)
	_, err = admin.Create(t.Context(), mapping(service.Thumbprint(other.cert), "*", "*"), userBody(good...), nil)
	wantFault(t, "an issuer that is no authority here", err, 0x80338162)
	if err := create("*@casement.example", "*", good...); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(state.Dir, "hive.reg")); err != nil || bytes.Contains(b, []byte(secret)) {
		t.Errorf("the hive holds the password, or %v", err)
	}
	kept := filepath.Join(state.Dir, "certmapping.json")
	if b, err := os.ReadFile(kept); err != nil || bytes.Contains(b, []byte(secret)) {
		t.Errorf("certmapping.json holds the password, or %v", err)
	}
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("certmapping.json: %v %v", info.Mode(), err)
	}

	carol := middle.issue("carol@casement.example", nil)
	filter := func(off bool) {
		t.Helper()
		err := state.Hive.Update(func(tx *registry.Tx) error {
			return settings.Apply(tx, []settings.Change{settings.SetLocalAccountTokenFilterPolicy(off)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	filter(true)
	for range 2 {
		if status, _ := post(t, s, carol, settings.URIConfig, nil); status != 401 {
			t.Errorf("2.80: while Auth/Certificate is false a certificate gives HTTP %d", status)
		}
		s.Set("Service/Auth/Certificate", "true") // with the next connection
		if status, answer := post(t, s, carol, settings.URIConfig, nil); status != 200 || !strings.Contains(answer, "MaxEnvelopeSizekb") {
			t.Errorf("2.80: HTTP %d %s", status, answer)
		}
		s.Set("Service/Auth/Certificate", "false")
	}
	s.Set("Service/Auth/Certificate", "true")
	filter(false)
	if status, _ := post(t, s, carol, settings.URIConfig, nil); status != 500 {
		t.Errorf("a token that User Account Control filters may read the configuration: HTTP %d", status)
	}
	filter(true)

	for what, cert := range map[string]*tls.Certificate{
		"no certificate":            nil,
		"of a stranger's authority": other.issue("carol@casement.example", nil),
		"expired":                   middle.issue("carol@casement.example", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Unix(0, 0), time.Now().Add(-time.Minute) }),
		"for servers":               middle.issue("carol@casement.example", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
		"of more than 16 KiB":       middle.issue("carol@casement.example", func(c *x509.Certificate) { c.Subject.Organization = []string{strings.Repeat("x", 17<<10)} }),
		"with a name that is not read": middle.issue("", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: tlv(t, 0x30, tlv(t, 0xa0, []byte{5, 0}))}}
		}),
	} {
		if status, answer := post(t, s, cert, settings.URIConfig, nil); status != 401 || answer != "" {
			t.Errorf("%s: HTTP %d %s", what, status, answer)
		}
	}
	for what, cert := range map[string]*tls.Certificate{
		"a name that is not mapped":          middle.issue("carol@elsewhere.example", nil),
		"an issuer that is not mapped":       root.issue("carol@casement.example", nil),
		"the common name beside another one": middle.issue("x@elsewhere.example", func(c *x509.Certificate) { c.Subject.CommonName = "carol@casement.example" }),
	} {
		if status, answer := post(t, s, cert, settings.URIConfig, nil); status != 500 || !strings.Contains(answer, "AccessDenied") {
			t.Errorf("%s: HTTP %d %s", what, status, answer)
		}
	}
	for what, cert := range map[string]*tls.Certificate{
		"a DNS name":         middle.issue("", func(c *x509.Certificate) { c.DNSNames = []string{"host@casement.example"} }),
		"only a common name": middle.issue("", func(c *x509.Certificate) { c.Subject.CommonName = "CAROL@Casement.Example" }),
		"a critical name, no subject": middle.issue("", func(c *x509.Certificate) {
			c.Subject = pkix.Name{}
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: principal(t, "carol@casement.example")}}
		}),
	} {
		if status, answer := post(t, s, cert, settings.URIConfig, nil); status != 200 {
			t.Errorf("%s: HTTP %d %s", what, status, answer)
		}
	}

	// A certificate that signed itself is its own issuer, and no other's.
	selfKey, self := sign(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Subject: pkix.Name{CommonName: "self"}}, nil)
	own := &authority{t: t, cert: self, key: selfKey}
	if _, err := state.Authorities.Add(own.pem()); err != nil {
		t.Fatal(err)
	}
	_, err = admin.Create(t.Context(), mapping(service.Thumbprint(self), "*", "*"), userBody(good...), nil)
	check(err)
	if status, _ := post(t, s, &tls.Certificate{Certificate: [][]byte{self.Raw}, PrivateKey: selfKey}, settings.URIConfig, nil); status != 200 {
		t.Errorf("signed by itself: HTTP %d", status)
	}
	if status, _ := post(t, s, own.issue("x", nil), settings.URIConfig, nil); status != 401 {
		t.Errorf("signed by a client's certificate: HTTP %d", status)
	}

	// The longest subject decides, then the longest URI; equals decide nothing (62).
	if err := create("dora@casement.example", settings.URIConfig, "UserName", "dora", "Password", secret); err != nil {
		t.Fatal(err)
	}
	dora := middle.issue("dora@casement.example", nil)
	for uri, user := range map[string]string{settings.URIConfig: "dora", settings.URIConfig + "/client": "carol"} {
		for _, disabled := range []string{"carol", "dora"} {
			check(state.Accounts.SetDisabled(disabled, true))
			want := 200
			if disabled == user {
				want = 500
			}
			if status, _ := post(t, s, dora, uri, nil); status != want {
				t.Errorf("the certificate stands for %s at %s: HTTP %d while %s is disabled", user, uri, status, disabled)
			}
			check(state.Accounts.SetDisabled(disabled, false))
		}
	}
	if err := create("*@casement.example", settings.URIConfig+"/c*", good...); err != nil {
		t.Fatal(err)
	}
	if err := create("*@casement.example", settings.URIConfig+"/*l", good...); err == nil {
		t.Error("a URI with its * in the middle is taken")
	}
	if err := create("carol@casement.example", settings.URIConfig, good...); err != nil {
		t.Fatal(err)
	}
	both := middle.issue("", func(c *x509.Certificate) { // 62: two names, two mappings of equal length
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: tlv(t, 0x30, append(principal(t, "carol@casement.example")[2:], principal(t, "clara@casement.example")[2:]...))}}
	})
	if err := create("clara@casement.example", settings.URIConfig, good...); err != nil {
		t.Fatal(err)
	}
	if status, answer := post(t, s, both, settings.URIConfig, nil); status != 500 || !strings.Contains(answer, "AccessDenied") {
		t.Errorf("62: two entries of equal length: HTTP %d %s", status, answer)
	}

	// What changed since: the password, the account, the mapping, the authority.
	denied := func(what string, status int) {
		t.Helper()
		if got, answer := post(t, s, carol, settings.URIConfig, nil); got != status || status == 500 && !strings.Contains(answer, "AccessDenied") {
			t.Errorf("%s: HTTP %d %s", what, got, answer)
		}
	}
	set := func(pairs ...string) {
		t.Helper()
		if _, err := admin.Put(t.Context(), mapping(issuer, "carol@casement.example", settings.URIConfig), userBody(pairs...), nil); err != nil {
			t.Fatal(err)
		}
	}
	check(state.Accounts.SetPassword("carol", "Another-1-word"))
	denied("the password was changed", 500)
	set("UserName", "carol", "Password", "Another-1-word")
	denied("the mapping has the new password", 200)
	check(state.Accounts.SetDisabled("carol", true))
	denied("the account is disabled", 500)
	check(state.Accounts.SetDisabled("carol", false))
	set("Enabled", "false")
	check(admin.Delete(t.Context(), mapping(issuer, "*@casement.example", "*"), nil))
	denied("the mapping is disabled, the wider one deleted", 500)
	set("Enabled", "true")
	denied("it is enabled again", 200)
	check(state.Authorities.Remove(service.Thumbprint(middle.cert)))
	if _, err := state.Authorities.Add(other.pem()); err != nil {
		t.Fatal(err)
	}
	denied("the issuer is an authority no more, but the client shows it and the root is there", 200)
	check(state.Authorities.Remove(service.Thumbprint(root.cert)))
	denied("the root is gone", 401)
}

// A session that one client began is resumed by nobody, so that each connection shows its own key.
func TestCertificateSessionsAreNotResumed(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	cache := tls.NewLRUClientSessionCache(8)
	plain := func() bool {
		c, err := tls.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.HTTPS, "https://"), "/wsman"),
			&tls.Config{InsecureSkipVerify: true, ClientSessionCache: cache, ServerName: "casement"}) // #nosec G402 -- a test
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if _, err := io.ReadAll(c); err != nil { // takes the tickets of TLS 1.3 in
			t.Fatal(err)
		}
		return c.ConnectionState().DidResume
	}
	if plain() || !plain() {
		t.Fatal("without client certificates a session is not resumed: this test would show nothing")
	}
	s.Set("Service/Auth/Certificate", "true")
	for range 3 {
		if plain() {
			t.Error("a session was resumed while client certificates are taken")
		}
	}
}

func unixSocket(dir string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "local.sock"))
	}
}
