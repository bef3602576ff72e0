package wsmanclient

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/winrs"
)

// Bounds of what one Send carries, in bytes of plain data.
const (
	minChunk = 1 << 10
	slack    = 256 // left free in an envelope
)

// stdin is the input of a command. Each Write becomes as many Sends as its
// size needs; they go one after the other, and beside a Receive under way.
type stdin struct {
	cmd *Command

	mu     sync.Mutex
	chunk  int // how much a Send may carry; 0: not yet known
	closed bool
}

// WriteEnd writes the last piece of the input and ends it, in one Send where it
// fits.
func (cmd *Command) WriteEnd(b []byte) error {
	return cmd.input.writeEnd(b)
}

func (s *stdin) writeEnd(b []byte) error {
	s.mu.Lock()
	room := s.room()
	s.mu.Unlock()
	if len(b) > room {
		n := (len(b) - 1) / room * room
		if _, err := s.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return io.ErrClosedPipe
	}
	s.closed = true
	return s.send(b, true)
}

// ReadFrom implements io.ReaderFrom: it sends pieces as large as an envelope
// takes.
func (s *stdin) ReadFrom(r io.Reader) (total int64, err error) {
	return s.feed(r, false)
}

// feed sends everything of r, and with end closes the input in the last Send.
func (s *stdin) feed(r io.Reader, end bool) (total int64, err error) {
	s.mu.Lock()
	buf := make([]byte, s.room())
	s.mu.Unlock()
	for {
		n, err := io.ReadFull(r, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return total, err
		}
		if last && end {
			return total + int64(n), s.writeEnd(buf[:n])
		}
		if _, err := s.Write(buf[:n]); err != nil {
			return total, err
		}
		total += int64(n)
		if last {
			return total, nil
		}
	}
}

// Write implements io.Writer. It fails with io.ErrClosedPipe after Close and
// after the command's end.
func (s *stdin) Write(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	for len(b) > 0 {
		piece := b[:min(len(b), s.room())]
		err := s.send(piece, false)
		if errors.Is(err, wsman.CodeHTTPRequestTooLarge) && s.chunk > minChunk {
			// The host takes smaller envelopes than it was thought to. It has
			// not read this one.
			s.chunk = max(s.chunk/2, minChunk)
			continue
		}
		if err != nil {
			return n, err
		}
		n += len(piece)
		b = b[len(piece):]
	}
	return n, nil
}

// Close ends the input. A command that has ended meanwhile is no error.
func (s *stdin) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.send(nil, true); err != nil && !errors.Is(err, io.ErrClosedPipe) && !isGone(err) {
		return err
	}
	return nil
}

// room is how much a Send may carry so that its envelope fits after base64.
func (s *stdin) room() int {
	if s.chunk == 0 {
		s.chunk = s.cmd.chunkSize()
	}
	return s.chunk
}

// chunkSize is three quarters of what the envelope leaves beside an empty Send.
func (cmd *Command) chunkSize() int {
	c := cmd.shell.c
	w := soap.NewWriter(nil)
	h := c.header(&call{action: winrs.ActionSend, resource: cmd.in.epr.ResourceURI, select_: cmd.in.epr.Selectors})
	empty := &winrs.Send{Streams: []winrs.Stream{{Name: "stdin", CommandID: cmd.id, End: true}}}
	if wsman.Encode(w, &h, empty) != nil {
		return minChunk
	}
	size := int(c.opts.MaxEnvelopeSize)
	if c.opts.UTF16 {
		size /= 2
	}
	return max((size-w.Len()-slack)/4*3, minChunk)
}

func (s *stdin) send(b []byte, end bool) error {
	cmd := s.cmd
	select {
	case <-cmd.done:
		return io.ErrClosedPipe
	default:
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // a Send to a command that has ended is not waited for long
		select {
		case <-cmd.done:
		case <-ctx.Done():
			return
		}
		grace := time.NewTimer(closeGrace)
		defer grace.Stop()
		select {
		case <-grace.C:
			cancel()
		case <-ctx.Done():
		}
	}()
	m, err := cmd.call(ctx, winrs.ActionSend, nil, nil, &winrs.Send{Streams: []winrs.Stream{
		{Name: "stdin", CommandID: cmd.id, Data: b, End: end}}})
	if err == nil {
		return m.End()
	}
	select {
	case <-cmd.done:
		return io.ErrClosedPipe
	default:
		return err
	}
}
