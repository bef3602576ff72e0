package console

import (
	"net"
	"sync"
)

// boundedListener takes at most so many connections, and so many of one address. What
// comes beyond is closed at once.
type boundedListener struct {
	net.Listener

	all, each int

	mu   sync.Mutex
	open int
	from map[string]int
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if from := comesFrom(c); l.take(from) {
			return &countedConn{Conn: c, done: sync.OnceFunc(func() { l.give(from) })}, nil
		}
		c.Close() //nolint:errcheck // it was never used
	}
}

func comesFrom(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return network(host)
}

func (l *boundedListener) take(from string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.all || l.from[from] >= l.each {
		return false
	}
	if l.from == nil {
		l.from = map[string]int{}
	}
	l.open++
	l.from[from]++
	return true
}

func (l *boundedListener) give(from string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.from[from]--; l.from[from] == 0 {
		delete(l.from, from)
	}
}

// countedConn is counted until it is closed.
type countedConn struct {
	net.Conn

	done func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
