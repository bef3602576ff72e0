package accounts

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casementhq/casement/security"
)

var home = netip.MustParseAddr("192.0.2.1")

// clock is a time that only the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func clockStore(t *testing.T) (*Store, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s, err := Create(t.TempDir(), "Srv01", Options{Hash: testHash, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestVerifyPassword(t *testing.T) {
	s := newTestStore(t)
	u := addUser(t, s, "alice", "secret")
	addUser(t, s, "off", "secret")
	if err := s.SetDisabled("off", true); err != nil {
		t.Fatal(err)
	}
	if got, err := s.VerifyPassword(`srv01\ALICE`, "secret", home); err != nil || got.SID != u.SID {
		t.Errorf("%+v, %v", got, err)
	}
	for _, c := range []struct {
		name, password string
		reason         error
	}{
		{"alice", "Secret", ErrWrongPassword}, {"alice", "", ErrWrongPassword}, {"bob", "secret", ErrNoSuchUser},
		{"off", "secret", ErrDisabled}, {"Administrator", "", ErrNoPassword}, {`OTHER\alice`, "secret", ErrNoSuchUser},
	} {
		_, err := s.VerifyPassword(c.name, c.password, home)
		if !errors.Is(err, ErrLogonFailure) || !errors.Is(err, c.reason) {
			t.Errorf("%s %q: %v", c.name, c.password, err)
		}
		if err != nil && c.password != "" && c.name != "off" && strings.Contains(err.Error(), c.password) {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	none, err := Open(s.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.VerifyPassword("alice", "secret", home); !errors.Is(err, ErrLogonFailure) {
		t.Errorf("without a hash: %v", err)
	}
	if err := none.SetPassword("alice", "x"); !errors.Is(err, ErrNoHash) {
		t.Errorf("without a hash: %v", err)
	}
}

func TestNTHash(t *testing.T) {
	s := newTestStore(t)
	addUser(t, s, "alice", "secret")
	for _, domain := range []string{"", ".", "SRV01"} {
		if h, err := s.NTHash(domain, "Alice"); err != nil || h != testHash("secret") {
			t.Errorf("%q: %v", domain, err)
		}
	}
	bob, err := s.NTHash("", "bob")
	if !errors.Is(err, ErrLogonFailure) || bob == [16]byte{} || bob == testHash("secret") {
		t.Errorf("bob: %v", err)
	}
	if again, _ := s.NTHash("srv01", "BOB"); again != bob {
		t.Error("the decoy of a name changes")
	}
	if alice, err := s.NTHash("OTHER", "alice"); err == nil || alice == testHash("secret") {
		t.Errorf("another domain gave the hash: %v", err)
	}
}

func TestHashesDoNotPrint(t *testing.T) {
	s := newTestStore(t)
	addUser(t, s, "alice", "secret")
	hash := fmt.Sprintf("%x", testHash("secret"))
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "user", s.state.Users[1].NTHash.String())
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", *s.state.Users[1].NTHash, *s.state.Users[1].NTHash, *s.state.Users[1].NTHash, s.state.Users[1].NTHash), b.String()} {
		if strings.Contains(text, hash) || strings.Contains(text, hash[:8]) {
			t.Errorf("printed %s", text)
		}
	}
}

func groupsOf(tok security.Token) (enabled []string) {
	for _, g := range tok.Groups {
		if !g.DenyOnly {
			enabled = append(enabled, g.SID.String())
		}
	}
	return enabled
}

