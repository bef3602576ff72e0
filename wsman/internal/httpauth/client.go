package httpauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/casementhq/casement/auth"
)

// ClientOptions configure a connection to one endpoint.
type ClientOptions struct {
	// URL is the endpoint, such as http://host:5985/wsman. Required.
	URL *url.URL
	// Scheme is Negotiate, Kerberos, CredSSP, Basic, Digest or Certificate; empty sends no proof.
	Scheme string
	// NewInitiator makes the client's side of an exchange, for Negotiate, Kerberos and CredSSP. bindings are those of
	// the TLS channel, nil without TLS.
	NewInitiator func(scheme string, bindings *auth.ChannelBindings) (auth.Initiator, error)
	// Credentials are for Basic and Digest alone.
	Credentials auth.Credentials
	// Plain permits bodies that are not sealed over a connection without TLS, and with it Basic. The default
	// seals everything that TLS does not protect.
	Plain bool
	// AlwaysSeal seals inside TLS as well.
	AlwaysSeal bool
	// Dial opens the TCP connection; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS configures https; nil is the default of crypto/tls. ServerName is filled in from URL.
	TLS *tls.Config
	// Header is sent with every request, User-Agent for instance.
	Header http.Header
	// MaxResponse bounds the plaintext of an answer in bytes; the default is 8 MiB.
	MaxResponse int
	// Trace observes; nil does not.
	Trace *Trace
}

// Message is one request: a SOAP envelope.
type Message struct {
	// ContentType of the plaintext; empty is application/soap+xml;charset=UTF-8.
	ContentType string
	Body        []byte
	// Header is sent besides that of the options, with the requests of a handshake as well.
	Header http.Header
	// Memory is overwritten with the answer's body if that fits; nil makes new memory. Give it back no sooner
	// than the answer is done with.
	Memory []byte
}

// Response is the answer to a Message.
type Response struct {
	Status      int
	Header      http.Header
	ContentType string // of the plaintext
	Body        []byte
	Sealed      bool
	// Memory is what Body lies in, for the next Message.
	Memory []byte
}

// UnauthorizedError says that the server answered 401. It wraps what the client concludes from that.
type UnauthorizedError struct {
	// Scheme is the one that was tried, Offered are those that the server takes.
	Scheme  string
	Offered []string
	// Err is auth.ErrLogonFailure when the proof was refused, auth.ErrUnsupported when the scheme was.
	Err error
}

// Error implements error.
func (e *UnauthorizedError) Error() string {
	return fmt.Sprintf("HTTP 401 for scheme %q, the server offers %q: %v", e.Scheme, e.Offered, e.Err)
}

// Unwrap returns the conclusion.
func (e *UnauthorizedError) Unwrap() error { return e.Err }

// ErrConnectionLost says that a connection ended under a request, so that it is unknown whether the server
// has carried it out. The next request opens a new connection and proves anew.
var ErrConnectionLost = errors.New("connection lost")

const (
	defaultMaxResponse = 8 << 20
	maxLegs            = 10
	idleProbe          = time.Second // a connection that was idle for longer is looked at before use
)

// NewClientConn checks the options. The connection is opened by the first Do.
func NewClientConn(opts ClientOptions) (*ClientConn, error) {
	if opts.URL == nil || opts.URL.Host == "" || (opts.URL.Scheme != "http" && opts.URL.Scheme != "https") {
		return nil, fmt.Errorf("httpauth: endpoint %v is not an http or https URL", opts.URL)
	}
	secure := opts.URL.Scheme == "https"
	switch {
	case (opts.Scheme == Basic || opts.Scheme == Digest) && !secure && !opts.Plain:
		return nil, fmt.Errorf("httpauth: %s needs https, or permission to send in the clear", opts.Scheme)
	case opts.Scheme == "" && !secure && !opts.Plain:
		return nil, errors.New("httpauth: without authentication nothing is sealed: https or permission to send in the clear is needed")
	case opts.Scheme == Certificate && !secure:
		return nil, errors.New("httpauth: Certificate needs https")
	case opts.AlwaysSeal && ProtocolFor(opts.Scheme) == "":
		return nil, fmt.Errorf("httpauth: scheme %q cannot seal", opts.Scheme)
	case !direct(opts.Scheme) && opts.Scheme != Digest && opts.NewInitiator == nil:
		return nil, fmt.Errorf("httpauth: no initiator for scheme %q", opts.Scheme)
	}
	if opts.MaxResponse == 0 {
		opts.MaxResponse = defaultMaxResponse
	}
	if opts.Dial == nil {
		opts.Dial = (&net.Dialer{}).DialContext
	}
	return &ClientConn{
		opts: opts,
		seal: opts.AlwaysSeal || (!secure && !opts.Plain && opts.Scheme != ""),
		turn: make(chan struct{}, 1),
	}, nil
}
