package shellhost

import (
	"context"
	"io"
	"sync"

	"github.com/casementhq/casement/quota"
	"github.com/casementhq/casement/shell"
)

// buffered bounds the output of one stream that waits for a Receive; a command
// that writes more waits in its pipe.
const buffered = 512 << 10

// Command is one command of a shell.
type Command struct {
	ID    string
	shell *Shell
	job   *shell.Job

	release   quota.Release
	operation quota.Release
	once      sync.Once

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when something changes
	out       [2]stream     // stdout, stderr
	done      bool
	exit      uint32
	failure   error
	receiving bool
}

type stream struct {
	data  []byte
	spare []byte
	ended bool
	told  bool // the end was reported
}

// Names of the output streams, in the order of Output.
var streamNames = [2]string{"stdout", "stderr"}

// Chunk is what a Receive gives of one stream.
type Chunk struct {
	Stream string
	Data   []byte
	End    bool
}

// Output is the answer to a Receive. The data is valid during emit only.
type Output struct {
	Chunks  []Chunk
	Done    bool   // the command has ended and everything was given out
	Exit    uint32 // valid with Done
	Failure error  // a *shell.LimitError where a limit ended the command
}

func newCommand(id string, s *Shell, job *shell.Job, release quota.Release) *Command {
	c := &Command{ID: id, shell: s, job: job, release: release, changed: make(chan struct{})}
	for i, r := range []io.Reader{job.Stdout(), job.Stderr()} {
		go c.pump(i, r)
	}
	go c.wait()
	return c
}

// pump carries one output stream into its buffer, and waits where it is full.
func (c *Command) pump(i int, r io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		c.mu.Lock()
		s := &c.out[i]
		s.data = append(s.data, buf[:n]...)
		if err != nil {
			s.ended = true
		}
		if n > 0 || err != nil {
			c.notify()
		}
		for err == nil && len(s.data) >= buffered {
			wait := c.changed
			c.mu.Unlock()
			<-wait
			c.mu.Lock()
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// notify wakes everybody who waits; c.mu is held.
func (c *Command) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Command) wait() {
	exit, err := c.job.Wait(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.exit, c.failure = true, exit, err
	c.notify()
}

// Receive waits for output of the named streams (none stands for both), for
// the end of the command, or for ctx, and gives what there is to emit. limit
// bounds the bytes. It fails with ErrBusy while another Receive is outstanding,
// and with ctx's error where nothing came.
func (c *Command) Receive(ctx context.Context, streams []string, limit int, emit func(Output)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receiving {
		return ErrBusy
	}
	c.receiving = true
	defer func() { c.receiving = false }()
	want := wanted(streams)
	for {
		if o, ok := c.take(want, limit); ok {
			c.notify()
			c.mu.Unlock()
			emit(o)
			c.mu.Lock()
			return nil
		}
		wait := c.changed
		c.mu.Unlock()
		select {
		case <-wait:
			c.mu.Lock()
		case <-ctx.Done():
			c.mu.Lock()
			return ctx.Err()
		}
	}
}

func wanted(streams []string) (want [2]bool) {
	for _, s := range streams {
		for i, name := range streamNames {
			want[i] = want[i] || s == name
		}
	}
	if len(streams) == 0 {
		want = [2]bool{true, true}
	}
	return want
}

// take gives what is there; ok is false where there is nothing to say yet.
// c.mu is held.
func (c *Command) take(want [2]bool, limit int) (o Output, ok bool) {
	all := true
	for i := range c.out {
		s := &c.out[i]
		if want[i] && len(s.data) > 0 && limit > 0 {
			n := min(limit, len(s.data))
			limit -= n
			o.Chunks = append(o.Chunks, Chunk{Stream: streamNames[i], Data: s.cut(n)})
		}
		all = all && s.ended && (len(s.data) == 0 || !want[i])
	}
	if all && c.done {
		for i := range c.out {
			if want[i] && !c.out[i].told {
				o.Chunks = append(o.Chunks, Chunk{Stream: streamNames[i], End: true})
				c.out[i].told = true
			}
		}
		o.Done, o.Exit, o.Failure = true, c.exit, c.failure
	}
	return o, len(o.Chunks) > 0 || o.Done
}

// cut takes the first n bytes; the slice is valid until the next cut.
func (s *stream) cut(n int) []byte {
	if n == len(s.data) {
		data := s.data
		s.data, s.spare = s.spare[:0], data
		return data
	}
	data := append(s.spare[:0], s.data[:n]...)
	s.spare = data
	s.data = append(s.data[:0], s.data[n:]...)
	return data
}

// Send writes to the command's input; end closes it. Input that comes after
// the end of the command is discarded, as on Windows.
func (c *Command) Send(ctx context.Context, data []byte, end bool) error {
	finished := make(chan error, 1)
	go func() {
		var err error
		if len(data) > 0 {
			_, err = c.job.Stdin().Write(data)
		}
		if end {
			c.job.Stdin().Close()
		}
		finished <- err
	}()
	select {
	case err := <-finished:
		if err != nil && (c.isDone() || end) {
			return nil
		}
		return err
	case <-c.job.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Command) isDone() bool {
	select {
	case <-c.job.Done():
		return true
	default:
		return false
	}
}

// Signal sends a signal to the command.
func (c *Command) Signal(s shell.Signal) error { return c.job.Signal(s) }

// end kills what is left of the command.
func (c *Command) end() {
	c.once.Do(func() {
		c.mu.Lock()
		// A pump that waits for room must see the end of its pipe instead.
		for i := range c.out {
			c.out[i].data = nil
		}
		c.notify()
		c.mu.Unlock()
		c.job.Close()
		c.release()
		if c.operation != nil {
			c.operation()
		}
	})
}
