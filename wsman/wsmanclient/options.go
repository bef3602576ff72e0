package wsmanclient

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/settings"
)

// Scheme is how a client proves who its user is. See spec section 5.1.
type Scheme string

// The schemes. Automatic is Negotiate where credentials are given or the host
// is this machine, and else Kerberos where there are tickets.
const (
	Automatic   Scheme = ""
	None        Scheme = "None"
	Basic       Scheme = "Basic"
	Digest      Scheme = "Digest"
	Negotiate   Scheme = "Negotiate"
	Kerberos    Scheme = "Kerberos"
	Certificate Scheme = "Certificate"
	CredSSP     Scheme = "CredSSP"
)

// TLSOptions say what is checked of a server's certificate. The zero value
// checks all of it against the machine's certificate authorities.
type TLSOptions struct {
	// SkipCA accepts a certificate of any issuer (-skipCACheck).
	SkipCA bool
	// SkipCN accepts a certificate for another name (-skipCNCheck).
	SkipCN bool
	// SkipRevocation does without the revocation lists of Config's own check
	// (-skipRevocationCheck). Go's verifier reads none by itself.
	SkipRevocation bool
	// SHA256 pins the server's certificate by its SHA-256 in hexadecimal, with
	// or without colons. It replaces the checks of issuer, name and dates.
	SHA256 string
	// Config is the base of the configuration, RootCAs for instance; nil is
	// that of crypto/tls with TLS 1.2 as the lowest version.
	Config *tls.Config
}

// Options configure a Client. The zero value is a client without credentials
// that follows the documented default settings.
type Options struct {
	// Scheme is how to authenticate; the default is chosen by the rules of
	// spec section 5.1.
	Scheme Scheme
	// Credentials of the user. Without any, only the schemes None and, where
	// it is permitted, Negotiate as the present user could be used.
	Credentials auth.Credentials
	// Tickets are where Kerberos comes from, in Negotiate and alone; it may be
	// shared. nil takes passwords to the realm of the name, and without
	// credentials the default credential cache.
	Tickets *tickets.Source
	// SPN is the class of the service principal name, HTTP by default; some
	// domains know a computer by WSMAN or host alone. SPNPort puts the port into
	// the name (-SPNPort).
	SPN     string
	SPNPort bool
	// Delegate hands a forwarded ticket over, with which the service can act as
	// the user on other hosts. It needs Kerberos.
	Delegate bool
	// Certificate is the user's certificate with its chain and key, for the
	// scheme Certificate, which takes no Credentials.
	Certificate *tls.Certificate
	// ImplicitCredentials permits Negotiate as the present user over HTTPS
	// (-defaultCreds).
	ImplicitCredentials bool
	// TLS says what is checked of the server's certificate.
	TLS TLSOptions
	// Unencrypted sends messages that are not sealed over HTTP
	// (-unencrypted). The setting AllowUnencrypted must permit it.
	Unencrypted bool
	// Proxy is the URL of an HTTP or SOCKS5 proxy, http://host:port or
	// socks5://host:port, with user and password where it needs them. "env"
	// takes it from the environment; empty is none.
	Proxy string
	// OperationTimeout is how long the service may work on one message; the
	// default is 60 s. Operations can name their own.
	OperationTimeout time.Duration
	// NetworkDelay is added to it before the client gives up; the default is
	// the setting NetworkDelayms, 5 s.
	NetworkDelay time.Duration
	// MaxEnvelopeSize bounds an answer in bytes; the default is 512000.
	MaxEnvelopeSize uint32
	// Locale and DataLocale are the languages of texts and of data; the
	// default is en-US.
	Locale, DataLocale string
	// Untyped asks for no class definitions and keeps none: values of sessions stay
	// text, as they do with hosts that give no definitions. It suits who asks many
	// hosts a little.
	Untyped bool
	// UTF16 sends messages as UTF-16 instead of UTF-8.
	UTF16 bool
	// Settings gives the client's settings and is asked anew for each
	// connection; nil means the documented defaults.
	Settings func() *settings.Client
	// Lenient permits sealed NTLM to a host that is not in TrustedHosts,
	// because the user named that host. The rules for messages in the clear
	// and the switches of the schemes hold all the same.
	Lenient bool
	// NTLM says with which hosts NTLM may be used, and is asked at each sign-in;
	// nil means with all.
	NTLM func() settings.NTLM
	// DialContext opens the connections; the default is a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Local says that DialContext leads to this machine's own service by a way
	// that itself tells who the caller is, such as a Unix socket. Nothing is
	// authenticated or sealed then, and Identify is not available.
	Local bool
	// Classes are shared with the clients of other hosts; nil shares nothing.
	Classes *Classes
	// UserAgent names the program; the default is "Casement".
	UserAgent string
	// Trace observes; nil does not. A trace in the context goes before it.
	Trace *Trace
	// Logger records retries and shells made anew at level Debug, and what is
	// unwise at level Warn; nil is silent.
	Logger *slog.Logger
}

const (
	defaultTimeout  = 60 * time.Second
	defaultEnvelope = 500 * 1024
	defaultLocale   = "en-US"
)

// defaultSettings are those of [MS-WSMV] 2.2.4.6.
func defaultSettings() *settings.Client {
	return &settings.Client{NetworkDelayms: 5000, URLPrefix: "wsman",
		Auth:         settings.Auth{Basic: true, Digest: true, Kerberos: true, Negotiate: true, Certificate: true},
		DefaultPorts: settings.Ports{HTTP: 5985, HTTPS: 5986}}
}

func (o *Options) settings() *settings.Client {
	if o.Settings != nil {
		if s := o.Settings(); s != nil {
			return s
		}
	}
	return defaultSettings()
}
