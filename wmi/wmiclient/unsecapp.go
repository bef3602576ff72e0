package wmiclient

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
)

// A host of sinks, what Unsecapp.exe is on Windows: one process that hosts call back, on ports that a firewall rule can name, for all programs of this
// machine. A program connects to its Unix socket, once for each sink, and says which machine may call. Both sides then send frames: a length of four
// octets, the lowest first, and JSON. What comes from the network is decoded by the program alone.

// frame is one message between a program and the host of its sink.
type frame struct {
	// Local and Peer begin: the ends of the connection to the machine that is given the sink.
	Local, Peer string `json:",omitempty"`
	// Ref and Ports answer that, or Error.
	Ref   []byte    `json:",omitempty"`
	Ports SinkPorts `json:",omitzero"`
	Error string    `json:",omitempty"`
	// Reached, Released, Objects and Status tell what happened; the latter two want Result as their answer.
	Reached, Released bool         `json:",omitempty"`
	Objects           [][]byte     `json:",omitempty"`
	Status            *finalStatus `json:",omitempty"`
	Result            *uint32      `json:",omitempty"`
}

const (
	maxFrame         = 8 << 20 // a request of 4 MiB in base64, and its frame
	maxUnsecappSinks = 256
)

// frames sends and receives them.
type frames struct {
	c  net.Conn
	r  *bufio.Reader
	mu sync.Mutex // of who writes
}

func newFrames(c net.Conn) *frames { return &frames{c: c, r: bufio.NewReader(c)} }

func (f *frames) send(m frame) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.c.SetWriteDeadline(time.Now().Add(sinkTimer)); err != nil {
		return err
	}
	_, err = f.c.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)) // #nosec G115 -- of what fits in memory; who reads bounds it
	return err
}

func (f *frames) receive() (m frame, err error) {
	var size [4]byte
	if _, err := io.ReadFull(f.r, size[:]); err != nil {
		return m, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > maxFrame {
		return m, errors.New("a frame that is too long")
	}
	b, err := io.ReadAll(io.LimitReader(f.r, int64(n)))
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(b, &m)
}

// ServeUnsecapp hosts sinks for the programs that connect to l, a listener of a Unix socket, until ctx ends. It closes l.
func (k *Sinks) ServeUnsecapp(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	places := make(chan struct{}, maxUnsecappSinks)
	for {
		c, err := l.Accept()
		if err != nil {
			l.Close()
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case places <- struct{}{}:
		default:
			k.o.Logger.Warn("a program gets no sink: there are too many")
			c.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-places }()
			if err := k.relay(ctx, c); err != nil && ctx.Err() == nil {
				k.o.Logger.Info("a sink of another program has ended", "error", err)
			}
		})
	}
}

// relay hosts the sink of one program until it disconnects.
func (k *Sinks) relay(ctx context.Context, c net.Conn) error {
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	f := newFrames(c)
	if err := c.SetReadDeadline(time.Now().Add(sinkTimer)); err != nil {
		return err
	}
	hello, err := f.receive()
	if err != nil {
		return err
	}
	local, e1 := netip.ParseAddrPort(hello.Local)
	peer, e2 := netip.ParseAddrPort(hello.Peer)
	if err := errors.Join(e1, e2, c.SetReadDeadline(time.Time{})); err != nil {
		return err
	}
	r := &relayed{f: f, results: make(chan uint32), gone: ctx.Done()}
	sink, err := k.export(ctx, sinkObject{r}, net.TCPAddrFromAddrPort(local), net.TCPAddrFromAddrPort(peer), &Trace{})
	if err != nil {
		return errors.Join(err, f.send(frame{Error: err.Error()}))
	}
	defer sink.end()
	if err := f.send(frame{Ref: sink.ref.Append(nil), Ports: sink.ports}); err != nil {
		return err
	}
	go func() {
		select {
		case <-sink.reached:
			f.send(frame{Reached: true}) //nolint:errcheck // it is noticed by who receives
		case <-ctx.Done():
		}
	}()
	k.o.Logger.Info("a program has a sink", "for", peer.Addr(), "port", sink.ports.Objects)
	for {
		m, err := f.receive()
		if errors.Is(err, io.EOF) {
			return nil // it needs the sink no more
		}
		if err != nil {
			return err
		}
		if m.Result == nil {
			return errors.New("a frame without a result")
		}
		select {
		case r.results <- *m.Result:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sinkTimer): // nobody asked
			return errors.New("a result that nobody wants")
		}
	}
}

// relayed is the receiver that passes on what comes.
type relayed struct {
	f       *frames
	results chan uint32
	gone    <-chan struct{}
	turn    sync.Mutex // of a call: the program answers one after the other
}

func (r *relayed) ask(ctx context.Context, m frame) uint32 {
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.f.send(m) != nil {
		return uint32(cim.ErrCallCancelled)
	}
	select {
	case code := <-r.results:
		return code
	case <-ctx.Done():
		r.f.c.Close() // an answer that came later would be taken for that of the next call
	case <-r.gone:
	}
	return uint32(cim.ErrCallCancelled)
}

func (r *relayed) indicate(ctx context.Context, objects [][]byte) uint32 {
	if len(objects) == 0 {
		return 0
	}
	return r.ask(ctx, frame{Objects: objects})
}

func (r *relayed) setStatus(ctx context.Context, s finalStatus) uint32 {
	return r.ask(ctx, frame{Status: &s})
}

func (r *relayed) released() {
	r.f.send(frame{Released: true}) //nolint:errcheck // a program that is gone has nothing to be told
}

// rent has the sink of a receiver hosted by another program, the one that has a Unix socket.
func (k *Sinks) rent(ctx context.Context, to receiver, local, peer net.Addr) (*exported, error) {
	fail := func(err error) (*exported, error) {
		return nil, &cim.Error{Status: cim.ErrTransportFailure, Detail: "no sink from the program at " + k.o.Unsecapp + " ('casement unsecapp')", Err: err}
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", k.o.Unsecapp)
	if err != nil {
		return fail(err)
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	f := newFrames(c)
	err = f.send(frame{Local: local.String(), Peer: peer.String()})
	var first frame
	var ref *dcom.ObjRef
	if err == nil {
		first, err = f.receive()
	}
	if err == nil && first.Error != "" {
		err = errors.New(first.Error)
	}
	if err == nil {
		ref, err = dcom.ParseObjRef(first.Ref)
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return fail(err)
	}
	reached, done := make(chan struct{}), make(chan struct{})
	life, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		err := tenant(life, f, to, reached)
		k.o.Logger.LogAttrs(life, slog.LevelDebug, "the host of a sink has no more to say", slog.Any("error", err))
		to.released()
	}()
	return &exported{ref: ref, ports: first.Ports, reached: reached, again: func() *dcom.ObjRef { return ref }, end: func() {
		cancel()
		c.Close()
		<-done
	}}, nil
}

// tenant takes what the host of a sink passes on, until it ends.
func tenant(ctx context.Context, f *frames, to receiver, reached chan<- struct{}) error {
	seen := false
	for {
		m, err := f.receive()
		if err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, sinkTimer-time.Second)
		code := uint32(0)
		switch {
		case m.Released:
			cancel()
			return nil
		case m.Reached && !seen:
			seen = true
			close(reached)
		case m.Objects != nil:
			code = to.indicate(limited, m.Objects)
		case m.Status != nil:
			code = to.setStatus(limited, *m.Status)
		}
		cancel()
		if m.Reached {
			continue
		}
		if err := f.send(frame{Result: &code}); err != nil {
			return err
		}
	}
}
