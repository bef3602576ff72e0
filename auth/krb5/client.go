package krb5

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/auth"
)

// maxTickets is how many tickets a Client keeps.
const maxTickets = 4096

// ClientOptions say who a client is and where its realm is. The identity is, in this order: a keytab, a password, a credential cache.
type ClientOptions struct {
	// Credentials are a name, user, user@REALM or DOMAIN\user, and a password, or with AllowRC4 an NT hash. With a Keytab they only name
	// the principal.
	Credentials auth.Credentials
	// Keytab proves the identity instead of a password. Without a name in Credentials the keytab's machine account (HOST$) or else its
	// first principal is used.
	Keytab *Keytab
	// CCache is a credential cache, a path with or without FILE:. Empty, without Keytab and name: KRB5CCNAME, else /tmp/krb5cc_UID.
	CCache string
	// Config is the path of a krb5.conf. Empty: the first of KRB5_CONFIG, else /etc/krb5.conf; a missing file is no error
	// then. Included files are not read.
	Config string
	// KDCs are addresses, host or host:port, by realm; they go before those of Config. Realms without any are looked up in DNS.
	KDCs map[string][]string
	// Realm is that of a name without realm. Empty: default_realm of Config, or the only realm of KDCs.
	Realm string
	// Timeout is how long one exchange with the KDCs may take, whatever the context permits; 0 means 15 seconds.
	Timeout time.Duration
	// AllowRC4 permits keys of RC4-HMAC. The default offers AES alone.
	AllowRC4 bool
	// Dial opens connections to KDCs; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client fetches tickets for one identity and keeps them while they are valid. It is safe for concurrent use. Close forgets the keys.
type Client struct {
	opts   ClientOptions
	config *config.Config
	owner  principal
	now    func() time.Time

	signingIn chan struct{} // holds one token while nobody asks for the ticket-granting ticket

	mu      sync.Mutex // guards what is below, and the secrets of opts once there is a Client
	tickets map[string]*credential
	closed  bool
}

// NewClient reads configuration and credential cache, and asks no KDC yet. Errors are an *Error with NoCredentials or
// NoAuthenticatingAuthority.
func NewClient(opts ClientOptions) (*Client, error) {
	c := &Client{opts: opts, now: time.Now, signingIn: make(chan struct{}, 1), tickets: map[string]*credential{}}
	if c.opts.Timeout <= 0 {
		c.opts.Timeout = 15 * time.Second
	}
	if c.opts.Dial == nil {
		c.opts.Dial = new(net.Dialer).DialContext
	}
	var err error
	if c.config, err = loadConfig(opts.Config); err != nil {
		return nil, &Error{Code: NoAuthenticatingAuthority, Detail: "the configuration of Kerberos cannot be read", Err: err}
	}
	if err := c.identify(); err != nil {
		return nil, err
	}
	c.signingIn <- struct{}{}
	return c, nil
}

func loadConfig(path string) (*config.Config, error) {
	named := path
	if path == "" {
		path = "/etc/krb5.conf"
		if list := filepath.SplitList(os.Getenv("KRB5_CONFIG")); len(list) > 0 {
			path = list[0]
		}
	}
	c, err := config.Load(path)
	var unsupported config.UnsupportedDirective
	switch {
	case err == nil || errors.As(err, &unsupported):
		return c, nil
	case named == "":
		if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
			return config.New(), nil
		}
	}
	return nil, err
}

// identify decides who we are.
func (c *Client) identify() error {
	o := &c.opts
	switch {
	case o.Credentials.Username != "":
		hash := o.AllowRC4 && len(o.Credentials.NTHash) == keySize(etypeID.RC4_HMAC)
		if o.Keytab == nil && o.Credentials.Password == "" && !hash {
			return &Error{Code: NoCredentials, Detail: "no password is given for " + o.Credentials.Username + " (an NT hash is a key of RC4 alone, which has to be permitted)"}
		}
		return c.resolve(o.Credentials)
	case o.Keytab != nil:
		for _, e := range o.Keytab.entries {
			if c.owner.realm == "" || len(e.NameString) == 1 && strings.HasSuffix(e.NameString[0], "$") {
				c.owner = principal{types.PrincipalName{NameType: nametype.KRB_NT_PRINCIPAL, NameString: e.NameString}, e.realm}
			}
		}
		if c.owner.realm == "" {
			return &Error{Code: NoCredentials, Detail: "the keytab is empty"}
		}
		return nil
	}
	name := o.CCache
	if name == "" {
		name = defaultCCache()
	}
	owner, creds, err := loadCCache(name, o.CCache == "" && os.Getenv("KRB5CCNAME") == "")
	if err != nil {
		return &Error{Code: NoCredentials, Detail: "no password, no keytab and no tickets (kinit makes some)", Err: err}
	}
	c.owner = owner
	for i := range creds {
		if t, err := creds[i].decoded(); err == nil && len(t.SName.NameString) > 0 && permitted(creds[i].key.KeyType, o.AllowRC4) {
			c.tickets[cacheKey(creds[i].server.PrincipalName, creds[i].server.realm)] = &creds[i]
		}
	}
	return nil
}

