package fleetsim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// serve talks to each connection until the function that it returns is called.
func serve(l net.Listener, talk func(net.Conn)) (end func()) {
	var mu sync.Mutex
	open, closed := map[net.Conn]bool{}, false
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // no more descriptors, for a while
				time.Sleep(10 * time.Millisecond)
				continue
			}
			mu.Lock()
			if closed {
				mu.Unlock()
				_ = c.Close()
				return
			}
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				talk(c)
				mu.Lock()
				delete(open, c)
				mu.Unlock()
				_ = c.Close()
			})
		}
	})
	return func() {
		_ = l.Close()
		mu.Lock()
		closed = true
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	}
}

// talkGarbage answers whatever comes with random octets.
func talkGarbage(c net.Conn) {
	in, out := make([]byte, 4<<10), make([]byte, 4<<10)
	for {
		if _, err := c.Read(in); err != nil {
			return
		}
		_, _ = rand.Read(out)
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// talkEndlessly answers the first request with a body of blanks that does not end.
func talkEndlessly(c net.Conn) {
	if _, err := c.Read(make([]byte, 4<<10)); err != nil {
		return
	}
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml;charset=UTF-8\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := fmt.Appendf(nil, "%x\r\n%32768s\r\n", 32768, "")
	for err == nil {
		_, err = c.Write(chunk)
	}
}

// slowListener delays what its connections write.
type slowListener struct {
	net.Listener
	delay time.Duration
}

func (l *slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: c, delay: l.delay, closed: make(chan struct{})}, nil
}

// slowConn waits before each write; a response is one write.
type slowConn struct {
	net.Conn
	delay  time.Duration
	once   sync.Once
	closed chan struct{}
}

func (c *slowConn) Write(p []byte) (int, error) {
	wait := time.NewTimer(c.delay)
	defer wait.Stop()
	select {
	case <-wait.C:
		return c.Conn.Write(p)
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *slowConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
