package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/casementhq/casement/security"
)

// Group is a local group.
type Group struct {
	Name, Comment string
	// Domain is BUILTIN, or the machine name for groups of this machine.
	Domain  string
	SID     security.SID
	Members []security.SID
}

// Groups returns all groups, built-in ones first.
func (s *Store) Groups() ([]Group, error) {
	st, err := s.current()
	if err != nil {
		return nil, err
	}
	out := make([]Group, len(st.Groups))
	for i := range st.Groups {
		out[i] = st.group(&st.Groups[i])
	}
	return out, nil
}

// LookupGroup finds a group by its name, with or without BUILTIN\ or HOST\, or by its SID. The error matches
// ErrNoSuchGroup.
func (s *Store) LookupGroup(name string) (Group, error) {
	st, err := s.current()
	if err != nil {
		return Group{}, err
	}
	g, err := st.findGroup(name)
	if err != nil {
		return Group{}, err
	}
	return st.group(g), nil
}

// AddGroup adds a group of this machine without members.
func (s *Store) AddGroup(name, comment string) (Group, error) {
	if n := utf8.RuneCountInString(name); n == 0 || n > 256 || len(comment) > 1024 {
		return Group{}, fmt.Errorf("%w: a group name has 1 to 256 characters, its comment at most 1024 bytes", ErrBadName)
	}
	if err := validAccountName(name); err != nil {
		return Group{}, err
	}
	var added Group
	err := s.change(func(st *state) error {
		if st.nameTaken(name) {
			return fmt.Errorf("add group %s: %w", name, ErrExists)
		}
		if st.NextRID >= 1<<30 {
			return errors.New("add group: no relative identifiers are left")
		}
		st.Groups = append(st.Groups, groupRecord{Name: name, Comment: comment, SID: st.MachineSID.WithRID(st.NextRID)})
		st.NextRID++
		added = st.group(&st.Groups[len(st.Groups)-1])
		return nil
	})
	return added, err
}

// DeleteGroup removes a group. Built-in groups and WinRMRemoteWMIUsers__ stay (ErrBuiltIn).
func (s *Store) DeleteGroup(name string) error {
	return s.change(func(st *state) error {
		g, err := st.findGroup(name)
		if err != nil {
			return err
		}
		sid := g.SID
		if sid.Domain() != st.MachineSID || sid.RID() <= ridRemoteWMIUsers {
			return fmt.Errorf("delete group %s: %w", g.Name, ErrBuiltIn)
		}
		st.Groups = slices.DeleteFunc(st.Groups, func(r groupRecord) bool { return r.SID == sid })
		return nil
	})
}

// AddMember makes member a member of group. A member is a local user in any form of its name, a well-known name
// such as Everyone, a SID (S-1-…), also one of a domain, or an account of a domain by its name: DOMAIN\name where
// Options.Resolve knows its SID, and user@REALM. The error matches ErrExists when it is one already, and
// ErrNoDomainName for a name of a domain that nobody knows.
func (s *Store) AddMember(group, member string) error {
	foreign, shown, err := s.memberSID(member)
	if err != nil {
		return fmt.Errorf("add %s to %s: %w", member, group, err)
	}
	return s.change(func(st *state) error {
		g, sid, err := st.groupAndMember(group, member, foreign)
		if err != nil {
			return err
		}
		if slices.Contains(g.Members, sid) {
			return fmt.Errorf("add %s to %s: %w", member, g.Name, ErrExists)
		}
		if st.groupBySID(sid) != nil {
			return fmt.Errorf("add %s to %s: a local group cannot be a member of a local group", member, g.Name)
		}
		g.Members = append(g.Members, sid)
		if shown != "" {
			if g.Names == nil {
				g.Names = map[security.SID]string{}
			}
			g.Names[sid] = shown
		}
		return nil
	})
}

// RemoveMember takes member out of group. The error matches ErrNoSuchMember when it was none.
func (s *Store) RemoveMember(group, member string) error {
	foreign, _, err := s.memberSID(member)
	if err != nil {
		return fmt.Errorf("remove %s from %s: %w", member, group, err)
	}
	return s.change(func(st *state) error {
		g, sid, err := st.groupAndMember(group, member, foreign)
		if err != nil {
			return err
		}
		i := slices.Index(g.Members, sid)
		if i < 0 {
			return fmt.Errorf("remove %s from %s: %w", member, g.Name, ErrNoSuchMember)
		}
		g.Members = slices.Delete(g.Members, i, i+1)
		delete(g.Names, sid)
		return nil
	})
}

// groupAndMember finds both. foreign is the member's SID where it is one of a domain.
func (st *state) groupAndMember(group, member string, foreign security.SID) (*groupRecord, security.SID, error) {
	g, err := st.findGroup(group)
	if err != nil || !foreign.IsZero() {
		return g, foreign, err
	}
	if sid, err := security.ParseSID(member); err == nil {
		return g, sid, nil
	}
	u, err := st.findUser(member)
	if err == nil {
		return g, st.MachineSID.WithRID(u.RID), nil
	}
	if sid, ok := security.WellKnownSID(member); ok {
		return g, sid, nil
	}
	return nil, security.SID{}, err
}

func (st *state) group(g *groupRecord) Group {
	return Group{Name: g.Name, Comment: g.Comment, Domain: st.groupDomain(g), SID: g.SID, Members: slices.Clone(g.Members)}
}

func (st *state) groupDomain(g *groupRecord) string {
	if g.SID.Domain() == st.MachineSID {
		return st.Machine
	}
	return "BUILTIN"
}

func (st *state) groupBySID(sid security.SID) *groupRecord {
	for i := range st.Groups {
		if st.Groups[i].SID == sid {
			return &st.Groups[i]
		}
	}
	return nil
}

func (st *state) findGroup(name string) (*groupRecord, error) {
	if sid, err := security.ParseSID(name); err == nil {
		if g := st.groupBySID(sid); g != nil {
			return g, nil
		}
	}
	domain, account := SplitName(name)
	key := foldName(account)
	for i := range st.Groups {
		g := &st.Groups[i]
		if foldName(g.Name) == key && (domain == "" || domain == "." || strings.EqualFold(domain, st.groupDomain(g))) {
			return g, nil
		}
	}
	return nil, fmt.Errorf("%w: %.64q", ErrNoSuchGroup, name)
}
