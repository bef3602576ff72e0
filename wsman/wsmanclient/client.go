package wsmanclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/internal/dial"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Client carries operations to one endpoint. It is safe for concurrent use.
type Client struct {
	url     *url.URL
	opts    Options
	dial    dial.Func
	log     *slog.Logger
	session string // SessionId of every message
	classes classCache
	// ownTickets says that Options.Tickets is to be forgotten with the client.
	ownTickets bool

	warned sync.Once // of Digest in the clear

	mu     sync.Mutex
	idle   []*conn // most recently used last
	busy   map[*conn]context.CancelFunc
	closed bool
}

// New makes a client for an endpoint: [TRANSPORT://]HOST[:PORT][/PREFIX] with
// the defaults http, 5985 or 5986, and wsman, or as the client's settings have
// them. It never connects: what is wrong with the host, the credentials or the
// settings shows at the first operation. An endpoint, proxy or certificate
// thumbprint that cannot be read is an error at once.
func New(endpoint string, o Options) (*Client, error) {
	u, err := parseEndpoint(endpoint, o.settings())
	if err != nil {
		return nil, err
	}
	if _, err := pin(o.TLS.SHA256); err != nil {
		return nil, err
	}
	if o.OperationTimeout <= 0 {
		o.OperationTimeout = defaultTimeout
	}
	if o.MaxEnvelopeSize == 0 {
		o.MaxEnvelopeSize = defaultEnvelope
	}
	if o.Locale == "" {
		o.Locale = defaultLocale
	}
	if o.DataLocale == "" {
		o.DataLocale = o.Locale
	}
	if o.UserAgent == "" {
		o.UserAgent = "Casement"
	}
	own := o.Tickets == nil
	if own {
		o.Tickets = tickets.New(tickets.Options{})
	}
	d, err := dial.Through(o.Proxy, u, o.DialContext)
	if err != nil {
		return nil, wsman.NewFault(wsman.CodeInvalidParameter, err.Error())
	}
	c := &Client{url: u, opts: o, ownTickets: own, dial: d, log: o.Logger, session: "uuid:" + wsman.NewUUID(), busy: map[*conn]context.CancelFunc{}}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.classes.refused = o.Untyped
	return c, nil
}

// Endpoint is the URL to which the messages go.
func (c *Client) Endpoint() string { return c.url.String() }

// RequestOptions are the options of one operation; nil and the zero value mean
// the client's own.
type RequestOptions struct {
	// Options are handed to the resource. See [MS-WSMV] 3.1.4.1.9.
	Options wsman.OptionSet
	// MustUnderstand makes a service refuse the message if it takes no options.
	MustUnderstand bool
	// Timeout is the OperationTimeout; the default is Options.OperationTimeout.
	Timeout time.Duration
	// Fragment addresses a part of the instance; Get and Put alone. See
	// [MS-WSMV] 3.1.4.1.18.
	Fragment *wsman.FragmentTransfer
}

// call is one message to be sent.
type call struct {
	action   string
	resource string
	select_  wsman.SelectorSet
	opts     *RequestOptions
	body     wsman.Body
	// subscription is what an Unsubscribe ends.
	subscription string
	again        bool // sending it twice does no harm
	// delay is how long the answer may be under way, instead of Options.NetworkDelay.
	delay time.Duration
	// memory is where the answer lies. It belongs to a stream of messages each
	// of which is sent when the answer before was read; nil for the others.
	memory *[]byte
}

// writers keeps the memory of encoded messages.
var writers = sync.Pool{New: func() any { return soap.NewWriter(make([]byte, 0, 4096)) }}

