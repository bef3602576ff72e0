package spnego

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
)

// The NegTokenInit2 of [MS-SPNG] 4, with the optimistic token of its mechanism NEGOEX.
const vectorInit2 = `6082015d06062b0601050502a0820151 3082014da01a3018060a2b0601040182
	3702021e060a2b06010401823702020a a282010104 81fe 4e45474f4558545301
	000000000000006000000070000000cf fa11765e1259 9a347d766852bfce7097
	45871 0bb8242b4c7dfbad2da897aa311 a7d8684634309525 62dc13c554f20100
	000000000000006000000001 00000000 000000000000005c33530deaf90d4db2
	ec4ae3786ec3084e45474f4558545303 000000010000004 00000008e000000cf
	fa11765e12599a347d766852bfce705c 33530deaf90d4db2ec4ae3786ec30840
	0000004e000000304ca04a3048302a80 2830263124302206035504031 31b584d
	4c50726f766964657220496e7465726d 65646961746520434130 1a8018301631
	143012060355040313 0b584d4c50726f 7669646572 a32a3028a0261b246e6f74
	5f646566696e65645f696e5f52464334 31373840706c656173655f69676e6f72 65`

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectorInit2(t *testing.T) {
	raw := unhex(t, vectorInit2)
	var m negTokenInit
	if err := m.decode(raw); err != nil {
		t.Fatal(err)
	}
	if len(m.mechs) != 2 || !m.mechs[1].Equal(OIDNTLM) || !m.hints || m.mic != nil || len(m.token) != 254 {
		t.Errorf("decoded %+v", m)
	}
	got, err := m.encode()
	if err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%v\n got %x\nwant %x", err, got, raw)
	}
	for n := range raw {
		if err := new(negTokenInit).decode(raw[:n]); !errors.Is(err, auth.ErrBadToken) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

func ntlmInitiator(password string) InitiatorMechanism {
	return InitiatorMechanism{OIDNTLM, func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{
			Credentials: auth.Credentials{Username: "alice", Password: password}})
	}}
}

func ntlmAcceptor() AcceptorMechanism {
	return AcceptorMechanism{OIDNTLM, func() auth.Acceptor {
		return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "SERVER",
			Secrets: func(context.Context, string, string) ([16]byte, error) { return ntlm.NTHash("secret"), nil }})
	}}
}

// other gives mechanisms of another name that behave as NTLM does.
func other(oid asn1.ObjectIdentifier) (InitiatorMechanism, AcceptorMechanism) {
	i, a := ntlmInitiator("secret"), ntlmAcceptor()
	i.OID, a.OID = oid, oid
	return i, a
}

// run steps both sides to their end; change may alter each token on its way.
func run(t *testing.T, i auth.Initiator, a auth.Acceptor, change func(n int, token []byte) []byte) error {
	t.Helper()
	var in []byte
	initiatorDone, acceptorDone := false, false
	for n := 0; n < 10; n++ {
		out, done, err := i.Step(t.Context(), in)
		if err != nil {
			return err
		}
		if initiatorDone = done; acceptorDone {
			break
		}
		if change != nil {
			out = change(n, out)
		}
		if in, acceptorDone, err = a.Step(t.Context(), out); err != nil {
			return err
		}
		if initiatorDone && acceptorDone {
			break
		}
	}
	if !initiatorDone || !acceptorDone {
		return errors.New("no end")
	}
	for range 2 {
		talk(t, i.Context(), a.Context())
		talk(t, a.Context(), i.Context())
	}
	return nil
}

func talk(t *testing.T, from, to auth.Context) {
	t.Helper()
	body := []byte("hello")
	sig, err := from.Seal([]auth.Buffer{{Data: body}})
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Unseal([]auth.Buffer{{Data: body}}, sig); err != nil || string(body) != "hello" {
		t.Fatal(err, string(body))
	}
}

