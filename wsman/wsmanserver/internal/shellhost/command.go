package shellhost

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/casementhq/casement/quota"
	"github.com/casementhq/casement/shell"
)

// buffered bounds the output of one stream that waits for a Receive; a command
// that writes more waits in its pipe.
const buffered = 512 << 10

// shellBuffered bounds what all streams of a shell hold together, but for one
// read of each. Commands that have ended keep their output until it is fetched,
// and no other quota counts them.
const shellBuffered = 8 << 20

// Command is one command of a shell.
type Command struct {
	ID    string
	shell *Shell
	job   *shell.Job

	release   quota.Release
	operation quota.Release
	once      sync.Once

	input chan struct{} // one token: who writes to stdin

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when something changes
	dead      bool          // nobody will ask for output any more
	out       [2]stream     // stdout, stderr
	done      bool
	exit      uint32
	failure   error
	receiving bool
	receipt   uint64 // counts the outputs that were given
}

type stream struct {
	data  []byte
	spare []byte
	last  []byte // what the last Receive was given, within spare
	ended bool
	told  bool // the end was reported

	unwanted bool // the shell did not declare the stream
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
	Receipt uint64 // for Undelivered
	Done    bool   // the command has ended and everything was given out
	Exit    uint32 // valid with Done
	Failure error  // a *shell.LimitError where a limit ended the command
}

func newCommand(id string, s *Shell, job *shell.Job, release quota.Release) *Command {
	c := &Command{ID: id, shell: s, job: job, release: release, changed: make(chan struct{}), input: make(chan struct{}, 1)}
	for i, name := range streamNames {
		c.out[i].unwanted = !slices.Contains(strings.Fields(s.Spec.OutputStreams), name)
	}
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
		if !c.dead && !s.unwanted {
			s.data = append(s.data, buf[:n]...)
			c.shell.unread.Add(int64(n))
		}
		if err != nil {
			s.ended = true
		}
		if n > 0 || err != nil {
			c.notify()
		}
		for err == nil && c.full(s) && !c.dead {
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

// full tells whether a stream has to be read before it takes more.
func (c *Command) full(s *stream) bool {
	return len(s.data) >= buffered || len(s.data) > 0 && c.shell.unread.Load() >= shellBuffered
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
			c.receipt++
			o.Receipt = c.receipt
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
		s.last = nil
		if want[i] && len(s.data) > 0 && limit > 0 {
			n := min(limit, len(s.data))
			limit -= n
			c.shell.unread.Add(int64(-n))
			o.Chunks = append(o.Chunks, Chunk{Stream: streamNames[i], Data: s.cut(n)})
		}
		all = all && s.ended && (len(s.data) == 0 || !want[i])
	}
	// A limit that ended the command is a fault, which has no room for output.
	if all && c.done && (c.failure == nil || len(o.Chunks) == 0) {
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

// Undelivered takes output back that did not reach its receiver, so that the
// next Receive gives it again; unless another Receive was first.
func (c *Command) Undelivered(receipt uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receipt != receipt || c.receiving || c.dead {
		return
	}
	for i := range c.out {
		s := &c.out[i]
		c.shell.unread.Add(int64(len(s.last)))
		s.data = append(bytes.Clone(s.last), s.data...)
		s.last, s.told = nil, false
	}
	c.receipt++
	c.notify()
}

// cut takes the first n bytes; the slice is valid until the next cut.
func (s *stream) cut(n int) []byte {
	s.last = s.take(n)
	return s.last
}

func (s *stream) take(n int) []byte {
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

// Send writes to the command's input; end closes it. It returns when the
// command has taken the data, or when ctx ends: then the data is on its way and
// the next Send waits for it, so that input never stands twice or out of order.
// A Send that cannot even begin fails with ctx's error. Input that the command
// does not want any more is discarded, as on Windows.
func (c *Command) Send(ctx context.Context, data []byte, end bool) error {
	select {
	case c.input <- struct{}{}:
	case <-c.job.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer func() { <-c.input }()
		if len(data) > 0 {
			_, _ = c.job.Stdin().Write(data)
		}
		if end {
			c.job.Stdin().Close()
		}
	}()
	select {
	case <-finished:
	case <-c.job.Done():
	case <-ctx.Done():
	}
	return nil
}

// Signal sends a signal to the command.
func (c *Command) Signal(s shell.Signal) error { return c.job.Signal(s) }

// end kills what is left of the command.
func (c *Command) end() {
	c.once.Do(func() {
		c.mu.Lock()
		// A pump that waits for room must see the end of its pipe instead.
		c.dead = true
		for i := range c.out {
			c.shell.unread.Add(int64(-len(c.out[i].data)))
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
