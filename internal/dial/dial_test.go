package dial

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen serves each connection by f until the test ends.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-over })
	return l.Addr().String()
}

// echo answers one line.
func echo(c io.ReadWriter) {
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil {
		io.WriteString(c, "echo "+line) //nolint:errcheck // seen by the client
	}
}

// httpProxy is what RFC 9110 section 9.3.6 asks of a proxy, for one target.
func httpProxy(t *testing.T, target, user string) func(net.Conn) {
	return func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		switch {
		case err != nil:
		case r.Method != http.MethodConnect || r.Host != target:
			fmt.Fprintf(c, "HTTP/1.1 502 Bad\r\n\r\n") //nolint:errcheck // seen by the client
			t.Errorf("%s %s", r.Method, r.Host)
		case user != "" && r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(user)):
			fmt.Fprintf(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") //nolint:errcheck // seen by the client
		default:
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n\r\n") //nolint:errcheck // seen by the client
			echo(c)
		}
	}
}

// socksProxy speaks RFC 1928 with the passwords of RFC 1929.
func socksProxy(t *testing.T, target, user string) func(net.Conn) {
	return func(c net.Conn) {
		read := func(n int) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(c, b); err != nil {
				t.Errorf("the client hangs up: %v", err)
			}
			return b
		}
		read(int(read(2)[1]))
		if user != "" {
			c.Write([]byte{5, 2}) //nolint:errcheck // seen by the client
			name := read(int(read(2)[1]))
			password := read(int(read(1)[0]))
			if string(name)+":"+string(password) != user {
				c.Write([]byte{1, 1}) //nolint:errcheck // seen by the client
				return
			}
			c.Write([]byte{1, 0}) //nolint:errcheck // seen by the client
		} else {
			c.Write([]byte{5, 0}) //nolint:errcheck // seen by the client
		}
		head := read(5) // version, connect, reserved, a name of so many bytes
		name := read(int(head[4]))
		port := read(2)
		if got := fmt.Sprintf("%s:%d", name, int(port[0])<<8|int(port[1])); head[1] != 1 || head[3] != 3 || got != target {
			t.Errorf("asked for %s by %v", got, head)
		}
		c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}) //nolint:errcheck // seen by the client
		echo(c)
	}
}

func TestThroughProxies(t *testing.T) {
	const target = "far.example:5985"
	u := &url.URL{Scheme: "http", Host: target}
	for _, test := range []struct {
		name, proxy string
		serve       func(net.Conn)
		fails       string
	}{
		{"http", "http://%s", httpProxy(t, target, ""), ""},
		{"http without scheme", "%s", httpProxy(t, target, ""), ""},
		{"http with password", "http://u:geheim@%s", httpProxy(t, target, "u:geheim"), ""},
		{"http with wrong password", "http://u:geheim@%s", httpProxy(t, target, "u:other"), "407"},
		{"socks5", "socks5://%s", socksProxy(t, target, ""), ""},
		{"socks5 with password", "socks5h://u:geheim@%s", socksProxy(t, target, "u:geheim"), ""},
		{"socks5 with wrong password", "socks5://u:geheim@%s", socksProxy(t, target, "u:other"), "authentication failed"},
		{"no proxy", "http://%s", func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n") }, "malformed"},                                        //nolint:errcheck // seen by the client
		{"endless head", "http://%s", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 1<<20)) }, "too long"}, //nolint:errcheck // seen by the client
	} {
		address := listen(t, test.serve)
		dial, err := Through(fmt.Sprintf(test.proxy, address), u, nil)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		c, err := dial(ctx, "tcp", target)
		cancel()
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s: %v, want %q", test.name, err, test.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		io.WriteString(c, "hello\n") //nolint:errcheck // seen below
		if b, err := io.ReadAll(c); err != nil || string(b) != "echo hello\n" {
			t.Errorf("%s: %q, %v", test.name, b, err)
		}
		c.Close()
	}
}

// TestSilentProxy: a proxy that does not answer ends with the context.
func TestSilentProxy(t *testing.T) {
	stop := make(chan struct{})
	address := listen(t, func(net.Conn) { <-stop })
	defer close(stop)
	dial, err := Through("http://"+address, &url.URL{Scheme: "http", Host: "x:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := dial(ctx, "tcp", "x:1"); err == nil {
		t.Error("connected")
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.example:3128")
	t.Setenv("NO_PROXY", "near.example")
	asked := ""
	refused := errors.New("refused")
	base := func(_ context.Context, _, address string) (net.Conn, error) { asked = address; return nil, refused }
	for host, want := range map[string]string{"far.example:80": "proxy.example:3128", "near.example:80": "near.example:80"} {
		dial, err := Through(Environment, &url.URL{Scheme: "http", Host: host}, base)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(t.Context(), "tcp", host); !errors.Is(err, refused) || asked != want {
			t.Errorf("%s: asked for %s, %v; want %s", host, asked, err, want)
		}
	}
	for _, bad := range []string{"ftp://p", "http://", "://"} {
		if _, err := Through(bad, &url.URL{Scheme: "http", Host: "h"}, nil); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
