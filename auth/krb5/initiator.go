package krb5

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/auth"
)

// InitiatorOptions configure a client's side of an exchange. Client and SPN are required.
type InitiatorOptions struct {
	// Client has the identity and fetches the ticket.
	Client *Client
	// SPN is the service principal name: class/host, class/host:port, class/host@REALM.
	SPN string
	// Bindings tie the proof to a TLS channel; nil sends none.
	Bindings *auth.ChannelBindings
	// DCE makes the three legs of RPC, without GSS framing.
	DCE bool
	// SignOnly asks for a session that signs and never seals: RPC below level Privacy, where Samba takes the sizes of signatures from what
	// was asked for.
	SignOnly bool
	// Delegate hands a forwarded ticket-granting ticket to the service, which can act as us everywhere then. It fails with
	// DelegationRequired where the domain does not trust the service for that, or our ticket cannot be forwarded.
	Delegate bool
	// Rand is the source of keys; nil is crypto/rand.Reader.
	Rand io.Reader
}

// Initiator is the client's side of one exchange. It implements [auth.Initiator].
type Initiator struct {
	opts     InitiatorOptions
	started  bool
	finished bool
	session  *Session
	// what the AP-REP is compared with
	ticket, subkey types.EncryptionKey
	ctime          time.Time
	cusec          int
	seq, flags     uint32
	until          time.Time // of the ticket
}

// NewInitiator starts an exchange. The first Step takes no token and returns the AP-REQ, which may ask a KDC; the second takes the
// AP-REP and is done. The service's proof is always demanded.
func NewInitiator(opts InitiatorOptions) *Initiator {
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	return &Initiator{opts: opts}
}

// String and GoString show no key, which printing the fields would.
func (i *Initiator) String() string { return "krb5.Initiator for " + i.opts.SPN }

// GoString is String.
func (i *Initiator) GoString() string { return i.String() }

// Context implements [auth.Initiator].
func (i *Initiator) Context() auth.Context {
	if i.session == nil {
		return nil
	}
	return i.session
}

// Step implements [auth.Initiator]. Errors are *Error, ErrBadToken, or the context's.
func (i *Initiator) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	switch {
	case i.finished:
		return nil, false, badToken("exchange is over")
	case !i.started:
		if len(in) != 0 {
			return nil, false, badToken("the initiator speaks first")
		}
		i.started = true
		out, err = i.request(ctx)
		i.finished = err != nil
		return out, false, err
	}
	i.finished = true
	out, err = i.answer(in)
	return out, err == nil, err
}

// request makes the AP-REQ. See [RFC4120] 3.2.2.
func (i *Initiator) request(ctx context.Context) ([]byte, error) {
	if i.opts.Client == nil {
		return nil, &Error{Code: NoCredentials, SPN: i.opts.SPN, Detail: "no client"}
	}
	t, err := i.opts.Client.ticket(ctx, i.opts.SPN)
	if err != nil {
		return nil, err
	}
	i.ticket, i.until = t.key, t.end
	if i.subkey, err = newKey(t.key.KeyType, i.opts.Rand); err != nil {
		return nil, fmt.Errorf("krb5: no randomness: %w", err)
	}
	if i.seq, err = randomUint32(i.opts.Rand); err != nil {
		return nil, fmt.Errorf("krb5: no randomness: %w", err)
	}
	i.flags = flagMutual | flagReplay | flagSequence | flagInteg
	if !i.opts.SignOnly {
		i.flags |= flagConf
	}
	if i.opts.DCE {
		i.flags |= flagDCE
	}
	sum := gssChecksum{bindings: i.opts.Bindings.MD5()}
	if i.opts.Delegate {
		if sum.cred, err = i.delegate(ctx, t); err != nil {
			return nil, err
		}
		i.flags |= flagDelegate
	}
	sum.flags = i.flags
	now := i.opts.Client.now().UTC()
	i.ctime, i.cusec = now.Truncate(time.Second), now.Nanosecond()/1000
	proof := types.Authenticator{
		AVNO: pvno, CRealm: t.client.realm, CName: t.client.PrincipalName, CTime: i.ctime, Cusec: i.cusec,
		Cksum:  types.Checksum{CksumType: checksumGSS, Checksum: sum.encode()},
		SubKey: i.subkey, SeqNumber: int64(i.seq),
	}
	// We bind to every TLS channel that we see: zeros where the service has one mean that somebody stands between. See [MS-KILE] 3.2.5.8.
	if proof.AuthorizationData, err = ifRelevant(adAPOptions, binary.LittleEndian.AppendUint32(nil, apOptionsCBT)); err != nil {
		return nil, fmt.Errorf("krb5: authenticator: %w", err)
	}
	plain, err := proof.Marshal()
	if err != nil {
		return nil, fmt.Errorf("krb5: authenticator: %w", err)
	}
	req := messages.APReq{PVNO: pvno, MsgType: msgAPReq, APOptions: types.NewKrbFlags()}
	types.SetFlag(&req.APOptions, mutualRequired)
	if req.Ticket, err = t.decoded(); err != nil {
		return nil, fmt.Errorf("krb5: ticket for %s: %w", i.opts.SPN, err)
	}
	if req.EncryptedAuthenticator, err = encrypt(t.key, plain, usageAuthenticator); err != nil {
		return nil, fmt.Errorf("krb5: authenticator: %w", err)
	}
	msg, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("krb5: AP-REQ: %w", err)
	}
	if i.opts.DCE {
		return msg, nil
	}
	return frame(tokAPReq, msg)
}

