package krb5

import (
	"errors"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/spnego"
)

// A service whose clock is wrong says so, bare and within SPNEGO; of anything else that it refuses it says nothing.
// See [RFC4120] 3.2.3: KRB_AP_ERR_SKEW, KRB_AP_ERR_TKT_NYV, KRB_AP_ERR_TKT_EXPIRED.
func TestClockIsTold(t *testing.T) {
	l := newLocal(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	other := l.newKey()
	for name, tt := range map[string]struct {
		ticket ticketOptions
		ahead  time.Duration
		code   Code
		kdc    int32
	}{
		"ahead":         {ahead: 10 * time.Minute, code: TimeSkew, kdc: 37},
		"far behind":    {ahead: -time.Hour, code: TimeSkew, kdc: 33},
		"a day ahead":   {ticket: ticketOptions{end: l.now.Add(time.Hour)}, ahead: 24 * time.Hour, code: ContextExpired, kdc: 32},
		"another's key": {ticket: ticketOptions{key: &other}, ahead: time.Hour},
	} {
		for _, wrapped := range []bool{false, true} {
			var i auth.Initiator = l.initiator(InitiatorOptions{}, l.ticket(tt.ticket))
			var a auth.Acceptor = l.acceptor(AcceptorOptions{Now: func() time.Time { return l.now.Add(tt.ahead) }})
			if wrapped {
				inner, host := i, a
				i = spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: func() auth.Initiator { return inner }})
				a = spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDKerberos, New: func() auth.Acceptor { return host }})
			}
			token, _, err := i.Step(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			told, done, err := a.Step(t.Context(), token)
			if done || !errors.Is(err, auth.ErrLogonFailure) {
				t.Fatalf("%s: the service: %t, %v", name, done, err)
			}
			if tt.code == 0 {
				if len(told) > 0 {
					t.Errorf("%s: the client is told %x", name, told)
				}
				continue
			}
			_, done, err = i.Step(t.Context(), told)
			var e *Error
			if done || !errors.As(err, &e) || e.Code != tt.code || e.KDC != tt.kdc {
				t.Errorf("%s, in SPNEGO %t: %v", name, wrapped, err)
				continue
			}
			if off := e.Skew - tt.ahead; tt.code == TimeSkew && off.Abs() > 2*time.Second {
				t.Errorf("%s: the service is said to be %s ahead", name, e.Skew)
			}
		}
	}
}
