package krb5

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/auth"
)

var (
	channel = &auth.ChannelBindings{ApplicationData: []byte("tls-server-end-point:one")}
	another = &auth.ChannelBindings{ApplicationData: []byte("tls-server-end-point:two")}
)

// What an acceptor refuses of tickets and proofs. See [RFC4120] 3.2.3.
func TestRefusedTickets(t *testing.T) {
	each(t, func(t *testing.T, l *local, dce bool) {
		other := l.newKey()
		for _, tt := range []struct {
			name   string
			ticket ticketOptions
			accept AcceptorOptions
			says   string
		}{
			{"for another key", ticketOptions{key: &other}, AcceptorOptions{}, "no key of the keytab opens it"},
			{"expired", ticketOptions{end: l.now.Add(-6 * time.Minute)}, AcceptorOptions{}, "expired"},
			{"not yet valid", ticketOptions{start: l.now.Add(6 * time.Minute)}, AcceptorOptions{}, "not valid yet"},
			{"invalid flag", ticketOptions{flags: 1 << (31 - 7)}, AcceptorOptions{}, "not valid yet"},
			{"clock ahead", ticketOptions{}, AcceptorOptions{Now: func() time.Time { return l.now.Add(-301 * time.Second) }}, "is 5m1s ahead of ours"},
			{"clock behind", ticketOptions{}, AcceptorOptions{Now: func() time.Time { return l.now.Add(7 * time.Minute) }}, "is 7m0s behind ours"},
			{"backslash", ticketOptions{client: []string{`CORP\alice`}}, AcceptorOptions{}, "no account can have"},
			{"slash in a component", ticketOptions{client: []string{"alice/admin"}}, AcceptorOptions{}, "no account can have"},
			{"at sign", ticketOptions{client: []string{"alice@EVIL"}}, AcceptorOptions{}, "no account can have"},
			{"empty component", ticketOptions{client: []string{"alice", ""}}, AcceptorOptions{}, "no account can have"},
			{"anonymous", ticketOptions{client: []string{"WELLKNOWN", "ANONYMOUS"}}, AcceptorOptions{}, "nobody in particular"},
			{"NUL", ticketOptions{client: []string{"alice\x00"}}, AcceptorOptions{}, "no account can have"},
			{"malformed PAC", ticketOptions{pac: []byte{1, 2, 3}}, AcceptorOptions{}, "the PAC is malformed"},
			{"empty PAC", ticketOptions{pac: []byte{}}, AcceptorOptions{}, "the PAC is malformed"},
		} {
			i := l.initiator(InitiatorOptions{DCE: dce}, l.ticket(tt.ticket))
			tt.accept.DCE = dce
			a := l.acceptor(tt.accept)
			err := converse(t, i, a)
			if !errors.Is(err, auth.ErrLogonFailure) || !strings.Contains(err.Error(), tt.says) || a.Context() != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if _, _, err := a.Step(t.Context(), nil); !errors.Is(err, auth.ErrBadToken) {
				t.Errorf("%s: it goes on: %v", tt.name, err)
			}
		}
		i, a := l.initiator(InitiatorOptions{DCE: dce}, l.ticket(ticketOptions{client: []string{"host", "x.test"}})), l.acceptor(AcceptorOptions{DCE: dce})
		if err := converse(t, i, a); err != nil || a.Context().Identity().User != "host/x.test@"+realm {
			t.Error("a service as client:", err)
		}
	})
}

// forgedRequest is an AP-REQ whose authenticator somebody with the session key changed.
func (l *local) forgedRequest(held *credential, change func(*types.Authenticator)) []byte {
	l.t.Helper()
	proof := types.Authenticator{
		AVNO: pvno, CRealm: held.client.realm, CName: held.client.PrincipalName, CTime: l.now,
		Cksum: types.Checksum{CksumType: checksumGSS, Checksum: (&gssChecksum{flags: flagMutual}).encode()},
	}
	change(&proof)
	plain, err := proof.Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	req := messages.APReq{PVNO: pvno, MsgType: msgAPReq, APOptions: types.NewKrbFlags()}
	req.Ticket, _ = held.decoded()
	if req.EncryptedAuthenticator, err = encrypt(held.key, plain, usageAuthenticator); err != nil {
		l.t.Fatal(err)
	}
	msg, err := req.Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	token, err := frame(tokAPReq, msg)
	if err != nil {
		l.t.Fatal(err)
	}
	return token
}

