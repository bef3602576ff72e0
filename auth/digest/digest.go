// Package digest is the client's side of HTTP Digest authentication, [RFC7616]. It knows no transport: a
// caller gives it the headers of answers and puts its header into requests. There is no other side: a service
// of Windows management never takes Digest.
//
// Digest proves a password without showing it, and that is all. Over plain HTTP anybody on the way reads and
// changes the messages.
package digest

import (
	"crypto/md5" // #nosec G501 -- what older servers have
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/auth"
)

// The hash functions, the strongest first. See [RFC7616] 6.1.
var hashes = []struct {
	name string
	sum  func([]byte) []byte
}{
	{"SHA-512-256", func(b []byte) []byte { s := sha512.Sum512_256(b); return s[:] }},
	{"SHA-256", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }},
	{"MD5", func(b []byte) []byte { s := md5.Sum(b); return s[:] }}, // #nosec G401 -- see the import
}

// Client proves one identity to one server. It is not safe for concurrent use.
type Client struct {
	user, password string
	random         func() string // a cnonce; a test has its own

	c       challenge
	rank    int    // of hashes
	session bool   // the -sess form
	qop     string // auth or auth-int
	cnonce  string
	used    uint32 // how often the nonce was used
	a1      string // H(A1)
	sent    sent
}

// sent is what the answer to the last request may prove.
type sent struct{ uri, nc string }

// NewClient makes a client, which needs a Challenge first. The name is sent as it was typed. The credentials
// need a password: an NT hash proves nothing here.
func NewClient(c auth.Credentials) (*Client, error) {
	if c.Username == "" || strings.ContainsAny(c.Username, ":\r\n\x00") {
		return nil, fmt.Errorf("digest: the user name is empty or holds a colon or a line end: %w", auth.ErrUnsupported)
	}
	if c.Password == "" {
		return nil, fmt.Errorf("digest: a password is needed: %w", auth.ErrUnsupported)
	}
	return &Client{user: c.Username, password: c.Password, random: newNonce}, nil
}

