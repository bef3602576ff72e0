package wmiclient

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// Client is the way to WMI of one host as one user. It is safe for concurrent use.
type Client struct {
	host    string
	address string // host[port of the resolver]
	opts    Options
	blanket dcom.Blanket
	dcom    *dcom.Client
	codec   wmio.Codec

	classes    classCache
	ownTickets bool        // to be forgotten with the client
	plain      atomic.Bool // the host has no IWbemWCOSmartEnum

	mu       sync.Mutex
	sessions map[*Session]struct{} // nil once closed
}

// releaseTimeout bounds how long the host is told that something is not needed any more.
const releaseTimeout = 5 * time.Second

var _ cim.Opener = (*Client)(nil)

// New makes a client for a host, a name or an address, and connects to nothing: ErrInvalidParameter.
func New(host string, o Options) (*Client, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	own := o.Tickets == nil
	if own {
		o.Tickets = tickets.New(tickets.Options{})
	}
	blanket, err := newBlanket(host, &o)
	if err != nil {
		return nil, err
	}
	r, err := wmi.ParseNetworkResource(`\\` + host)
	if err != nil || r.Local() || r.Namespace != "" {
		return nil, invalid("%.60q names no host", host)
	}
	do := dcom.ClientOptions{Blanket: blanket, Dial: o.DialContext, Log: o.Logger}
	if o.Trace != nil {
		do.Trace = o.Trace.RPC
	}
	return &Client{host: r.Server, address: dcom.FormatStringBinding(r.Server, o.Port), opts: o, blanket: blanket, ownTickets: own, dcom: dcom.NewClient(do), sessions: map[*Session]struct{}{}}, nil
}

// Host is the host that the client was made for.
func (c *Client) Host() string { return c.host }

// Blanket is with which identity and protection the client calls.
func (c *Client) Blanket() dcom.Blanket { return c.blanket }

// Close ends every session and the connections.
func (c *Client) Close() error {
	c.mu.Lock()
	sessions := c.sessions
	c.sessions = nil
	c.mu.Unlock()
	for s := range sessions {
		s.end()
	}
	err := c.dcom.Close()
	if c.ownTickets {
		err = errors.Join(err, c.opts.Tickets.Close())
	}
	return err
}

