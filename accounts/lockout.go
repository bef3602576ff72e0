package accounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/casementhq/casement/internal/fileowner"
)

// LockoutPolicy says when failed logons of one user from one address lock that user out from there. Other addresses
// stay as they are: else a stranger's guesses would lock the owner out. The zero value is not the default.
type LockoutPolicy struct {
	// Threshold is the number of failures, 1 to 999; 0 locks nobody out. Default: 10.
	Threshold int
	// Duration is how long the lockout lasts, in whole minutes up to 99999; 0 until it is cleared. Default: 10 minutes.
	Duration time.Duration
	// Window is how long after a failure the next one counts with it, in whole minutes from 1 to 99999, and at most
	// Duration where that is not 0. Default: 10 minutes.
	Window time.Duration
}

// DefaultLockoutPolicy is that of Windows 11.
func DefaultLockoutPolicy() LockoutPolicy {
	return LockoutPolicy{Threshold: 10, Duration: 10 * time.Minute, Window: 10 * time.Minute}
}

// ErrBadPolicy is matched by the refusal of a lockout policy.
var ErrBadPolicy = errors.New("the lockout policy is not usable")

const maxMinutes = 99999

func (p LockoutPolicy) check() error {
	minutes := func(d time.Duration) bool { return d >= 0 && d%time.Minute == 0 && d <= maxMinutes*time.Minute }
	switch {
	case p.Threshold < 0 || p.Threshold > 999:
		return fmt.Errorf("%w: the threshold is 0 to 999 failures", ErrBadPolicy)
	case !minutes(p.Duration):
		return fmt.Errorf("%w: the duration is 0 to %d minutes", ErrBadPolicy, maxMinutes)
	case !minutes(p.Window) || p.Window == 0:
		return fmt.Errorf("%w: the window is 1 to %d minutes", ErrBadPolicy, maxMinutes)
	case p.Duration > 0 && p.Window > p.Duration:
		return fmt.Errorf("%w: the window is at most as long as the duration", ErrBadPolicy)
	}
	return nil
}

// lockoutRecord is a policy in the file of the accounts.
type lockoutRecord struct {
	Threshold int `json:"threshold"`
	Duration  int `json:"durationMinutes"`
	Window    int `json:"windowMinutes"`
}

func (r *lockoutRecord) policy() LockoutPolicy {
	if r == nil {
		return DefaultLockoutPolicy()
	}
	return LockoutPolicy{r.Threshold, time.Duration(r.Duration) * time.Minute, time.Duration(r.Window) * time.Minute}
}

// LockoutPolicy returns the policy.
func (s *Store) LockoutPolicy() (LockoutPolicy, error) {
	st, err := s.current()
	if err != nil {
		return LockoutPolicy{}, err
	}
	return st.Lockout.policy(), nil
}

// SetLockoutPolicy changes the policy; a running service follows. Lockouts that are in force stay. Errors match
// ErrBadPolicy.
func (s *Store) SetLockoutPolicy(p LockoutPolicy) error {
	if err := p.check(); err != nil {
		return err
	}
	return s.change(func(st *state) error {
		st.Lockout = &lockoutRecord{p.Threshold, int(p.Duration / time.Minute), int(p.Window / time.Minute)}
		return nil
	})
}

// Unlock ends the lockouts of a user, and tells how many there were.
func (s *Store) Unlock(name string) (int, error) { return s.guard.unlock(s.guardName(name)) }

// LockoutFileName is the file of the lockouts in the state folder. They outlive a restart, and other processes see and
// end them there; the counts that lead to them live in memory.
const LockoutFileName = "lockouts.json"

const (
	maxLocks    = 4096
	maxLockFile = 2 << 20
	// A flood of failures does not become one of writes: on average there is one a second.
	writeEvery = time.Second
	writeBurst = 16
)

// lock is one lockout in the file; a zero Until lasts until it is cleared.
type lock struct {
	User     string       `json:"user"`
	Address  netip.Prefix `json:"address"`
	Failures int          `json:"failures"`
	Since    time.Time    `json:"since"`
	Until    time.Time    `json:"until,omitzero"`
}

func (l lock) key() guardKey { return guardKey{l.User, l.Address} }

// over tells that a lockout has ended by itself.
func (l lock) over(now time.Time) bool { return !l.Until.IsZero() && !l.Until.After(now) }

// locks are the lockouts in force. The guard's mutex protects them.
type locks struct {
	path  string
	all   map[guardKey]lock
	known map[guardKey]bool // those that were in the file when it was last read or written
	seen  fs.FileInfo       // nil: no file
	dirty bool
	next  time.Time // when all writes so far are paid for
}

// lockedFor returns how long a user is locked out from an address; forever is a very long time.
func (g *guard) lockedFor(pair guardKey, now time.Time) time.Duration {
	g.readLocks(now)
	l, ok := g.locks.all[pair]
	switch {
	case !ok || l.over(now):
		return 0
	case l.Until.IsZero():
		return forever
	}
	return l.Until.Sub(now)
}