// What an authenticated client may not say of itself, and what it may leave out.
func TestAuthenticator(t *testing.T) {
	l := newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	for name, tt := range map[string]struct {
		change func(*types.Authenticator)
		want   error
	}{
		"as it is":                       {func(*types.Authenticator) {}, nil},
		"another name":                   {func(a *types.Authenticator) { a.CName.NameString = []string{"Administrator"} }, auth.ErrLogonFailure},
		"another realm":                  {func(a *types.Authenticator) { a.CRealm = "EVIL" }, auth.ErrLogonFailure},
		"version":                        {func(a *types.Authenticator) { a.AVNO = 4 }, auth.ErrLogonFailure},
		"microseconds":                   {func(a *types.Authenticator) { a.Cusec = 1000000 }, auth.ErrLogonFailure},
		"a DES sub-key":                  {func(a *types.Authenticator) { a.SubKey = types.EncryptionKey{KeyType: 3, KeyValue: make([]byte, 8)} }, auth.ErrLogonFailure},
		"a short one":                    {func(a *types.Authenticator) { a.SubKey = types.EncryptionKey{KeyType: 18, KeyValue: make([]byte, 16)} }, auth.ErrLogonFailure},
		"no checksum":                    {func(a *types.Authenticator) { a.Cksum = types.Checksum{} }, nil},
		"another kind":                   {func(a *types.Authenticator) { a.Cksum.CksumType = 16 }, auth.ErrBadToken},
		"short checksum":                 {func(a *types.Authenticator) { a.Cksum.Checksum = a.Cksum.Checksum[:23] }, auth.ErrBadToken},
		"length of bindings":             {func(a *types.Authenticator) { a.Cksum.Checksum[0] = 17 }, auth.ErrBadToken},
		"delegation without credentials": {func(a *types.Authenticator) { a.Cksum.Checksum[20] |= flagDelegate }, auth.ErrBadToken},
		"delegation of nonsense": {func(a *types.Authenticator) {
			a.Cksum.Checksum = (&gssChecksum{flags: flagDelegate, cred: []byte("nonsense")}).encode()
		}, auth.ErrLogonFailure},
		"delegation longer than it is": {func(a *types.Authenticator) {
			a.Cksum.Checksum = (&gssChecksum{flags: flagDelegate, cred: []byte("x")}).encode()
			a.Cksum.Checksum[26] = 2
		}, auth.ErrBadToken},
	} {
		a := l.acceptor(AcceptorOptions{})
		out, done, err := a.Step(t.Context(), l.forgedRequest(l.ticket(ticketOptions{}), tt.change))
		if !errors.Is(err, tt.want) || done != (tt.want == nil) || (a.Context() != nil) != (tt.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "no checksum" { // asks for nothing, gets nothing: no proof of the service, no protection
			if _, err := a.Context().Sign(nil); len(out) != 0 || !errors.Is(err, auth.ErrNotProtected) || a.Context().SignatureSize() != 0 {
				t.Error(len(out), err)
			}
		}
	}
	// Somebody else's ticket is not this client's to hand over.
	mallory := l.ticket(ticketOptions{client: []string{"mallory"}})
	for name, given := range map[string]*credential{"own": l.ticket(ticketOptions{}), "another's": mallory} {
		held := l.ticket(ticketOptions{})
		cred, err := sealCred(given, held.key)
		if err != nil {
			t.Fatal(err)
		}
		a := l.acceptor(AcceptorOptions{})
		_, _, err = a.Step(t.Context(), l.forgedRequest(held, func(a *types.Authenticator) {
			a.Cksum.Checksum = (&gssChecksum{flags: flagDelegate, cred: cred}).encode()
		}))
		if (err == nil) != (name == "own") || err == nil && a.session.Delegated() == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A sub-key of RC4 beside a ticket of AES.
	a := NewAcceptor(AcceptorOptions{Keytab: l.keytab, Replays: l.replays, Now: func() time.Time { return l.now }})
	_, _, err := a.Step(t.Context(), l.forgedRequest(l.ticket(ticketOptions{}), func(a *types.Authenticator) {
		a.SubKey = types.EncryptionKey{KeyType: etypeID.RC4_HMAC, KeyValue: make([]byte, 16)}
	}))
	if !errors.Is(err, auth.ErrLogonFailure) {
		t.Error(err)
	}
}

// A proof is good once, on whatever acceptor of the process. See [MS-KILE] 3.1.1.1.
func TestReplayedProof(t *testing.T) {
	l := newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	for _, dce := range []bool{false, true} {
		token, _, err := l.initiator(InitiatorOptions{DCE: dce}, l.ticket(ticketOptions{})).Step(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.acceptor(AcceptorOptions{DCE: dce}).Step(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.acceptor(AcceptorOptions{DCE: dce}).Step(t.Context(), token); !errors.Is(err, auth.ErrLogonFailure) || !strings.Contains(err.Error(), "before") {
			t.Error("a replay:", err)
		}
		// It is remembered as long as its time is acceptable, and then refused by its time.
		for d := range 12 {
			now := l.now.Add(time.Duration(d-1) * time.Minute)
			if _, _, err := l.acceptor(AcceptorOptions{DCE: dce, Now: func() time.Time { return now }}).Step(t.Context(), token); !errors.Is(err, auth.ErrLogonFailure) {
				t.Error(d, err)
			}
		}
	}
	if _, _, err := NewAcceptor(AcceptorOptions{Keytab: l.keytab}).Step(t.Context(), nil); err == nil {
		t.Error("an acceptor without memory")
	}
}

func TestReplaysForget(t *testing.T) {
	r, now := NewReplays(), time.Now()
	for i := range 1000 {
		if err := r.add(fmt.Append(nil, i), now, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if r.add([]byte("7"), now.Add(time.Second), now.Add(time.Minute)) == nil {
		t.Error("forgotten too early")
	}
	if err := r.add([]byte("new"), now.Add(2*time.Minute), now.Add(3*time.Minute)); err != nil || len(r.seen) != 1 {
		t.Error(err, len(r.seen))
	}
}

// A full memory refuses, and does not look through all that it holds for each proof that comes then.
func TestFullReplays(t *testing.T) {
	r, now := NewReplays(), time.Now()
	for i := range maxReplays {
		r.seen[[16]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}] = now.Add(time.Minute)
	}
	r.swept = now
	began := time.Now()
	for i := range 200 {
		if err := r.add(fmt.Append(nil, i), now, now.Add(time.Minute)); !errors.Is(err, errFull) {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("200 proofs that are refused took %s", took)
	}
	if err := r.add([]byte("later"), now.Add(61*time.Second), now.Add(2*time.Minute)); err != nil {
		t.Errorf("when the old ones are: %v", err)
	}
}

// RC4 is refused unless it is permitted, be it the ticket's, the session's or the sub-key's.
func TestRC4Refused(t *testing.T) {
	l := newLocal(t, etypeID.RC4_HMAC)
	a := NewAcceptor(AcceptorOptions{Keytab: l.keytab, Replays: l.replays})
	if err := converse(t, l.initiator(InitiatorOptions{}, l.ticket(ticketOptions{})), a); !errors.Is(err, auth.ErrLogonFailure) {
		t.Error("ticket:", err)
	}
	session := l.newKey()
	l = newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	a = NewAcceptor(AcceptorOptions{Keytab: l.keytab, Replays: l.replays})
	if err := converse(t, l.initiator(InitiatorOptions{}, l.ticket(ticketOptions{session: &session})), a); !errors.Is(err, auth.ErrLogonFailure) {
		t.Error("session key:", err)
	}
	short := types.EncryptionKey{KeyType: l.etype, KeyValue: make([]byte, 16)}
	if checkKey(short, false) == nil || checkKey(types.EncryptionKey{KeyType: 16, KeyValue: make([]byte, 24)}, true) == nil {
		t.Error("a key of another length, or triple DES")
	}
}

// Bindings at each level, and the client's word that it binds. See [RFC4121] 4.1.1.2, [MS-KILE] 3.4.5.
func TestBindings(t *testing.T) {
	l := newLocal(t, etypeID.AES128_CTS_HMAC_SHA1_96)
	for _, tt := range []struct {
		name         string
		client, here *auth.ChannelBindings
		level        auth.Hardening
		refused      bool
	}{
		{"equal", channel, channel, auth.Strict, false},
		{"different", another, channel, auth.Relaxed, true},
		{"different, None", another, channel, auth.None, false},
		{"absent although the client binds", nil, channel, auth.Relaxed, true},
		{"absent, None", nil, channel, auth.None, false},
		{"absent, Strict", nil, channel, auth.Strict, true},
		{"no TLS here", channel, nil, auth.Strict, false},
	} {
		i := l.initiator(InitiatorOptions{Bindings: tt.client}, l.ticket(ticketOptions{}))
		a := l.acceptor(AcceptorOptions{Bindings: tt.here, Hardening: tt.level})
		if err := converse(t, i, a); errors.Is(err, auth.ErrBadBindings) != tt.refused || !tt.refused && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// keyOf gives a key of the same type and another value.
func keyOf(key types.EncryptionKey) types.EncryptionKey {
	other := types.EncryptionKey{KeyType: key.KeyType, KeyValue: bytes.Clone(key.KeyValue)}
	other.KeyValue[0] ^= 1
	return other
}

// Who does not have the service's key is found out. See [RFC4120] 3.2.5.
func TestForgedReply(t *testing.T) {
	each(t, func(t *testing.T, l *local, dce bool) {
		for name, forge := range map[string]func(i *Initiator, good []byte) []byte{
			"other key": func(i *Initiator, _ []byte) []byte {
				out, _ := (&apRep{ctime: i.ctime, cusec: i.cusec, seq: 1}).seal(keyOf(i.ticket))
				return out
			},
			"other time": func(i *Initiator, _ []byte) []byte {
				out, _ := (&apRep{ctime: i.ctime.Add(time.Second), cusec: i.cusec, seq: 1}).seal(i.ticket)
				return out
			},
			"other microsecond": func(i *Initiator, _ []byte) []byte {
				out, _ := (&apRep{ctime: i.ctime, cusec: i.cusec + 1, seq: 1}).seal(i.ticket)
				return out
			},
			"one bit":   func(_ *Initiator, good []byte) []byte { good[len(good)-3] ^= 1; return good },
			"cut":       func(_ *Initiator, good []byte) []byte { return good[:len(good)-1] },
			"empty":     func(*Initiator, []byte) []byte { return nil },
			"continued": func(_ *Initiator, good []byte) []byte { return append(good, 0) },
			"its own proof back": func(i *Initiator, _ []byte) []byte {
				out, _ := (&apRep{ctime: i.ctime, cusec: i.cusec, seq: 1}).seal(i.subkey)
				return out
			},
			"DES": func(i *Initiator, _ []byte) []byte {
				out, _ := (&apRep{ctime: i.ctime, cusec: i.cusec, subkey: &types.EncryptionKey{KeyType: 3, KeyValue: make([]byte, 8)}}).seal(i.ticket)
				return out
			},
		} {
			i, a := l.initiator(InitiatorOptions{DCE: dce}, l.ticket(ticketOptions{})), l.acceptor(AcceptorOptions{DCE: dce})
			token, _, err := i.Step(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			good, _, err := a.Step(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			var e *Error
			_, done, err := i.Step(t.Context(), forge(i, good))
			if done || i.Context() != nil || !errors.Is(err, auth.ErrBadToken) && !errors.As(err, &e) {
				t.Errorf("%s: %v", name, err)
			}
			if _, _, err := i.Step(t.Context(), good); !errors.Is(err, auth.ErrBadToken) {
				t.Errorf("%s: it goes on: %v", name, err)
			}
		}
	})
}

// The third leg of RPC proves that the client has the key now, and ends the exchange. See [MS-KILE] 3.4.5.1.
func TestThirdLeg(t *testing.T) {
	l := newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	start := func() (*Initiator, *Acceptor, []byte) {
		i, a := l.initiator(InitiatorOptions{DCE: true}, l.ticket(ticketOptions{})), l.acceptor(AcceptorOptions{DCE: true})
		token, _, err := i.Step(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if token[0] != byte(tagAPReq) {
			t.Fatal("the AP-REQ of DCE style has a frame")
		}
		rep, done, err := a.Step(t.Context(), token)
		if err != nil || done || a.Context() != nil || rep[0] != byte(tagAPRep) {
			t.Fatal(done, err)
		}
		third, done, err := i.Step(t.Context(), rep)
		if err != nil || !done {
			t.Fatal(done, err)
		}
		return i, a, third
	}
	_, a, third := start()
	if out, done, err := a.Step(t.Context(), third); err != nil || !done || len(out) != 0 || a.Context() == nil {
		t.Fatal(done, err)
	}
	_, _, foreign := start()
	for name, forge := range map[string]func(i *Initiator, third []byte) []byte{
		"one bit":          func(_ *Initiator, b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"another exchange": func(*Initiator, []byte) []byte { return foreign },
		"other number": func(i *Initiator, _ []byte) []byte {
			out, _ := (&apRep{ctime: i.ctime, cusec: i.cusec, seq: 0x40000000}).seal(i.ticket)
			return out
		},
		"none": func(*Initiator, []byte) []byte { return nil },
	} {
		i, a, third := start()
		if _, done, err := a.Step(t.Context(), forge(i, third)); err == nil || done || a.Context() != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Who passes an AP-REQ on and has no key gives the service its own answer back, which has the right number in it.
	each(t, func(t *testing.T, l *local, dce bool) {
		if !dce {
			return
		}
		a := l.acceptor(AcceptorOptions{DCE: true})
		token, _, err := l.initiator(InitiatorOptions{DCE: true}, l.ticket(ticketOptions{})).Step(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		rep, _, err := a.Step(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, err := a.Step(t.Context(), rep); !errors.Is(err, auth.ErrLogonFailure) || done || a.Context() != nil {
			t.Errorf("the service's own answer is a third leg: %v", err)
		}
	})
	// The styles do not mix.
	for _, dce := range []bool{false, true} {
		token, _, _ := l.initiator(InitiatorOptions{DCE: dce}, l.ticket(ticketOptions{})).Step(t.Context(), nil)
		if _, _, err := l.acceptor(AcceptorOptions{DCE: !dce}).Step(t.Context(), token); !errors.Is(err, auth.ErrBadToken) {
			t.Error(err)
		}
	}
}

// The acceptor's word that something is wrong becomes what a person reads.
func TestErrorToken(t *testing.T) {
	l := newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	for _, tt := range []struct {
		kerberos int32
		code     Code
		says     string
	}{
		{37, TimeSkew, "is 7m0s ahead of ours"},
		{41, WrongPrincipal, service},
		{45, WrongPrincipal, service},
		{32, ContextExpired, "expired"},
		{60, InvalidToken, "error 60"},
	} {
		i := l.initiator(InitiatorOptions{}, l.ticket(ticketOptions{}))
		if _, _, err := i.Step(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		refusal := messages.NewKRBError(types.PrincipalName{NameString: []string{"x"}}, realm, tt.kerberos, "because\n")
		refusal.STime = l.now.Add(7 * time.Minute)
		msg, err := refusal.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		token, _ := frame(tokError, msg)
		_, done, err := i.Step(t.Context(), token)
		var e *Error
		if done || !errors.As(err, &e) || e.Code != tt.code || e.KDC != tt.kerberos || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d: %v", tt.kerberos, err)
		}
		if tt.code == TimeSkew && e.Skew != 7*time.Minute {
			t.Error(e.Skew)
		}
	}
}

// A ticket-granting ticket goes into the checksum and comes out as a credential cache. See [RFC4121] 4.1.1.1.
func TestDelegation(t *testing.T) {
	each(t, func(t *testing.T, l *local, dce bool) {
		tgt := l.ticket(ticketOptions{flags: 0x40000000})
		tgt.server = principal{krbtgt(realm), realm}
		tgt.renewUntil = tgt.end.Add(time.Hour)
		held := l.ticket(ticketOptions{flags: 0x00040000})
		i := l.initiator(InitiatorOptions{DCE: dce}, held)
		cred, err := sealCred(tgt, held.key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := openCred(cred, l.newKey(), held.key)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*credential{got, decodeOne(t, encodeCCache(got))} {
			if c.client.String() != tgt.client.String() || c.server.String() != tgt.server.String() || !bytes.Equal(c.ticket, tgt.ticket) ||
				!bytes.Equal(c.key.KeyValue, tgt.key.KeyValue) || c.flags != tgt.flags || !c.auth.Equal(tgt.auth) || !c.end.Equal(tgt.end) || !c.renewUntil.Equal(tgt.renewUntil) {
				t.Errorf("%+v\n%+v", c, tgt)
			}
		}
		if _, err := openCred(cred, l.newKey()); err == nil {
			t.Error("opened with another key")
		}
		for n := range cred {
			if _, err := openCred(cred[:n], held.key); err == nil {
				t.Fatal("truncated at", n)
			}
		}
		// Without trust of the domain, or without a ticket that can be forwarded, nothing is handed over.
		i.opts.Delegate = true
		var e *Error
		if _, _, err := i.Step(t.Context(), nil); err == nil || !errors.As(err, &e) {
			t.Error("no KDC, no ticket:", err)
		}
		plain := l.initiator(InitiatorOptions{DCE: dce, Delegate: true}, l.ticket(ticketOptions{}))
		if _, _, err := plain.Step(t.Context(), nil); !errors.As(err, &e) || e.Code != DelegationRequired {
			t.Error("not trusted:", err)
		}
	})
}

// Each shell of a connection takes what was handed over, and wipes what it took: the others keep theirs.
func TestDelegationIsTakenByEach(t *testing.T) {
	s := &Session{delegated: &auth.Delegation{CCache: []byte("cache")}}
	first, second := s.Delegated(), s.Delegated()
	first.Wipe()
	if string(second.CCache) != "cache" || string(s.Delegated().CCache) != "cache" {
		t.Errorf("what one shell wiped is gone for the others: %q %q", second.CCache, s.Delegated().CCache)
	}
	if new(Session).Delegated() != nil {
		t.Error("nothing was handed over")
	}
}

func decodeOne(t *testing.T, b []byte) *credential {
	t.Helper()
	_, creds, err := parseCCache(b)
	if err != nil || len(creds) != 1 {
		t.Fatal(err, len(creds))
	}
	return &creds[0]
}

// Nothing formatted shows a key.
func TestNoSecretsInText(t *testing.T) {
	l := newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	i, a := l.initiator(InitiatorOptions{}, l.ticket(ticketOptions{})), l.acceptor(AcceptorOptions{})
	if err := converse(t, i, a); err != nil {
		t.Fatal(err)
	}
	c := l.client(l.ticket(ticketOptions{}))
	c.opts.Credentials.Password = "hunter2"
	for _, v := range []any{i, a, i.session, c, l.keytab} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(format, v); len(s) > 100 || strings.Contains(s, "hunter2") {
				t.Errorf("%T: %s", v, s)
			}
		}
	}
}

// A KDC that is silent, slow or talks nonsense costs a bounded time and no goroutine; a caller who gives up is let go at once.
func TestSilentKDC(t *testing.T) {
	listener := listen(t)
	c, err := NewClient(ClientOptions{
		Credentials: auth.Credentials{Username: "alice@" + realm, Password: "x"}, Config: "/dev/null",
		KDCs: map[string][]string{realm: {listener.Addr().String()}}, Timeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var e *Error
	if _, err := c.ticket(t.Context(), service); !errors.As(err, &e) || e.Code != NoAuthenticatingAuthority || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Error(err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Error("it took", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.ticket(ctx, service); err == nil {
		t.Error("a caller who gave up got a ticket")
	}
}

// The identity that a ticket proves ends with it: at the service with the five minutes by which clocks may differ, at the client at once. A ticket that is
// let in is never over already.
func TestIdentityEnds(t *testing.T) {
	l := newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	for _, life := range []time.Duration{time.Hour, -5 * time.Minute} {
		held := l.ticket(ticketOptions{start: l.now.Add(-time.Hour), end: l.now.Add(life)})
		i, a := l.initiator(InitiatorOptions{}, held), l.acceptor(AcceptorOptions{})
		if err := converse(t, i, a); err != nil {
			t.Fatal(life, err)
		}
		id, end := a.Context().Identity(), l.now.Add(life).Truncate(time.Second).Add(5*time.Minute)
		if left := id.Until.Sub(end); left < 0 || left > time.Second || id.Over(end) || !id.Over(end.Add(2*time.Second)) || id.Over(l.now) {
			t.Errorf("a ticket of %v proves until %v, want %v", life, id.Until, end)
		}
		if id := i.Context().Identity(); !id.Until.Equal(held.end) {
			t.Errorf("the client takes it to end at %v, not %v", id.Until, held.end)
		}
	}
}
