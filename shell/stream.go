package shell

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// lingering is how long an output stream stays open after the command ended
// while a background process still holds it and writes nothing.
const lingering = time.Second

// output reads one pipe of a job. The kernel's pipe is the only buffer: a
// caller that does not read stops the writer.
type output struct {
	f      *os.File
	exited *atomic.Bool
}

func (o *output) Read(p []byte) (int, error) {
	for {
		since := time.Now()
		exited := o.exited.Load()
		if exited {
			_ = o.f.SetReadDeadline(since.Add(lingering)) // pipes without deadlines: read to the end
		}
		n, err := o.f.Read(p)
		if n > 0 || err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if exited && time.Since(since) >= lingering {
			return 0, io.EOF
		}
	}
}

// wake makes a blocked Read look at exited again.
func (o *output) wake() { _ = o.f.SetReadDeadline(time.Now()) }

func encodeOutput(r io.Reader, e encoding.Encoding) io.Reader {
	if e == nil {
		return r
	}
	return transform.NewReader(r, encoding.ReplaceUnsupported(e.NewEncoder()))
}

func decodeInput(w io.WriteCloser, e encoding.Encoding) io.WriteCloser {
	if e == nil {
		return w
	}
	return &input{Writer: transform.NewWriter(w, e.NewDecoder()), under: w}
}

// input closes the pipe under the decoder too.
type input struct {
	*transform.Writer
	under io.Closer
}

func (i *input) Close() error { return errors.Join(i.Writer.Close(), i.under.Close()) }
