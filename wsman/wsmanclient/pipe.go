package wsmanclient

import (
	"errors"
	"io"
	"sync"
)

// pipeSize is how much output is held that nobody has read, in bytes.
const pipeSize = 1 << 20

// pipe holds the output of a stream between the one who fetches it and the one
// who reads it.
type pipe struct {
	mu        sync.Mutex
	changed   sync.Cond
	buf       []byte
	off       int
	err       error // after buf
	abandoned bool
}

func newPipe() *pipe {
	p := &pipe{}
	p.changed.L = &p.mu
	return p
}

// Write implements io.Writer. It waits while the pipe is full.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(b)
	for len(b) > 0 && !p.abandoned {
		free := pipeSize - (len(p.buf) - p.off)
		if free <= 0 {
			p.changed.Wait()
			continue
		}
		if p.off > 0 {
			p.buf = append(p.buf[:0], p.buf[p.off:]...)
			p.off = 0
		}
		piece := b[:min(len(b), free)]
		p.buf = append(p.buf, piece...)
		b = b[len(piece):]
		p.changed.Broadcast()
	}
	return n, nil
}

// Read implements io.Reader.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.off == len(p.buf) {
		if p.err != nil {
			return 0, p.err
		}
		if p.abandoned {
			return 0, io.ErrClosedPipe
		}
		p.changed.Wait()
	}
	n := copy(b, p.buf[p.off:])
	p.off += n
	p.changed.Broadcast()
	return n, nil
}

// WriteTo implements io.WriterTo.
func (p *pipe) WriteTo(w io.Writer) (total int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := p.Read(buf)
		if n > 0 {
			m, err := w.Write(buf[:n])
			total += int64(m)
			if err != nil {
				return total, err
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// end says that nothing follows; err nil is the regular end.
func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		err = io.EOF
	}
	p.err = err
	p.changed.Broadcast()
}

// abandon discards what nobody reads any more.
func (p *pipe) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.abandoned = true
	p.buf, p.off = nil, 0
	p.changed.Broadcast()
}
