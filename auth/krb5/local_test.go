package krb5

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/casementhq/casement/auth"
)

// local is a realm without a KDC: the test seals tickets itself.
type local struct {
	t       testing.TB
	etype   int32
	key     types.EncryptionKey // of the service
	keytab  *Keytab
	replays *Replays
	now     time.Time
}

var etypes = map[string]int32{
	"AES256-SHA1": etypeID.AES256_CTS_HMAC_SHA1_96, "AES128-SHA1": etypeID.AES128_CTS_HMAC_SHA1_96,
	"AES256-SHA2": etypeID.AES256_CTS_HMAC_SHA384_192, "AES128-SHA2": etypeID.AES128_CTS_HMAC_SHA256_128,
	"RC4": etypeID.RC4_HMAC,
}

func newLocal(t testing.TB, etype int32) *local {
	l := &local{t: t, etype: etype, replays: NewReplays(), now: time.Now().UTC().Truncate(time.Second)}
	l.key = l.newKey()
	name, _, _ := parseSPN(service)
	l.keytab = &Keytab{entries: []keytabEntry{{principal{name, realm}, 3, l.key}}}
	return l
}

func (l *local) newKey() types.EncryptionKey {
	l.t.Helper()
	key, err := newKey(l.etype, rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	return key
}

// ticketOptions are what a ticket says.
type ticketOptions struct {
	client     []string
	realm      string
	flags      uint32
	start, end time.Time
	key        *types.EncryptionKey // of the service; nil: the right one
	session    *types.EncryptionKey
	pac        []byte
}

// ticket seals a ticket for the service.
func (l *local) ticket(o ticketOptions) *credential {
	l.t.Helper()
	if o.client == nil {
		o.client = []string{"alice"}
	}
	if o.realm == "" {
		o.realm = realm
	}
	if o.start.IsZero() {
		o.start = l.now.Add(-time.Minute)
	}
	if o.end.IsZero() {
		o.end = l.now.Add(time.Hour)
	}
	if o.key == nil {
		o.key = &l.key
	}
	session := l.newKey()
	if o.session != nil {
		session = *o.session
	}
	// What the client knows of the times is fine: the acceptor is to find out.
	c := &credential{key: session, auth: o.start, start: o.start, end: l.now.Add(time.Hour), flags: o.flags}
	c.client = principal{types.PrincipalName{NameType: 1, NameString: o.client}, o.realm}
	c.server.PrincipalName, _, _ = parseSPN(service)
	c.server.realm = realm
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(0x60|3), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tagged(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) { b.AddUint8(0); b.AddUint32(o.flags) })
			})
			addKey(b, 1, session)
			b.AddASN1(tagged(2), func(b *cryptobyte.Builder) { addString(b, o.realm) })
			addName(b, 3, c.client.PrincipalName)
			b.AddASN1(tagged(4), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addInt(b, 0, 1); addOctets(b, 1, nil) })
			})
			addTime(b, 5, o.start)
			addTime(b, 6, o.start)
			addTime(b, 7, o.end)
			if o.pac != nil {
				list, err := ifRelevant(adWin2kPAC, o.pac)
				if err != nil {
					l.t.Fatal(err)
				}
				b.AddASN1(tagged(10), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addInt(b, 0, adIfRelevant); addOctets(b, 1, list[0].ADData) })
					})
				})
			}
		})
	})
	plain, err := b.Bytes()
	if err != nil {
		l.t.Fatal(err)
	}
	sealed, err := encrypt(*o.key, plain, usageTicket)
	if err != nil {
		l.t.Fatal(err)
	}
	sealed.KVNO = 3
	ticket := messages.Ticket{TktVNO: pvno, Realm: realm, SName: c.server.PrincipalName, EncPart: sealed}
	if c.ticket, err = ticket.Marshal(); err != nil {
		l.t.Fatal(err)
	}
	return c
}

// client has one ticket and knows no KDC.
func (l *local) client(c *credential) *Client {
	client := &Client{
		config: config.New(), opts: ClientOptions{Timeout: time.Second, AllowRC4: true}, now: func() time.Time { return l.now }, owner: c.client,
		signingIn: make(chan struct{}, 1), tickets: map[string]*credential{cacheKey(c.server.PrincipalName, ""): c},
	}
	client.signingIn <- struct{}{}
	return client
}

func (l *local) initiator(o InitiatorOptions, c *credential) *Initiator {
	o.Client, o.SPN = l.client(c), service
	return NewInitiator(o)
}