func newNonce() string {
	b := make([]byte, 24)
	rand.Read(b) //nolint:errcheck // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// String names the user and hides the secrets.
func (c *Client) String() string { return "digest.Client of " + c.user }

// GoString hides the secrets in %#v.
func (c *Client) GoString() string { return c.String() }

// Ready tells that there was a challenge.
func (c *Client) Ready() bool { return c.c.nonce != "" }

// Challenge takes the WWW-Authenticate headers of an answer 401: of the challenges that it understands the one
// with the strongest hash. again tells that a request is worth another try: there was none before, or only the
// nonce was too old. Errors: auth.ErrUnsupported for what offers no usable Digest, auth.ErrBadToken for a
// malformed header.
func (c *Client) Challenge(headers []string) (again bool, err error) {
	all, err := parse(headers)
	if err != nil {
		return false, err
	}
	best, rank, session := challenge{}, len(hashes), false
	why := "it offers no Digest"
	for _, one := range all {
		name, sess := one.algorithm, false
		if cut := len(name) - len("-sess"); cut > 0 && strings.EqualFold(name[cut:], "-sess") {
			name, sess = name[:cut], true
		}
		n := slices.IndexFunc(hashes, func(h struct {
			name string
			sum  func([]byte) []byte
		}) bool {
			return strings.EqualFold(h.name, name)
		})
		switch {
		case n < 0:
			why = "its algorithm is not known"
		case !one.has("auth") && !one.has("auth-int"):
			why = "it offers no quality of protection, as only servers before RFC 2617 do"
		case n < rank:
			best, rank, session = one, n, sess
		}
	}
	if rank == len(hashes) {
		return false, fmt.Errorf("digest: the server's challenge cannot be used: %s: %w", why, auth.ErrUnsupported)
	}
	again = !c.Ready() || best.stale
	c.c, c.rank, c.session, c.used, c.cnonce = best, rank, session, 0, c.random()
	c.qop = "auth"
	if !best.has("auth") {
		c.qop = "auth-int"
	}
	c.a1 = c.hash(c.user + ":" + best.realm + ":" + c.password)
	if session {
		c.a1 = c.hash(c.a1 + ":" + best.nonce + ":" + c.cnonce)
	}
	return again, nil
}

// hash is H of [RFC7616] 3.3.
func (c *Client) hash(s string) string { return hex.EncodeToString(hashes[c.rank].sum([]byte(s))) }

// response is the keyed digest of [RFC7616] 3.4.1; a2 is what stands before and after the method.
func (c *Client) response(method, uri, nc string, body []byte) string {
	a2 := method + ":" + uri
	if c.qop == "auth-int" {
		a2 += ":" + hex.EncodeToString(hashes[c.rank].sum(body))
	}
	return c.hash(c.a1 + ":" + c.c.nonce + ":" + nc + ":" + c.cnonce + ":" + c.qop + ":" + c.hash(a2))
}

// Authorization is the header of a request. body counts where the server asks for the integrity of the body.
func (c *Client) Authorization(method, uri string, body []byte) (string, error) {
	if !c.Ready() {
		return "", errors.New("digest: no challenge yet")
	}
	if strings.ContainsAny(uri, "\"\\\r\n\x00") {
		return "", errors.New("digest: the URI cannot be quoted")
	}
	c.used++
	nc := fmt.Sprintf("%08x", c.used)
	c.sent = sent{uri, nc}
	var b strings.Builder
	b.WriteString("Digest ")
	c.writeUser(&b)
	fmt.Fprintf(&b, `, realm=%s, uri="%s", algorithm=%s, nonce=%s, nc=%s, cnonce="%s", qop=%s, response="%s"`,
		quote(c.c.realm), uri, c.algorithm(), quote(c.c.nonce), nc, c.cnonce, c.qop, c.response(method, uri, nc, body))
	if c.c.hasOpaque {
		b.WriteString(", opaque=" + quote(c.c.opaque))
	}
	return b.String(), nil
}

func (c *Client) algorithm() string {
	if c.session {
		return hashes[c.rank].name + "-sess"
	}
	return hashes[c.rank].name
}

// writeUser writes who it is: hashed where the server knows that, and with the notation of [RFC5987] where it is
// not plain ASCII. See [RFC7616] 3.4 and 3.4.4.
func (c *Client) writeUser(b *strings.Builder) {
	plain := !strings.ContainsFunc(c.user, func(r rune) bool { return r < ' ' || r > '~' })
	switch {
	case c.c.userhash:
		fmt.Fprintf(b, `username="%s", userhash=true`, c.hash(c.user+":"+c.c.realm))
	case plain:
		b.WriteString("username=" + quote(c.user))
	default:
		b.WriteString("username*=UTF-8''")
		for _, o := range []byte(c.user) {
			if o >= '0' && o <= '9' || o >= 'A' && o <= 'Z' || o >= 'a' && o <= 'z' || strings.IndexByte("-._~", o) >= 0 {
				b.WriteByte(o)
				continue
			}
			fmt.Fprintf(b, "%%%02X", o)
		}
	}
}

// quote makes a quoted-string. What is quoted came out of one, or is free of control characters.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Answered takes the Authentication-Info header, empty for none, and the body of the answer to the last request. A
// server that proves there that it knows the password must prove it right: else the error is
// auth.ErrMessageAltered.
func (c *Client) Answered(info string, body []byte) error {
	if info == "" {
		return nil
	}
	p := &parser{rest: info}
	params, err := p.params()
	if err != nil {
		return fmt.Errorf("digest: Authentication-Info: %w", err)
	}
	if proof, ok := params["rspauth"]; ok {
		want := c.response("", c.sent.uri, c.sent.nc, body)
		if subtle.ConstantTimeCompare([]byte(strings.ToLower(proof)), []byte(want)) != 1 || params["cnonce"] != c.cnonce || !strings.EqualFold(params["nc"], c.sent.nc) {
			return fmt.Errorf("digest: the server does not prove that it knows the password: %w", auth.ErrMessageAltered)
		}
	}
	if next := params["nextnonce"]; next != "" && !c.session { // a session goes on with its first one
		c.c.nonce, c.used, c.cnonce = next, 0, c.random()
	}
	return nil
}

// challenge is one Digest challenge.
type challenge struct {
	realm, nonce, opaque, algorithm string
	qop                             []string
	stale, userhash, hasOpaque      bool
}

func (c *challenge) has(qop string) bool {
	return slices.ContainsFunc(c.qop, func(s string) bool { return strings.EqualFold(s, qop) })
}

func newChallenge(params map[string]string) (challenge, error) {
	c := challenge{realm: params["realm"], nonce: params["nonce"], algorithm: params["algorithm"]}
	if _, ok := params["realm"]; !ok || c.nonce == "" {
		return c, fmt.Errorf("digest: a challenge without realm or nonce: %w", auth.ErrBadToken)
	}
	if c.algorithm == "" {
		c.algorithm = "MD5"
	}
	c.opaque, c.hasOpaque = params["opaque"]
	for item := range strings.SplitSeq(params["qop"], ",") {
		if item = strings.TrimSpace(item); item != "" {
			c.qop = append(c.qop, item)
		}
	}
	c.stale, _ = strconv.ParseBool(strings.ToLower(params["stale"]))
	c.userhash, _ = strconv.ParseBool(strings.ToLower(params["userhash"]))
	return c, nil
}