// delegate encodes a forwarded ticket for a service that the KDC calls trustworthy. See [RFC4121] 4.1.1.1, [MS-KILE] 3.2.5.2.
func (i *Initiator) delegate(ctx context.Context, t *credential) ([]byte, error) {
	if !hasFlag(t.flags, flags.OKAsDelegate) {
		return nil, &Error{Code: DelegationRequired, SPN: i.opts.SPN, Detail: "the domain does not trust " + i.opts.SPN + " for delegation"}
	}
	c, err := i.opts.Client.forwarded(ctx)
	if err != nil {
		return nil, err
	}
	msg, err := sealCred(c, t.key)
	if err != nil {
		return nil, fmt.Errorf("krb5: forwarded ticket: %w", err)
	}
	return msg, nil
}

// answer checks the AP-REP, which proves that the service has the ticket's key; in DCE style it gives our own. See [RFC4120] 3.2.5.
func (i *Initiator) answer(in []byte) ([]byte, error) {
	id, msg, err := unframe(in)
	if err != nil {
		return nil, err
	}
	if id == tokError {
		var refusal messages.KRBError
		if !whole(msg, tagKRBError) || refusal.Unmarshal(msg) != nil {
			return nil, badToken("the KRB-ERROR is malformed")
		}
		return nil, explain(&refusal, "the service "+i.opts.SPN, i.opts.SPN, i.opts.Client.Principal(), i.opts.Client.now())
	}
	if id != tokAPRep {
		return nil, badToken("an AP-REP was expected")
	}
	rep, err := openAPRep(msg, i.ticket)
	if err != nil || !rep.ctime.Equal(i.ctime) || rep.cusec != i.cusec {
		return nil, &Error{Code: MutualAuthFailed, SPN: i.opts.SPN, Detail: "the service does not prove that it is " + i.opts.SPN, Err: err}
	}
	o := sessionOptions{
		identity: auth.Identity{User: i.opts.Client.Principal(), Mechanism: auth.Kerberos, Until: i.until}, key: i.subkey, initiator: true,
		dce: i.opts.DCE, flags: i.flags, send: i.seq, receive: rep.seq,
	}
	if rep.subkey != nil {
		if err := checkKey(*rep.subkey, i.opts.Client.opts.AllowRC4); err != nil {
			return nil, &Error{Code: EtypeNotSupported, SPN: i.opts.SPN, Detail: "the sub-key of " + i.opts.SPN + " cannot be used", Err: err}
		}
		// Keys of RC4 know no sub-key of the acceptor, but in DCE style they do.
		if i.subkey.KeyType != etypeID.RC4_HMAC || i.opts.DCE || rep.subkey.KeyType != i.subkey.KeyType {
			o.key, o.acceptorSubkey = *rep.subkey, true
		}
	}
	var out []byte
	if i.opts.DCE {
		now := i.opts.Client.now().UTC() // not the time of the proof: Windows and MIT take a new one
		third := apRep{ctime: now, cusec: now.Nanosecond() / 1000, seq: rep.seq}
		if out, err = third.seal(i.ticket); err != nil {
			return nil, fmt.Errorf("krb5: third leg: %w", err)
		}
	}
	i.session, err = newSession(o)
	return out, err
}
