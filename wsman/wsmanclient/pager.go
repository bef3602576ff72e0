package wsmanclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/casementhq/casement/wsman"
)

// pager carries the messages of one enumeration. Each Pull runs by itself, so
// that a caller whose context ends loses nothing of its answer; from the
// second one on, a Pull is sent before its answer is asked for.
type pager struct {
	c      *Client
	target wsman.EPR
	opts   RequestOptions
	batch  uint32
	pull   func(enumeration string) (*wsman.Message, error)
	stop   context.CancelFunc
	free   func(enumeration string) error

	answers chan answer
	ended   chan struct{} // closed by close
	running sync.WaitGroup
	memory  []byte // of the answers, one after the other

	mu      sync.Mutex
	context string
	done    bool // the service has said that nothing follows, or failed
	pulling bool
	pulls   int
	closed  bool
}

type answer struct {
	m   *wsman.Message
	err error
}

// releaseTimeout bounds how long close waits for the service.
const releaseTimeout = 5 * time.Second

// open sends the Enumerate and returns its answer, not yet read.
func (c *Client) open(ctx context.Context, target wsman.EPR, o EnumerateOptions) (*pager, *wsman.Message, error) {
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	body := &wsman.Enumerate{Filter: o.Filter, Mode: o.Mode, Polymorphism: o.Polymorphism}
	if !o.Unoptimized {
		body.Optimize, body.MaxElements = true, o.Batch
	}
	m, err := c.send(ctx, &call{action: wsman.ActionEnumerate, resource: target.ResourceURI, select_: target.Selectors,
		opts: &o.RequestOptions, body: body, again: true})
	if err != nil {
		return nil, nil, err
	}
	return c.page(ctx, target, o.RequestOptions, o.Batch), m, nil
}

// page makes the pager of an enumeration that was opened.
func (c *Client) page(ctx context.Context, target wsman.EPR, o RequestOptions, batch uint32) *pager {
	p := &pager{c: c, target: target, opts: o, batch: batch, answers: make(chan answer, 1), ended: make(chan struct{})}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.pull = func(enumeration string) (*wsman.Message, error) { return p.request(life, enumeration) }
	p.free = func(enumeration string) error { return p.release(context.WithoutCancel(life), enumeration) }
	return p
}

// request asks for items until there are some: a service that has none within
// the operation's time answers so, and is asked again.
func (p *pager) request(ctx context.Context, enumeration string) (*wsman.Message, error) {
	for {
		m, err := p.c.send(ctx, &call{action: wsman.ActionPull, resource: p.target.ResourceURI, select_: p.target.Selectors,
			opts: &p.opts, memory: &p.memory, body: &wsman.Pull{Context: enumeration, MaxElements: p.batch}})
		if err == nil || ctx.Err() != nil || !isRemote(err, wsman.CodeOperationTimedOut) || p.opts.Timeout > 0 {
			return m, err
		}
	}
}

// isRemote tells a fault of the service with this code from one of this side.
func isRemote(err error, code wsman.Code) bool {
	var f *wsman.Fault
	return errors.As(err, &f) && f.Remote && errors.Is(err, code)
}

// read reads an answer of the enumeration, calling item for each item.
func (p *pager) read(m *wsman.Message, item wsman.ItemFunc) error {
	var it *wsman.Items
	var err error
	if _, local := m.First(); local == "PullResponse" {
		it, err = m.ReadPullResponse(item)
	} else {
		it, err = m.ReadEnumerateResponse(item)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if it.Context != "" {
		p.context = it.Context
	}
	p.done = p.done || it.EndOfSequence || err != nil && p.context == ""
	if err == nil && !p.done && p.context == "" {
		p.done = true
		return wsman.NewFault(wsman.CodeInvalidEnumerationContext, "the service gave no context and no end of the enumeration")
	}
	if err == nil && !p.done && p.pulls > 0 {
		p.start()
	}
	return err
}

// start sends the next Pull. The lock is held.
func (p *pager) start() {
	if p.pulling || p.closed {
		return
	}
	p.pulling = true
	p.pulls++
	enumeration := p.context
	p.running.Go(func() {
		m, err := p.pull(enumeration)
		p.answers <- answer{m, err}
	})
}

// errEnumerationClosed is returned for an enumeration after Close.
var errEnumerationClosed = errors.New("wsmanclient: the enumeration is closed")

// next waits for the next answer, or returns io.EOF.
func (p *pager) next(ctx context.Context) (*wsman.Message, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	switch {
	case p.closed:
		p.mu.Unlock()
		return nil, errEnumerationClosed
	case p.done:
		p.mu.Unlock()
		return nil, io.EOF
	}
	p.start()
	p.mu.Unlock()
	select {
	case a := <-p.answers:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pulling = false
		p.done = p.done || a.err != nil
		return a.m, a.err
	case <-p.ended:
		return nil, errEnumerationClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// close ends a Pull under way and tells the service that nobody wants the rest.
func (p *pager) close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	over, enumeration := p.done, p.context
	p.mu.Unlock()
	close(p.ended)
	p.stop()
	p.running.Wait()
	if over || enumeration == "" {
		return nil
	}
	return p.free(enumeration)
}

func (p *pager) release(ctx context.Context, enumeration string) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	m, err := p.c.send(ctx, &call{action: wsman.ActionRelease, resource: p.target.ResourceURI, select_: p.target.Selectors,
		opts: &p.opts, body: &wsman.Release{Context: enumeration}})
	if err != nil {
		return released(err)
	}
	return m.End()
}

// released is what is left of an error of a release.
func released(err error) error {
	switch {
	case errors.Is(err, wsman.CodeInvalidEnumerationContext), errors.Is(err, wsman.CodeEventingInvalidMessage), errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return nil // it ended by itself meanwhile, or the client was closed
	}
	return fmt.Errorf("wsmanclient: release the enumeration: %w", err)
}
