package accounts

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/security"
)

// ErrNoDomainName is the failure to tell which account of a domain is meant: the SID of such an account is not known
// here, and its name cannot stand for it.
var ErrNoDomainName = errors.New("nobody here knows the SID of this account of a domain; give the SID itself (S-1-5-21-...), or for a user the form user@REALM")

// Foreign is an identity that another authority vouches for: a Kerberos realm, or winbind for a domain.
type Foreign struct {
	// User is the SID that the domain gave. Zero, with a Realm: the one of PrincipalSID.
	User security.SID `json:"user"`
	// UserName is the account's name without its domain; Domain the NetBIOS name, Realm the Kerberos realm. What the
	// authority did not say is empty.
	UserName string `json:"userName,omitempty"`
	Domain   string `json:"domain,omitempty"`
	Realm    string `json:"realm,omitempty"`
	// Groups are the groups that the authority names.
	Groups []security.SID `json:"groups,omitempty"`
}

// principalAuthority is the identifier authority of SIDs that are made of Kerberos names: the number of Kerberos' port,
// which [MS-DTYP] 2.4.1.1 gives nobody.
const principalAuthority = 88

// PrincipalSID is the SID that stands for a Kerberos principal by its name: S-1-88- and the first 160 bits of the
// SHA-256 of "name@REALM", as five little-endian numbers. A realm that knows no SIDs, such as MIT's, has its users
// known by it; for a user of a domain it is an alias, by which an administrator who does not know the SID can make
// them a member. Names are taken exactly: "Bob" and "bob" are two principals to MIT.
func PrincipalSID(name, realm string) security.SID {
	sum := sha256.Sum256([]byte(name + "@" + realm))
	var sub [5]uint32
	for i := range sub {
		sub[i] = binary.LittleEndian.Uint32(sum[4*i:])
	}
	sid, _ := security.NewSID(principalAuthority, sub[:]...)
	return sid
}

// ForeignToken makes the token of a foreign identity: its own groups, and the local groups of which it or one of
// its groups is a member. User Account Control does not filter it over the network, as it does not filter
// domain accounts.
func (s *Store) ForeignToken(f Foreign, logon security.LogonType) (security.Token, error) {
	st, err := s.current()
	if err != nil {
		return security.Token{}, logonError(f.UserName, err)
	}
	// A foreign authority cannot speak for this machine: what it says of its accounts, of BUILTIN and of all that is
	// well known is dropped.
	own := func(g security.SID) bool { return g.Domain() == st.MachineSID || !accountSID(g) }
	groups := slices.DeleteFunc(slices.Clone(f.Groups), own)
	user := f.User
	switch {
	case !user.IsZero() && own(user), user.IsZero() && (f.UserName == "" || f.Realm == ""):
		return security.Token{}, logonError(f.UserName, ErrNoSuchUser)
	case user.IsZero():
		user = PrincipalSID(f.UserName, f.Realm)
	case f.UserName != "" && f.Realm != "":
		groups = append(groups, PrincipalSID(f.UserName, f.Realm))
	}
	t := st.token(user, groups, logon)
	t.UserName, t.Domain, t.Realm = f.UserName, f.Domain, f.Realm
	if t.Domain == "" {
		t.Domain = f.Realm
	}
	return t, nil
}

// foreignSID reports whether a token with this user was made by ForeignToken.
func (st *state) foreignSID(sid security.SID) bool {
	return sid.Authority() == principalAuthority || accountSID(sid) && sid.Domain() != st.MachineSID
}