const forever = 1<<63 - 1

// countRow counts a failure toward a lockout, and locks.
func (g *guard) countRow(pair guardKey, r *guardRecord, now time.Time) {
	p := g.policy()
	if now.Sub(r.failure) > p.Window {
		r.row = 0
	}
	if r.row++; p.Threshold == 0 || r.row < p.Threshold {
		return
	}
	l := lock{User: pair.user, Address: pair.address, Failures: r.row, Since: now}
	if p.Duration > 0 {
		l.Until = now.Add(p.Duration)
	}
	r.row = 0
	if g.locks.all == nil {
		g.locks.all = map[guardKey]lock{}
	}
	if len(g.locks.all) >= maxLocks {
		g.dropLocks(now)
	}
	g.locks.all[pair] = l
	g.locks.dirty = true
	g.log.Warn("a user is locked out from an address", "user", pair.user, "address", pair.address, "failures", l.Failures, "until", l.Until)
	g.flushLocks(now)
}

// dropLocks makes room: what is over goes, or else the quarter that began first.
func (g *guard) dropLocks(now time.Time) {
	var left []lock
	for k, l := range g.locks.all {
		if l.over(now) {
			delete(g.locks.all, k)
			continue
		}
		left = append(left, l)
	}
	if len(left) < maxLocks {
		return
	}
	slices.SortFunc(left, func(a, b lock) int { return a.Since.Compare(b.Since) })
	for _, l := range left[:maxLocks/4] {
		delete(g.locks.all, l.key())
	}
}

// readLocks follows the file: what another process took out is over, what it put in counts.
func (g *guard) readLocks(now time.Time) {
	if g.locks.dirty {
		g.flushLocks(now)
	}
	info, err := os.Stat(g.locks.path)
	if err != nil {
		info = nil
	}
	seen := g.locks.seen
	if info == nil && seen == nil || info != nil && seen != nil && os.SameFile(info, seen) && info.ModTime().Equal(seen.ModTime()) && info.Size() == seen.Size() {
		return
	}
	file, err := readLockFile(g.locks.path)
	if err != nil {
		g.log.Error("the lockouts cannot be read", "error", err)
	}
	g.locks.seen = info
	there := map[guardKey]bool{}
	if g.locks.all == nil {
		g.locks.all = map[guardKey]lock{}
	}
	for _, l := range file {
		there[l.key()] = true
		if _, ok := g.locks.all[l.key()]; !ok && !l.over(now) && len(g.locks.all) < maxLocks {
			g.locks.all[l.key()] = l
		}
	}
	for k, l := range g.locks.all {
		if g.locks.known[k] && !there[k] && err == nil {
			delete(g.locks.all, k)
			if !l.over(now) {
				delete(g.records, k) // it was ended: the next attempt does not wait either
			}
		}
	}
	g.locks.known = there
}

func readLockFile(path string) ([]lock, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was read only
	b, err := io.ReadAll(io.LimitReader(f, maxLockFile))
	if err != nil {
		return nil, err
	}
	var all []lock
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// flushLocks writes what has changed, unless too much was written lately.
func (g *guard) flushLocks(now time.Time) {
	if g.locks.next.Sub(now) > writeBurst*writeEvery {
		return
	}
	if g.locks.next.Before(now) {
		g.locks.next = now
	}
	g.locks.next = g.locks.next.Add(writeEvery)
	if err := g.writeLocks(now, ""); err != nil {
		g.log.Error("the lockouts cannot be written", "error", err)
	}
}

// writeLocks replaces the file, with what other processes have put there and without the lockouts of a user, "" for
// nobody. A power failure can take the last lockouts with it, no more.
func (g *guard) writeLocks(now time.Time, without string) (err error) {
	g.locks.dirty = false
	defer func() { g.locks.dirty = err != nil }()
	dir := filepath.Dir(g.locks.path)
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()
	g.readLocks(now)
	list := []lock{}
	for k, l := range g.locks.all {
		if l.over(now) || without != "" && k.user == without {
			delete(g.locks.all, k)
			continue
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b lock) int { return a.Since.Compare(b.Since) })
	b, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".lockouts-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has another name by then
	_, err = f.Write(b)
	if err = errors.Join(err, fileowner.GiveLike(f, dir), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), g.locks.path); err != nil {
		return err
	}
	g.locks.known = map[guardKey]bool{}
	for _, l := range list {
		g.locks.known[l.key()] = true
	}
	g.locks.seen, err = os.Stat(g.locks.path)
	return err
}

// unlock ends the lockouts and the counts of a user.
func (g *guard) unlock(user string) (n int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.readLocks(now)
	for k, l := range g.locks.all {
		if k.user == user && !l.over(now) {
			n++
		}
	}
	for k := range g.records {
		if k.user == user {
			delete(g.records, k)
		}
	}
	if n == 0 {
		return 0, nil
	}
	if err := g.writeLocks(now, user); err != nil {
		return 0, fmt.Errorf("unlock %s: %w", user, err)
	}
	return n, nil
}
