package krb5

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/security"
)

// maxSkew is how far clocks may differ. See [RFC4120] 1.6 and [MS-KILE] 3.1.1.
const maxSkew = 5 * time.Minute

// AcceptorOptions configure a service's side of an exchange. Keytab and Replays are required.
type AcceptorOptions struct {
	// Keytab has the keys of the service. Any of them may open a ticket.
	Keytab *Keytab
	// Replays is the process's memory of proofs.
	Replays *Replays
	// Bindings are those of the TLS channel that carries the exchange; nil means no TLS.
	Bindings *auth.ChannelBindings
	// Hardening says how far channel bindings are demanded; the default is Relaxed. A client that says that it sends bindings and sends
	// none is refused by Relaxed, too: somebody stands between.
	Hardening auth.Hardening
	// DCE expects the three legs of RPC, without GSS framing.
	DCE bool
	// AllowRC4 permits tickets and keys of RC4-HMAC. The default refuses them.
	AllowRC4 bool
	// MachineDomain is the SID under which this machine's own accounts are. A PAC that claims one of them, as account or as group, is not
	// believed there. Zero permits every domain.
	MachineDomain security.SID
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Rand is the source of keys; nil is crypto/rand.Reader.
	Rand io.Reader
}

// Acceptor is the service's side of one exchange. It implements [auth.Acceptor].
type Acceptor struct {
	opts     AcceptorOptions
	finished bool
	session  *Session
	// between the second leg and the third of DCE style
	pending *sessionOptions
	ticket  types.EncryptionKey // the session key of the ticket
	second  []byte              // what the second leg has encrypted
}

// NewAcceptor awaits an AP-REQ.
func NewAcceptor(opts AcceptorOptions) *Acceptor {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	return &Acceptor{opts: opts}
}

// String and GoString show no key, which printing the fields would.
func (a *Acceptor) String() string { return "krb5.Acceptor" }

// GoString is String.
func (a *Acceptor) GoString() string { return a.String() }

// Context implements [auth.Acceptor].
func (a *Acceptor) Context() auth.Context {
	if a.session == nil {
		return nil
	}
	return a.session
}

// Step implements [auth.Acceptor]: an AP-REQ gives the verdict, and an AP-REP if the client asks for one; in DCE style a third token
// follows. Where the clocks differ a KRB-ERROR comes with the error. Errors: ErrBadToken, ErrLogonFailure, ErrBadBindings.
func (a *Acceptor) Step(_ context.Context, in []byte) (out []byte, done bool, err error) {
	if a.finished {
		return nil, false, badToken("exchange is over")
	}
	a.finished = true
	id, msg, err := unframe(in)
	if err != nil {
		return nil, false, err
	}
	if a.pending != nil {
		err = a.third(id, msg)
		return nil, err == nil, err
	}
	if id != tokAPReq || !whole(msg, tagAPReq) {
		return nil, false, badToken("an AP-REQ was expected")
	}
	out, o, err := a.judge(msg)
	var clocks *timeError
	if errors.As(err, &clocks) {
		return a.tell(clocks), false, err
	}
	if err != nil {
		return nil, false, err
	}
	if a.opts.DCE {
		a.pending, a.finished = o, false
		return out, false, nil
	}
	a.session, err = newSession(*o)
	return out, err == nil, err
}

// timeError refuses a ticket, or a proof, that is good but for its time: a key of ours opened it. The client is told of this alone, since
// nobody finds a wrong clock by a bare refusal.
type timeError struct {
	code    int32
	service types.PrincipalName
	realm   string
	error
}

func (e *timeError) Unwrap() error { return e.error }

// tell is the KRB-ERROR with our time in it, nil where it cannot be made. See [RFC4120] 3.2.3 and [RFC4121] 4.1.
func (a *Acceptor) tell(e *timeError) []byte {
	now := a.opts.Now().UTC()
	k := messages.NewKRBError(e.service, e.realm, e.code, "")
	k.STime, k.Susec = now.Truncate(time.Second), now.Nanosecond()/1000
	msg, err := k.Marshal()
	if err != nil {
		return nil
	}
	if a.opts.DCE {
		return msg
	}
	token, err := frame(tokError, msg)
	if err != nil {
		return nil
	}
	return token
}

