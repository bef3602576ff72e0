package wmiserver

import (
	"sync"

	"github.com/casementhq/casement/cim"
)

// Limits bound what clients may have under way. The zero value is the documented default.
type Limits struct {
	// MaxRequests is how many operations may be outstanding in all: calls, enumerators, call results and calls into sinks. One
	// more fails with WBEM_E_SERVER_TOO_BUSY. Default: 5000, as [MS-WMI] 3.1.3 initializes MaxRequestLimit.
	MaxRequests int
	// MaxRequestsPerUser is how many of them may be of one account. One more fails with WBEM_E_QUOTA_VIOLATION. Default: 1500.
	MaxRequestsPerUser int
	// ReplayBytes is how much one enumerator keeps so that Reset and Clone can go back, in octets; what comes after that is read
	// once. Default: 16 MiB.
	ReplayBytes int64
	// ReplayBytesPerUser is how much all enumerators of one account keep, with what its refreshers are told to refresh. Default: 64 MiB.
	ReplayBytesPerUser int64
	// ResponseBytes is about how much one call of Next returns, in octets; the rest comes with the next call. A refresh that would return eight
	// times that fails. Default: 2 MiB.
	ResponseBytes int
}

func (l Limits) withDefaults() Limits {
	if l.MaxRequests <= 0 {
		l.MaxRequests = 5000
	}
	if l.MaxRequestsPerUser <= 0 {
		l.MaxRequestsPerUser = 1500
	}
	if l.ReplayBytes <= 0 {
		l.ReplayBytes = 16 << 20
	}
	if l.ReplayBytesPerUser <= 0 {
		l.ReplayBytesPerUser = 64 << 20
	}
	if l.ResponseBytes <= 0 {
		l.ResponseBytes = 2 << 20
	}
	return l
}

// ledger counts what accounts have under way.
type ledger struct {
	limits Limits

	mu    sync.Mutex
	total int
	users map[string]*account
}

type account struct {
	requests int
	kept     int64 // octets in replay stores
}

func newLedger(l Limits) *ledger { return &ledger{limits: l, users: map[string]*account{}} }

// request counts one more outstanding operation of an account. The function that it returns ends it and may be called twice.
func (l *ledger) request(user string) (func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.limits.MaxRequests {
		return nil, refuse(cim.ErrServerTooBusy, "the service has as many operations under way as it may")
	}
	a := l.users[user]
	if a == nil {
		a = &account{}
		l.users[user] = a
	}
	if a.requests >= l.limits.MaxRequestsPerUser {
		return nil, refuse(cim.ErrQuotaViolation, "the account has as many operations under way as it may; release enumerators and call results")
	}
	a.requests++
	l.total++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		a.requests--
		l.total--
		l.forget(user, a)
	}), nil
}

// keep charges an account with octets more, or gives them back where n is negative. It tells whether they fit; if not, nothing is
// charged.
func (l *ledger) keep(user string, n int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.users[user]
	if a == nil {
		if n <= 0 {
			return true
		}
		a = &account{}
		l.users[user] = a
	}
	if n > 0 && a.kept+n > l.limits.ReplayBytesPerUser {
		l.forget(user, a)
		return false
	}
	a.kept += n
	l.forget(user, a)
	return true
}

func (l *ledger) forget(user string, a *account) {
	if a.requests == 0 && a.kept == 0 && l.users[user] == a {
		delete(l.users, user)
	}
}

// outstanding is how many operations are under way.
func (l *ledger) outstanding() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// weight is about how many octets an instance takes that is kept.
func weight(i *cim.Instance) int64 {
	n := int64(96)
	for k := range i.Len() {
		n += valueWeight(i.At(k))
	}
	return n
}

func valueWeight(v cim.Value) int64 {
	n := int64(48)
	if s, ok := v.Str(); ok {
		n += int64(len(s))
	}
	for _, e := range v.Elems() {
		n += valueWeight(e)
	}
	if o := v.Object(); o != nil {
		n += weight(o)
	}
	return n
}