// Open logs in to a namespace, that of Options.Defaults for "": ErrInvalidNamespace, ErrAccessDenied. The caller is the client's user, whoever is
// named. Locales, where some are given, replace those of the Options.
func (c *Client) Open(ctx context.Context, _ cim.Caller, namespace string, o cim.OpenOptions) (cim.Session, error) {
	s, err := c.open(ctx, namespace, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c *Client) open(ctx context.Context, namespace string, o cim.OpenOptions) (*Session, error) {
	namespace = strings.Trim(strings.ReplaceAll(namespace, "/", `\`), `\`)
	if namespace == "" {
		namespace = c.opts.defaults().Namespace
	}
	if len(o.Locales) == 0 {
		o.Locales = c.opts.Locales
	}
	s := c.session(namespace, o, nil)
	limited, cancel := s.limit(ctx, cim.OperationOptions{})
	defer cancel()
	if _, err := s.at(limited, namespace); err != nil {
		s.Close() //nolint:errcheck // the first error tells more
		return nil, s.fail("ConnectServer", "", err)
	}
	return s, nil
}

// session makes a session that logs in when it has to; of a client that is closed it is closed, too.
func (c *Client) session(namespace string, o cim.OpenOptions, b *dcom.Blanket) *Session {
	s := &Session{c: c, namespace: namespace, open: o, blanket: b, streams: map[*enumerator]struct{}{}, logins: map[string]*login{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closed = c.sessions == nil; !s.closed {
		c.sessions[s] = struct{}{}
	}
	return s
}

// at is the client's blanket with exactly that level.
func (c *Client) at(level wmi.AuthenticationLevel) *dcom.Blanket {
	b := c.blanket
	b.Level, b.Exactly = dcerpc.Level(level), true
	return &b
}

// login opens a namespace of the host. See [MS-WMI] 3.2.3 and spec/wmi.md 9.7.
func (c *Client) login(ctx context.Context, namespace string, o cim.OpenOptions) (*dcom.Proxy, error) {
	trace := c.trace(ctx)
	proxies, err := c.dcom.Activate(ctx, c.address, wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
	err = c.named(err)
	trace.activated(c.host, err)
	if err != nil {
		return nil, c.unopened(ended(ctx, err))
	}
	login := proxies[0]
	defer c.release(ctx, login)
	if err := c.establish(ctx, login); err != nil {
		return nil, err
	}
	c.introduce(ctx, login)

	resource := wmi.NetworkResource{Server: c.host, Namespace: namespace}.String()
	values, err := iwbem.NewContext(o.Context)
	if err != nil {
		return nil, err
	}
	in := &iwbem.NTLMLoginRequest{NetworkResource: iwbem.String{Text: resource}, PreferredLocale: optional(strings.Join(o.Locales, ",")), Context: values}
	out := &iwbem.NTLMLoginResponse{}
	err = c.call(ctx, login, "IWbemLevel1Login::NTLMLogin", iwbem.OpNTLMLogin, in, out)
	trace.loggedIn(resource, err)
	if err != nil {
		return nil, err
	}
	return unmarshal(ctx, login, out.Ref)
}

// establish does what has to be done first and has no effect: a host may answer E_NOTIMPL. See [MS-WMI] 3.1.4.1.1.
func (c *Client) establish(ctx context.Context, login *dcom.Proxy) error {
	out := &iwbem.EstablishPositionResponse{}
	err := c.call(ctx, login, "IWbemLevel1Login::EstablishPosition", iwbem.OpEstablishPosition, &iwbem.EstablishPositionRequest{Reserved1: null}, out)
	if err != nil && !failed(out.Result) {
		return err // it did not get there
	}
	return nil
}

// introduce tells the host who the client says to be. A host that does not want to know is no worse. See [MS-WMI] 3.2.3.
func (c *Client) introduce(ctx context.Context, login *dcom.Proxy) {
	id, err := login.QueryInterface(ctx, wmi.IIDLoginClientID)
	if err == nil {
		defer c.release(ctx, id)
		in := &iwbem.SetClientInfoRequest{ClientMachine: iwbem.String{Text: c.machineName()}, ClientProcess: uint32(os.Getpid())}
		err = c.call(ctx, id, "IWbemLoginClientID::SetClientInfo", iwbem.OpSetClientInfo, in, &iwbem.SetClientInfoResponse{})
	}
	if err != nil {
		c.without(ctx, "IWbemLoginClientID", err)
	}
}

// machineName is what the host is told the client is called.
func (c *Client) machineName() string {
	if c.opts.MachineName != "" {
		return c.opts.MachineName
	}
	return workstation()
}

// without records what the host does not have.
func (c *Client) without(ctx context.Context, what string, err error) {
	c.trace(ctx).without(what, err)
	c.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "done without", slog.String("host", c.host), slog.String("what", what), slog.Any("error", err))
}

// call makes a call of a method. A failed HRESULT is an error.
func (c *Client) call(ctx context.Context, p *dcom.Proxy, method string, opnum uint16, in ndr.Marshaler, out iwbem.Response) error {
	begin := time.Now()
	r := &response{Response: out}
	err := p.Call(ctx, opnum, in, r)
	c.trace(ctx).called(method, out.HRESULT(), time.Since(begin), err)
	if err == nil && !failed(out.HRESULT()) {
		return nil
	}
	if err == nil {
		err = resultError(out.HRESULT(), c.errorObject(r.info))
	}
	return ended(ctx, err)
}

// ended is why a call failed: the end of ctx, or err.
func ended(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil {
		return callError(err)
	}
	var wait *dcom.WaitError
	if !errors.As(err, &wait) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return callError(cause)
	}
	e := &cim.Error{Status: cim.ErrTimedOut, Detail: cause.Error()}
	var own *cim.Error
	if errors.As(cause, &own) {
		e.Status = own.Status
		e.Detail, _, _ = strings.Cut(own.Detail, ";") // its advice knows less
	}
	e.Detail += ", while waiting for " + wait.For + "; " + wait.Advice
	e.Err = &staged{e.Detail, cause}
	return e
}

// staged is the end of a context, with what was awaited then.
type staged struct {
	text  string
	cause error
}

func (e *staged) Error() string { return e.text }
func (e *staged) Unwrap() error { return e.cause }

// response takes the error object that comes beside a response.
type response struct {
	iwbem.Response
	info []byte
}

// SetErrorInfo is given the error-information extension of ORPCTHAT.
func (r *response) SetErrorInfo(b []byte) { r.info = b }

// errorObject is the object of class __ExtendedStatus in an error information, nil where it holds none. See spec/wmi.md 4.6.
func (c *Client) errorObject(info []byte) *cim.Instance {
	if info == nil {
		return nil
	}
	ref, err := dcom.ParseObjRef(info)
	if err != nil || ref.Kind != dcom.ObjRefCustom || ref.CLSID != wmi.CLSIDClassObject {
		return nil
	}
	i, _, err := c.codec.Decode(ref.Data)
	if err != nil || i.IsClass() {
		return nil
	}
	return i
}

// unmarshal is what a reference in an answer of p refers to.
func unmarshal(ctx context.Context, p *dcom.Proxy, ref *dcom.ObjRef) (*dcom.Proxy, error) {
	if ref == nil {
		return nil, errNoObject
	}
	q, err := p.Unmarshal(ctx, ref)
	switch {
	case err == nil:
		return q, nil
	case ctx.Err() != nil:
		return nil, ended(ctx, err)
	}
	// Without the cause: the call that gave the reference was served, and must not be taken for one that was not.
	return nil, &cim.Error{Status: cim.ErrTransportFailure, Detail: "the object that the host gave cannot be reached: " + err.Error()}
}

var errNoObject = &cim.Error{Status: cim.ErrTransportFailure, Detail: "the host gave no object where one has to be", Remote: true}

// release tells the host that objects are not needed any more, also where ctx has ended.
func (c *Client) release(ctx context.Context, proxies ...*dcom.Proxy) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := c.dcom.Release(ctx, proxies...); err != nil {
		c.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "objects were not released", slog.String("host", c.host), slog.Any("error", err))
	}
}

// decode reads an object of an answer.
func (c *Client) decode(unit iwbem.ClassObject) (*cim.Instance, error) {
	if unit == nil {
		return nil, errNoObject
	}
	i, _, err := c.codec.Decode(unit)
	return i, err
}

var null = iwbem.String{Null: true}

// optional is NULL for "".
func optional(s string) iwbem.String { return iwbem.String{Text: s, Null: s == ""} }
