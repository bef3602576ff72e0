package ntlm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
)

func secretsOf(domain, user, password string) func(context.Context, string, string) ([16]byte, error) {
	return func(_ context.Context, d, u string) ([16]byte, error) {
		if !strings.EqualFold(d, domain) || !strings.EqualFold(u, user) {
			return [16]byte{}, auth.ErrLogonFailure
		}
		return NTHash(password), nil
	}
}

func pair(password string) (*Initiator, *Acceptor) {
	i := NewInitiator(InitiatorOptions{Credentials: auth.Credentials{Username: `corp\Jürgen`, Password: password},
		Workstation: "DESK", TargetName: "HTTP/server"})
	a := NewAcceptor(AcceptorOptions{Secrets: secretsOf("CORP", "jürgen", "Pässword1"), NetBIOSName: "SERVER",
		DNSName: "server.example"})
	return i, a
}

// exchange runs both sides; each change may alter the message of its number (0 to 2) on the way.
func exchange(t *testing.T, i *Initiator, a *Acceptor, change func(n int, msg []byte) []byte) error {
	t.Helper()
	if change == nil {
		change = func(_ int, msg []byte) []byte { return msg }
	}
	neg, done, err := i.Step(t.Context(), nil)
	if err != nil || done {
		_, _, _ = a.Step(t.Context(), nil)
		return err
	}
	ch, done, err := a.Step(t.Context(), change(0, bytes.Clone(neg)))
	if err != nil {
		return err
	}
	if done || a.Context() != nil {
		t.Fatal("acceptor is done too early")
	}
	au, done, err := i.Step(t.Context(), change(1, bytes.Clone(ch)))
	if err != nil {
		return err
	}
	if !done {
		t.Fatal("initiator is not done")
	}
	_, done, err = a.Step(t.Context(), change(2, bytes.Clone(au)))
	if (err == nil) != done || (a.Context() != nil) != done {
		t.Fatal("done, context and error disagree", done, err)
	}
	return err
}

func TestExchange(t *testing.T) {
	for name, offer := range map[string]uint32{
		"all":             initiatorFlags,
		"no key exchange": initiatorFlags &^ flagKeyExchange,
		"56 bit":          initiatorFlags &^ flag128,
		"40 bit":          initiatorFlags &^ (flag128 | flag56),
		"no version":      initiatorFlags &^ flagVersion,
		"weak, no key":    initiatorFlags &^ (flag128 | flagKeyExchange),
	} {
		t.Run(name, func(t *testing.T) {
			i, a := pair("Pässword1")
			i.offer, i.opts.AllowWeakKeys, a.opts.AllowWeakKeys = offer, true, true
			if err := exchange(t, i, a, nil); err != nil {
				t.Fatal(err)
			}
			id := a.Context().Identity()
			want := auth.Identity{User: "Jürgen", Domain: "CORP", Workstation: "DESK", Mechanism: auth.NTLM, Protected: true}
			if id != want {
				t.Errorf("identity %+v", id)
			}
			if k := a.Context().SessionKey(); len(k) != 16 || !bytes.Equal(k, i.Context().SessionKey()) {
				t.Error("session keys differ")
			}
			talk(t, i.Context(), a.Context())
			talk(t, a.Context(), i.Context())
			talk(t, i.Context(), a.Context())
		})
	}
}

