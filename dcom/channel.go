package dcom

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// channelKey is what connections are shared by.
type channelKey struct {
	addresses string // host:port, divided by blanks, in the order of dialling
	service   string // of the service principal name
	host      string // that the user named, which credentials are for
	blanket   *Blanket
	level     dcerpc.Level
}

// channel is a connection with one identity that is made when it is needed, and made anew when it was lost.
type channel struct {
	client *Client
	key    channelKey
	lock   chan struct{} // held by who connects or binds

	// Of who holds lock.
	conn   *dcerpc.Conn
	former []*dcerpc.Conn // whose proofs have ended; the server ends them after the calls that are under way there
	local  net.Addr
	sec    *dcerpc.Security
	bound  map[security.GUID]*dcerpc.Binding
}

// channel finds or makes one. Those without a blanket of their own are not kept.
func (c *Client) channel(k channelKey) *channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.channels[k]
	if ch == nil {
		ch = &channel{client: c, key: k, lock: make(chan struct{}, 1)}
		if k.blanket != &anonymous && c.channels != nil {
			c.channels[k] = ch
		}
	}
	return ch
}

func (ch *channel) close() {
	ch.lock <- struct{}{}
	defer func() { <-ch.lock }()
	for _, conn := range append(ch.former, ch.conn) {
		if conn != nil {
			conn.Close()
		}
	}
}

// addrs are the ends of the connection, nil before there was one.
func (ch *channel) addrs() (local, peer net.Addr) {
	ch.lock <- struct{}{}
	defer func() { <-ch.lock }()
	if ch.conn == nil {
		return nil, nil
	}
	return ch.local, ch.conn.RemoteAddr()
}

// connected tells whether there is a connection that lives.
func (ch *channel) connected() bool {
	ch.lock <- struct{}{}
	defer func() { <-ch.lock }()
	return ch.conn != nil && ch.conn.Err() == nil
}

// call makes one call, and connects before if it has to: also where the connection turns out to have ended before the request left.
func (ch *channel) call(ctx context.Context, iid security.GUID, opnum uint16, object security.GUID, in ndr.Marshaler, out ndr.Unmarshaler) error {
	for again := true; ; again = false {
		b, err := ch.bind(ctx, iid)
		if err != nil {
			return err
		}
		err = waiting(ctx, b.Call(ctx, opnum, object, in, out), "the answer to a call from "+b.Conn().RemoteAddr().String(), adviceCall)
		if !again || !errors.Is(err, dcerpc.ErrNotSent) && !ch.proofEnded(b.Conn(), err) {
			return err
		}
	}
}

// proofEnded tells whether a call was refused unheard because our proof on its connection has ended, as that of a ticket does. The next
// call then makes another one.
func (ch *channel) proofEnded(conn *dcerpc.Conn, err error) bool {
	var f *dcerpc.Fault
	if !errors.As(err, &f) || f.Status != dcerpc.StatusAccessDenied || !f.DidNotExecute {
		return false
	}
	ch.lock <- struct{}{}
	defer func() { <-ch.lock }()
	if ch.conn != conn {
		return ch.conn != nil // somebody else has connected anew
	}
	if !ch.sec.Identity().Over(time.Now()) {
		return false
	}
	ch.former = append(slices.DeleteFunc(ch.former, func(c *dcerpc.Conn) bool { return c.Err() != nil }), conn)
	ch.conn = nil
	return true
}

