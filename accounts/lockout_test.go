package accounts

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// beside opens the accounts of a store as another process would, at the same time of day.
func beside(t *testing.T, s *Store, c *clock) *Store {
	t.Helper()
	other, err := Open(s.dir, Options{Hash: testHash, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// guess fails until a lockout refuses, waiting out what the delays ask for, and tells how many failures were looked at.
func guess(t *testing.T, s *Store, c *clock, name string, from netip.Addr, most int) (looked int, last *LogonError) {
	t.Helper()
	for looked <= most {
		_, err := s.VerifyPassword(name, "wrong", from)
		if !errors.As(err, &last) || !errors.Is(err, ErrLogonFailure) {
			t.Fatalf("failure %d: %v", looked, err)
		}
		switch {
		case errors.Is(err, ErrLockedOut):
			return looked, last
		case errors.Is(err, ErrTooManyTries):
			c.at = c.at.Add(last.Wait)
			continue
		}
		looked++
	}
	return looked, last
}

// The policy of Windows 11: ten failures within ten minutes lock a user out for ten; here from the address that they came from.
func TestLockout(t *testing.T) {
	s, c := clockStore(t)
	addUser(t, s, "alice", "secret")
	if p, err := s.LockoutPolicy(); err != nil || p != (LockoutPolicy{10, 10 * time.Minute, 10 * time.Minute}) {
		t.Fatalf("%+v %v", p, err)
	}
	for _, name := range []string{"alice", "nobody"} { // nobody can tell who exists
		looked, last := guess(t, s, c, name, home, 99)
		if looked != 10 || last.Wait != 10*time.Minute {
			t.Errorf("%s: locked out after %d failures for %s", name, looked, last.Wait)
		}
	}
	elsewhere := netip.MustParseAddr("192.0.2.2")
	if _, err := s.VerifyPassword("alice", "secret", elsewhere); err != nil {
		t.Errorf("from another address: %v", err)
	}
	if _, err := s.VerifyPassword("alice", "secret", home); !errors.Is(err, ErrLockedOut) || !errors.Is(err, ErrLogonFailure) || !strings.Contains(err.Error(), "0xC0000234") {
		t.Errorf("the right password while locked out: %v", err)
	}
	// It outlives the process that counted, and another one sees it.
	other := beside(t, s, c)
	if l := other.Lockouts(); len(l) != 2 || !l[0].Policy || l[0].Failures != 10 || l[0].Address.String() != "192.0.2.1/32" || !l[0].Until.After(c.at) {
		t.Errorf("another process sees %+v", l)
	}
	if err := other.Allow("ALICE", home); !errors.Is(err, ErrLockedOut) {
		t.Errorf("another process: %v", err)
	}
	c.at = c.at.Add(9*time.Minute + 59*time.Second)
	if err := other.Allow("nobody", home); !errors.Is(err, ErrLockedOut) {
		t.Errorf("after 9:59: %v", err)
	}
	c.at = c.at.Add(time.Second)
	if _, err := s.VerifyPassword("alice", "secret", home); err != nil {
		t.Errorf("when it is over: %v", err)
	}
	if l := s.Lockouts(); len(l) != 0 {
		t.Errorf("when it is over: %+v", l)
	}
	if info, err := os.Stat(filepath.Join(s.dir, LockoutFileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

// An administrator ends a lockout from another process, and the next attempt does not wait.
func TestUnlock(t *testing.T) {
	s, c := clockStore(t)
	addUser(t, s, "alice", "secret")
	guess(t, s, c, "alice", home, 99)
	guess(t, s, c, "bob", netip.MustParseAddr("192.0.2.3"), 99)
	other := beside(t, s, c)
	if n, err := other.Unlock(`srv01\Alice`); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if n, err := other.Unlock("alice"); n != 0 || err != nil {
		t.Errorf("again: %d %v", n, err)
	}
	if _, err := s.VerifyPassword("alice", "secret", home); err != nil {
		t.Errorf("after the end of it: %v", err)
	}
	if l := s.Lockouts(); len(l) != 1 || l[0].User != "bob" {
		t.Errorf("left: %+v", l)
	}
	// A new password ends them, too.
	from := netip.MustParseAddr("192.0.2.4")
	guess(t, s, c, "alice", from, 99)
	if err := other.SetPassword("alice", "another"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.VerifyPassword("alice", "another", from); err != nil {
		t.Errorf("with a new password: %v", err)
	}
}

// Policies other than the default, the ranges of net accounts, and a running store that follows.
func TestLockoutPolicy(t *testing.T) {
	s, c := clockStore(t)
	addUser(t, s, "alice", "secret")
	other := beside(t, s, c)
	minute := time.Minute
	for _, bad := range []LockoutPolicy{{}, {-1, minute, minute}, {1000, minute, minute}, {1, -minute, minute}, {1, minute, 0}, {1, minute, 2 * minute}, {1, minute, time.Second},
		{1, 100000 * minute, minute}, {1, 0, 100000 * minute}} {
		if err := other.SetLockoutPolicy(bad); !errors.Is(err, ErrBadPolicy) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	set := func(p LockoutPolicy) {
		t.Helper()
		if err := other.SetLockoutPolicy(p); err != nil {
			t.Fatal(err)
		}
		if got, err := s.LockoutPolicy(); err != nil || got != p {
			t.Fatalf("%+v %v, want %+v", got, err, p)
		}
	}
	set(LockoutPolicy{Threshold: 2, Duration: 0, Window: 30 * minute})
	if looked, last := guess(t, s, c, "alice", home, 99); looked != 2 || last.Wait != 0 {
		t.Errorf("%d failures, then %v", looked, last)
	}
	c.at = c.at.Add(100 * 24 * time.Hour)
	if err := s.Allow("alice", home); !errors.Is(err, ErrLockedOut) {
		t.Errorf("without an end: %v", err)
	}
	if l := s.Lockouts(); len(l) != 1 || !l[0].Until.IsZero() {
		t.Errorf("%+v", l)
	}
	if _, err := other.Unlock("alice"); err != nil {
		t.Fatal(err)
	}
	// Failures that lie apart do not add up.
	set(LockoutPolicy{Threshold: 3, Duration: 5 * minute, Window: 5 * minute})
	for range 20 {
		if _, err := s.VerifyPassword("alice", "wrong", home); errors.Is(err, ErrLockedOut) {
			t.Fatal("failures that lie apart lock out")
		}
		c.at = c.at.Add(20 * minute)
	}
	set(LockoutPolicy{Threshold: 0, Duration: 5 * minute, Window: 5 * minute})
	if looked, _ := guess(t, s, c, "alice", home, 12); looked <= 12 {
		t.Errorf("threshold 0 locks out after %d failures", looked)
	}
	set(LockoutPolicy{Threshold: 1, Duration: 5 * minute, Window: 5 * minute})
	if looked, _ := guess(t, s, c, "zoe", home, 99); looked != 1 {
		t.Errorf("threshold 1 locks out after %d failures", looked)
	}
	if err := os.WriteFile(s.path(), []byte(strings.Replace(string(read(t, s.path())), `"windowMinutes": 5`, `"windowMinutes": 50`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LockoutPolicy(); !errors.Is(err, ErrBadPolicy) {
		t.Errorf("a damaged policy: %v", err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Many names at a time are bounded, in memory and in the file, and are not written one by one.
func TestLockoutsAreBounded(t *testing.T) {
	s, c := clockStore(t)
	if err := s.SetLockoutPolicy(LockoutPolicy{Threshold: 1, Duration: time.Hour, Window: time.Hour}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, LockoutFileName)
	written := 0
	var last os.FileInfo
	for i := range 2 * maxLocks {
		s.Failed(fmt.Sprint("user", i), netip.MustParseAddr(fmt.Sprintf("10.%d.%d.1", i>>8, i&255)))
		if info, err := os.Stat(path); err == nil && (last == nil || !os.SameFile(info, last)) {
			last, written = info, written+1
		}
		c.at = c.at.Add(time.Millisecond)
	}
	if n := len(s.Lockouts()); n > maxLocks || n < maxLocks/2 {
		t.Errorf("%d lockouts", n)
	}
	if written > writeBurst+12 {
		t.Errorf("%d writes in 8 seconds", written)
	}
	c.at = c.at.Add(time.Second)
	_ = s.Allow("x", home) // what was not written yet is
	other := beside(t, s, c)
	if got, want := len(other.Lockouts()), len(s.Lockouts()); got < want-1 || got > maxLocks {
		t.Errorf("another process sees %d of %d", got, want)
	}
	if err := os.WriteFile(path, []byte("{damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Allow(fmt.Sprint("user", 2*maxLocks-1), netip.MustParseAddr("10.31.255.1")); !errors.Is(err, ErrLockedOut) {
		t.Errorf("with a damaged file: %v", err)
	}
}

// Every kind of logon costs one hash and one look at the accounts, whatever there is to be found: what a stranger could tell from time.
func TestPasswordChecksDoTheSameWork(t *testing.T) {
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	hashed := 0
	s, err := Create(t.TempDir(), "Srv01", Options{Now: c.now, Hash: func(p string) [16]byte { hashed++; return testHash(p) }})
	if err != nil {
		t.Fatal(err)
	}
	addUser(t, s, "alice", "secret")
	addUser(t, s, "off", "secret")
	if err := s.SetDisabled("off", true); err != nil {
		t.Fatal(err)
	}
	locked := netip.MustParseAddr("192.0.2.9")
	guess(t, s, c, "alice", locked, 99)
	for _, row := range []struct {
		name, password string
		from           netip.Addr
	}{
		{"alice", "secret", home}, {"alice", "wrong", home}, {"alice", "", home}, {"nobody", "secret", home}, {"off", "secret", home}, {"Administrator", "secret", home},
		{`OTHER\alice`, "secret", home}, {"alice", "secret", locked}, {"nobody", "wrong", locked},
	} {
		before := hashed
		_, _ = s.VerifyPassword(row.name, row.password, row.from)
		if n := hashed - before; n != 1 {
			t.Errorf("%q with %q from %s: %d hashes", row.name, row.password, row.from, n)
		}
	}
}
