package accounts

import (
	"errors"
	"fmt"
	"slices"

	"github.com/casementhq/casement/security"
)

// maxRemembered bounds the accounts of Remember.
const maxRemembered = 1024

// errTooManyRemembered is the failure of one more.
var errTooManyRemembered = errors.New("too many accounts of domains have stored something that acts for them later")

// Remember keeps what a domain said of an account when it signed in, by its token, for what acts in its name when it is not there: permanent
// subscriptions. An account that is not of a domain is not kept.
func (s *Store) Remember(t *security.Token) error {
	st, err := s.current()
	if err != nil || !st.foreignSID(t.User) {
		return err
	}
	f := Foreign{User: t.User, UserName: t.UserName, Domain: t.Domain, Realm: t.Realm}
	for _, g := range t.Groups {
		if accountSID(g.SID) && g.SID.Domain() != st.MachineSID {
			f.Groups = append(f.Groups, g.SID)
		}
	}
	if known, ok := st.remembered(t.User); ok && known.same(f) {
		return nil
	}
	return s.change(func(st *state) error {
		at := slices.IndexFunc(st.Remembered, func(o Foreign) bool { return o.User == f.User })
		switch {
		case at >= 0:
			st.Remembered[at] = f
		case len(st.Remembered) >= maxRemembered:
			return fmt.Errorf("%w: %d", errTooManyRemembered, maxRemembered)
		default:
			st.Remembered = append(st.Remembered, f)
		}
		return nil
	})
}

// Remembered is an account of a domain as it was when it signed in last, of those that were given to Remember.
func (s *Store) Remembered(user security.SID) (Foreign, bool) {
	st, err := s.current()
	if err != nil {
		return Foreign{}, false
	}
	return st.remembered(user)
}

func (st *state) remembered(user security.SID) (Foreign, bool) {
	at := slices.IndexFunc(st.Remembered, func(f Foreign) bool { return f.User == user })
	if at < 0 {
		return Foreign{}, false
	}
	return st.Remembered[at], true
}

// same tells whether a domain says the same of an account, in whatever order.
func (f Foreign) same(o Foreign) bool {
	return f.User == o.User && f.UserName == o.UserName && f.Domain == o.Domain && f.Realm == o.Realm && len(f.Groups) == len(o.Groups) &&
		!slices.ContainsFunc(f.Groups, func(g security.SID) bool { return !slices.Contains(o.Groups, g) })
}