func talk(t *testing.T, from, to auth.Context) {
	t.Helper()
	header, body := []byte("header"), []byte("some body")
	sig, err := from.Seal([]auth.Buffer{{Data: header, SignOnly: true}, {Data: body}})
	if err != nil {
		t.Fatal(err)
	}
	if string(header) != "header" || string(body) == "some body" || len(sig) != from.SignatureSize() {
		t.Fatal("wrong buffers were encrypted")
	}
	if err := to.Unseal([]auth.Buffer{{Data: header, SignOnly: true}, {Data: body}}, sig); err != nil {
		t.Fatal(err)
	}
	if string(body) != "some body" {
		t.Fatalf("unsealed %q", body)
	}
	sig, err = from.Sign([]auth.Buffer{{Data: body}})
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Verify([]auth.Buffer{{Data: body}}, sig); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	dropMIC := func(n int, msg []byte) []byte {
		if n == 2 {
			clear(msg[micOffset : micOffset+16])
		}
		return msg
	}
	for _, tt := range []struct {
		name   string
		set    func(i *Initiator, a *Acceptor)
		change func(n int, msg []byte) []byte
		want   error
	}{
		{"wrong password", func(i *Initiator, _ *Acceptor) { i.opts.Credentials.Password = "x" }, nil, auth.ErrLogonFailure},
		{"unknown user", func(i *Initiator, _ *Acceptor) { i.opts.Credentials.Username = "nobody" }, nil, auth.ErrLogonFailure},
		{"bad hash", func(i *Initiator, _ *Acceptor) { i.opts.Credentials.NTHash = make([]byte, 15) }, nil, auth.ErrLogonFailure},
		{"no user", func(i *Initiator, _ *Acceptor) { i.opts.Credentials.Username = `x\` }, nil, auth.ErrLogonFailure},
		{"MIC zeroed", nil, dropMIC, auth.ErrLogonFailure},
		{"seal flag stripped from the challenge", nil, func(n int, msg []byte) []byte {
			if n == 1 {
				msg[20] &^= byte(flagSeal)
			}
			return msg
		}, auth.ErrLogonFailure},
		{"negotiate changed", nil, func(n int, msg []byte) []byte {
			if n == 0 {
				msg[12] |= byte(flagOEM)
			}
			return msg
		}, auth.ErrLogonFailure},
		{"weak client", func(i *Initiator, _ *Acceptor) { i.offer &^= flag128 }, nil, auth.ErrUnsupported},
		{"weak server", func(_ *Initiator, a *Acceptor) { a.opts.AllowWeakKeys = true }, func(n int, msg []byte) []byte {
			if n == 1 {
				msg[23] &^= byte(flag128 >> 24)
			}
			return msg
		}, auth.ErrUnsupported},
		{"out of turn", nil, func(n int, msg []byte) []byte {
			if n == 2 {
				msg[8] = typeNegotiate
			}
			return msg
		}, auth.ErrBadToken},
		{"short session key", nil, func(n int, msg []byte) []byte {
			if n == 2 {
				binary.LittleEndian.PutUint16(msg[52:], 15)
			}
			return msg
		}, auth.ErrBadToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i, a := pair("Pässword1")
			if tt.set != nil {
				tt.set(i, a)
			}
			err := exchange(t, i, a, tt.change)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if _, _, err := a.Step(t.Context(), nil); !errors.Is(err, auth.ErrBadToken) {
				t.Error("a failed exchange went on:", err)
			}
		})
	}
}

// The refusal of an unknown user reads the same as that of a wrong password.
func TestNoUserOracle(t *testing.T) {
	i, a := pair("wrong")
	wrong := exchange(t, i, a, nil)
	i, a = pair("Pässword1")
	i.opts.Credentials.Username = "nobody"
	unknown := exchange(t, i, a, nil)
	if wrong == nil || unknown == nil || wrong.Error() != unknown.Error() {
		t.Errorf("%v / %v", wrong, unknown)
	}
}

func TestStoreErrorIsKept(t *testing.T) {
	broken := errors.New("disk on fire")
	i, a := pair("Pässword1")
	a.opts.Secrets = func(context.Context, string, string) ([16]byte, error) { return [16]byte{}, broken }
	if err := exchange(t, i, a, nil); !errors.Is(err, broken) || !errors.Is(err, auth.ErrLogonFailure) {
		t.Error(err)
	}
}

func TestNTHashCredentials(t *testing.T) {
	i, a := pair("")
	h := NTHash("Pässword1")
	i.opts.Credentials.NTHash = h[:]
	if err := exchange(t, i, a, nil); err != nil {
		t.Error(err)
	}
}

func TestAnonymous(t *testing.T) {
	msg, err := (&authenticate{flags: initiatorFlags, lmResponse: []byte{0}}).encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, allow := range []bool{false, true} {
		_, a := pair("")
		a.opts.AllowAnonymous = allow
		if _, _, err := a.Step(t.Context(), (&negotiate{flags: initiatorFlags}).encode()); err != nil {
			t.Fatal(err)
		}
		_, done, err := a.Step(t.Context(), msg)
		if done != allow || (!allow && !errors.Is(err, auth.ErrLogonFailure)) {
			t.Fatalf("allow %v: done %v, %v", allow, done, err)
		}
		if !allow {
			continue
		}
		if id := a.Context().Identity(); !id.Anonymous || id.Protected || id.String() != "ANONYMOUS" {
			t.Errorf("identity %+v", id)
		}
		if _, err := a.Context().Seal(nil); !errors.Is(err, auth.ErrNotProtected) {
			t.Error("anonymous context sealed:", err)
		}
	}
}

// Servers of old name no time: an LMv2 response is sent and the exchange still succeeds.
func TestChallengeWithoutTimestamp(t *testing.T) {
	i, a := pair("Pässword1")
	err := exchange(t, i, a, func(n int, msg []byte) []byte {
		if n != 1 {
			return msg
		}
		var m challenge
		if err := m.decode(msg); err != nil {
			t.Fatal(err)
		}
		m.targetInfo = m.targetInfo.without(avTimestamp)
		a.challenge, _ = m.encode()
		return a.challenge
	})
	if err != nil {
		t.Error(err)
	}
}

func TestChannelBindings(t *testing.T) {
	one := &auth.ChannelBindings{ApplicationData: []byte("tls-server-end-point:one")}
	two := &auth.ChannelBindings{ApplicationData: []byte("tls-server-end-point:two")}
	for _, tt := range []struct {
		level          auth.Hardening
		client, server *auth.ChannelBindings
		ok             bool
	}{
		{auth.None, two, one, true}, {auth.None, nil, one, true},
		{auth.Relaxed, one, one, true}, {auth.Relaxed, nil, one, true}, {auth.Relaxed, two, one, false},
		{auth.Strict, one, one, true}, {auth.Strict, nil, one, false}, {auth.Strict, two, one, false},
		{auth.Strict, nil, nil, true}, {auth.Strict, two, nil, true}, // no TLS: bindings mean nothing
	} {
		i, a := pair("Pässword1")
		i.opts.ChannelBindings, a.opts.ChannelBindings, a.opts.Hardening = tt.client, tt.server, tt.level
		err := exchange(t, i, a, nil)
		if (err == nil) != tt.ok || (err != nil && !errors.Is(err, auth.ErrBadBindings)) {
			t.Errorf("%s, client %v, server %v: %v", tt.level, tt.client, tt.server, err)
		}
	}
}

// A proof that was made for another kind of service is refused, though everything else of it is right.
func TestTargetName(t *testing.T) {
	for _, tt := range []struct {
		level  auth.Hardening
		target string
		ok     bool
	}{
		{auth.Relaxed, "HTTP/server", true}, {auth.Relaxed, "wsman/other:5985", true}, {auth.Relaxed, "", true}, {auth.Relaxed, "http", true},
		{auth.Relaxed, "cifs/server", false}, {auth.Strict, "ldap/server", false}, {auth.Relaxed, "httpx/server", false}, {auth.Relaxed, "/server", false},
		{auth.None, "cifs/server", true},
	} {
		i, a := pair("Pässword1")
		i.opts.TargetName, a.opts.Services, a.opts.Hardening = tt.target, []string{"HTTP", "WSMAN"}, tt.level
		err := exchange(t, i, a, nil)
		if (err == nil) != tt.ok || (err != nil && !errors.Is(err, auth.ErrLogonFailure)) {
			t.Errorf("%s, target %q: %v", tt.level, tt.target, err)
		}
	}
}

// What a server puts into attributes that only clients may set does not come back signed.
func TestHostileTargetInfo(t *testing.T) {
	i, _ := pair("x")
	pairs := i.targetInfo(avPairs{{avNbComputerName, utf16le("S")}, {avFlags, []byte{4, 0, 0, 0}},
		{avChannelBindings, bytes.Repeat([]byte{7}, 16)}, {avTargetName, utf16le("HTTP/evil")}, {avSingleHost, make([]byte, 48)}})
	if _, ok := pairs.get(avChannelBindings); ok || pairs.flags() != avFlagMIC {
		t.Errorf("pairs %v", pairs)
	}
	if v, _ := pairs.get(avTargetName); !bytes.Equal(v, utf16le("HTTP/server")) {
		t.Errorf("target name %x", v)
	}
	twice := avPairs{{avFlags, []byte{0, 0, 0, 0}}, {avFlags, []byte{2, 0, 0, 0}}}.encode()
	if _, err := decodeAvPairs(twice); !errors.Is(err, auth.ErrBadToken) {
		t.Error("two sets of flags were accepted")
	}
}

// A client that derives its key without the domain is tolerated, as [MS-NLMP] 3.2.5.1.2 asks.
func TestDomainlessKey(t *testing.T) {
	for _, domain := range []string{"Corp", "CORP", ""} {
		_, a := pair("")
		if _, _, err := a.Step(t.Context(), (&negotiate{flags: initiatorFlags &^ flagKeyExchange}).encode()); err != nil {
			t.Fatal(err)
		}
		key := ntowfv2(NTHash("Pässword1"), "jürgen", domain)
		temp := (&clientChallenge{}).encode()
		msg := authenticate{flags: a.flags, domain: "Corp", user: "jürgen",
			ntResponse: append(proof(key, a.nonce, temp), temp...)}
		raw, err := msg.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Step(t.Context(), raw); err != nil {
			t.Errorf("%q: %v", domain, err)
		}
	}
}

func TestTampering(t *testing.T) {
	open := func() (auth.Context, auth.Context) {
		i, a := pair("Pässword1")
		if err := exchange(t, i, a, nil); err != nil {
			t.Fatal(err)
		}
		return i.Context(), a.Context()
	}
	t.Run("every bit of a sealed message counts", func(t *testing.T) {
		for bit := range 8 * (4 + signatureSize) {
			from, to := open()
			body := []byte("body")
			sig, _ := from.Seal([]auth.Buffer{{Data: body}})
			msg := append(sig, body...)
			msg[bit/8] ^= 1 << (bit % 8)
			err := to.Unseal([]auth.Buffer{{Data: msg[16:]}}, msg[:16])
			if !errors.Is(err, auth.ErrMessageAltered) {
				t.Fatalf("bit %d: %v", bit, err)
			}
			if !bytes.Equal(msg[16:], make([]byte, 4)) {
				t.Fatalf("bit %d: plaintext was left behind", bit)
			}
		}
	})
	t.Run("replay", func(t *testing.T) {
		from, to := open()
		sig, _ := from.Sign([]auth.Buffer{{Data: []byte("x")}})
		if err := to.Verify([]auth.Buffer{{Data: []byte("x")}}, sig); err != nil {
			t.Fatal(err)
		}
		if err := to.Verify([]auth.Buffer{{Data: []byte("x")}}, sig); !errors.Is(err, auth.ErrMessageAltered) {
			t.Fatal("replay was accepted")
		}
		sig, _ = from.Sign([]auth.Buffer{{Data: []byte("y")}})
		if err := to.Verify([]auth.Buffer{{Data: []byte("y")}}, sig); !errors.Is(err, auth.ErrMessageAltered) {
			t.Fatal("a broken context went on")
		}
	})
	t.Run("reflection", func(t *testing.T) {
		from, _ := open()
		sig, _ := from.Sign([]auth.Buffer{{Data: []byte("x")}})
		if err := from.Verify([]auth.Buffer{{Data: []byte("x")}}, sig); !errors.Is(err, auth.ErrMessageAltered) {
			t.Fatal("own message was accepted")
		}
	})
	t.Run("empty and short signatures", func(t *testing.T) {
		for n := range signatureSize {
			_, to := open()
			if err := to.Unseal(nil, make([]byte, n)); !errors.Is(err, auth.ErrMessageAltered) {
				t.Fatal(n, err)
			}
		}
	})
}

// No prefix of a message may do more than be refused.
func TestTruncation(t *testing.T) {
	raw := unhex(t, vectorAuthenticate)
	for n := range raw {
		var m authenticate
		if err := m.decode(raw[:n]); err == nil && n < len(raw) {
			t.Errorf("%d of %d bytes were accepted", n, len(raw))
		}
	}
	raw = unhex(t, vectorChallenge)
	for n := range raw {
		var m challenge
		if err := m.decode(raw[:n]); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(raw))
		}
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	i, a := pair("Pässword1")
	if err := exchange(t, i, a, nil); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, x := range []any{i, i.Context(), a.Context()} {
			text := fmt.Sprintf(verb, x)
			if strings.Contains(text, "ssword1") || strings.Contains(text, fmt.Sprintf("%d", i.session.sessionKey)) || !strings.Contains(text, "rgen") {
				t.Errorf("%s of %T: %s", verb, x, text)
			}
		}
	}
}

func TestUpper(t *testing.T) {
	for in, want := range map[string]string{"user": "USER", "jürgen": "JÜRGEN", "straße": "STRAßE", "ÿ": "Ÿ",
		"µ": "µ", "ı": "ı", "иван": "ИВАН"} {
		if got := upper(in); got != want {
			t.Errorf("upper(%q) = %q", in, got)
		}
	}
}
