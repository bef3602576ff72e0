package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// runMany runs one command on several hosts, with an empty input. Each line of output
// shows its host.
func (f *shellFlags) runMany(ctx context.Context, s Streams, fan *fanout, hosts []string, command string) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	ctx, cancel := f.remote.context(ctx)
	defer cancel()
	d, err := f.open(s, hosts...)
	if err != nil {
		return err
	}
	defer d.close() //nolint:errcheck // a trace that cannot be closed harms nothing
	var mu sync.Mutex
	return fan.each(ctx, s, d, hosts, func(ctx context.Context, host string, c *casement.Connection) error {
		out, errs := &prefixWriter{mu: &mu, w: s.Out, prefix: host}, &prefixWriter{mu: &mu, w: s.Err, prefix: host}
		err := runCommand(ctx, c, o, wsmanclient.CommandOptions{Command: command, Stdout: out, Stderr: errs}, nil)
		err = errors.Join(err, out.end(), errs.end())
		var exit *exitError
		if errors.As(err, &exit) && exit.err == nil {
			return fmt.Errorf("the command ended with exit code %d", exit.code)
		}
		return err
	})
}

// maxLineHeld bounds a line that waits for its end, in bytes.
const maxLineHeld = 64 << 10

// prefixWriter writes whole lines with a name before each. Several share one lock.
type prefixWriter struct {
	mu     *sync.Mutex
	w      io.Writer
	prefix string
	held   []byte
}

// Write implements io.Writer.
func (p *prefixWriter) Write(b []byte) (int, error) {
	p.held = append(p.held, b...)
	var out []byte
	for {
		i := bytes.IndexByte(p.held, '\n')
		if i < 0 && len(p.held) < maxLineHeld {
			break
		}
		if i < 0 {
			i = len(p.held) - 1
		}
		out = p.line(out, p.held[:i+1])
		p.held = p.held[i+1:]
	}
	return len(b), p.flush(out)
}

func (p *prefixWriter) line(out, line []byte) []byte {
	out = append(append(out, p.prefix...), ": "...)
	out = append(out, line...)
	if line[len(line)-1] != '\n' {
		out = append(out, '\n')
	}
	return out
}

func (p *prefixWriter) flush(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.w.Write(out)
	return err
}

// end writes a last line that has no end.
func (p *prefixWriter) end() error {
	if len(p.held) == 0 {
		return nil
	}
	rest := p.held
	p.held = nil
	return p.flush(p.line(nil, rest))
}
