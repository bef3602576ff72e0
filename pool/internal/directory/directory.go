// Package directory finds the computers of an Active Directory domain by LDAP. The
// connection is sealed by Kerberos or NTLM (SASL GSS-SPNEGO), or by TLS with a
// verified certificate; nothing is asked over another one. Referrals are not
// followed. See [MS-ADTS] 5.1.1, [RFC4511], [RFC4513].
package directory

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
)

// Security is how a connection is protected.
type Security string

// The ways. Passwords leave this machine over TLS only.
const (
	Sealed   Security = ""         // LDAP on port 389, sealed by Kerberos or NTLM
	StartTLS Security = "starttls" // LDAP on port 389, TLS before the sign-in
	LDAPS    Security = "ldaps"    // TLS on port 636
)

// Bounds of a search.
const (
	mostComputers = 100_000
	pageSize      = 500
	askTimeout    = 30 * time.Second // of one question
)

// Options say where to look and for what.
type Options struct {
	// Domain is its name in DNS, corp.example. It is needed where Controller is "".
	Domain string
	// Controller is a domain controller, host or host:port. Default: those that DNS
	// names for the domain, in its order.
	Controller string
	// Address is dialled instead of Controller, host:port.
	Address     string
	Security    Security
	Credentials auth.Credentials
	Tickets     *tickets.Source
	// Thumbprint pins the certificate of the controller, SHA-256 in hexadecimal, in
	// place of the checks of issuer, name and dates; RootCAs replace the machine's.
	Thumbprint string
	RootCAs    *x509.CertPool

	// Base is where to search from. Default: the domain, as the controller names it.
	Base string
	// Name and System are what the computer's name and operating system look like,
	// with * for anything; "" is any.
	Name, System string
	// Clients has computers with a client release of Windows too.
	Clients bool
	// Most is how many are wanted; 0, and the most, is 100,000.
	Most int

	// Dial and Resolver stand in for those of net.
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Resolver Resolver
	page     uint32 // 0 is pageSize
}

// Resolver finds services in DNS, as net.Resolver does.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// Computer is a computer account that is enabled.
type Computer struct {
	// Name is the one in DNS, or the account's own where that is not known.
	Name    string
	DN      string
	System  string // operatingSystem, "Windows Server 2022 Standard"
	Version string // operatingSystemVersion
}

// Found are the computers in the order of the directory.
type Found struct {
	Controller string // who answered
	Base       string
	Computers  []Computer
	// More says that there are others beyond Most.
	More bool
}

// Search asks the first controller that can be reached.
func Search(ctx context.Context, o Options) (*Found, error) {
	if o.Most <= 0 || o.Most > mostComputers {
		o.Most = mostComputers
	}
	controllers, err := o.controllers(ctx)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, c := range controllers {
		found, err := o.ask(ctx, c)
		if err == nil {
			return found, nil
		}
		failed = append(failed, fmt.Errorf("the domain controller %s: %w", c, err))
		if ctx.Err() != nil || !errors.As(err, new(*net.OpError)) {
			break // another one would say the same
		}
	}
	return nil, errors.Join(failed...)
}

// controllers are those to try, host or host:port.
func (o *Options) controllers(ctx context.Context) ([]string, error) {
	if o.Controller != "" {
		return []string{o.Controller}, nil
	}
	if o.Domain == "" {
		return nil, errors.New("neither a domain nor a domain controller is named")
	}
	var r Resolver = net.DefaultResolver
	if o.Resolver != nil {
		r = o.Resolver
	}
	_, records, err := r.LookupSRV(ctx, "ldap", "tcp", "dc._msdcs."+o.Domain)
	if err != nil {
		return nil, fmt.Errorf("DNS names no domain controller of %s: %w", o.Domain, err)
	}
	var names []string
	for _, s := range records[:min(len(records), 8)] {
		port := fmt.Sprint(s.Port)
		if o.Security == LDAPS {
			port = "636"
		}
		names = append(names, net.JoinHostPort(strings.TrimSuffix(s.Target, "."), port))
	}
	return names, nil
}

// split is the host and the port of a controller.
func (o *Options) split(controller string) (host, port string) {
	if h, p, err := net.SplitHostPort(controller); err == nil {
		return h, p
	}
	if o.Security == LDAPS {
		return controller, "636"
	}
	return controller, "389"
}

func (o *Options) ask(ctx context.Context, controller string) (*Found, error) {
	host, port := o.split(controller)
	address := o.Address
	if address == "" {
		address = net.JoinHostPort(host, port)
	}
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	raw, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	// Whoever waits for an answer is told by the connection when time is over.
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	c, err := o.signIn(ctx, &bounded{Conn: raw, left: mostOctets}, host)
	if err != nil {
		return nil, cause(ctx, err)
	}
	defer c.Close() //nolint:errcheck // nothing is lost
	found, err := o.search(c)
	if err != nil {
		return nil, cause(ctx, err)
	}
	found.Controller = host
	return found, nil
}

