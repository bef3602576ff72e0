package casement_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/kdctest"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// attempt is a row of docs/security.md.
type attempt struct{ id, way, scheme, message, binding, account, with, result string }

// attempts reads the matrix. What it expects was written by hand.
func attempts(t *testing.T) []attempt {
	t.Helper()
	page, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []attempt
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if !strings.HasPrefix(line, "| M-") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 11 || cells[9] == "" {
			t.Fatalf("a row that is none: %s", line)
		}
		list = append(list, attempt{cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7], cells[8]})
	}
	if len(list) < 50 {
		t.Fatalf("%d rows", len(list))
	}
	return list
}

// TestMatrix tries every row of the matrix of docs/security.md against a running
// service, whose settings change under it. Issue 5, shown by 2.
func TestMatrix(t *testing.T) {
	newMatrix(t).run(t, func(a attempt) bool { return !a.ofDomain() })
}

// TestMatrixOfADomain tries the rows of Kerberos, with the tickets of a KDC of MIT.
func TestMatrixOfADomain(t *testing.T) {
	kdc := kdctest.Start(t, "MATRIX.TEST")
	m := newMatrix(t)
	m.join(t, kdc)
	m.run(t, attempt.ofDomain)
}

// ofDomain tells whether a row needs tickets.
func (a attempt) ofDomain() bool { return strings.Contains(a.scheme, "kerberos") }

func (m *matrix) run(t *testing.T, which func(attempt) bool) {
	for _, a := range attempts(t) {
		if !which(a) {
			continue
		}
		t.Run(a.id, func(t *testing.T) {
			defer m.set(t, a.with)()
			var got string
			// the service follows a setting within a moment; who is refused for a guess is not asked twice
			for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if got = m.try(t, a); got == a.result || time.Now().After(end) || slices.Contains([]string{"mistaken", "nobody", "disabled", "anonymous"}, a.account) {
					break
				}
			}
			if got != a.result {
				t.Errorf("%s by %s, %s, binding %s, as %s with %q: %s, want %s", a.way, a.scheme, a.message, a.binding, a.account, a.with, got, a.result)
			}
		})
	}
}

type matrix struct {
	server   *casementtest.Server
	accounts map[string]auth.Credentials
	defaults map[string]string
	holders  map[string]tls.Certificate // by account
	tickets  map[string]*krb5.Client    // by account of the domain
}

// join gives the service the keys of a machine account, and the realm two users, of
// whom one is an administrator of the machine.
func (m *matrix) join(t *testing.T, kdc *kdctest.KDC) {
	t.Helper()
	services := []string{"HTTP/server.matrix.test", "host/server.matrix.test", "RPCSS/server.matrix.test"}
	for _, name := range services {
		kdc.AddPrincipal(name, "")
	}
	if _, err := m.server.Service.State.AddKeytab(kdc.Keytab(services...)); err != nil {
		t.Fatal(err)
	}
	m.tickets = map[string]*krb5.Client{}
	for _, name := range []string{"member", "guest"} {
		kdc.AddPrincipal(name, "Domain-1-"+name)
		c, err := krb5.NewClient(krb5.ClientOptions{Credentials: auth.Credentials{Username: name + "@MATRIX.TEST", Password: "Domain-1-" + name}, Config: kdc.Config})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		m.tickets[name] = c
	}
	if err := m.server.Service.State.Accounts.AddMember("Administrators", "member@MATRIX.TEST"); err != nil {
		t.Fatal(err)
	}
}

func newMatrix(t *testing.T) *matrix {
	m := &matrix{server: casementtest.New(t, casementtest.Options{}), defaults: map[string]string{
		"Service/AllowUnencrypted": "false", "Service/Auth/Basic": "false", "Service/Auth/Negotiate": "true", "Service/Auth/CbtHardeningLevel": "Relaxed", "Service/Auth/Certificate": "false", "Service/Auth/CredSSP": "false",
		"Service/Auth/Kerberos": "true",
	}}
	s := m.server
	for path, value := range m.defaults {
		s.Set(path, value)
	}
	s.AddUser("manager", "Manage-1", "Administrators")
	s.AddUser("reader", "Read-1")
	s.AddUser("disabled", "Disable-1", "Administrators")
	if err := s.Service.State.Accounts.SetDisabled("disabled", true); err != nil {
		t.Fatal(err)
	}
	m.accounts = map[string]auth.Credentials{
		"administrator": {Username: s.User, Password: s.Password},
		"manager":       {Username: "manager", Password: "Manage-1"},
		"reader":        {Username: "reader", Password: "Read-1"},
		"disabled":      {Username: "disabled", Password: "Disable-1"},
		"mistaken":      {Username: s.User, Password: "not " + s.Password},
		"nobody":        {Username: "no such user", Password: "Nobody-1"},
	}
	m.mapCertificates(t)
	return m
}

