package httpauth

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
)

// A server that sends more than its answer is not listened to: the next message goes over a new connection, and reads its own
// answer there. A connection that rests holds no buffers.
func TestOctetsBeyondTheAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			req, err := http.ReadRequest(bufio.NewReader(c))
			if err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"+string(rune('a'+n))+"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nX")
			}
			defer c.Close()
		}
	}()
	c, err := NewClientConn(ClientOptions{URL: &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/wsman"}, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, want := range []string{"a", "b"} {
		got, err := c.Do(t.Context(), &Message{Body: []byte("x")})
		if err != nil || string(got.Body) != want || c.buffers != nil {
			t.Errorf("%v, %v; want the body %s and no buffers", got, err, want)
		}
	}
}
