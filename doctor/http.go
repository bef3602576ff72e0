package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/wsman"
)

// httpFacts are what the answer to an anonymous Identify told.
type httpFacts struct {
	status   int
	server   string
	location string
	proxy    bool // something between answered
	html     bool
	date     time.Time
	at       time.Time     // when date came, by our clock
	took     time.Duration // of the exchange
	fault    *wsman.Fault
	spoke    string // the protocol that answered in the place of HTTP
}

// maxBody and maxHead bound an answer.
const (
	maxBody = 64 << 10
	maxHead = 32 << 10
)

// An httpAnswer is an answer whose body was read as far as is permitted.
type httpAnswer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// identifyBody is an Identify without a header. See [MS-WSMV] 3.1.4.1.23.
const identifyBody = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">` +
	`<s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>`

// post sends one request to the endpoint over a connection of its own, and
// follows nothing. first are the first bytes that came where they were no HTTP.
func (x *examination) post(ctx context.Context, header http.Header, body string) (a *httpAnswer, first []byte, err error) {
	u, err := x.target.endpoint()
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	var head *headOf
	t := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHead, TLSClientConfig: x.tlsConfig(u),
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			if x.options.Proxy == "" && x.winrm.port.address != "" {
				address = x.winrm.port.address
			}
			c, err := x.dial(ctx, address)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			head = &headOf{Conn: c}
			return head, nil
		},
	}
	defer t.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	r.Header.Set("User-Agent", "Casement doctor")
	start := time.Now()
	resp, err := t.RoundTrip(r)
	if err != nil {
		mu.Lock()
		defer mu.Unlock()
		if head != nil {
			first = head.first()
		}
		return nil, first, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read as far as is permitted
	a = &httpAnswer{status: resp.StatusCode, header: resp.Header, took: time.Since(start)}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if len(a.body) > maxBody {
		a.body, err = a.body[:maxBody], nil
	}
	if err != nil {
		return a, nil, fmt.Errorf("the answer broke off: %w", err)
	}
	return a, nil, nil
}

// headOf remembers the first bytes that were read.
type headOf struct {
	net.Conn
	mu   sync.Mutex
	head []byte
}

// Read implements net.Conn.
func (c *headOf) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := 32 - len(c.head); room > 0 {
		c.head = append(c.head, b[:min(n, room)]...)
	}
	return n, err
}

func (c *headOf) first() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.head)
}

// speaks names the protocol that begins so, "" for HTTP and for silence.
func speaks(first []byte) string {
	begins := func(s string) bool { return bytes.HasPrefix(first, []byte(s)) }
	switch {
	case len(first) == 0, begins("HTTP/"):
		return ""
	case begins("\x15\x03"), begins("\x16\x03"):
		return "TLS"
	case begins("SSH-"):
		return "SSH"
	case begins("220"):
		return "SMTP or FTP"
	case begins("+OK"):
		return "POP3"
	case begins("* OK"):
		return "IMAP"
	case begins("RFB "):
		return "VNC"
	case begins("\x05\x00"):
		return "RPC"
	case begins("\x03\x00"):
		return "RDP"
	case begins("\x00\x00\x00") && bytes.Contains(first, []byte("SMB")):
		return "SMB"
	}
	return "something else"
}

// offered lists the schemes of a 401, in the order in which they came.
func offered(h http.Header) []string {
	var list []string
	for _, v := range h.Values("Www-Authenticate") {
		for part := range strings.SplitSeq(v, ",") {
			scheme, _, _ := strings.Cut(strings.TrimSpace(part), " ")
			if scheme != "" && !strings.Contains(scheme, "=") && len(list) < 16 {
				list = append(list, scheme)
			}
		}
	}
	return list
}

// proxied tells whether something between answered, or passed the answer on.
func proxied(a *httpAnswer) bool {
	return a.status == http.StatusProxyAuthRequired || a.header.Get("Via") != "" || a.header.Get("X-Squid-Error") != "" || a.header.Get("X-Cache") != ""
}

// late tells that nothing came in time.
func late(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err)
}
