package krb5

import (
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/test/testdata"

	"github.com/casementhq/casement/auth"
)

// Nobody gets in with a token that was not made with the keys; nothing panics.
func FuzzAcceptor(f *testing.F) {
	l := newLocal(f, etypeID.AES256_CTS_HMAC_SHA1_96)
	for _, dce := range []bool{false, true} {
		token, _, err := l.initiator(InitiatorOptions{DCE: dce}, l.ticket(ticketOptions{})).Step(f.Context(), nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
		f.Add(token[:len(token)-1])
	}
	stranger := newLocal(f, etypeID.AES256_CTS_HMAC_SHA1_96)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, dce := range []bool{false, true} {
			if _, done, err := stranger.acceptor(AcceptorOptions{DCE: dce}).Step(t.Context(), b); done || err == nil {
				t.Fatal("somebody came in")
			}
		}
	})
}

// The inner parts, which only a KDC or an authenticated client can send.
func FuzzAuthenticator(f *testing.F) {
	l := newLocal(f, etypeID.AES128_CTS_HMAC_SHA1_96)
	held := l.ticket(ticketOptions{})
	cred, err := sealCred(held, held.key)
	if err != nil {
		f.Fatal(err)
	}
	sum := gssChecksum{flags: flagDelegate, cred: cred}
	f.Add(sum.encode())
	f.Add(cred)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s gssChecksum
		if s.decode(b) == nil && s.cred != nil {
			_, _ = openCred(s.cred, held.key)
		}
		_, _ = openCred(b, held.key)
		_, _ = readCredInfo(b)
	})
}

func FuzzReply(f *testing.F) {
	l := newLocal(f, etypeID.AES256_CTS_HMAC_SHA1_96)
	held := l.ticket(ticketOptions{})
	token, _, _ := l.initiator(InitiatorOptions{}, held).Step(f.Context(), nil)
	reply, _, err := l.acceptor(AcceptorOptions{}).Step(f.Context(), token)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reply)
	l.now = l.now.Add(time.Second) // what is asked below, nobody answered
	refusal, _ := frame(tokError, krbError(f, 37, nil)[4:])
	f.Add(refusal)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, dce := range []bool{false, true} {
			i := l.initiator(InitiatorOptions{DCE: dce}, held)
			if _, _, err := i.Step(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if _, done, err := i.Step(t.Context(), b); done || err == nil {
				t.Fatal("somebody proved to be the service")
			}
		}
	})
}

func FuzzKDCAnswer(f *testing.F) {
	f.Add(krbError(f, 25, etypeInfo(f, 18, []byte{0, 0, 16, 0}, 1))[4:])
	f.Add(krbError(f, 25, etypeInfo(f, 18, nil, 0))[4:])
	var answer []byte
	c := fakeKDC(f, func([]byte) []byte { return appendData(nil, answer) })
	f.Fuzz(func(t *testing.T, b []byte) {
		answer = b
		if _, err := c.ticket(t.Context(), service); err == nil {
			t.Fatal("a ticket without a KDC")
		}
	})
}

func FuzzWrap(f *testing.F) {
	var sessions []*Session
	for _, etype := range etypes {
		for _, dce := range []bool{false, true} {
			client, server := newLocal(f, etype).pair(dce)
			bufs := message(client, 20)
			signature, err := client.Seal(bufs)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(signature, flat(bufs[1:3]))
			sessions = append(sessions, server)
		}
	}
	for _, etype := range etypes { // of other keys than those that are asked below
		client, _ := newLocal(f, etype).pair(false)
		bufs := []auth.Buffer{{Data: make([]byte, 16)}}
		signature, _ := client.Seal(bufs)
		f.Add(signature, bufs[0].Data)
	}
	f.Fuzz(func(t *testing.T, signature, data []byte) {
		for _, s := range sessions {
			in := *s.in
			if in.unseal([]auth.Buffer{{Data: append([]byte(nil), data...)}}, signature, 1<<40) == nil {
				t.Fatal("a message with another number")
			}
			_ = in.unseal([]auth.Buffer{{Data: append([]byte(nil), data...)}}, signature, in.sequence)
			if in.verify([]auth.Buffer{{Data: data}}, signature, in.sequence) == nil {
				t.Fatal("a signature without the key")
			}
		}
	})
}

func FuzzPAC(f *testing.F) {
	f.Add(unhex(f, testdata.MarshaledPAC_AD_WIN2K_PAC))
	f.Add(unhex(f, testdata.MarshaledPAC_Kerb_Validation_Info_MS))
	f.Add(unhex(f, testdata.MarshaledPAC_Kerb_Validation_Info_Trust))
	_, key, authTime := testPAC(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readPAC(b, key, testuser("testuser1"), "TEST.GOKRB5", authTime)
		_, _ = readLogonInfo(b)
		if parts, err := pacParts(b); err == nil {
			_ = parts[pacClientInfo].checkClient(testuser("x"), realm, authTime)
		}
	})
}

func FuzzFiles(f *testing.F) {
	f.Add(unhex(f, testdata.KEYTAB_SYSHTTP_TEST_GOKRB5))
	f.Add(unhex(f, testdata.CCACHE_TEST))
	l := newLocal(f, etypeID.AES128_CTS_HMAC_SHA1_96)
	f.Add(encodeCCache(l.ticket(ticketOptions{})))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ParseKeytab(b); err == nil && len(k.Principals()) == 0 {
			t.Fatal("an empty keytab")
		}
		_, creds, err := parseCCache(b)
		if err != nil {
			return
		}
		for i := range creds {
			if _, again, err := parseCCache(encodeCCache(&creds[i])); err != nil || len(again) > 1 {
				t.Fatal(err)
			}
		}
	})
}
