package service

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/wsman/wsmanserver"
)

// A guesser proves wrong passwords by NTLM over many connections at the same
// moment. No more of them are looked at than in a row: five, and one for each
// second that the test takes.
func TestNTLMGuessesAtTheSameMomentAreCounted(t *testing.T) {
	state, err := OpenState(t.TempDir(), StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	if err := state.Accounts.SetPassword("Administrator", "Secret-1-word"); err != nil {
		t.Fatal(err)
	}
	p := &people{store: state.Accounts, state: state}
	var looked, refused atomic.Int32
	var ready, wg sync.WaitGroup
	start := make(chan struct{})
	for range 64 {
		ready.Add(1)
		wg.Go(func() {
			acceptor := p.negotiate(wsmanserver.Peer{Remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}})
			guess := ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: "Administrator", Password: "wrong"}})
			first, _, err := guess.Step(t.Context(), nil)
			if err != nil {
				t.Error(err)
			}
			challenge, _, err := acceptor.Step(t.Context(), first)
			if err != nil {
				t.Error(err)
			}
			proof, _, err := guess.Step(t.Context(), challenge)
			if err != nil {
				t.Error(err)
			}
			ready.Done()
			<-start
			switch _, done, err := acceptor.Step(t.Context(), proof); {
			case done || !errors.Is(err, auth.ErrLogonFailure):
				t.Errorf("done %v, %v", done, err)
			case errors.Is(err, accounts.ErrTooManyTries):
				refused.Add(1)
			default:
				looked.Add(1)
			}
		})
	}
	ready.Wait()
	close(start)
	wg.Wait()
	if n := looked.Load(); n > 8 || refused.Load() == 0 {
		t.Errorf("%d of 64 guesses at once were looked at, %d refused", n, refused.Load())
	}
	// What was refused unseen does not make the wait longer: who keeps trying gets in when it is over.
	for _, l := range state.Accounts.Lockouts() {
		if l.Failures > 8 {
			t.Errorf("%d failures are counted for %s %s", l.Failures, l.User, l.Address)
		}
	}
}
