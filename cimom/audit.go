package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/audit"
	"github.com/casementhq/casement/security"
)

// audited are the rights whose use the SACL of a namespace can have recorded:
// all but Remote Enable. See spec/wmi.md 5.7.
const audited = everyRight &^ rightRemote

// auditor writes the record.
type auditor struct{ log *audit.Log }

// access is what makes two records the same.
type access struct {
	namespace string
	rights    uint32
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
	a.log.Write(context.Background(), audit.Entry{ // it writes a line and waits for nothing
		User: caller.Token, Address: caller.Address, What: access{ns.key, rights & audited}, Granted: granted,
		Attrs: []any{"event", 4662, "namespace", ns.name, "access", rights & audited},
	})
}
