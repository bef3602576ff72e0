package httpauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
	"time"
)

// An answer whose body does not end is given up at its bound, not read on until the caller's patience ends.
func TestEndlessAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, err = c.Read(make([]byte, 4<<10))
		if err == nil {
			_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n")
		}
		for err == nil {
			_, err = fmt.Fprintf(c, "400\r\n%1024s\r\n", "")
		}
	}()
	c, err := NewClientConn(ClientOptions{URL: &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/wsman"}, Plain: true, MaxResponse: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	if _, err := c.Do(ctx, &Message{Body: []byte("x")}); !errors.Is(err, ErrTooLarge) || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