// memberSID finds out who a member is: an account of a domain, by its name. Known are the names of those who are members
// already; Options.Resolve knows others; a principal (user@REALM) has the SID of its name.
func (s *Store) memberSID(name string) (sid security.SID, shown string, err error) {
	st, err := s.current()
	if err != nil || !st.foreignName(name) {
		return security.SID{}, "", err
	}
	for i := range st.Groups {
		for sid, known := range st.Groups[i].Names {
			if known == name || sid.Authority() != principalAuthority && strings.EqualFold(known, name) {
				return sid, known, nil
			}
		}
	}
	if s.resolve != nil {
		if sid, shown, err := s.resolve(name); err == nil {
			if !accountSID(sid) || sid.Domain() == st.MachineSID {
				return security.SID{}, "", fmt.Errorf("%w: %.64q has the SID %s, which no domain gives", ErrNoDomainName, name, sid)
			}
			return sid, shown, nil
		}
	}
	if user, realm, ok := strings.Cut(name, "@"); ok && !strings.Contains(name, `\`) {
		return PrincipalSID(user, realm), name, nil
	}
	return security.SID{}, "", fmt.Errorf("%w: %.64q", ErrNoDomainName, name)
}

// DomainSID finds the SID of an account of a domain by its name, as AddMember does; found is false for a name that is
// of this machine, or that nobody knows.
func (s *Store) DomainSID(name string) (sid security.SID, found bool) {
	sid, _, err := s.memberSID(name)
	return sid, err == nil && !sid.IsZero()
}

// foreignName tells whether a name is one of another domain than this machine.
func (st *state) foreignName(name string) bool {
	domain, user := SplitName(name)
	if user == "" || domain == "" || domain == "." || strings.EqualFold(domain, st.Machine) {
		return false
	}
	_, known := security.WellKnownSID(name)
	return !known && !strings.EqualFold(domain, "BUILTIN") && !strings.EqualFold(domain, "NT AUTHORITY")
}

// IsForeignName tells whether a name, DOMAIN\user or user@realm, is one of another domain than this machine.
func (s *Store) IsForeignName(name string) bool {
	st, err := s.current()
	return err == nil && st.foreignName(name)
}

// DomainUser is an account of a domain that is mapped to a Unix user.
type DomainUser struct {
	// Name is DOMAIN\user or user@REALM.
	Name string `json:"name"`
	// UnixUser and AllowRoot are as in User.
	UnixUser  string `json:"unixUser"`
	AllowRoot bool   `json:"allowRoot,omitempty"`
}

// DomainUsers are the mappings of accounts of domains, in the order in which they were made.
func (s *Store) DomainUsers() ([]DomainUser, error) {
	st, err := s.current()
	if err != nil {
		return nil, err
	}
	return slices.Clone(st.DomainUsers), nil
}

// DomainUserOf is the mapping of the account of a domain that a token is of. Names of a domain with SIDs are compared
// without case, those of a realm without them exactly.
func (s *Store) DomainUserOf(t *security.Token) (u DomainUser, found bool, err error) {
	st, err := s.current()
	if err != nil || !st.foreignSID(t.User) {
		return u, false, err
	}
	same := strings.EqualFold
	if t.User.Authority() == principalAuthority {
		same = func(a, b string) bool { return a == b }
	}
	for _, u := range st.DomainUsers {
		if t.Domain != "" && same(u.Name, t.Domain+`\`+t.UserName) || t.Realm != "" && same(u.Name, t.UserName+"@"+t.Realm) {
			return u, true, nil
		}
	}
	return u, false, nil
}

// OfDomain tells whether a token is of an account of a domain.
func (s *Store) OfDomain(t *security.Token) bool {
	st, err := s.current()
	return err == nil && st.foreignSID(t.User)
}

// mapDomainUser maps an account of a domain; an empty Unix user ends that. Names of a domain have no case, those of
// a realm may.
func (st *state) mapDomainUser(u DomainUser) {
	same := func(a, b string) bool { return a == b || strings.Contains(a, `\`) && strings.EqualFold(a, b) }
	at := slices.IndexFunc(st.DomainUsers, func(o DomainUser) bool { return same(o.Name, u.Name) })
	switch {
	case u.UnixUser == "" && at >= 0:
		st.DomainUsers = slices.Delete(st.DomainUsers, at, at+1)
	case u.UnixUser == "":
	case at >= 0:
		st.DomainUsers[at] = u
	default:
		st.DomainUsers = append(st.DomainUsers, u)
	}
}