// third checks the client's own AP-REP, which ends the exchange in DCE style: it repeats our sequence number. See [MS-KILE] 3.4.5.1.
func (a *Acceptor) third(id uint16, msg []byte) (err error) {
	if id != tokAPRep {
		return badToken("a third leg was expected")
	}
	rep, err := openAPRep(msg, a.ticket)
	if err != nil {
		return denied("third leg: %v", err)
	}
	// Ours has the same number and the same key: whoever gives it back has neither.
	if rep.seq != a.pending.send || bytes.Equal(rep.cipher, a.second) {
		return denied("the third leg answers another exchange")
	}
	a.session, err = newSession(*a.pending)
	return err
}

// judge verifies an AP-REQ and gives the AP-REP and what was agreed on. See [RFC4120] 3.2.3.
func (a *Acceptor) judge(msg []byte) ([]byte, *sessionOptions, error) {
	if a.opts.Keytab == nil || a.opts.Replays == nil {
		return nil, nil, errors.New("krb5: an acceptor needs a keytab and a replay cache")
	}
	var req messages.APReq
	if err := req.Unmarshal(msg); err != nil || req.PVNO != pvno || req.Ticket.TktVNO != pvno {
		return nil, nil, badToken("the AP-REQ is malformed")
	}
	if req.APOptions.At(useSessionKey) != 0 {
		return nil, nil, fmt.Errorf("krb5: user-to-user tickets: %w", auth.ErrUnsupported)
	}
	ticket, ticketKey, err := a.openTicket(&req.Ticket)
	if err != nil {
		return nil, nil, err
	}
	now := a.opts.Now()
	proof, err := a.openAuthenticator(&req, ticket, now)
	if err != nil {
		return nil, nil, err
	}
	sum, err := a.checksum(proof)
	if err != nil {
		return nil, nil, err
	}
	// Until the moment from which on its time alone refuses it.
	if err := a.opts.Replays.add(req.EncryptedAuthenticator.Cipher, now, proof.CTime.Add(maxSkew+time.Second)); err != nil {
		return nil, nil, denied("%v", err)
	}
	id, err := a.identity(ticket, ticketKey)
	if err != nil {
		return nil, nil, err
	}
	o := &sessionOptions{
		identity: id, key: ticket.Key, dce: a.opts.DCE, flags: sum.flags,
		receive: uint32(proof.SeqNumber), send: uint32(proof.SeqNumber),
	}
	if len(proof.SubKey.KeyValue) > 0 {
		o.key = proof.SubKey
	}
	if sum.cred != nil {
		if o.delegated, err = delegation(sum.cred, ticket, o.key); err != nil {
			return nil, nil, denied("delegated credentials: %v", err)
		}
	}
	if sum.flags&flagMutual == 0 && !a.opts.DCE {
		return nil, o, nil
	}
	out, err := a.answer(proof, ticket.Key, o)
	return out, o, err
}

// openTicket decrypts a ticket with one of our keys and checks its times. See [RFC4120] 3.2.3, [MS-KILE] 3.4.5.
func (a *Acceptor) openTicket(t *messages.Ticket) (*messages.EncTicketPart, types.EncryptionKey, error) {
	fail := func(format string, args ...any) (*messages.EncTicketPart, types.EncryptionKey, error) {
		return nil, types.EncryptionKey{}, denied("ticket for %s: %s", printable(strings.Join(t.SName.NameString, "/")), fmt.Sprintf(format, args...))
	}
	if t.EncPart.EType == etypeID.RC4_HMAC && !a.opts.AllowRC4 {
		return fail("RC4 is not permitted; its account can have AES (msDS-SupportedEncryptionTypes 24)")
	}
	if !permitted(t.EncPart.EType, a.opts.AllowRC4) {
		return fail("encryption type %d is not permitted", t.EncPart.EType)
	}
	for _, key := range a.opts.Keytab.candidates(t.SName, uint32(t.EncPart.KVNO), t.EncPart.EType) {
		plain, err := decrypt(key, t.EncPart, usageTicket)
		if err != nil {
			continue
		}
		part := new(messages.EncTicketPart)
		if part.Unmarshal(plain) != nil || len(part.CName.NameString) == 0 || part.CRealm == "" {
			return fail("its inner part is malformed")
		}
		if err := checkKey(part.Key, a.opts.AllowRC4); err != nil {
			return fail("session key: %v", err)
		}
		start, now := part.StartTime, a.opts.Now()
		if start.IsZero() {
			start = part.AuthTime
		}
		untimely := func(code int32, why string) (*messages.EncTicketPart, types.EncryptionKey, error) {
			_, key, err := fail("%s", why)
			return nil, key, &timeError{code: code, service: t.SName, realm: t.Realm, error: err}
		}
		switch {
		case part.Flags.At(flags.Invalid) != 0 || start.Sub(now) > maxSkew:
			return untimely(errorcode.KRB_AP_ERR_TKT_NYV, "it is not valid yet; our clock may be behind")
		case now.Sub(part.EndTime) > maxSkew:
			return untimely(errorcode.KRB_AP_ERR_TKT_EXPIRED, "it has expired")
		}
		return part, key, nil
	}
	return fail("no key of the keytab opens it (version %d, encryption type %d)", t.EncPart.KVNO, t.EncPart.EType)
}