// send carries one message and returns the answer, with its body not yet read.
// A fault is returned as *wsman.Fault.
func (c *Client) send(ctx context.Context, m *call) (*wsman.Message, error) {
	w := writers.Get().(*soap.Writer)
	w.Reset()
	defer writers.Put(w)
	h := c.header(m)
	if err := wsman.Encode(w, &h, m.body); err != nil {
		return nil, err
	}
	timeout := h.OperationTimeout
	resp, err := c.exchange(ctx, m.action, w.Bytes(), timeout, cmp.Or(m.delay, c.delay()), m.again, m.memory)
	if err != nil {
		return nil, err
	}
	answer, err := c.decode(ctx, resp)
	if err != nil {
		return nil, err
	}
	if answer.RelatesTo != h.MessageID {
		return nil, c.fault(wsman.CodeInvalidMessageInformationHeader, fmt.Sprintf(
			"the answer belongs to another message: RelatesTo is %q and the request was %q", clip(answer.RelatesTo), h.MessageID), nil)
	}
	return answer, nil
}

func (c *Client) header(m *call) wsman.Header {
	h := wsman.Header{To: c.url.String(), Action: m.action, MessageID: wsman.NewMessageID(), ReplyTo: wsman.Anonymous,
		ResourceURI: m.resource, Selectors: m.select_, OperationTimeout: c.opts.OperationTimeout,
		MaxEnvelopeSize: c.opts.MaxEnvelopeSize, Locale: c.opts.Locale, DataLocale: c.opts.DataLocale, SessionID: c.session, SubscriptionID: m.subscription}
	if o := m.opts; o != nil {
		h.Options, h.OptionsMust, h.Fragment = o.Options, o.MustUnderstand, o.Fragment
		if o.Timeout > 0 {
			h.OperationTimeout = o.Timeout
		}
	}
	return h
}

// exchange sends an envelope over a connection of its own for as long as it
// takes. It gives up after the operation's timeout and the network delay.
func (c *Client) exchange(ctx context.Context, action string, envelope []byte, timeout, delay time.Duration, again bool, memory *[]byte) (*httpauth.Response, error) {
	t := c.trace(ctx)
	t.request(action, envelope)
	m := &httpauth.Message{Body: envelope}
	if memory != nil {
		m.Memory = *memory
	}
	if c.opts.UTF16 {
		m.Body = soap.AppendEncoded(nil, envelope, soap.UTF16LE)
		m.ContentType = "application/soap+xml;charset=UTF-16"
	}
	limit := timeout + delay
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTimedOut)
	defer cancel()
	for attempt := 0; ; attempt++ {
		resp, err := c.over(ctx, m)
		if err == nil {
			if memory != nil {
				*memory = resp.Memory
			}
			t.response(resp)
			return resp, nil
		}
		if attempt > 0 || ctx.Err() != nil || !repeatable(err, again) {
			return nil, c.explain(err, limit)
		}
		t.retry(action, err)
		c.log.Debug("message is sent again", "action", action, "endpoint", c.url.String(), "error", err)
	}
}

// over takes a connection, sends the message and gives the connection back.
func (c *Client) over(ctx context.Context, m *httpauth.Message) (*httpauth.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k, err := c.acquire(ctx, cancel)
	if err != nil {
		return nil, err
	}
	resp, err := k.http.Do(ctx, m)
	c.release(k, err == nil)
	return resp, err
}

// errTimedOut is the cause of a context that ended because the network and the
// service had their time.
var errTimedOut = errors.New("no answer in time")

// repeatable tells whether a failed message may be sent once more: always where
// the server cannot have carried it out, else only where that does no harm.
func repeatable(err error, again bool) bool {
	var refused *httpauth.UnauthorizedError
	if errors.As(err, &refused) {
		return errors.Is(err, httpauth.ErrConnectionLost) // the proof was forgotten, the message was not read
	}
	return again && errors.Is(err, httpauth.ErrConnectionLost)
}

func (c *Client) delay() time.Duration {
	if c.opts.NetworkDelay > 0 {
		return c.opts.NetworkDelay
	}
	return time.Duration(c.opts.settings().NetworkDelayms) * time.Millisecond
}
