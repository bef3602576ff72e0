package eventing

import (
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// Limits bound what subscriptions may take. A zero field is its default. The
// names are those of __ArbitratorConfiguration and Win32_WMISetting, whose
// documentation gives the defaults of the latter alone; those of the former
// are the usual ones. See spec/wmi.md 5.2 and 6.3.
type Limits struct {
	TemporarySubscriptionsPerUser, TemporarySubscriptionsTotal uint32 // 1,000 and 10,000
	PermanentSubscriptionsPerUser, PermanentSubscriptionsTotal uint32 // 1,000 and 10,000
	PollingInstructionsPerUser, PollingInstructionsTotal       uint32 // 1,000 and 10,000
	// PollingMemoryPerUser and PollingMemoryTotal bound the snapshots that
	// polling compares with, in bytes: 5,000,000 and 10,000,000.
	PollingMemoryPerUser, PollingMemoryTotal uint32
	// HighThresholdOnEvents bounds the queue of one subscription in bytes:
	// 2,000,000. All queues together are bounded by five times as much, of
	// which one user has half at most; beyond that the fullest queue gives way.
	HighThresholdOnEvents uint32
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *uint32
		value uint32
	}{
		{&l.TemporarySubscriptionsPerUser, 1000}, {&l.TemporarySubscriptionsTotal, 10_000},
		{&l.PermanentSubscriptionsPerUser, 1000}, {&l.PermanentSubscriptionsTotal, 10_000},
		{&l.PollingInstructionsPerUser, 1000}, {&l.PollingInstructionsTotal, 10_000},
		{&l.PollingMemoryPerUser, 5_000_000}, {&l.PollingMemoryTotal, 10_000_000},
		{&l.HighThresholdOnEvents, 2_000_000},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}

// resource is one thing that is counted for each user and in total.
type resource uint8

const (
	temporary resource = iota
	permanent
	polling       // polling subscriptions
	pollingMemory // bytes
	queued        // bytes
	resources
)

var resourceNames = [resources]string{
	"temporary subscriptions", "permanent subscriptions", "polling subscriptions", "memory for polling", "queued events",
}

// bounds are the limits of a resource for a user and in total.
func (l *Limits) bounds(r resource) (user, total int64) {
	switch r {
	case temporary:
		return int64(l.TemporarySubscriptionsPerUser), int64(l.TemporarySubscriptionsTotal)
	case permanent:
		return int64(l.PermanentSubscriptionsPerUser), int64(l.PermanentSubscriptionsTotal)
	case polling:
		return int64(l.PollingInstructionsPerUser), int64(l.PollingInstructionsTotal)
	case pollingMemory:
		return int64(l.PollingMemoryPerUser), int64(l.PollingMemoryTotal)
	}
	total = 5 * int64(l.HighThresholdOnEvents)
	return total / 2, total
}

// ledger counts what is in use.
type ledger struct {
	mu     sync.Mutex
	limits Limits
	total  [resources]int64
	users  map[security.SID]*[resources]int64
}

func newLedger(l Limits) *ledger {
	return &ledger{limits: l.withDefaults(), users: map[security.SID]*[resources]int64{}}
}

func (l *ledger) set(limits Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limits = limits.withDefaults()
}

func (l *ledger) threshold() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(l.limits.HighThresholdOnEvents)
}

// take takes n of a resource for a user: ErrQuotaViolation.
func (l *ledger) take(user security.SID, r resource, n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	perUser, total := l.limits.bounds(r)
	used := l.users[user]
	if l.total[r]+n > total || used != nil && used[r]+n > perUser || n > perUser {
		return &cim.Error{Status: cim.ErrQuotaViolation, Detail: "too many " + resourceNames[r]}
	}
	if used == nil {
		used = &[resources]int64{}
		l.users[user] = used
	}
	used[r] += n
	l.total[r] += n
	return nil
}

// lacks tells why there is no room for n bytes of events of a user: the user
// has too many, or everybody together.
func (l *ledger) lacks(user security.SID, n int64) (mine, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	perUser, total := l.limits.bounds(queued)
	if used := l.users[user]; used != nil {
		mine = used[queued]+n > perUser
	}
	return mine || n > perUser, l.total[queued]+n > total
}

// give gives n back.
func (l *ledger) give(user security.SID, r resource, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	used := l.users[user]
	if used == nil {
		return
	}
	used[r] -= n
	l.total[r] -= n
	if *used == ([resources]int64{}) {
		delete(l.users, user)
	}
}
