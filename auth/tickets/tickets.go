// Package tickets finds out where the Kerberos of a client comes from: a password, a keytab or a credential cache; and
// which accounts are a domain's. Negotiate is Kerberos for these and NTLM for the others. See spec/winrm.md 5.1.
package tickets

import (
	"errors"
	"net/netip"
	"strings"
	"sync"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
)

// Options configure a Source. The zero value takes passwords to the realms that krb5.conf or DNS names, and without
// credentials the default credential cache.
type Options struct {
	// Keytab is the path of a keytab, which stands in for a password.
	Keytab string
	// CCache is a credential cache, a path with or without FILE:. The default is KRB5CCNAME's, else /tmp/krb5cc_UID.
	CCache string
	// Config is the path of a krb5.conf. The default is KRB5_CONFIG's, else /etc/krb5.conf.
	Config string
}

// Source gives the tickets of one person or service to any number of connections. It is safe for concurrent use; nil
// is the Source of the zero Options, which remembers nothing.
type Source struct {
	opts Options

	mu      sync.Mutex
	clients map[auth.CredentialsKey]*krb5.Client
}

// New reads nothing yet.
func New(o Options) *Source { return &Source{opts: o} }

// Close forgets tickets and keys.
func (s *Source) Close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, c := range s.clients {
		errs = append(errs, c.Close())
	}
	s.clients = nil
	return errors.Join(errs...)
}

// Client is the Kerberos client of a person who gave these credentials, or of who the keytab or the credential cache
// belongs to where they are empty. The error is a *krb5.Error.
func (s *Source) Client(c auth.Credentials) (*krb5.Client, error) {
	if s == nil {
		s = New(Options{})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := c.Key()
	if k := s.clients[key]; k != nil {
		return k, nil
	}
	o := krb5.ClientOptions{Credentials: c, CCache: s.opts.CCache, Config: s.opts.Config}
	if s.opts.Keytab != "" {
		keys, err := krb5.LoadKeytab(s.opts.Keytab)
		if err != nil {
			return nil, &krb5.Error{Code: krb5.NoCredentials, Detail: "the keytab cannot be used", Err: err}
		}
		o.Keytab = keys
	}
	if s.named() && c.Password == "" && o.Keytab == nil {
		o.Credentials = auth.Credentials{} // of the cache's owner
	}
	k, err := krb5.NewClient(o)
	if err != nil {
		return nil, err
	}
	if s.clients == nil {
		s.clients = map[auth.CredentialsKey]*krb5.Client{}
	}
	s.clients[key] = k
	return k, nil
}

// named tells whether a keytab or a cache was named, and not only found.
func (s *Source) named() bool { return s != nil && (s.opts.Keytab != "" || s.opts.CCache != "") }

// Usable tells whether there is a Kerberos identity without any password: a keytab, or a cache that can be read.
func (s *Source) Usable() bool {
	_, err := s.Client(auth.Credentials{})
	return err == nil
}

// Domain tells whether credentials are those of an account of a domain, so that Kerberos comes before NTLM for a host:
// by the form of the name, and whether a realm is known for it. Host\user and a plain name are accounts of the host, an
// empty name is the owner of keytab or cache. An address and this machine's loopback names have no tickets.
func (s *Source) Domain(c auth.Credentials, host string) bool {
	if !HasTickets(host) {
		return false
	}
	if c.Username == "" {
		return s.Usable()
	}
	if c.Password == "" && !s.named() {
		return false
	}
	user, domain := c.Split()
	if domain == "" {
		_, domain, _ = strings.Cut(user, "@")
	}
	label, _, _ := strings.Cut(host, ".")
	switch {
	case strings.HasPrefix(c.Username, `.\`), strings.EqualFold(domain, host), strings.EqualFold(domain, label):
		return false
	case domain == "":
		return s.named()
	}
	_, err := s.Client(c)
	return err == nil
}

// HasTickets tells whether a host can have a service principal name: a name other than this machine's loopback ones, and
// no address.
func HasTickets(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && host != "" && !strings.EqualFold(host, "localhost")
}