// openAuthenticator decrypts the proof that the client has the session key, now.
func (a *Acceptor) openAuthenticator(req *messages.APReq, ticket *messages.EncTicketPart, now time.Time) (*types.Authenticator, error) {
	plain, err := decrypt(ticket.Key, req.EncryptedAuthenticator, usageAuthenticator)
	if err != nil {
		return nil, denied("authenticator: %v", err)
	}
	proof := new(types.Authenticator)
	if proof.Unmarshal(plain) != nil || proof.AVNO != pvno || proof.Cusec < 0 || proof.Cusec > 999999 {
		return nil, denied("the authenticator is malformed")
	}
	if proof.CRealm != ticket.CRealm || !proof.CName.Equal(ticket.CName) {
		return nil, denied("the authenticator is another account's")
	}
	if skew := proof.CTime.Add(time.Duration(proof.Cusec) * time.Microsecond).Sub(now); skew.Abs() > maxSkew {
		return nil, &timeError{code: errorcode.KRB_AP_ERR_SKEW, service: req.Ticket.SName, realm: req.Ticket.Realm,
			error: denied("the clock of the client %s; at most five minutes are permitted", skewText(skew.Round(time.Second)))}
	}
	if len(proof.SubKey.KeyValue) > 0 {
		if err := checkKey(proof.SubKey, a.opts.AllowRC4); err != nil {
			return nil, denied("sub-key: %v", err)
		}
	}
	return proof, nil
}

// checksum reads flags and bindings. Without them a client asks for nothing. See [RFC4121] 4.1.1, [MS-KILE] 3.4.5.
func (a *Acceptor) checksum(proof *types.Authenticator) (*gssChecksum, error) {
	sum := new(gssChecksum)
	if len(proof.Cksum.Checksum) > 0 {
		if proof.Cksum.CksumType != checksumGSS {
			return nil, badToken("a checksum of type %d in the authenticator", proof.Cksum.CksumType)
		}
		if err := sum.decode(proof.Cksum.Checksum); err != nil {
			return nil, err
		}
	}
	if (sum.flags&flagDCE != 0) != a.opts.DCE {
		return nil, badToken("DCE style at one end only")
	}
	hardening := a.opts.Hardening
	if o, _ := relevant(proof.AuthorizationData, adAPOptions); hardening == auth.Relaxed && len(o) == 4 && uint32(o[1])<<8&apOptionsCBT != 0 {
		hardening = auth.Strict
	}
	if err := hardening.Check(a.opts.Bindings, sum.bindings); err != nil {
		return nil, fmt.Errorf("krb5: %w", err)
	}
	return sum, nil
}

// answer makes the AP-REP: it repeats the client's time and, with AES, chooses the key of the session. See [RFC4121] 2.
func (a *Acceptor) answer(proof *types.Authenticator, sessionKey types.EncryptionKey, o *sessionOptions) ([]byte, error) {
	rep := apRep{ctime: proof.CTime, cusec: proof.Cusec}
	var err error
	if rep.seq, err = randomUint32(a.opts.Rand); err != nil {
		return nil, fmt.Errorf("krb5: no randomness: %w", err)
	}
	if o.key.KeyType != etypeID.RC4_HMAC {
		key, err := newKey(o.key.KeyType, a.opts.Rand)
		if err != nil {
			return nil, fmt.Errorf("krb5: no randomness: %w", err)
		}
		rep.subkey, o.key, o.acceptorSubkey = &key, key, true
	}
	o.send = rep.seq
	msg, err := rep.seal(sessionKey)
	if err != nil {
		return nil, fmt.Errorf("krb5: AP-REP: %w", err)
	}
	if a.opts.DCE {
		a.ticket, a.second = sessionKey, rep.cipher
		return msg, nil
	}
	return frame(tokAPRep, msg)
}

