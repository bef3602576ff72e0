package cimom

import (
	"log/slog"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// audited are the rights whose use the SACL of a namespace can have recorded:
// all but Remote Enable. See spec/wmi.md 5.7.
const audited = everyRight &^ rightRemote

// Bounds of the record: the same access by the same caller is written once in
// auditPause, with how often it came; what is noted for that is forgotten where
// it is more than mostAccesses, so that more is written and not less.
const (
	auditPause   = time.Second
	mostAccesses = 4096
)

// auditor writes the record.
type auditor struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	accesses map[access]*repeats
}

// access is what makes two records the same.
type access struct {
	namespace string
	user      security.SID
	rights    uint32
	granted   bool
}

// repeats is how often an access came since it was written last.
type repeats struct {
	written time.Time
	count   int
}

// admit checks like check, and writes down the access where the SACL of the
// namespace asks for that: event 4662 of Windows. Every operation is recorded
// that a caller begins, and not what a provider answers.
func (m *Manager) admit(ns *namespace, caller cim.Caller, rights uint32) error {
	err := ns.check(caller, rights)
	m.audit.note(ns, caller, rights, err == nil)
	return err
}

func (a *auditor) note(ns *namespace, caller cim.Caller, rights uint32, granted bool) {
	sd := ns.settings.Load().security
	if sd.SACL == nil || len(security.Audit(sd, caller.Token, rights&audited, granted, security.GenericMapping{})) == 0 {
		return
	}
	count, write := a.count(access{ns.key, caller.Token.User, rights & audited, granted})
	if !write {
		return
	}
	user := caller.Token.Domain + `\` + caller.Token.UserName
	a.log.Info("audit", "event", 4662, "namespace", ns.name, "user", user, "sid", caller.Token.User.String(), "address", caller.Address,
		"access", rights&audited, "granted", granted, "times", count)
}

// count tells whether an access is to be written now, and how often it came
// since it was.
func (a *auditor) count(k access) (times int, write bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.accesses) >= mostAccesses {
		clear(a.accesses)
	}
	r := a.accesses[k]
	if r == nil {
		r = &repeats{}
		a.accesses[k] = r
	}
	r.count++
	now := a.now()
	if now.Sub(r.written) < auditPause {
		return 0, false
	}
	times, r.written, r.count = r.count, now, 0
	return times, true
}
