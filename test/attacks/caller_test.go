package attacks

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/casementtest"
)

const (
	soapType   = "application/soap+xml;charset=UTF-8"
	sealedType = `multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"`
)

// getConfig asks for winrm/config, which an administrator alone may read.
const getConfig = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
<s:Header><a:To>http://localhost/wsman</a:To><a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>
<a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action><a:MessageID>uuid:11111111-2222-3333-4444-555555555555</a:MessageID>
<w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/config</w:ResourceURI></s:Header><s:Body/></s:Envelope>`

// caller is one connection of HTTP in the hands of whoever wants to do with it what no client does.
type caller struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	url  *url.URL
	cert *x509.Certificate // the other end's
}

// call connects to a URL.
func call(t *testing.T, target string) *caller {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{t: t, url: u}
	if u.Scheme == "https" {
		conn, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true}) // #nosec G402 -- an attacker does not care
		if err != nil {
			t.Fatal(err)
		}
		c.conn, c.cert = conn, conn.ConnectionState().PeerCertificates[0]
	} else if c.conn, err = net.Dial("tcp", u.Host); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	c.r = bufio.NewReader(c.conn)
	return c
}

// answer is what came back: status 0 where the connection was closed instead.
type answer struct {
	status int
	token  []byte // of Negotiate
	body   string
}

// served tells whether the configuration was given away.
func (a answer) served() bool { return strings.Contains(a.body, "MaxEnvelopeSizekb") }

// post sends one request; token nil sends no Authorization.
func (c *caller) post(token []byte, contentType, body string) answer {
	c.t.Helper()
	authorization := ""
	if token != nil {
		authorization = "Authorization: Negotiate " + base64.StdEncoding.EncodeToString(token) + "\r\n"
	}
	c.conn.SetDeadline(time.Now().Add(15 * time.Second))
	_, err := fmt.Fprintf(c.conn, "POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", c.url.Path, c.url.Host, authorization, contentType, len(body), body)
	if err != nil {
		return answer{body: err.Error()}
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, body: string(b)}
	for _, v := range res.Header.Values("WWW-Authenticate") {
		if text, ok := strings.CutPrefix(v, "Negotiate "); ok {
			a.token, _ = base64.StdEncoding.DecodeString(text)
		}
	}
	return a
}

// signIn does an exchange of bare NTLM over the connection. Change, where it is given, alters what the client sends with a number: 0 is NEGOTIATE,
// 1 AUTHENTICATE.
func (c *caller) signIn(i auth.Initiator, change func(n int, token []byte) []byte) answer {
	c.t.Helper()
	var in []byte
	for n := range 2 {
		out, _, err := i.Step(context.Background(), in)
		if err != nil {
			c.t.Fatal(err)
		}
		if change != nil {
			out = change(n, out)
		}
		a := c.post(out, soapType, "")
		if n == 1 || a.status != http.StatusUnauthorized || a.token == nil {
			return a
		}
		in = a.token
	}
	return answer{}
}

// as is NTLM with the password of an account.
func as(user, password string, bindings *auth.ChannelBindings) *ntlm.Initiator {
	return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: user, Password: password}, ChannelBindings: bindings})
}

// seal makes a message of [MS-WSMV] 2.2.9.1.
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

// unseal is the text inside of a sealed answer, "" where there is none.
func unseal(c auth.Context, body string) string {
	_, rest, sealed := strings.Cut(body, "Content-Type: application/octet-stream\r\n")
	rest = strings.TrimSuffix(rest, "--Encrypted Boundary--\r\n")
	if !sealed || len(rest) < 4 {
		return ""
	}
	n := int(binary.LittleEndian.Uint32([]byte(rest)))
	if n > len(rest)-4 {
		return ""
	}
	data := []byte(rest[4+n:])
	if c.Unseal([]auth.Buffer{{Data: data}}, []byte(rest[4:4+n])) != nil {
		return ""
	}
	return string(data)
}

// refused fails where an attack got through.
func refused(t *testing.T, what string, a answer) {
	t.Helper()
	if a.served() || a.status == http.StatusOK {
		t.Errorf("%s: HTTP %d\n%.200s", what, a.status, a.body)
	}
}

// victim is a service with somebody whose password the attacker does not know.
func victim(t *testing.T, o casementtest.Options) *casementtest.Server { return casementtest.New(t, o) }