func TestNegotiation(t *testing.T) {
	fakeI, fakeA := other(asn1.ObjectIdentifier{1, 2, 3})
	kerberosI, _ := other(OIDKerberosMS)
	_, kerberosA := other(OIDKerberos)
	broken := InitiatorMechanism{OIDKerberos, func() auth.Initiator { return ntlm.NewInitiator(ntlm.InitiatorOptions{}) }}
	for _, tt := range []struct {
		name   string
		client []InitiatorMechanism
		server []AcceptorMechanism
		want   error
	}{
		{"one", []InitiatorMechanism{ntlmInitiator("secret")}, []AcceptorMechanism{ntlmAcceptor()}, nil},
		{"wrong password", []InitiatorMechanism{ntlmInitiator("x")}, []AcceptorMechanism{ntlmAcceptor()}, auth.ErrLogonFailure},
		{"second choice", []InitiatorMechanism{fakeI, ntlmInitiator("secret")}, []AcceptorMechanism{ntlmAcceptor()}, nil},
		{"client's preference", []InitiatorMechanism{ntlmInitiator("secret"), fakeI}, []AcceptorMechanism{fakeA, ntlmAcceptor()}, nil},
		{"Kerberos by its wrong number", []InitiatorMechanism{kerberosI}, []AcceptorMechanism{kerberosA}, nil},
		{"unusable first", []InitiatorMechanism{broken, ntlmInitiator("secret")}, []AcceptorMechanism{ntlmAcceptor()}, nil},
		{"none usable", []InitiatorMechanism{broken}, []AcceptorMechanism{ntlmAcceptor()}, auth.ErrUnsupported},
		{"none in common", []InitiatorMechanism{fakeI}, []AcceptorMechanism{ntlmAcceptor()}, auth.ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := run(t, NewInitiator(tt.client...), NewAcceptor(tt.server...), nil)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestHints(t *testing.T) {
	a, i := NewAcceptor(ntlmAcceptor()), NewInitiator(ntlmInitiator("secret"))
	hint, done, err := a.Step(t.Context(), nil)
	if err != nil || done {
		t.Fatal(done, err)
	}
	var m negTokenInit
	if err := m.decode(hint); err != nil || !m.hints {
		t.Fatal(err, m)
	}
	token, _, err := i.Step(t.Context(), hint)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Step(t.Context(), token); err != nil {
		t.Fatal(err)
	}
}

// Clients send bare NTLM under HTTP's Negotiate scheme.
func TestBareNTLM(t *testing.T) {
	i := ntlmInitiator("secret").New()
	if err := run(t, i, NewAcceptor(ntlmAcceptor()), func(_ int, token []byte) []byte {
		if !bytes.HasPrefix(token, []byte("NTLMSSP\x00")) {
			t.Fatal("not bare")
		}
		return token
	}); err != nil {
		t.Fatal(err)
	}
	kerberosI, _ := other(OIDKerberos)
	if _, _, err := NewAcceptor(AcceptorMechanism{OIDKerberos, kerberosAcceptor(kerberosI)}).Step(t.Context(),
		[]byte("NTLMSSP\x00\x01\x00\x00\x00\x00\x00\x00\x00")); !errors.Is(err, auth.ErrUnsupported) {
		t.Error("NTLM got in where it is not offered:", err)
	}
}

func kerberosAcceptor(InitiatorMechanism) func() auth.Acceptor { return ntlmAcceptor().New }

// Somebody in the middle removes the better mechanism from the client's list.
func TestDowngrade(t *testing.T) {
	better, _ := other(asn1.ObjectIdentifier{1, 2, 3})
	_, betterA := other(asn1.ObjectIdentifier{1, 2, 3})
	strip := func(n int, token []byte) []byte {
		if n != 0 {
			return token
		}
		var m negTokenInit
		if err := m.decode(token); err != nil {
			t.Fatal(err)
		}
		m.mechList, _ = encodeMechs(m.mechs[1:])
		out, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	i := NewInitiator(better, ntlmInitiator("secret"))
	if err := run(t, i, NewAcceptor(betterA, ntlmAcceptor()), strip); err == nil {
		t.Fatal("the downgrade was not noticed")
	}
	if i.Context() != nil {
		t.Fatal("there is a context")
	}
}

func TestMICRules(t *testing.T) {
	edit := func(t *testing.T, token []byte, f func(*negTokenResp)) []byte {
		var m negTokenResp
		if err := m.decode(token); err != nil {
			t.Fatal(err)
		}
		f(&m)
		out, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Run("wrong MIC", func(t *testing.T) {
		err := run(t, NewInitiator(ntlmInitiator("secret")), NewAcceptor(ntlmAcceptor()), func(n int, token []byte) []byte {
			if n != 1 {
				return token
			}
			return edit(t, token, func(m *negTokenResp) { m.mic[5] ^= 1 })
		})
		if !errors.Is(err, auth.ErrMessageAltered) {
			t.Error(err)
		}
	})
	t.Run("first choice without MIC, and an old peer's copy of the token", func(t *testing.T) {
		for _, copied := range []bool{false, true} {
			i, a := NewInitiator(ntlmInitiator("secret")), NewAcceptor(ntlmAcceptor())
			token, _, _ := i.Step(t.Context(), nil)
			token, _, _ = a.Step(t.Context(), token)
			token, _, err := i.Step(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			token = edit(t, token, func(m *negTokenResp) {
				if m.mic = nil; copied {
					m.mic = m.token
				}
			})
			token, done, err := a.Step(t.Context(), token)
			if err != nil || !done {
				t.Fatal(done, err)
			}
			if m := (negTokenResp{}); m.decode(token) != nil || m.mic != nil || m.state != acceptCompleted {
				t.Errorf("answer %+v", m)
			}
		}
	})
	t.Run("second choice without MIC", func(t *testing.T) {
		fake, _ := other(asn1.ObjectIdentifier{1, 2, 3})
		a := NewAcceptor(ntlmAcceptor())
		i := NewInitiator(fake, ntlmInitiator("secret"))
		var token []byte
		for n := range 3 {
			out, _, err := i.Step(t.Context(), token)
			if err != nil {
				t.Fatal(n, err)
			}
			if n == 2 {
				out = edit(t, out, func(m *negTokenResp) { m.mic = nil })
			}
			var done bool
			if token, done, err = a.Step(t.Context(), out); err != nil || done {
				t.Fatal(n, done, err)
			}
		}
		empty, _ := (&negTokenResp{state: stateAbsent}).encode()
		if _, done, err := a.Step(t.Context(), empty); done || !errors.Is(err, auth.ErrBadToken) || a.Context() != nil {
			t.Error(done, err)
		}
	})
	t.Run("the last token does not come", func(t *testing.T) {
		i, a := NewInitiator(ntlmInitiator("secret")), NewAcceptor(ntlmAcceptor())
		token, _, _ := i.Step(t.Context(), nil)
		if _, _, err := NewInitiator(ntlmInitiator("x")).Step(t.Context(), token[:3]); err == nil {
			t.Error("garbage was taken for hints")
		}
		token, _, _ = a.Step(t.Context(), token)
		if _, _, err := i.Step(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if _, done, err := i.Step(t.Context(), nil); err != nil || !done || i.Context() == nil {
			t.Error(done, err)
		}
	})
	t.Run("done before the mechanism", func(t *testing.T) {
		i := NewInitiator(ntlmInitiator("secret"))
		if _, _, err := i.Step(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		early, _ := (&negTokenResp{state: acceptCompleted, mech: OIDNTLM}).encode()
		if _, _, err := i.Step(t.Context(), early); !errors.Is(err, auth.ErrBadToken) {
			t.Error(err)
		}
	})
	t.Run("rejected", func(t *testing.T) {
		i := NewInitiator(ntlmInitiator("secret"))
		if _, _, err := i.Step(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		no, _ := (&negTokenResp{state: reject}).encode()
		if _, _, err := i.Step(t.Context(), no); !errors.Is(err, auth.ErrLogonFailure) {
			t.Error(err)
		}
	})
}

func FuzzSPNEGO(f *testing.F) {
	f.Add(unhex(f, vectorInit2))
	i := NewInitiator(ntlmInitiator("secret"))
	token, _, _ := i.Step(f.Context(), nil)
	f.Add(token)
	resp, _ := (&negTokenResp{state: requestMIC, mech: OIDNTLM, token: []byte{1}, mic: []byte{2}}).encode()
	f.Add(resp)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, done, _ := NewAcceptor(ntlmAcceptor()).Step(t.Context(), b); done {
			t.Fatal("done after one token")
		}
		i := NewInitiator(ntlmInitiator("secret"))
		if _, _, err := i.Step(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, done, _ := i.Step(t.Context(), b); done {
			t.Fatal("done without a challenge")
		}
		var m negTokenInit
		if m.decode(b) == nil {
			out, err := m.encode()
			if err != nil || new(negTokenInit).decode(out) != nil {
				t.Fatalf("own encoding is not readable: %v", err)
			}
		}
	})
}
