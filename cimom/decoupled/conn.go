package decoupled

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/casementhq/casement/cimom"
)

// conn is one connection, read line by line. Its goroutine ends with it.
type conn struct {
	stream io.ReadWriteCloser
	lines  chan []byte   // what came, one line each
	done   chan struct{} // closed when nothing more can come
	quit   chan struct{} // closed by close
	calls  *cimom.CallCounts

	once    sync.Once
	mu      sync.Mutex
	readErr error // why done is closed
}

func newConn(stream io.ReadWriteCloser) *conn {
	c := &conn{stream: stream, lines: make(chan []byte), done: make(chan struct{}), quit: make(chan struct{})}
	go c.read()
	return c
}

func (c *conn) read() {
	defer close(c.done)
	s := bufio.NewScanner(c.stream)
	s.Buffer(make([]byte, 0, 4096), MaxLine)
	s.Split(wholeLines)
	for s.Scan() {
		line := append([]byte(nil), s.Bytes()...)
		select {
		case c.lines <- line:
		case <-c.quit:
			return
		}
	}
	err := s.Err()
	switch {
	case err == nil:
		err = io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		err = broken("a line is longer than %d bytes", MaxLine)
	}
	c.mu.Lock()
	c.readErr = err
	c.mu.Unlock()
}

// wholeLines splits a stream as bufio.ScanLines does, but for the begin of a
// line that the end of a process cut off: it is nothing.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if atEOF && bytes.IndexByte(data, '\n') < 0 {
		return len(data), nil, nil
	}
	return bufio.ScanLines(data, atEOF)
}

// close ends the connection; it may be called at any time and again.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.quit)
		_ = c.stream.Close()
	})
}

// next is the next line.
func (c *conn) next(ctx context.Context) ([]byte, error) {
	select {
	case line := <-c.lines:
		return line, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
		select {
		case line := <-c.lines:
			return line, nil
		default:
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.readErr == nil {
			return nil, io.ErrClosedPipe
		}
		return nil, c.readErr
	}
}

// send writes one line; ctx ends a write that the peer does not take by ending
// the connection.
func (c *conn) send(ctx context.Context, line []byte) error {
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	if len(line) >= MaxLine {
		return broken("a line of %d bytes is longer than %d", len(line), MaxLine)
	}
	_, err := c.stream.Write(append(line, '\n'))
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
