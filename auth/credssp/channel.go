package credssp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/casementhq/casement/auth"
)

// channel is TLS inside tokens. Its goroutine lives from the first token to the end of the handshake, or to close.
type channel struct {
	pipe    *pipe
	conn    *tls.Conn
	result  chan error // of the handshake
	started bool
	done    bool // the handshake succeeded
	held    []byte
	ticket  bool // the last record of the flight under way is a session ticket
	once    sync.Once
	// explicit is the length of what TLS puts between the header of a record and its ciphertext.
	explicit int
}

// newChannel makes a channel that has not begun. base has a certificate for a service; nil is a client's.
func newChannel(base *tls.Config, certificate *tls.Certificate) *channel {
	c := &channel{pipe: newPipe(), result: make(chan error, 1)}
	cfg := base.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	// A record holds as much as it may: the parts of a sealed message are records. See [MS-WSMV] 2.2.9.1.3.
	cfg.DynamicRecordSizingDisabled = true
	if certificate != nil {
		cfg.Certificates = []tls.Certificate{*certificate}
		c.oneTicket(cfg)
		c.conn = tls.Server(c.pipe, cfg)
		return c
	}
	// pubKeyAuth says whose certificate it is.
	cfg.InsecureSkipVerify = true
	cfg.ClientSessionCache = noSessions{}
	c.conn = tls.Client(c.pipe, cfg)
	return c
}

// noSessions resumes nothing, which the protocol does not have. It is there because a client that could resume
// is sent a ticket, see oneTicket.
type noSessions struct{}

func (noSessions) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (noSessions) Put(string, *tls.ClientSessionState)        {}

// oneTicket has the service send a session ticket that is good for nothing. In TLS 1.3 the client has the last
// word of the handshake and then waits, as Windows and pyspnego do, for a token that is not empty: the ticket.
// crypto/tls writes it ahead of time, so its record is held back until then.
func (c *channel) oneTicket(cfg *tls.Config) {
	cfg.WrapSession = func(state tls.ConnectionState, _ *tls.SessionState) ([]byte, error) {
		c.ticket = state.Version == tls.VersionTLS13
		return make([]byte, 32), nil
	}
	cfg.UnwrapSession = func([]byte, tls.ConnectionState) (*tls.SessionState, error) { return nil, nil }
}

// handshake takes the peer's token and returns ours. An error is final; out then tells the peer, if it is not empty.
func (c *channel) handshake(in []byte) (out []byte, err error) {
	if !c.started {
		c.started = true
		c.pipe.in = in
		go func() { c.result <- c.conn.Handshake() }()
	} else {
		c.pipe.feed <- in // the goroutine is at Read: it said so
	}
	select {
	case <-c.pipe.starved:
		out = c.pipe.take()
		if c.ticket && c.held == nil {
			out, c.held = cutLastRecord(out)
		}
		return out, nil
	case err = <-c.result:
	}
	c.result <- err // for close
	out = c.pipe.take()
	if err != nil {
		return out, fmt.Errorf("credssp: TLS: %w: %w", auth.ErrBadToken, err)
	}
	c.done, c.pipe.ready, c.explicit = true, true, explicitNonce(c.conn.ConnectionState())
	return slices.Concat(c.held, out), nil
}

// cutLastRecord takes the last TLS record off.
func cutLastRecord(b []byte) (rest, last []byte) {
	at := 0
	for next := 0; next+recordHeader <= len(b); {
		at = next
		next += recordHeader + int(b[next+3])<<8 + int(b[next+4])
	}
	return b[:at], b[at:]
}

const recordHeader = 5

// close ends the handshake's goroutine, and waits for it.
func (c *channel) close() {
	c.once.Do(func() {
		close(c.pipe.closed)
		if c.started {
			<-c.result
		}
	})
}

// read decrypts records and appends the plaintext to dst, which has room for it.
func (c *channel) read(dst, records []byte) ([]byte, error) {
	c.pipe.in = records
	for {
		if len(dst) == cap(dst) {
			return nil, fmt.Errorf("credssp: more plaintext than its records hold: %w", auth.ErrMessageAltered)
		}
		n, err := c.conn.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, error(errNothing)):
			return dst, nil
		case err != nil:
			return nil, fmt.Errorf("credssp: TLS: %w: %w", auth.ErrMessageAltered, err)
		}
	}
}

// write encrypts plain, which may be a record long, and returns everything that there is to send.
func (c *channel) write(plain []byte) ([]byte, error) {
	if _, err := c.conn.Write(plain); err != nil {
		return nil, fmt.Errorf("credssp: TLS: %w", err)
	}
	return c.pipe.take(), nil
}

// seal appends the one record of plain to dst and returns the length of its trailer.
func (c *channel) seal(dst, plain []byte) (out []byte, trailer int, err error) {
	p := c.pipe
	p.mu.Lock()
	waiting := p.out // an answer to a change of keys
	p.out = append(dst, waiting...)
	at := len(p.out)
	p.mu.Unlock()
	_, err = c.conn.Write(plain)
	out = p.take()
	if err != nil {
		return nil, 0, fmt.Errorf("credssp: TLS: %w", err)
	}
	return out, len(out) - at - recordHeader - c.explicit - len(plain), nil
}

// explicitNonce is the length in bytes of the nonce, or of CBC's vector, in each record.
func explicitNonce(state tls.ConnectionState) int {
	name := tls.CipherSuiteName(state.CipherSuite)
	switch {
	case state.Version == tls.VersionTLS13, strings.Contains(name, "CHACHA20"):
		return 0
	case strings.Contains(name, "_CBC_"):
		return 16
	}
	return 8 // GCM. See [RFC5288] 3.
}

// certificates are those that the service showed to a client.
func (c *channel) certificates() []*x509.Certificate {
	return c.conn.ConnectionState().PeerCertificates
}

// publicKey is the SubjectPublicKey of a certificate without its outer bit string, for RSA the structure
// RSAPublicKey. See [MS-CSSP] 3.1.5, step 3.
func publicKey(cert *x509.Certificate) ([]byte, error) {
	info, algorithm := cryptobyte.String(cert.RawSubjectPublicKeyInfo), cryptobyte.String(nil)
	var key []byte
	if !info.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!info.ReadASN1BitStringAsBytes(&key) || !info.Empty() || len(key) == 0 {
		return nil, bad("public key of the certificate")
	}
	return key, nil
}
