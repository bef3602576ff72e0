package credssp

import (
	"fmt"
	"sync"

	"github.com/casementhq/casement/auth"
)

// MaxRecord is how much plaintext a record holds, in bytes.
const MaxRecord = 16 << 10

// Context is a finished exchange. It protects messages with the records of its TLS channel, which stand for
// themselves, so there is no signature to keep apart: SealRecord and UnsealRecord take the place of Seal,
// Unseal, Sign and Verify. It implements [auth.Context] and, at a service, [auth.Delegator].
type Context struct {
	channel  *channel
	identity auth.Identity

	mu        sync.Mutex
	delegated auth.Credentials
}

// Identity implements [auth.Context]: who the negotiation inside proved.
func (c *Context) Identity() auth.Identity { return c.identity }

// SessionKey implements [auth.Context]. There is none.
func (c *Context) SessionKey() []byte { return nil }

// SignatureSize implements [auth.Context]. There are no signatures.
func (c *Context) SignatureSize() int { return 0 }

func notRecords(what string) error {
	return fmt.Errorf("credssp: %s apart from a record: %w", what, auth.ErrNotProtected)
}

// Seal implements [auth.Context] and always fails.
func (c *Context) Seal([]auth.Buffer) ([]byte, error) { return nil, notRecords("seal") }

// Unseal implements [auth.Context] and always fails.
func (c *Context) Unseal([]auth.Buffer, []byte) error { return notRecords("unseal") }

// Sign implements [auth.Context] and always fails.
func (c *Context) Sign([]auth.Buffer) ([]byte, error) { return nil, notRecords("sign") }

// Verify implements [auth.Context] and always fails.
func (c *Context) Verify([]auth.Buffer, []byte) error { return notRecords("verify") }

// SealRecord appends the record of plain, at most MaxRecord bytes, to dst, and returns the length of the
// record's trailer in bytes: what follows the ciphertext, by which [MS-WSMV] 2.2.9.1.3 describes the part.
func (c *Context) SealRecord(dst, plain []byte) (out []byte, trailer int, err error) {
	if len(plain) == 0 || len(plain) > MaxRecord {
		return nil, 0, fmt.Errorf("credssp: %d bytes in a record of 1 to %d", len(plain), MaxRecord)
	}
	return c.channel.seal(dst, plain)
}

// UnsealRecord returns the plaintext of whole records, which lies in their memory. An error, such as
// ErrMessageAltered, is final.
func (c *Context) UnsealRecord(records []byte) ([]byte, error) {
	return c.channel.read(records[:0:len(records)], records)
}

// Delegated implements [auth.Delegator]: a copy of the credentials that the client handed over, nil on the
// client's side and after Close.
func (c *Context) Delegated() *auth.Delegation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.delegated.IsZero() {
		return nil
	}
	return &auth.Delegation{Credentials: c.delegated}
}

// Close forgets the credentials.
func (c *Context) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delegated = auth.Credentials{}
	return nil
}

// String and GoString show no secret, which printing the fields would.
func (c *Context) String() string { return "credssp.Context of " + c.identity.String() }

// GoString is String.
func (c *Context) GoString() string { return c.String() }