// mapCertificates gives each account a certificate of one authority, whose common name is that of the account. That of nobody is not mapped.
func (m *matrix) mapCertificates(t *testing.T) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	signer := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "The authority"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	issue := func(c *x509.Certificate) []byte {
		der, err := x509.CreateCertificate(rand.Reader, c, signer, key.Public(), key)
		check(err)
		return der
	}
	prints, err := m.server.Service.State.Authorities.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issue(signer)}))
	check(err)
	admin, err := wsmanclient.New(m.server.HTTP, wsmanclient.Options{Credentials: m.accounts["administrator"]})
	check(err)
	defer admin.Close()
	m.holders = map[string]tls.Certificate{}
	for account, c := range m.accounts {
		m.holders[account] = tls.Certificate{PrivateKey: key, Certificate: [][]byte{issue(&x509.Certificate{SerialNumber: big.NewInt(2),
			Subject: pkix.Name{CommonName: account}, NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})}}
		if account == "nobody" || account == "mistaken" {
			continue
		}
		check(m.server.Service.State.Accounts.SetDisabled(c.Username, false))
		_, err := admin.Create(t.Context(), wsman.EPR{ResourceURI: settings.URICertMapping, Selectors: wsman.SelectorSet{{Name: "Issuer", Value: prints[0]},
			{Name: "Subject", Value: account}, {Name: "URI", Value: "*"}}}, fmt.Appendf(nil, `<p:CertMapping xmlns:p="%s"><p:UserName>%s</p:UserName><p:Password>%s</p:Password></p:CertMapping>`,
			settings.URICertMapping, c.Username, c.Password), nil)
		check(err)
	}
	check(m.server.Service.State.Accounts.SetDisabled("disabled", true))
}

// certificates are those that the client of a row shows.
func (m *matrix) certificates(a attempt) []tls.Certificate {
	if c, ok := m.holders[a.account]; ok && a.scheme == "certificate" {
		return []tls.Certificate{c}
	}
	return nil
}