func (l *local) acceptor(o AcceptorOptions) *Acceptor {
	o.Keytab, o.Replays, o.AllowRC4 = l.keytab, l.replays, true
	if o.Now == nil {
		o.Now = func() time.Time { return l.now }
	}
	return NewAcceptor(o)
}

// pair is a finished exchange.
func (l *local) pair(dce bool) (client, server *Session) {
	l.t.Helper()
	i, a := l.initiator(InitiatorOptions{DCE: dce}, l.ticket(ticketOptions{})), l.acceptor(AcceptorOptions{DCE: dce})
	if err := converse(l.t, i, a); err != nil {
		l.t.Fatal(err)
	}
	return i.session, a.session
}

// each runs a test for every encryption type and both styles.
func each(t *testing.T, f func(t *testing.T, l *local, dce bool)) {
	for name, etype := range etypes {
		for _, dce := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s dce=%v", name, dce), func(t *testing.T) { f(t, newLocal(t, etype), dce) })
		}
	}
}

// message splits text into buffers, some of which are only signed, and knows how to compare.
func message(s *Session, n int) []auth.Buffer {
	data := make([]byte, n+s.Padding())
	for i := range n {
		data[i] = byte(i + 1)
	}
	cut := n / 3
	return []auth.Buffer{{Data: []byte("header"), SignOnly: true}, {Data: data[:cut]}, {Data: data[cut:]}, {Data: []byte("trailer"), SignOnly: true}}
}

func flat(bufs []auth.Buffer) []byte {
	var out []byte
	for _, b := range bufs {
		out = append(out, b.Data...)
	}
	return out
}

// Messages of all sizes go both ways; what is only signed stays as it is, everything else does not.
func TestMessages(t *testing.T) {
	each(t, func(t *testing.T, l *local, dce bool) {
		client, server := l.pair(dce)
		if !bytes.Equal(client.SessionKey(), server.SessionKey()) || len(client.SessionKey()) != keySize(l.etype) {
			t.Fatal("different keys")
		}
		for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 64, 1000, 5000, 150000} {
			for _, way := range [][2]*Session{{client, server}, {server, client}} {
				bufs := message(way[0], n)
				plain := flat(bufs)
				signature, err := way[0].Seal(bufs)
				if err != nil {
					t.Fatal(n, err)
				}
				if _, seal := way[0].SignatureSizes(); len(signature) != seal && (l.etype != etypeID.RC4_HMAC || dce) {
					t.Errorf("%d bytes of signature, announced were %d", len(signature), seal)
				}
				if string(bufs[0].Data)+string(bufs[3].Data) != "headertrailer" {
					t.Error("signed buffers were changed")
				}
				if n > 16 && bytes.Contains(flat(bufs), plain[6:22]) {
					t.Error("not encrypted")
				}
				if err := way[1].Unseal(bufs, signature); err != nil || !bytes.Equal(flat(bufs), plain) {
					t.Fatalf("%d bytes: %v", n, err)
				}
				if signature, err = way[0].Sign(bufs); err != nil {
					t.Fatal(err)
				}
				if sign, _ := way[0].SignatureSizes(); len(signature) != sign {
					t.Errorf("%d bytes of MIC, announced were %d", len(signature), sign)
				}
				if err := way[1].Verify(bufs, signature); err != nil || !bytes.Equal(flat(bufs), plain) {
					t.Fatalf("%d bytes: %v", n, err)
				}
			}
		}
	})
}

