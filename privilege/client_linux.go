package privilege

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/casementhq/casement/shell"
)

// Client talks to the helper. It is a shell.Starter. Its methods may be called
// concurrently.
type Client struct {
	w   *wire
	cmd *exec.Cmd // nil: the helper is not our child

	mu      sync.Mutex
	err     error // why the connection ended
	last    uint64
	pending map[uint64]*call
	jobs    map[uint64]*remoteJob

	readDone chan struct{}
}

// call is a request that waits for its answer.
type call struct {
	done  chan struct{}
	reply reply
	files []*os.File
	err   error
	job   *remoteJob // of a start: entered by the reader, so that no end is missed
	left  bool       // nobody waits any more
}

// HelperOptions say how to run the helper.
type HelperOptions struct {
	// Argv is the helper's command line, its program first as a full path;
	// the service uses its own program and the argument privilege-helper.
	Argv []string
	// Stderr takes the helper's log. nil: this process's.
	Stderr *os.File
}

// StartHelper runs the helper as root and waits until it answers. This process
// must be root still. ctx bounds the start only.
func StartHelper(ctx context.Context, o HelperOptions) (*Client, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("privilege: only root can start the helper; an ordinary user is served without one")
	}
	if len(o.Argv) == 0 {
		return nil, errors.New("privilege: no command line for the helper")
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command(o.Argv[0], o.Argv[1:]...)
	cmd.Env = []string{"PATH=" + shell.DefaultPath, "LANG=C.UTF-8"}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	if o.Stderr != nil {
		cmd.Stderr = o.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // keyboard signals are for the service
	if err := cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("privilege: start the helper: %w", err)
	}
	conn, err := unixConn(ours)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	c := NewClient(conn)
	c.cmd = cmd
	_ = theirs.Close() // or the end of the helper would not be seen
	if _, _, err := c.do(ctx, request{Op: opHello, Version: protocolVersion}, nil); err != nil {
		_ = cmd.Process.Kill()
		return nil, errors.Join(fmt.Errorf("privilege: the helper does not answer: %w", err), c.Close())
	}
	return c, nil
}

// NewClient talks to a helper at the other end of conn.
func NewClient(conn *net.UnixConn) *Client {
	c := &Client{w: newWire(conn), pending: map[uint64]*call{}, jobs: map[uint64]*remoteJob{}, readDone: make(chan struct{})}
	go c.read()
	return c
}

// Close ends the connection, and with it the helper and every job.
func (c *Client) Close() error {
	_ = c.w.conn.Close()
	<-c.readDone
	if c.cmd == nil {
		return nil
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("privilege: the helper ended with: %w", err)
	}
	return nil
}

// Done is closed when the helper is gone; a service cannot go on without it.
func (c *Client) Done() <-chan struct{} { return c.readDone }

// do sends r and waits for its answer.
func (c *Client) do(ctx context.Context, r request, job *remoteJob, files ...*os.File) (reply, []*os.File, error) {
	k := &call{done: make(chan struct{}), job: job}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return reply{}, nil, ErrClosed
	}
	c.last++
	r.ID = c.last
	c.pending[r.ID] = k
	c.mu.Unlock()
	if err := c.w.send(r, files...); err != nil {
		c.mu.Lock()
		delete(c.pending, r.ID)
		c.mu.Unlock()
		var refused *RefusedError
		if errors.As(err, &refused) {
			return reply{}, nil, err
		}
		return reply{}, nil, fmt.Errorf("%w (%w)", ErrClosed, err)
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		select {
		case <-k.done: // it came meanwhile
			c.discard(k)
		default:
			k.left = true
		}
		return reply{}, nil, ctx.Err()
	}
	if k.err == nil && k.reply.Code != "" {
		k.err = &RefusedError{Code: k.reply.Code, Text: k.reply.Text}
	}
	return k.reply, k.files, k.err
}

// discard gives back what an answer brought that nobody waits for.
func (c *Client) discard(k *call) {
	closeFiles(k.files)
	if k.job != nil && k.reply.Job != 0 {
		go func() { _ = k.job.Close() }() // ends with the connection at the latest
	}
}

// read delivers answers and ends of jobs until the connection ends.
func (c *Client) read() {
	defer close(c.readDone)
	for {
		msg, files, _, err := c.w.receive()
		var a reply
		if err == nil {
			err = json.Unmarshal(msg, &a)
		}
		if err != nil {
			closeFiles(files)
			c.fail(err)
			return
		}
		c.deliver(a, files)
	}
}

func (c *Client) deliver(a reply, files []*os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Exited {
		closeFiles(files)
		if j := c.jobs[a.Job]; j != nil {
			j.end(a)
		}
		return
	}
	k := c.pending[a.ID]
	if k == nil {
		closeFiles(files)
		return
	}
	delete(c.pending, a.ID)
	k.reply, k.files = a, files
	if k.job != nil && a.Code == "" {
		k.job.id, k.job.pid = a.Job, a.PID
		c.jobs[a.Job] = k.job
	}
	if k.left {
		c.discard(k)
	}
	close(k.done)
}

// fail ends everything that waits.
func (c *Client) fail(err error) {
	_ = c.w.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for id, k := range c.pending {
		delete(c.pending, id)
		k.err = ErrClosed
		close(k.done)
	}
	for _, j := range c.jobs {
		j.lost()
	}
}
