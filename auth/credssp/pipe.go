package credssp

import (
	"net"
	"os"
	"sync"
	"time"
)

// pipe is the connection of a TLS engine whose records travel in tokens. During the handshake, which runs in a
// goroutine of its own, Read waits for the next token; afterwards it says that there is nothing, and whoever
// has a token reads what is in it.
type pipe struct {
	in      []byte        // of the token at hand
	feed    chan []byte   // the next token of the handshake
	starved chan struct{} // the handshake waits for it
	closed  chan struct{}
	ready   bool // the handshake is over

	mu  sync.Mutex // reading can write as well, to answer a change of keys
	out []byte
}

func newPipe() *pipe {
	return &pipe{feed: make(chan []byte), starved: make(chan struct{}), closed: make(chan struct{})}
}

// Read implements [net.Conn].
func (p *pipe) Read(b []byte) (int, error) {
	for len(p.in) == 0 {
		if p.ready {
			return 0, errNothing
		}
		select {
		case p.starved <- struct{}{}:
		case <-p.closed:
			return 0, net.ErrClosed
		}
		select {
		case p.in = <-p.feed:
		case <-p.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

// Write implements [net.Conn].
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, b...)
	return len(b), nil
}

// take returns what was written since.
func (p *pipe) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.out
	p.out = nil
	return out
}

// nothing is the error of Read where no token is at hand. It is temporary: crypto/tls goes on afterwards.
type nothing struct{ error }

func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

var errNothing net.Error = nothing{os.ErrDeadlineExceeded}

// Close implements [net.Conn]. The owner closes, not the engine.
func (p *pipe) Close() error { return nil }

// LocalAddr implements [net.Conn].
func (p *pipe) LocalAddr() net.Addr { return address{} }

// RemoteAddr implements [net.Conn].
func (p *pipe) RemoteAddr() net.Addr { return address{} }

// SetDeadline implements [net.Conn]: nothing here takes time.
func (p *pipe) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.Conn].
func (p *pipe) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements [net.Conn].
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

type address struct{}

func (address) Network() string { return "credssp" }
func (address) String() string  { return "credssp" }