// set changes what a row changes, and gives what changes it back.
func (m *matrix) set(t *testing.T, with string) (back func()) {
	t.Helper()
	var undo []func()
	for _, change := range strings.Fields(with) {
		name, value, _ := strings.Cut(change, "=")
		switch area, path, _ := strings.Cut(name, ":"); area {
		case "config":
			standard, ok := m.defaults[path]
			if !ok {
				t.Fatalf("the default of %s is not known", path)
			}
			m.server.Set(path, value)
			undo = append(undo, func() { m.server.Set(path, standard) })
		case "uac":
			m.server.Apply(settings.SetLocalAccountTokenFilterPolicy(value == "1"))
			undo = append(undo, func() { m.server.Apply(settings.SetLocalAccountTokenFilterPolicy(false)) })
		case "ole", "lsa":
			key := settings.KeyOle
			if area == "lsa" {
				key = settings.KeyNTLM
			}
			if i := strings.LastIndexByte(path, '\\'); i >= 0 {
				key, path = key+`\`+path[:i], path[i+1:]
			}
			v := registry.SZ(value)
			if value == "0" || value == "1" || value == "2" {
				v = registry.DWORD(uint32(value[0] - '0'))
			}
			m.server.Apply(settings.Change{Key: key, Name: path, Value: v})
			undo = append(undo, func() { m.server.Apply(settings.Change{Key: key, Name: path, Delete: true}) })
		default:
			t.Fatalf("a setting of no kind: %s", change)
		}
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

func (m *matrix) try(t *testing.T, a attempt) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if a.way == "dcom" {
		return m.activate(ctx, t, a)
	}
	return m.bare(ctx, t, a)
}

// initiator is the client's side of a proof.
func (m *matrix) initiator(a attempt, bindings *auth.ChannelBindings) auth.Initiator {
	if a.ofDomain() {
		ticket := func() auth.Initiator {
			class := "HTTP"
			if a.way == "dcom" {
				class = "RPCSS"
			}
			return krb5.NewInitiator(krb5.InitiatorOptions{Client: m.tickets[a.account], SPN: class + "/server.matrix.test", Bindings: bindings, DCE: a.way == "dcom"})
		}
		if a.scheme == "kerberos" {
			return ticket()
		}
		return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: ticket})
	}
	inner := func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: m.accounts[a.account], ChannelBindings: bindings})
	}
	if a.scheme == "ntlm" {
		return inner()
	}
	return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: inner})
}

const getConfig = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
<s:Header><a:To>http://localhost/wsman</a:To><a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>
<a:Action s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action><a:MessageID>uuid:11111111-2222-3333-4444-555555555555</a:MessageID>
<w:ResourceURI s:mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/config</w:ResourceURI></s:Header><s:Body/></s:Envelope>`

var faultCode = regexp.MustCompile(`WSManFault[^>]* Code="(\d+)"`)

// bare asks with net/http and the tokens of a proof, without any rule of our client.
func (m *matrix) bare(ctx context.Context, t *testing.T, a attempt) string {
	t.Helper()
	url, transport := m.server.HTTP, &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	var bindings *auth.ChannelBindings
	if a.binding == "other" {
		bindings = &auth.ChannelBindings{ApplicationData: []byte("tls-server-end-point:of another certificate....")}
	}
	if a.way == "https" {
		url = m.server.HTTPS
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, Certificates: m.certificates(a), VerifyConnection: func(s tls.ConnectionState) error { // #nosec G402 -- the service's own certificate
			if a.binding == "right" {
				bindings = auth.TLSServerEndPoint(s.PeerCertificates[0])
			}
			return nil
		}}
	}
	client := &http.Client{Transport: transport}
	scheme, firstBody := "Negotiate", 1
	if a.scheme == "kerberos" {
		scheme = "Kerberos"
	}
	if a.ofDomain() { // the first token may be all
		firstBody = 0
	}
	contentType := "application/soap+xml;charset=UTF-8"
	post := func(authorization, body string) (status int, challenge, answer string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		res, err := client.Do(r)
		if err != nil {
			return 0, "", err.Error()
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		for _, v := range res.Header.Values("WWW-Authenticate") {
			if token, ok := strings.CutPrefix(v, scheme+" "); ok {
				challenge = token
			}
		}
		return res.StatusCode, challenge, string(b)
	}
	result := func(status int, answer string) string {
		switch code := faultCode.FindStringSubmatch(answer); {
		case code != nil:
			var n uint32
			fmt.Sscan(code[1], &n)
			return fmt.Sprintf("0x%08X", n)
		case status == http.StatusOK && strings.Contains(answer, "MaxEnvelopeSizekb"):
			return "ok"
		case status == 0:
			return answer
		}
		return fmt.Sprint(status)
	}
	c := m.accounts[a.account]
	switch a.scheme {
	case "none":
		status, _, answer := post("", getConfig)
		return result(status, answer)
	case "basic":
		status, _, answer := post("Basic "+base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password)), getConfig)
		return result(status, answer)
	case "digest":
		status, _, answer := post(`Digest username="x", realm="WSMAN", nonce="1", uri="/wsman", response="0123456789abcdef0123456789abcdef"`, getConfig)
		return result(status, answer)
	}
	if a.scheme == "credssp" {
		scheme = "CredSSP"
		return result(m.credSSP(ctx, t, a, post, &contentType))
	}
	if a.scheme == "certificate" {
		status, _, answer := post("http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual", getConfig)
		return result(status, answer)
	}
	if a.account == "anonymous" { // an empty proof of NTLM: no client of ours sends one
		return m.anonymous(post)
	}
	if status, _, answer := post("", ""); status != http.StatusUnauthorized { // the connection, and with it the certificate
		return result(status, answer)
	}
	i := m.initiator(a, bindings)
	var in []byte
	for leg := range 4 {
		out, done, err := i.Step(ctx, in)
		if err != nil {
			return err.Error()
		}
		body := ""
		if leg >= firstBody && a.message == "clear" {
			body = getConfig
		}
		status, challenge, answer := post(scheme+" "+base64.StdEncoding.EncodeToString(out), body)
		if !done && challenge != "" {
			if in, err = base64.StdEncoding.DecodeString(challenge); err != nil {
				return err.Error()
			}
			if status == http.StatusOK || body != "" && status != http.StatusUnauthorized { // the service's last word to the exchange
				if out, done, err = i.Step(ctx, in); err != nil || !done || len(out) > 0 {
					return fmt.Sprintf("after %d: %x, %v, %v", status, out, done, err)
				}
			}
		}
		switch {
		case status == http.StatusUnauthorized && !done && challenge != "":
			continue
		case status != http.StatusOK || body != "":
			return result(status, answer)
		}
		contentType = strings.Replace(sealedType, "SPNEGO", map[string]string{"Negotiate": "SPNEGO", "Kerberos": "Kerberos"}[scheme], 1)
		status, _, answer = post("", strings.Replace(seal(t, i.Context(), getConfig), "SPNEGO", map[string]string{"Negotiate": "SPNEGO", "Kerberos": "Kerberos"}[scheme], 1))
		return result(status, unseal(i.Context(), answer))
	}
	return "too many rounds"
}

// anonymous sends an AUTHENTICATE without names and answers, [MS-NLMP] 3.2.5.1.2.
func (m *matrix) anonymous(post func(authorization, body string) (int, string, string)) string {
	negotiate := append([]byte("NTLMSSP\x00\x01\x00\x00\x00"), 0x07, 0x82, 0x08, 0xa2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	status, challenge, _ := post("Negotiate "+base64.StdEncoding.EncodeToString(negotiate), "")
	if challenge == "" {
		return fmt.Sprint(status)
	}
	authenticate := append([]byte("NTLMSSP\x00\x03\x00\x00\x00"), bytes.Repeat([]byte{0, 0, 0, 0, 0x48, 0, 0, 0}, 6)...)
	authenticate = append(authenticate, 0x05, 0x8a, 0x08, 0xa2, 0, 0, 0, 0, 0, 0, 0, 0)
	status, _, _ = post("Negotiate "+base64.StdEncoding.EncodeToString(authenticate), "")
	return fmt.Sprint(status)
}

const sealedType = `multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"`

// seal is a message as [MS-WSMV] 2.2.9.1 has it.
func seal(t *testing.T, c auth.Context, text string) string {
	t.Helper()
	data := []byte(text)
	signature, err := c.Seal([]auth.Buffer{{Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	size := binary.LittleEndian.AppendUint32(nil, uint32(len(signature)))
	return fmt.Sprintf("--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n"+
		"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n%s%s%s--Encrypted Boundary--\r\n", len(text), size, signature, data)
}

// unseal is the text of a sealed message; another message stays as it is.
func unseal(c auth.Context, body string) string {
	_, rest, sealed := strings.Cut(body, "Content-Type: application/octet-stream\r\n")
	rest = strings.TrimSuffix(rest, "--Encrypted Boundary--\r\n")
	if !sealed || len(rest) < 4 {
		return body
	}
	n := int(binary.LittleEndian.Uint32([]byte(rest)))
	if n > len(rest)-4 {
		return "a signature that is too long"
	}
	data := []byte(rest[4+n:])
	if err := c.Unseal([]auth.Buffer{{Data: data}}, []byte(rest[4:4+n])); err != nil {
		return err.Error()
	}
	return string(data)
}

// activate activates the login object of WMI with exactly one level of protection.
func (m *matrix) activate(ctx context.Context, t *testing.T, a attempt) string {
	t.Helper()
	level, ok := map[string]dcerpc.Level{"none": dcerpc.LevelNone, "connect": dcerpc.LevelConnect, "call": dcerpc.LevelCall, "packet": dcerpc.LevelPacket,
		"integrity": dcerpc.LevelIntegrity, "privacy": dcerpc.LevelPrivacy}[a.message]
	if !ok {
		t.Fatalf("a level that is none: %s", a.message)
	}
	blanket := dcom.Blanket{Level: level, Exactly: true}
	if level > dcerpc.LevelNone && a.account != "anonymous" {
		blanket.AuthType = dcerpc.AuthSPNEGO
		switch a.scheme {
		case "ntlm":
			blanket.AuthType = dcerpc.AuthNTLM
		case "kerberos":
			blanket.AuthType = dcerpc.AuthKerberos
		}
		blanket.Initiator = func(string, string) (auth.Initiator, error) { return m.initiator(a, nil), nil }
	}
	c := dcom.NewClient(dcom.ClientOptions{Blanket: blanket})
	defer c.Close()
	host, port, _ := strings.Cut(m.server.DCOM, ":")
	proxies, err := c.Activate(ctx, host+"["+port+"]", wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
	var hr *dcom.Error
	switch {
	case errors.As(err, &hr):
		return fmt.Sprintf("0x%08X", hr.HRESULT)
	case err != nil:
		return err.Error()
	case len(proxies) != 1 || proxies[0] == nil:
		return "nothing"
	}
	return "ok"
}