// bind gives the interface on a connection that lives. One that ends while it binds is replaced once: nothing was executed yet.
func (ch *channel) bind(ctx context.Context, iid security.GUID) (*dcerpc.Binding, error) {
	select {
	case ch.lock <- struct{}{}:
		defer func() { <-ch.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	alive := ch.conn != nil && ch.conn.Err() == nil
	if b := ch.bound[iid]; alive && b != nil {
		return b, nil
	}
	ctx, cancel := ch.client.untilClosed(ctx)
	defer cancel()
	if alive {
		b, err := ch.negotiate(ctx, iid)
		var rejected *dcerpc.RejectedError
		if err == nil || ctx.Err() != nil || errors.As(err, &rejected) {
			return b, err
		}
	}
	if err := ch.connect(ctx); err != nil {
		return nil, err
	}
	return ch.negotiate(ctx, iid)
}

// negotiate binds an interface on the connection. lock is held.
func (ch *channel) negotiate(ctx context.Context, iid security.GUID) (*dcerpc.Binding, error) {
	b, err := ch.conn.Bind(ctx, dcerpc.SyntaxID{UUID: iid}, ch.sec)
	err = waiting(ctx, err, "the answer to the bind from "+ch.conn.RemoteAddr().String(), adviceSilent)
	if err == nil {
		ch.bound[iid] = b
		return b, nil
	}
	// A firewall that speaks for the host resets what is connected already. Windows takes that for a host that is not there.
	if len(ch.bound) == 0 && isReset(err) {
		err = &Error{HRESULT: FromWin32(RPC_S_SERVER_UNAVAILABLE), Err: fmt.Errorf("the host ended the connection before anything was said; does its firewall let this port through? %w", err)}
	}
	return b, err
}

// isReset tells whether a connection ended by something else than the two programs at its ends.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout() && !errors.Is(err, net.ErrClosed)
}

// untilClosed ends a context with Close, for what nobody else would end.
func (c *Client) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-c.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// connect dials the addresses in their order. lock is held.
func (ch *channel) connect(ctx context.Context) error {
	if ch.conn != nil {
		ch.conn.Close()
		ch.conn, ch.sec = nil, nil
	}
	ch.bound = map[security.GUID]*dcerpc.Binding{}
	opts := ch.client.opts
	var failed error
	for address := range strings.FieldsSeq(ch.key.addresses) {
		dctx, cancel := context.WithTimeout(ctx, opts.DialTimeout)
		nc, err := opts.Dial(dctx, "tcp", address)
		cancel()
		if opts.Trace != nil && opts.Trace.Connected != nil {
			opts.Trace.Connected(address, err)
		}
		if err != nil {
			failed = errors.Join(failed, waiting(ctx, err, "a connection to "+address, adviceConnect))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		// DCOM knows NDR 2.0 alone ([MS-DCOM] 2.2).
		ch.local = nc.LocalAddr()
		ch.conn = dcerpc.NewConn(nc, dcerpc.Options{OnlyNDR20: true, Trace: opts.Trace})
		break
	}
	if ch.conn == nil {
		return &Error{HRESULT: FromWin32(RPC_S_SERVER_UNAVAILABLE), Err: failed}
	}
	if ch.key.level > dcerpc.LevelNone {
		b := ch.key.blanket
		i, err := b.Initiator(ch.key.service+"/"+ch.key.host, ch.key.host)
		if err != nil {
			ch.conn.Close()
			return err
		}
		ch.sec = ch.conn.NewSecurity(b.authType(), ch.key.level, i)
	}
	return nil
}

// failure makes an *Error of what a call failed with.
func failure(op string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		e := *known
		if e.Op == "" {
			e.Op = op
		}
		return &e
	}
	e := &Error{Op: op, Err: err}
	var fault *dcerpc.Fault
	var bind *dcerpc.BindError
	var rejected *dcerpc.RejectedError
	switch {
	case errors.As(err, &fault):
		e.HRESULT = faultResult(fault.Status)
		e.Err = fault
	case errors.Is(err, context.Canceled):
		e.HRESULT = FromWin32(RPC_S_CALL_CANCELLED)
	case errors.Is(err, context.DeadlineExceeded):
		e.HRESULT = RPC_E_TIMEOUT
	case errors.As(err, &rejected):
		e.HRESULT = FromWin32(RPC_S_UNKNOWN_IF)
	case errors.Is(err, auth.ErrLogonFailure):
		e.HRESULT = FromWin32(ERROR_LOGON_FAILURE)
	case errors.As(err, &bind):
		e.HRESULT = FromWin32(RPC_S_SEC_PKG_ERROR)
	case errors.Is(err, dcerpc.ErrNotRPC):
		e.HRESULT = FromWin32(RPC_S_PROTOCOL_ERROR)
	case errors.Is(err, ndr.ErrBadStub):
		e.HRESULT, e.Detail = FromWin32(RPC_X_BAD_STUB_DATA), "the server's answer is malformed"
	default:
		e.HRESULT = FromWin32(RPC_S_CALL_FAILED)
	}
	return e
}

// faultResult is the HRESULT of a fault. Codes of [C706] appendix N become those of Windows, as [MS-RPCE] 3.3.2.5.1 has them.
func faultResult(s dcerpc.Status) uint32 {
	switch s {
	case dcerpc.StatusOpRange:
		return FromWin32(RPC_S_PROCNUM_OUT_OF_RANGE)
	case dcerpc.StatusUnknownIf:
		return FromWin32(RPC_S_UNKNOWN_IF)
	case dcerpc.StatusTooBusy:
		return FromWin32(RPC_S_SERVER_TOO_BUSY)
	case dcerpc.StatusCancelled:
		return FromWin32(RPC_S_CALL_CANCELLED)
	case dcerpc.StatusProtoError:
		return FromWin32(RPC_S_PROTOCOL_ERROR)
	}
	if s == 0 {
		return E_UNEXPECTED
	}
	return FromWin32(uint32(s))
}