func TestToken(t *testing.T) {
	s := newTestStore(t)
	u := addUser(t, s, "alice", "secret")
	if err := s.AddMember("Remote Management Users", "alice"); err != nil {
		t.Fatal(err)
	}
	tok, err := s.Token("alice", TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"S-1-1-0", "S-1-5-11", "S-1-5-2", "S-1-5-32-545", "S-1-5-32-580", "S-1-5-113", "S-1-5-15", s.state.MachineSID.String() + "-513"}
	got := groupsOf(tok)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || tok.User != u.SID || tok.UserName != "alice" || tok.Domain != "Srv01" || tok.Filtered {
		t.Errorf("token %+v\ngroups %v\nwant   %v", tok, got, want)
	}
	tok, err = s.Token("alice", TokenOptions{LogonType: security.LogonInteractive})
	if err != nil || !tok.Has(security.SIDInteractive) || tok.Has(security.SIDNetwork) {
		t.Errorf("%+v, %v", tok, err)
	}
	if err := s.SetDisabled("alice", true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token("alice", TokenOptions{}); !errors.Is(err, ErrLogonFailure) {
		t.Errorf("a disabled user has a token: %v", err)
	}
}

func TestRemoteAdministratorsAreFiltered(t *testing.T) {
	s := newTestStore(t)
	addUser(t, s, "alice", "secret")
	if err := s.AddMember("Administrators", "alice"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    TokenOptions
		full bool
	}{
		{"alice", TokenOptions{}, false},
		{"alice", TokenOptions{LocalAccountTokenFilterPolicy: true}, true},
		{"alice", TokenOptions{LogonType: security.LogonInteractive}, true},
		{"Administrator", TokenOptions{}, true},
	} {
		tok, err := s.Token(c.name, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if tok.Has(security.SIDAdministrators) != c.full || tok.Filtered == c.full || tok.HasPrivilege(security.SeDebug) != c.full ||
			tok.Has(security.SIDLocalAccountAdmin) != c.full || !tok.HasForDeny(security.SIDAdministrators) {
			t.Errorf("%s %+v: %+v", c.name, c.o, tok)
		}
	}
}

func TestForeignToken(t *testing.T) {
	s := newTestStore(t)
	sid := func(text string) security.SID {
		v, err := security.ParseSID(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	admins := sid("S-1-5-21-9-9-9-512")
	if err := s.AddMember("Administrators", admins.String()); err != nil {
		t.Fatal(err)
	}
	f := Foreign{User: sid("S-1-5-21-9-9-9-1104"), UserName: "eve", Domain: "EXAMPLE", Groups: []security.SID{admins}}
	tok, err := s.ForeignToken(f, security.LogonNetwork)
	if err != nil || !tok.Has(security.SIDAdministrators) || tok.Filtered || tok.Domain != "EXAMPLE" || tok.Has(security.SIDLocalAccount) {
		t.Errorf("%+v, %v", tok, err)
	}
	// A foreign authority cannot hand out this machine's own accounts and groups.
	f.Groups = []security.SID{security.SIDAdministrators, s.state.MachineSID.WithRID(500)}
	if tok, err = s.ForeignToken(f, security.LogonNetwork); err != nil || tok.Has(security.SIDAdministrators) {
		t.Errorf("%+v, %v", tok, err)
	}
	for _, bad := range []security.SID{{}, security.SIDLocalSystem, s.state.MachineSID.WithRID(500)} {
		if _, err := s.ForeignToken(Foreign{User: bad}, security.LogonNetwork); !errors.Is(err, ErrLogonFailure) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	s, c := clockStore(t)
	addUser(t, s, "alice", "secret")
	for i := range pairFree {
		if _, err := s.VerifyPassword([]string{"alice", `srv01\ALICE`, "alice@SRV01"}[i%3], "no", home); !errors.Is(err, ErrWrongPassword) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		var e *LogonError
		_, err := s.VerifyPassword("alice", "secret", home)
		if !errors.As(err, &e) || !errors.Is(err, ErrTooManyTries) || !errors.Is(err, ErrLogonFailure) || e.Wait != want {
			t.Fatalf("want a wait of %s: %v", want, err)
		}
		c.at = c.at.Add(want)
		if _, err := s.VerifyPassword("alice", "no", home); !errors.Is(err, ErrWrongPassword) {
			t.Fatalf("after %s: %v", want, err)
		}
	}
	l := s.Lockouts()
	if len(l) != 1 || l[0].User != "alice" || l[0].Address.String() != "192.0.2.1/32" || l[0].Failures != 8 || !l[0].Until.Equal(c.at.Add(8*time.Second)) {
		t.Errorf("lockouts %+v", l)
	}
	if _, err := s.VerifyPassword("alice", "secret", netip.MustParseAddr("192.0.2.2")); err != nil {
		t.Errorf("another address waits too: %v", err)
	}
	c.at = c.at.Add(8 * time.Second)
	if _, err := s.VerifyPassword("alice", "secret", home); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	if l := s.Lockouts(); len(l) != 0 {
		t.Errorf("after success: %+v", l)
	}
}

func TestUnknownUsersAreSlowedDownAlike(t *testing.T) {
	s, _ := clockStore(t)
	for range pairFree {
		_, _ = s.VerifyPassword("nobody", "x", home)
	}
	if _, err := s.VerifyPassword("nobody", "x", home); !errors.Is(err, ErrTooManyTries) {
		t.Error(err)
	}
}

func TestOneAddressWithManyNames(t *testing.T) {
	s, c := clockStore(t)
	addUser(t, s, "alice", "secret")
	for i := range addressFree {
		s.Failed(fmt.Sprint("user", i), netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)))
	}
	// The whole /64 is one address, and a success of its own does not free it.
	from := netip.MustParseAddr("2001:db8::ffff")
	if err := s.Allow("alice", from); !errors.Is(err, ErrTooManyTries) {
		t.Error(err)
	}
	s.Succeeded("alice", from)
	if err := s.Allow("alice", from); !errors.Is(err, ErrTooManyTries) {
		t.Error(err)
	}
	if err := s.Allow("alice", netip.MustParseAddr("2001:db8:0:1::1")); err != nil {
		t.Error(err)
	}
	c.at = c.at.Add(forgetAfter + time.Second)
	if err := s.Allow("alice", from); err != nil {
		t.Errorf("it is never forgotten: %v", err)
	}
}

func TestManyAddressesWithOneName(t *testing.T) {
	s, c := clockStore(t)
	addUser(t, s, "alice", "secret")
	s.Succeeded("alice", home)
	for i := range userFree + 50 {
		s.Failed("alice", netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
	}
	fresh := netip.MustParseAddr("203.0.113.1")
	var e *LogonError
	if err := s.Allow("alice", fresh); !errors.As(err, &e) || e.Wait != userCap {
		t.Errorf("a new address: %v", err)
	}
	if err := s.Allow("alice", home); err != nil {
		t.Errorf("the owner's own address waits: %v", err)
	}
	if err := s.SetPassword("alice", "new"); err != nil {
		t.Fatal(err)
	}
	if err := s.Allow("alice", fresh); err != nil {
		t.Errorf("after a new password: %v", err)
	}
	c.at = c.at.Add(time.Hour)
}

func TestGuardIsBounded(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	g := guard{now: c.now, policy: DefaultLockoutPolicy, log: slog.New(slog.DiscardHandler)}
	for i := range 3 * maxRecords {
		c.at = c.at.Add(time.Millisecond)
		g.failed(fmt.Sprint(i), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		if len(g.records) > maxRecords {
			t.Fatalf("%d records", len(g.records))
		}
	}
}

// A guesser tries a list of passwords over many connections at the same moment.
// Only as many may be looked at as if they had come one after the other.
func TestGuessesAtTheSameMomentAreCounted(t *testing.T) {
	slow := func(password string) [16]byte {
		time.Sleep(time.Millisecond)
		return testHash(password)
	}
	s, err := Create(t.TempDir(), "Srv01", Options{Hash: slow})
	if err != nil {
		t.Fatal(err)
	}
	addUser(t, s, "alice", "secret")
	var looked atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 100 {
		wg.Go(func() {
			<-start
			if _, err := s.VerifyPassword("alice", fmt.Sprint("guess", i), home); !errors.Is(err, ErrTooManyTries) {
				looked.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	if n := looked.Load(); n > pairFree {
		t.Errorf("%d of 100 guesses at once were looked at, %d are free", n, pairFree)
	}
}

// TestUnixToken: a user of the system without an account is a plain user with a
// SID of its own, and a member of the groups that every caller has.
func TestUnixToken(t *testing.T) {
	s := newTestStore(t)
	tok, err := s.UnixToken(1234, "ann", security.LogonInteractive)
	if err != nil || tok.User.String() != "S-1-22-1-1234" || tok.Has(security.SIDAdministrators) || !tok.Has(security.SIDAuthenticatedUsers) || !tok.Has(security.SIDEveryone) {
		t.Errorf("%+v, %v", tok, err)
	}
}

// A disabled Administrator signs in no more, and is still who root and the owner of the state are on the machine itself.
func TestElevatedOnTheMachineItself(t *testing.T) {
	s := newTestStore(t)
	if err := errors.Join(s.SetDisabled("Administrator", true), s.RemoveMember("Administrators", "Administrator")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token("Administrator", TokenOptions{}); !errors.Is(err, ErrDisabled) {
		t.Errorf("over the network: %v", err)
	}
	own, err := s.Token("Administrator", TokenOptions{LogonType: security.LogonInteractive, Elevated: true})
	if err != nil || !own.Has(security.SIDAdministrators) || own.Filtered {
		t.Fatalf("elevated: %+v, %v", own, err)
	}
	if again, err := s.Refresh(&own); err != nil || !again.Has(security.SIDAdministrators) {
		t.Errorf("later on: %+v, %v", again, err)
	}
	remote := own
	remote.LogonType = security.LogonNetwork
	if _, err := s.Refresh(&remote); !errors.Is(err, ErrDisabled) {
		t.Errorf("who came over the network, later on: %v", err)
	}
}