// identity is who the ticket is for: the account of the PAC, else the principal.
func (a *Acceptor) identity(ticket *messages.EncTicketPart, key types.EncryptionKey) (auth.Identity, error) {
	var none auth.Identity
	name := strings.Join(ticket.CName.NameString, "/")
	if unfit(name + ticket.CRealm) {
		return none, denied("the ticket is for a name that no account can have: %q", printable(name))
	}
	if ticket.CRealm == "WELLKNOWN:ANONYMOUS" || ticket.CName.NameString[0] == "WELLKNOWN" {
		return none, denied("the ticket is for nobody in particular") // see [RFC8062]
	}
	account := &auth.DomainAccount{Realm: ticket.CRealm, Name: name}
	// The clocks may differ at the end as at the beginning, or what is let in would be over already.
	id := auth.Identity{User: name + "@" + ticket.CRealm, Mechanism: auth.Kerberos, Account: account, Until: ticket.EndTime.Add(maxSkew + time.Second)}
	var info *logonInfo
	if b, ok := relevant(ticket.AuthorizationData, adWin2kPAC); ok {
		var err error
		if info, err = readPAC(b, key, ticket.CName, ticket.CRealm, ticket.AuthTime); err != nil {
			return none, denied("ticket of %s@%s: %v", printable(name), printable(ticket.CRealm), err)
		}
	}
	if info == nil || info.domain == "" {
		// alice/admin of one component and of two would be one name, and alice@EVIL of one component another realm's.
		for _, s := range ticket.CName.NameString {
			if s == "" || strings.ContainsAny(s, "/@") {
				return none, denied("the ticket is for a name that no account can have: %q", printable(name))
			}
		}
	}
	if info == nil {
		return id, nil
	}
	if unfit(info.name + info.domain) {
		return none, denied("the PAC of %s@%s has a name that no account can have", printable(name), printable(ticket.CRealm))
	}
	if !a.foreign(info.sid) {
		return none, denied("the PAC of %s@%s claims the account %s", printable(name), printable(ticket.CRealm), info.sid)
	}
	account.SID = info.sid
	// Another realm's KDC writes what it likes there, and names are mapped to Unix users.
	if a.opts.Keytab.hasRealm(ticket.CRealm) {
		account.Domain = info.domain
	}
	for _, g := range info.groups {
		if a.foreign(g) {
			account.Groups = append(account.Groups, g)
		}
	}
	if info.name != "" {
		account.Name = info.name
	}
	if account.Domain != "" {
		id.User, id.Domain = account.Name, account.Domain
	}
	return id, nil
}

// unfit says that a name could be taken for another one where it is shown or compared.
func unfit(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == 0xFFFD })
}

// foreign says that a domain may speak of a SID: S-1-5-21 of any domain but this machine's own accounts, and S-1-18, how the identity was
// asserted. SYSTEM, BUILTIN and the like are this machine's to give.
func (a *Acceptor) foreign(s security.SID) bool {
	if own := a.opts.MachineDomain; !own.IsZero() && (s == own || s.Domain() == own) {
		return false
	}
	sub := s.SubAuthorities()
	return s.Authority() == 18 || s.Authority() == 5 && len(sub) == 5 && sub[0] == 21
}

// delegation turns a forwarded ticket of the client's own into a credential cache. It is encrypted in the session key, by some peers in
// their sub-key.
func delegation(msg []byte, ticket *messages.EncTicketPart, subkey types.EncryptionKey) (*auth.Delegation, error) {
	c, err := openCred(msg, ticket.Key, subkey)
	if err != nil {
		return nil, err
	}
	if c.client.realm != ticket.CRealm || !sameName(c.client.PrincipalName, ticket.CName) {
		return nil, errors.New("they are those of " + printable(c.client.String()))
	}
	return &auth.Delegation{CCache: encodeCCache(c)}, nil
}