func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// signIn protects a connection and proves who we are.
func (o *Options) signIn(ctx context.Context, conn net.Conn, host string) (*ldap.Conn, error) {
	if o.Security == Sealed {
		sealed, err := bind(ctx, conn, o.initiator(host))
		if err != nil {
			return nil, err
		}
		return start(sealed, false), nil
	}
	if o.Credentials.Username == "" || o.Credentials.Password == "" {
		return nil, errors.New("over TLS a user and a password are needed; without TLS, tickets do too")
	}
	config := o.tls(host)
	var c *ldap.Conn
	if o.Security == LDAPS {
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		c = start(secure, true)
	} else {
		c = start(conn, false)
		if err := c.StartTLS(config); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	if _, ok := c.TLSConnectionState(); !ok {
		return nil, errors.Join(errors.New("the connection has no TLS"), c.Close())
	}
	if err := c.Bind(o.Credentials.Username, o.Credentials.Password); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func start(conn net.Conn, secure bool) *ldap.Conn {
	c := ldap.NewConn(conn, secure)
	c.SetTimeout(askTimeout)
	c.Start()
	return c
}

// tls checks the certificate against the pin, or else as usual.
func (o *Options) tls(host string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: o.RootCAs}
	if o.Thumbprint != "" {
		want := strings.ToLower(strings.ReplaceAll(o.Thumbprint, ":", ""))
		config.InsecureSkipVerify = true // #nosec G402 -- the pin below replaces the check
		config.VerifyConnection = func(s tls.ConnectionState) error {
			sum := sha256.Sum256(s.PeerCertificates[0].Raw)
			if got := hex.EncodeToString(sum[:]); got != want {
				return fmt.Errorf("the certificate is another one: its SHA-256 is %s", strings.ToUpper(got))
			}
			return nil
		}
	}
	return config
}

// search reads page after page until there are enough.
func (o *Options) search(c *ldap.Conn) (*Found, error) {
	found := &Found{Base: o.Base}
	if found.Base == "" {
		root, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"defaultNamingContext"}, nil))
		if err != nil {
			return nil, fmt.Errorf("ask for the domain: %w", err)
		}
		if len(root.Entries) == 1 {
			found.Base = root.Entries[0].GetAttributeValue("defaultNamingContext")
		}
		if found.Base == "" {
			return nil, errors.New("the controller does not name its domain; name a base")
		}
	}
	size := o.page
	if size == 0 {
		size = pageSize
	}
	page := ldap.NewControlPaging(size)
	request := ldap.NewSearchRequest(found.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, o.filter(),
		[]string{"cn", "dNSHostName", "operatingSystem", "operatingSystemVersion"}, []ldap.Control{page})
	for {
		answer, err := c.Search(request)
		if err != nil {
			return nil, fmt.Errorf("search %s: %w", found.Base, err)
		}
		for _, e := range answer.Entries {
			if len(found.Computers) == o.Most {
				found.More = true
				return found, nil
			}
			found.Computers = append(found.Computers, computer(e))
		}
		next, _ := ldap.FindControl(answer.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if next == nil || len(next.Cookie) == 0 {
			return found, nil
		}
		if slices.Equal(next.Cookie, page.Cookie) && len(answer.Entries) == 0 {
			return nil, errors.New("the controller sends the same empty page again and again")
		}
		page.SetCookie(next.Cookie)
	}
}

func computer(e *ldap.Entry) Computer {
	c := Computer{Name: e.GetAttributeValue("dNSHostName"), DN: e.DN, System: e.GetAttributeValue("operatingSystem"), Version: e.GetAttributeValue("operatingSystemVersion")}
	if c.Name == "" {
		c.Name = e.GetAttributeValue("cn")
	}
	return c
}

// Bits of userAccountControl, and the rule that compares bits. See [MS-ADTS]
// 2.2.16, 3.1.1.3.4.4.
const (
	bitAnd           = ":1.2.840.113556.1.4.803:="
	accountDisabled  = "2"
	domainController = "8192"
)

// filter is the search as RFC 4515 writes it. What a person typed is escaped.
func (o *Options) filter() string {
	f := "(&(objectCategory=computer)(!(userAccountControl" + bitAnd + accountDisabled + "))"
	if o.Name != "" {
		f += "(|(cn=" + pattern(o.Name) + ")(dNSHostName=" + pattern(o.Name) + "))"
	}
	if o.System != "" {
		f += "(operatingSystem=" + pattern(o.System) + ")"
	}
	if !o.Clients {
		// A client is a Windows that is no Windows Server; what says nothing may be a server.
		f += "(|(operatingSystem=*Server*)(!(operatingSystem=Windows*))(userAccountControl" + bitAnd + domainController + "))"
	}
	return f + ")"
}

// pattern escapes all but *.
func pattern(s string) string {
	parts := strings.Split(s, "*")
	for i, p := range parts {
		parts[i] = ldap.EscapeFilter(p)
	}
	return strings.Join(parts, "*")
}