// resolve finds the realm of a name as people type it.
func (c *Client) resolve(cred auth.Credentials) error {
	user, domain := cred.Split()
	realm := ""
	switch name, suffix, ok := strings.Cut(user, "@"); {
	case domain != "":
		realm = c.realmOf(domain)
		if realm == "" {
			return &Error{Code: NoAuthenticatingAuthority, Detail: "no realm of Kerberos is known for the domain " + domain + "; give user@REALM"}
		}
	case ok:
		user = name
		if realm = c.realmOf(suffix); realm == "" {
			realm = strings.ToUpper(suffix)
		}
	default:
		if realm = c.defaultRealm(); realm == "" {
			return &Error{Code: NoAuthenticatingAuthority, Detail: "no realm is given for " + user + ", and there is no default_realm"}
		}
	}
	c.owner = principal{types.PrincipalName{NameType: nametype.KRB_NT_PRINCIPAL, NameString: strings.Split(user, "/")}, realm}
	return nil
}

func (c *Client) defaultRealm() string {
	switch {
	case c.opts.Realm != "":
		return c.opts.Realm
	case c.config.LibDefaults.DefaultRealm != "":
		return c.config.LibDefaults.DefaultRealm
	case len(c.opts.KDCs) == 1:
		return slices.Collect(maps.Keys(c.opts.KDCs))[0]
	case c.opts.Keytab != nil:
		return c.opts.Keytab.Realm()
	}
	return ""
}

// realmOf finds the realm that a domain's DNS or NetBIOS name means; empty if there is none.
func (c *Client) realmOf(domain string) string {
	known := slices.Sorted(maps.Keys(c.opts.KDCs))
	if d := c.defaultRealm(); d != "" {
		known = append(known, d)
	}
	for _, r := range c.config.Realms {
		known = append(known, r.Realm)
	}
	for _, r := range known {
		if strings.EqualFold(r, domain) {
			return r
		}
	}
	for _, r := range known {
		if first, _, _ := strings.Cut(r, "."); strings.EqualFold(first, domain) {
			return r
		}
	}
	if strings.Contains(domain, ".") {
		return strings.ToUpper(domain)
	}
	return ""
}

// Principal is who we are: user@REALM.
func (c *Client) Principal() string { return c.owner.String() }

// Realm is the realm of the identity.
func (c *Client) Realm() string { return c.owner.realm }

// String and GoString show no secret, which printing the fields would.
func (c *Client) String() string { return "krb5.Client of " + c.owner.String() }

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// Close forgets tickets and secrets. Exchanges that are under way may still end.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.tickets = true, map[string]*credential{}
	c.opts.Credentials, c.opts.Keytab = auth.Credentials{}, nil
	return nil
}

// secrets are what proves the identity.
func (c *Client) secrets() (auth.Credentials, *Keytab) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opts.Credentials, c.opts.Keytab
}

// parseSPN splits class/host, with a port behind the host, a further name behind that, and perhaps @REALM.
func parseSPN(spn string) (types.PrincipalName, string, error) {
	name, realm, _ := strings.Cut(spn, "@")
	parts := strings.Split(name, "/")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return types.PrincipalName{}, "", &Error{Code: TargetUnknown, SPN: spn, Detail: fmt.Sprintf("%q is no service principal name", spn)}
	}
	return types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: parts}, realm, nil
}

func krbtgt(realm string) types.PrincipalName {
	return types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", realm}}
}

func cacheKey(name types.PrincipalName, realm string) string {
	return strings.ToLower(strings.Join(name.NameString, "/")) + "@" + realm
}

