package accounts

import (
	"cmp"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The rules against guessing. Each counts failures in a row and, after some free ones, lets the next attempt wait
// one second, then two, four and so on up to its cap. A count ends after forgetAfter without a failure.
const (
	pairFree, pairCap       = 5, 15 * time.Minute   // one user from one address
	addressFree, addressCap = 20, 15 * time.Minute  // one address, whatever the user
	userFree, userCap       = 100, 30 * time.Second // one user, whatever the address

	forgetAfter = time.Hour
	// trustAfter is how long an address with a success is spared the count of its user from elsewhere, so that
	// a stranger's guesses do not lock the owner out.
	trustAfter = 24 * time.Hour

	maxRecords = 8192
)

// Lockout is one delay that is in force. Either User or Address may be empty: then it is for all of them.
type Lockout struct {
	User     string
	Address  netip.Prefix
	Failures int
	// Until is when the next attempt is let through; zero: when somebody ends the lockout.
	Until time.Time
	// Policy tells a lockout by the LockoutPolicy from a delay, which only the process that counted knows of.
	Policy bool
}

// guardKey is one thing that is counted: a user, an address, or both.
type guardKey struct {
	user    string
	address netip.Prefix
}

type guardRecord struct {
	failures           int
	row                int // failures toward a lockout; of a pair
	failure, succeeded time.Time
}

// guard counts failed logons.
type guard struct {
	now     func() time.Time
	policy  func() LockoutPolicy
	log     *slog.Logger
	mu      sync.Mutex
	records map[guardKey]*guardRecord
	locks   locks
}

// addressOf makes the counted form of an address: an IPv6 host owns its whole /64. The zero Addr is local and is
// counted as one address.
func addressOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil || !a.IsValid() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 32)
	}
	return p
}

// rule returns the limits for a kind of key.
func (k guardKey) rule() (free int, limit time.Duration) {
	switch {
	case k.user == "":
		return addressFree, addressCap
	case !k.address.IsValid():
		return userFree, userCap
	default:
		return pairFree, pairCap
	}
}

// until returns when the delay of a record ends; the zero time when there is none.
func (r *guardRecord) until(k guardKey) time.Time {
	free, limit := k.rule()
	over := r.failures - free
	if over < 0 || r.failures == 0 {
		return time.Time{}
	}
	delay := limit
	if over < 20 {
		delay = min(limit, time.Second<<over)
	}
	return r.failure.Add(delay)
}

func guardKeys(user string, from netip.Addr) (pair, address, account guardKey) {
	p := addressOf(from)
	return guardKey{user, p}, guardKey{address: p}, guardKey{user: user}
}

// wait returns how long the next attempt must wait, and whether that is a lockout; zero lets it through.
func (g *guard) wait(user string, from netip.Addr) (wait time.Duration, locked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	pair, address, account := guardKeys(user, from)
	if wait := g.lockedFor(pair, now); wait > 0 {
		return wait, true
	}
	keys := []guardKey{pair, address, account}
	if r := g.records[pair]; r != nil && !r.succeeded.IsZero() && now.Sub(r.succeeded) < trustAfter {
		keys = keys[:2]
	}
	var longest time.Duration
	for _, k := range keys {
		if r := g.live(k, now); r != nil {
			longest = max(longest, r.until(k).Sub(now))
		}
	}
	return longest, false
}

// live returns the record of a key whose count has not ended.
func (g *guard) live(k guardKey, now time.Time) *guardRecord {
	r := g.records[k]
	if r != nil && now.Sub(r.failure) > forgetAfter {
		r.failures = 0
	}
	return r
}

// failed counts a failure.
func (g *guard) failed(user string, from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	pair, address, account := guardKeys(user, from)
	for _, k := range []guardKey{pair, address, account} {
		r := g.live(k, now)
		if r == nil {
			r = g.add(k, now)
		}
		if k == pair {
			g.countRow(pair, r, now)
		}
		r.failures++
		r.failure = now
	}
}

// success ends the count of the pair. The counts of address and user go on, else one account of the guesser's
// own would clear them.
func (g *guard) success(user string, from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	pair, _, _ := guardKeys(user, from)
	r := g.records[pair]
	if r == nil {
		r = g.add(pair, now)
	}
	r.failures, r.row, r.succeeded = 0, 0, now
}

// add makes a record, and room for it when there are too many: those that mean nothing any more go first, then
// the quarter that was touched longest ago.
func (g *guard) add(k guardKey, now time.Time) *guardRecord {
	if g.records == nil {
		g.records = make(map[guardKey]*guardRecord)
	}
	if len(g.records) >= maxRecords {
		g.shrink(now)
	}
	r := new(guardRecord)
	g.records[k] = r
	return r
}

func (g *guard) shrink(now time.Time) {
	type aged struct {
		key  guardKey
		last time.Time
	}
	var all []aged
	for k, r := range g.records {
		last := r.failure
		if r.succeeded.After(last) {
			last = r.succeeded
		}
		if now.Sub(r.failure) > forgetAfter && now.Sub(r.succeeded) > trustAfter {
			delete(g.records, k)
			continue
		}
		all = append(all, aged{k, last})
	}
	if len(all) < maxRecords {
		return
	}
	slices.SortFunc(all, func(a, b aged) int { return a.last.Compare(b.last) })
	for _, a := range all[:maxRecords/4] {
		delete(g.records, a.key)
	}
}

// lockouts lists what is in force, what has no end first and then the longest.
func (g *guard) lockouts() []Lockout {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	var out []Lockout
	g.readLocks(now)
	for _, l := range g.locks.all {
		if !l.over(now) {
			out = append(out, Lockout{User: l.User, Address: l.Address, Failures: l.Failures, Until: l.Until, Policy: true})
		}
	}
	for k := range g.records {
		r := g.live(k, now)
		if l, ok := g.locks.all[k]; ok && !l.over(now) {
			continue
		}
		if until := r.until(k); until.After(now) {
			out = append(out, Lockout{User: k.user, Address: k.address, Failures: r.failures, Until: until})
		}
	}
	slices.SortFunc(out, func(a, b Lockout) int {
		return cmp.Or(cmp.Compare(endless(b), endless(a)), b.Until.Compare(a.Until), cmp.Compare(a.User, b.User), cmp.Compare(a.Address.String(), b.Address.String()))
	})
	return out
}

func endless(l Lockout) int {
	if l.Until.IsZero() {
		return 1
	}
	return 0
}
