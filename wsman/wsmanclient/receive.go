package wsmanclient

import (
	"context"
	"errors"
	"io"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
)

// fetched is one answer to a Receive.
type fetched struct {
	m   *wsman.Message
	err error
}

// receive fetches the output until the command is done. While one answer is
// handed to its readers, the next Receive is under way already.
func (cmd *Command) receive(ctx context.Context) {
	defer close(cmd.done)
	defer cmd.stop()
	fetch := cmd.fetcher()
	next := make(chan fetched, 1)
	var buf []byte // as large as the answers are
	a := fetch(ctx)
	err := a.err
	for err == nil {
		asked, finished := false, false
		finished, buf, err = cmd.take(a.m, buf[:0], func() {
			asked = true
			go func() { next <- fetch(ctx) }()
		})
		if !asked {
			break
		}
		if finished || err != nil {
			cmd.stop()
			<-next
			break
		}
		a = <-next
		err = a.err
	}
	cmd.stop()
	cmd.finish(ctx, err)
}

// fetcher sends one Receive with each call; the answer before must have been
// read.
func (cmd *Command) fetcher() func(context.Context) fetched {
	opts := &RequestOptions{Options: wsman.OptionSet{{Name: winrs.OptionKeepAlive, Value: "TRUE"}}, MustUnderstand: true}
	body := &winrs.Receive{CommandID: cmd.id, Streams: cmd.shell.opts.OutputStreams}
	var memory []byte
	receive := &call{action: winrs.ActionReceive, resource: cmd.in.epr.ResourceURI, select_: cmd.in.epr.Selectors, opts: opts, memory: &memory, body: body}
	send := func(ctx context.Context) (*wsman.Message, error) { return cmd.shell.c.send(ctx, receive) }
	if cmd.watch != nil {
		opts.Timeout, receive.delay = contactBeat, contactDelay
		once := send
		send = func(ctx context.Context) (*wsman.Message, error) { return cmd.watch.hear(ctx, once) }
	}
	return func(ctx context.Context) fetched {
		for {
			m, err := send(ctx)
			if err == nil || ctx.Err() != nil || !errors.Is(err, wsman.CodeOperationTimedOut) {
				return fetched{m, err}
			}
		}
	}
}

// take reads an answer, asks for the next one, and hands the data out.
func (cmd *Command) take(m *wsman.Message, buf []byte, more func()) (finished bool, _ []byte, err error) {
	resp, buf, err := winrs.ReadReceiveResponse(m, buf)
	if err != nil {
		return true, buf, err
	}
	cmd.mu.Lock()
	finished = resp.State == winrs.Done || cmd.closing
	if resp.State != "" {
		cmd.state = resp.State
	}
	if resp.HasExitCode {
		cmd.exitCode, cmd.hasCode = resp.ExitCode, true
	}
	cmd.mu.Unlock()
	if !finished {
		more()
	}
	for i := range resp.Streams {
		s := &resp.Streams[i]
		w := cmd.out[s.Name]
		if w == nil || len(s.Data) == 0 {
			continue
		}
		if _, err := w.Write(s.Data); err != nil {
			return true, buf, err
		}
	}
	return finished, buf, nil
}

// finish tells the service and the readers that the command has ended.
func (cmd *Command) finish(ctx context.Context, err error) {
	cmd.mu.Lock()
	closing := cmd.closing
	cmd.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), terminateTimeout)
	defer cancel()
	if !closing && !isGone(err) {
		// Without it the command counts against the quota. See [MS-WSMV] 3.1.4.14.
		cmd.Signal(ctx, winrs.SignalTerminate) //nolint:errcheck // the output has ended in any case
	}
	cmd.mu.Lock()
	if closing && cmd.state != winrs.Done {
		err = errClosed
	}
	cmd.err = err
	cmd.mu.Unlock()
	for _, p := range cmd.pipes {
		p.end(err)
	}
	cmd.shell.drop(ctx, cmd.in)
}

// errClosed is the end of a command that Close ended.
var errClosed = errors.New("wsmanclient: the command was closed before its end")

var _ io.Writer = (*pipe)(nil)