// ticket gives a ticket for a service, from the cache or from the KDC.
func (c *Client) ticket(ctx context.Context, spn string) (*credential, error) {
	name, realm, err := parseSPN(spn)
	if err != nil {
		return nil, err
	}
	keys := []string{cacheKey(name, realm)}
	if realm == "" {
		realm = c.serviceRealm(name)
		keys = append(keys, cacheKey(name, realm), cacheKey(name, c.owner.realm)) // a credential cache names realms
	}
	if t := c.cached(keys...); t != nil {
		return t, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	tgt, err := c.tgt(ctx)
	if err != nil {
		return nil, err
	}
	t, err := c.follow(ctx, tgt, name, realm, spn)
	if err == nil {
		c.keep(keys[0], t)
	}
	return t, err
}

// serviceRealm is what [domain_realm] says of a host; empty if it says nothing.
func (c *Client) serviceRealm(name types.PrincipalName) string {
	if len(name.NameString) < 2 {
		return ""
	}
	host, _, _ := strings.Cut(name.NameString[1], ":")
	return c.config.ResolveRealm(strings.ToLower(host))
}

// cached gives a ticket that stays valid for a minute.
func (c *Client) cached(keys ...string) *credential {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		if t := c.tickets[key]; t != nil {
			if t.end.After(c.now().Add(time.Minute)) {
				return t
			}
			delete(c.tickets, key)
		}
	}
	return nil
}

// keep remembers a ticket. One that is out of date gives way when there are many.
func (c *Client) keep(key string, t *credential) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if len(c.tickets) >= maxTickets {
		for k, old := range c.tickets {
			if old.end.Before(c.now()) || len(c.tickets) >= maxTickets {
				delete(c.tickets, k)
			}
		}
	}
	c.tickets[key] = t
}

// tgt gives the ticket-granting ticket of our realm. One caller asks the KDC, and the others wait for what it gets.
func (c *Client) tgt(ctx context.Context) (*credential, error) {
	key := cacheKey(krbtgt(c.owner.realm), c.owner.realm)
	if t := c.cached(key); t != nil {
		return t, nil
	}
	select {
	case <-c.signingIn:
		defer func() { c.signingIn <- struct{}{} }()
	case <-ctx.Done():
		return nil, &Error{Code: NoAuthenticatingAuthority, Detail: "the sign-in of " + c.owner.String() + " takes too long", Err: context.Cause(ctx)}
	}
	if t := c.cached(key); t != nil {
		return t, nil
	}
	if cred, keytab := c.secrets(); keytab == nil && cred.Password == "" && len(cred.NTHash) == 0 {
		return nil, &Error{Code: NoCredentials, Detail: "there is no valid ticket-granting ticket of " + c.owner.String() + "; kinit makes one"}
	}
	t, err := c.signIn(ctx)
	if err == nil {
		c.keep(key, t)
	}
	return t, err
}

// forwarded fetches a ticket-granting ticket that a service may use on our behalf, for no address in particular.
func (c *Client) forwarded(ctx context.Context) (*credential, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	tgt, err := c.tgt(ctx)
	if err != nil {
		return nil, err
	}
	if !hasFlag(tgt.flags, flags.Forwardable) {
		return nil, &Error{Code: DelegationRequired, Detail: "the ticket-granting ticket of " + c.owner.String() + " is not forwardable (kinit -f; the account may be sensitive)"}
	}
	return c.grant(ctx, tgt, krbtgt(c.owner.realm), "krbtgt/"+c.owner.realm, flags.Forwardable, flags.Forwarded)
}

func hasFlag(v uint32, bit int) bool { return v&(1<<(31-bit)) != 0 }

// etypes are the encryption types to ask for: what configuration permits of what we do.
func (c *Client) etypes() []int32 {
	all := slices.Clone(strong)
	if c.opts.AllowRC4 {
		all = append(all, etypeID.RC4_HMAC)
	}
	untouched := config.New().LibDefaults
	for _, l := range [][2][]int32{
		{c.config.LibDefaults.PermittedEnctypeIDs, untouched.PermittedEnctypeIDs},
		{c.config.LibDefaults.DefaultTktEnctypeIDs, untouched.DefaultTktEnctypeIDs},
	} {
		if slices.Equal(l[0], l[1]) {
			continue
		}
		var chosen []int32
		for _, id := range l[0] {
			if slices.Contains(all, id) {
				chosen = append(chosen, id)
			}
		}
		all = chosen
	}
	return all
}
