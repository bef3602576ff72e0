package accounts

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// ErrLogonFailure is matched by every failed logon, whatever its reason. It is all that the network may learn.
// Its code is 0xC000006D (STATUS_LOGON_FAILURE).
var ErrLogonFailure = errors.New("logon failure: unknown user name or bad password (0xC000006D STATUS_LOGON_FAILURE)")

// Reasons of a LogonError, for the log. An unknown user has ErrNoSuchUser.
var (
	ErrWrongPassword = errors.New("wrong password")
	ErrDisabled      = errors.New("the account is disabled")
	ErrNoPassword    = errors.New("the account has no password; set one first")
	ErrTooManyTries  = errors.New("too many failed logons")
	ErrLockedOut     = errors.New("the user is locked out from this address (0xC0000234 STATUS_ACCOUNT_LOCKED_OUT)")
	ErrGroupLost     = errors.New("the account was taken out of a group; sign in again")
)

// LogonError is a failed logon with its reason. It matches ErrLogonFailure and the reason. Its text is for the
// log; the peer gets the text of ErrLogonFailure, so that it cannot tell the reasons apart.
type LogonError struct {
	// User is the name as the peer gave it, cut to 64 bytes.
	User string
	// Reason is one of the reasons above, or why the accounts could not be read.
	Reason error
	// Wait is how long the next attempt must wait, with ErrTooManyTries and ErrLockedOut; 0: until somebody ends it.
	Wait time.Duration
}

// Error gives the reason, for the log.
func (e *LogonError) Error() string {
	if e.Wait > 0 {
		return fmt.Sprintf("logon of %q failed: %v, the next attempt is possible in %s", e.User, e.Reason, e.Wait.Round(time.Second))
	}
	return fmt.Sprintf("logon of %q failed: %v", e.User, e.Reason)
}

// Unwrap makes the error match ErrLogonFailure and its reason.
func (e *LogonError) Unwrap() []error { return []error{ErrLogonFailure, e.Reason} }

func logonError(user string, reason error) *LogonError {
	if len(user) > 64 {
		user = user[:64]
	}
	return &LogonError{User: user, Reason: reason}
}

// NTHash returns the NT hash of a user for NTLM. The domain is empty, a dot or the machine name. With an error, a
// LogonError, the hash is a decoy that is always the same for a name: the caller goes on with it and fails at the
// end, so that an unknown user takes the same work and time as a wrong password. It does not look at failed
// logons; see Allow.
func (s *Store) NTHash(domain, user string) ([16]byte, error) {
	if domain == "" {
		domain, user = SplitName(user)
	}
	decoy := s.decoyFor(user)
	st, err := s.current()
	if err != nil {
		return decoy, logonError(user, err)
	}
	rec, err := st.findUserIn(domain, user)
	switch {
	case err != nil:
		return decoy, logonError(user, err)
	case rec.NTHash == nil:
		return decoy, logonError(user, ErrNoPassword)
	case rec.Disabled:
		return decoy, logonError(user, ErrDisabled)
	}
	return *rec.NTHash, nil
}

// decoyFor makes the hash that stands for a user without one.
func (s *Store) decoyFor(user string) (out [16]byte) {
	m := hmac.New(sha256.New, s.decoy[:])
	m.Write([]byte(foldName(user)))
	copy(out[:], m.Sum(nil))
	return out
}

// PasswordMark is a digest of a user's password under a salt. It stays the same for as long as the password does, is
// no password equivalent, and gives a user who may not sign in no mark at all: the error is a LogonError.
func (s *Store) PasswordMark(name string, salt []byte) ([]byte, error) {
	hash, err := s.NTHash("", name)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, salt)
	m.Write(hash[:])
	return m.Sum(nil), nil
}

// VerifyPassword checks a password that came from an address (zero: from this machine), counts failures, and
// returns the user. The error is a LogonError. It does the same work for unknown users as for known ones and
// compares in constant time.
func (s *Store) VerifyPassword(name, password string, from netip.Addr) (User, error) {
	if s.hash == nil {
		return User{}, logonError(name, ErrNoHash)
	}
	defer s.Judge()()
	blocked := s.Allow(name, from)
	want, err := s.NTHash("", name)
	var got [16]byte
	if len(password) <= 4*MaxPassword {
		got = s.hash(password)
	}
	same := subtle.ConstantTimeCompare(got[:], want[:]) == 1
	switch {
	case blocked != nil:
		return User{}, blocked
	case err == nil && (!same || password == ""):
		err = logonError(name, ErrWrongPassword)
	}
	if err != nil {
		s.Failed(name, from)
		return User{}, err
	}
	u, err := s.LookupUser(name)
	if err != nil {
		return User{}, logonError(name, err)
	}
	s.Succeeded(name, from)
	return u, nil
}

// Judge makes this attempt at a logon the only one until done is called. Without it, attempts that come at the same
// moment would all pass Allow before the first of them is counted. Nothing that waits for the peer may stand between.
func (s *Store) Judge() (done func()) {
	s.judging.Lock()
	return s.judging.Unlock
}

// Allow reports whether a logon may be tried now. Its error is a LogonError with ErrTooManyTries or ErrLockedOut and the
// time to wait, if it has an end. Mechanisms that verify by themselves, such as NTLM, call it before, and Failed or Succeeded after, all under
// Judge.
func (s *Store) Allow(name string, from netip.Addr) error {
	wait, locked := s.guard.wait(s.guardName(name), from)
	if wait == 0 {
		return nil
	}
	e := logonError(name, ErrTooManyTries)
	if locked {
		e.Reason = ErrLockedOut
	}
	if wait != forever {
		e.Wait = wait
	}
	return e
}

// Failed counts a failed logon.
func (s *Store) Failed(name string, from netip.Addr) { s.guard.failed(s.guardName(name), from) }

// Succeeded ends the count of failed logons of this user from this address.
func (s *Store) Succeeded(name string, from netip.Addr) { s.guard.success(s.guardName(name), from) }

// Lockouts returns the lockouts and delays that are in force, the longest first. Delays live in memory: a restart ends
// them, and another process does not see them.
func (s *Store) Lockouts() []Lockout { return s.guard.lockouts() }

// guardName is the name under which failures are counted: all forms of one user's name count together, and the
// names of strangers have a bounded length.
func (s *Store) guardName(name string) string {
	domain, user := SplitName(name)
	if machine, err := s.Machine(); domain == "." || err == nil && strings.EqualFold(domain, machine) {
		domain = ""
	}
	if domain != "" {
		user = domain + `\` + user
	}
	if user = foldName(user); len(user) > 64 {
		user = user[:64]
	}
	if user == "" {
		return "(empty)"
	}
	return user
}
