package cli

import (
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/service"
)

// accountNames finds the local accounts of a state folder, and those of domains that it can ask for.
type accountNames struct{ state string }

// SID implements winrmtool.Names.
func (a accountNames) SID(name string) (sid security.SID, found bool) {
	_ = withState(a.state, func(st *service.State) error { // an account that cannot be read is one that is not found
		if u, err := st.Accounts.LookupUser(name); err == nil {
			sid, found = u.SID, true
		} else if g, err := st.Accounts.LookupGroup(name); err == nil {
			sid, found = g.SID, true
		} else {
			sid, found = st.Accounts.DomainSID(name)
		}
		return nil
	})
	return sid, found
}

// Name implements winrmtool.Names.
func (a accountNames) Name(sid security.SID) (name string, found bool) {
	_ = withState(a.state, func(st *service.State) error {
		name = st.Accounts.AccountName(sid)
		return nil
	})
	return name, name != "" && name != sid.String()
}
