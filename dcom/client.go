package dcom

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/security"
)

// ClientOptions configure a Client.
type ClientOptions struct {
	// Blanket is what calls are made with, unless a proxy has another.
	Blanket Blanket
	// Dial connects over TCP; by default a net.Dialer does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// DialTimeout is for each address that is tried, 15 s.
	DialTimeout time.Duration
	// OtherBindings lets addresses be dialled that only the server told, where the one that the user named does not answer.
	OtherBindings bool
	// PingPeriod is how often objects are pinged for, 2 minutes.
	PingPeriod time.Duration
	// Trace has the hooks of each connection.
	Trace *dcerpc.Trace
	// Log takes failed pings and releases; nil discards it.
	Log *slog.Logger
}

// Client calls objects of other machines. It dials the machines that its user named and no other, unless OtherBindings permits that.
type Client struct {
	opts ClientOptions
	stop chan struct{}  // closed when Close begins
	gone chan struct{}  // closed when all is released
	wg   sync.WaitGroup // of pingers

	mu       sync.Mutex
	closed   bool
	machines map[string]*machine
	channels map[channelKey]*channel
}

// NewClient makes a client, which connects to nothing.
func NewClient(opts ClientOptions) *Client {
	if opts.Dial == nil {
		opts.Dial = new(net.Dialer).DialContext
	}
	if opts.DialTimeout <= 0 {
		opts.DialTimeout = 15 * time.Second
	}
	if opts.PingPeriod <= 0 {
		opts.PingPeriod = defaultPingPeriod
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{opts: opts, stop: make(chan struct{}), gone: make(chan struct{}), machines: map[string]*machine{}, channels: map[channelKey]*channel{}}
}

// machine is a host that the user named. Its tables are guarded by Client.mu.
type machine struct {
	client    *Client
	host      string
	port      uint16 // of its resolver
	exporters map[uint64]*remoteExporter
	pings     pings
}

var errClosed = &Error{HRESULT: FromWin32(RPC_S_CALL_CANCELLED), Detail: "the client is closed"}

// machine finds or makes the entry of a host, given as host or host[port of its resolver].
func (c *Client) machine(address string) (*machine, error) {
	host, port, err := ParseStringBinding(address)
	if err != nil {
		return nil, &Error{HRESULT: E_INVALIDARG, Err: err}
	}
	if port == 0 {
		port = resolverPort
	}
	key := FormatStringBinding(strings.ToLower(host), port)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	m := c.machines[key]
	if m == nil {
		m = &machine{client: c, host: host, port: port, exporters: map[uint64]*remoteExporter{}}
		c.machines[key] = m
	}
	return m, nil
}

// resolver is the channel to resolver and activator of a machine.
func (m *machine) resolver(b *Blanket) *channel {
	return m.client.channel(channelKey{
		addresses: net.JoinHostPort(m.host, strconv.Itoa(int(m.port))), service: "RPCSS", host: m.host, blanket: b, level: b.activationLevel(),
	})
}

// ServerAlive2 asks the resolver of a host (or host[port]) for its version and addresses, without authentication: a probe.
func (c *Client) ServerAlive2(ctx context.Context, host string) (*ServerAlive2Response, error) {
	m, err := c.machine(host)
	if err != nil {
		return nil, err
	}
	var out ServerAlive2Response
	ch := m.resolver(&anonymous)
	defer ch.close()
	if err := ch.call(ctx, IIDObjectExporter, opServerAlive2, security.GUID{}, nil, &out); err != nil {
		return nil, failure("ServerAlive2 at "+m.host, err)
	}
	if out.Status != 0 {
		return nil, &Error{HRESULT: FromWin32(out.Status), Op: "ServerAlive2 at " + m.host}
	}
	return &out, nil
}

// anonymous makes calls without authentication.
var anonymous Blanket

// Unmarshal gives a proxy for a reference that came from somewhere else than a call of a proxy, such as the sink in a call to a service. The object
// is taken to be at host and nowhere else, whatever the reference says: only its ports are believed. An empty host takes the first
// address of the reference that can be dialled, which OtherBindings has to permit.
func (c *Client) Unmarshal(ctx context.Context, host string, ref *ObjRef) (*Proxy, error) {
	if ref.Kind == ObjRefCustom {
		return nil, errByValue
	}
	var candidates []string
	for _, s := range ref.Resolver.Strings {
		at, port, err := ParseStringBinding(s.Address)
		if err != nil || s.Tower != TowerTCP {
			continue
		}
		switch {
		case host == "":
			candidates = append(candidates, s.Address)
		case strings.EqualFold(at, host):
			candidates = append([]string{FormatStringBinding(host, port)}, candidates...)
		default:
			candidates = append(candidates, FormatStringBinding(host, port))
		}
	}
	switch {
	case host == "" && !c.opts.OtherBindings:
		return nil, &Error{HRESULT: E_INVALIDARG, Detail: "the machine of the object was not named"}
	case len(candidates) == 0 && host == "":
		return nil, &Error{HRESULT: FromWin32(OR_INVALID_OXID), Detail: "the reference tells no address"}
	case len(candidates) == 0:
		candidates = []string{host}
	}
	var first error
	tried := 0
	for i, at := range candidates {
		if slices.Contains(candidates[:i], at) {
			continue
		}
		if tried++; tried > maxAdvertised {
			break // nobody has so many; whoever sends it would have ports looked for
		}
		m, err := c.machine(at)
		if err != nil {
			return nil, err
		}
		p, err := m.unmarshal(ctx, &c.opts.Blanket, ref)
		if err == nil {
			return p, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

var errByValue = &Error{HRESULT: RPC_E_INVALID_OBJREF, Detail: "the object is passed by value"}

// unmarshal takes the references of an OBJREF ([MS-DCOM] 3.2.4.1.2).
func (m *machine) unmarshal(ctx context.Context, b *Blanket, ref *ObjRef) (*Proxy, error) {
	if ref.Kind == ObjRefCustom {
		return nil, errByValue
	}
	x, err := m.exporter(ctx, ref.Std.OXID, b)
	if err != nil {
		return nil, err
	}
	return x.hold(ctx, b, ref.IID, ref.Std)
}

// closeTimeout is how long the release of everything may take.
const closeTimeout = 5 * time.Second

// Close releases everything that is held, ends pings and closes connections. Calls that run fail.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.wg.Wait()
		return nil
	}
	c.closed = true
	var held []*reference
	for _, m := range c.machines {
		for _, x := range m.exporters {
			for _, r := range x.refs {
				held = append(held, r)
			}
			clear(x.refs)
		}
	}
	c.mu.Unlock()
	close(c.stop)
	c.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := c.remRelease(ctx, held)
	close(c.gone)
	c.mu.Lock()
	channels := c.channels
	c.channels = nil
	c.mu.Unlock()
	for _, ch := range channels {
		ch.close()
	}
	return err
}
