// Package dial opens TCP connections through proxies: HTTP proxies by CONNECT,
// SOCKS5 proxies, and those that the environment names. It is the only package
// that imports golang.org/x/net.
package dial

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"
)

// Func opens a connection, as net.Dialer.DialContext does.
type Func func(ctx context.Context, network, address string) (net.Conn, error)

// Environment is the name of the proxy that the environment decides about:
// HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
const Environment = "env"

// Through returns a dialer that reaches target, an http or https URL, through
// the proxy of this URL: http://, https is not supported, socks5:// and
// socks5h://. Empty is none. base opens the connection to the proxy; nil is a
// net.Dialer. Errors never show the proxy's password.
func Through(proxyURL string, target *url.URL, base Func) (Func, error) {
	if base == nil {
		base = (&net.Dialer{}).DialContext
	}
	u, err := resolve(proxyURL, target)
	if err != nil || u == nil {
		return base, err
	}
	switch strings.ToLower(u.Scheme) {
	case "http":
		return connect(u, base), nil
	case "socks5", "socks5h":
		return socks(u, base)
	}
	return nil, fmt.Errorf("proxy %s: the scheme %q is not supported; use http or socks5", u.Redacted(), u.Scheme)
}

func resolve(proxyURL string, target *url.URL) (*url.URL, error) {
	switch proxyURL {
	case "":
		return nil, nil
	case Environment:
		return httpproxy.FromEnvironment().ProxyFunc()(target)
	}
	if !strings.Contains(proxyURL, "://") {
		proxyURL = "http://" + proxyURL
	}
	u, err := url.Parse(proxyURL)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("the proxy is not a URL such as http://proxy:3128 or socks5://proxy:1080")
	}
	return u, nil
}

func address(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

type forward struct{ dial Func }

func (f forward) Dial(network, address string) (net.Conn, error) {
	return f.dial(context.Background(), network, address)
}

func (f forward) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f.dial(ctx, network, address)
}

func socks(u *url.URL, base Func) (Func, error) {
	var user *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		user = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", address(u, "1080"), user, forward{base})
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", u.Redacted(), err)
	}
	cd, ok := d.(proxy.ContextDialer)
	if !ok {
		return nil, fmt.Errorf("proxy %s: the dialer takes no context", u.Redacted())
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := cd.DialContext(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("through proxy %s: %w", u.Redacted(), err)
		}
		return c, nil
	}, nil
}

// maxHead bounds the head of a proxy's answer, in bytes.
const maxHead = 16 << 10

// connect asks an HTTP proxy for a tunnel. See RFC 9110 section 9.3.6.
func connect(u *url.URL, base Func) Func {
	return func(ctx context.Context, network, target string) (net.Conn, error) {
		conn, err := base(ctx, network, address(u, "3128"))
		if err != nil {
			return nil, fmt.Errorf("connect to proxy %s: %w", u.Redacted(), err)
		}
		stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // closed below
		tunnel, err := handshake(conn, u, target)
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			conn.Close() //nolint:errcheck // of no use anyway
			return nil, fmt.Errorf("through proxy %s to %s: %w", u.Redacted(), target, err)
		}
		return tunnel, nil
	}
}

func handshake(conn net.Conn, u *url.URL, target string) (net.Conn, error) {
	req := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if u.User != nil {
		password, _ := u.User.Password()
		req += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := conn.Write([]byte(req + "\r\n")); err != nil {
		return nil, err
	}
	br := bufio.NewReaderSize(&limited{conn, maxHead}, 4096)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // what follows is the tunnel
	if err != nil {
		return nil, fmt.Errorf("read the proxy's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the proxy answers %s", resp.Status)
	}
	if br.Buffered() > 0 {
		return nil, errors.New("the proxy sends data before the tunnel is used")
	}
	return conn, nil
}

// limited bounds how much of the answer's head is read.
type limited struct {
	conn net.Conn
	left int
}

// Read implements io.Reader.
func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("the head of the proxy's answer is too long")
	}
	n, err := l.conn.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}