// Whatever one changes, repeats, reorders or cuts is refused, leaves no plaintext, and ends the direction.
func TestForgedMessages(t *testing.T) {
	each(t, func(t *testing.T, l *local, dce bool) {
		for name, change := range map[string]func(bufs []auth.Buffer, signature []byte) []byte{
			"data":          func(b []auth.Buffer, s []byte) []byte { b[1].Data[3] ^= 1; return s },
			"signed header": func(b []auth.Buffer, s []byte) []byte { b[0].Data[0] ^= 1; return s },
			"signed end":    func(b []auth.Buffer, s []byte) []byte { b[3].Data[0] ^= 1; return s },
			"cut":           func(_ []auth.Buffer, s []byte) []byte { return s[:len(s)-1] },
			"lengthened":    func(_ []auth.Buffer, s []byte) []byte { return append(s, 0) },
			"empty":         func([]auth.Buffer, []byte) []byte { return nil },
			"moved": func(b []auth.Buffer, s []byte) []byte {
				b[1].Data[0], b[2].Data[0] = b[2].Data[0], b[1].Data[0]
				return s
			},
		} {
			for _, sealed := range []bool{true, false} {
				client, server := l.pair(dce)
				bufs := message(client, 100)
				protect, check := client.Seal, server.Unseal
				if !sealed {
					protect, check = client.Sign, server.Verify
				}
				signature, err := protect(bufs)
				if err != nil {
					t.Fatal(err)
				}
				original, kept := slices.Clone(bufs), bytes.Clone(signature)
				for i := range original {
					original[i].Data = bytes.Clone(bufs[i].Data)
				}
				if err := check(bufs, change(bufs, signature)); !errors.Is(err, auth.ErrMessageAltered) {
					t.Errorf("%s, sealed %v: %v", name, sealed, err)
				}
				if sealed && (!bytes.Equal(bufs[1].Data, make([]byte, len(bufs[1].Data))) || !bytes.Equal(bufs[2].Data, make([]byte, len(bufs[2].Data)))) {
					t.Errorf("%s: the buffers hold something", name)
				}
				if err := check(original, kept); !errors.Is(err, auth.ErrMessageAltered) {
					t.Errorf("%s: the direction goes on: %v", name, err)
				}
			}
		}
		for i := range 80 { // every byte of the signature
			client, server := l.pair(dce)
			bufs := message(client, 100)
			signature, _ := client.Seal(bufs)
			if i >= len(signature) {
				break
			}
			signature[i] ^= 0x10
			if err := server.Unseal(bufs, signature); !errors.Is(err, auth.ErrMessageAltered) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	})
}

func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, l *local, dce bool) {
		seal := func(s *Session) ([]auth.Buffer, []byte) {
			bufs := message(s, 50)
			signature, err := s.Seal(bufs)
			if err != nil {
				t.Fatal(err)
			}
			return bufs, signature
		}
		copyOf := func(b []auth.Buffer) []auth.Buffer {
			out := make([]auth.Buffer, len(b))
			for i := range b {
				out[i] = auth.Buffer{Data: bytes.Clone(b[i].Data), SignOnly: b[i].SignOnly}
			}
			return out
		}
		client, server := l.pair(dce)
		bufs, signature := seal(client)
		if err := server.Unseal(copyOf(bufs), signature); err != nil {
			t.Fatal(err)
		}
		if err := server.Unseal(copyOf(bufs), signature); !errors.Is(err, auth.ErrMessageAltered) {
			t.Error("replayed:", err)
		}
		client, server = l.pair(dce)
		seal(client)
		second, signature := seal(client)
		if err := server.Unseal(second, signature); !errors.Is(err, auth.ErrMessageAltered) {
			t.Error("reordered:", err)
		}
		client, _ = l.pair(dce)
		bufs, signature = seal(client)
		if err := client.Unseal(bufs, signature); !errors.Is(err, auth.ErrMessageAltered) {
			t.Error("reflected:", err)
		}
	})
}

// Who does not ask for an order of messages may begin to count anywhere, as Windows does at RPC's level Connect; a replay is one all the
// same.
func TestUnorderedStart(t *testing.T) {
	for name, etype := range etypes {
		l := newLocal(t, etype)
		o := sessionOptions{key: l.newKey(), flags: flagConf | flagInteg, send: 0, receive: 77}
		server, err := newSession(o)
		if err != nil {
			t.Fatal(err)
		}
		o.initiator = true
		client, err := newSession(o)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			bufs := message(client, 40)
			protect, check := client.Seal, server.Unseal
			if n%2 == 0 {
				protect, check = client.Sign, server.Verify
			}
			signature, err := protect(bufs)
			if err != nil {
				t.Fatal(err)
			}
			if err := check(bufs, signature); err != nil {
				t.Errorf("%s, message %d: %v", name, n, err)
			}
			if n == 3 {
				if err := check(bufs, signature); !errors.Is(err, auth.ErrMessageAltered) {
					t.Errorf("%s: a replay: %v", name, err)
				}
			}
		}
		o.flags |= flagSequence
		strict, err := newSession(o)
		if err != nil {
			t.Fatal(err)
		}
		strict.in.sequence = 78
		signature, _ := client.Sign(nil)
		if err := strict.Verify(nil, signature); !errors.Is(err, auth.ErrMessageAltered) {
			t.Errorf("%s: a wrong start: %v", name, err)
		}
	}
}
