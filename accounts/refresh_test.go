package accounts

import (
	"errors"
	"testing"

	"github.com/casementhq/casement/security"
)

// TestRefresh: what was taken from an account since it signed in refuses its
// token; what it gained does not, and gives it no rights of an administrator.
func TestRefresh(t *testing.T) {
	domain, err := security.ParseSID("S-1-5-21-1-2-3-1104")
	if err != nil {
		t.Fatal(err)
	}
	visitors := func(s *Store, t testing.TB) {
		if _, err := s.AddGroup("Visitors", ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		what          string
		before, after func(*Store) error
		who           func(*Store) (security.Token, error)
		want          error
		check         func(*security.Token) bool
	}{
		{what: "nothing changed"},
		{what: "disabled", after: func(s *Store) error { return s.SetDisabled("alice", true) }, want: ErrDisabled},
		{what: "deleted", after: func(s *Store) error { return s.DeleteUser("alice") }, want: ErrNoSuchUser},
		{what: "another of the same name", after: func(s *Store) error {
			if err := s.DeleteUser("alice"); err != nil {
				return err
			}
			_, err := s.AddUser(NewUser{Name: "alice", Password: "other"})
			return err
		}, want: ErrNoSuchUser},
		{what: "taken out of a group", before: func(s *Store) error { return s.AddMember("Visitors", "alice") },
			after: func(s *Store) error { return s.RemoveMember("Visitors", "alice") }, want: ErrGroupLost},
		{what: "the group is no more", before: func(s *Store) error { return s.AddMember("Visitors", "alice") },
			after: func(s *Store) error { return s.DeleteGroup("Visitors") }, want: ErrGroupLost},
		{what: "no administrator any more", before: func(s *Store) error { return s.AddMember("Administrators", "alice") },
			after: func(s *Store) error { return s.RemoveMember("Administrators", "alice") }, want: ErrGroupLost,
			who: func(s *Store) (security.Token, error) {
				return s.Token("alice", TokenOptions{LocalAccountTokenFilterPolicy: true})
			}},
		{what: "an administrator, elevated", before: func(s *Store) error { return s.AddMember("Administrators", "alice") },
			who: func(s *Store) (security.Token, error) {
				return s.Token("alice", TokenOptions{LogonType: security.LogonInteractive})
			}, check: func(t *security.Token) bool {
				return t.Has(security.SIDAdministrators) && t.HasPrivilege(security.SeSecurity)
			}},
		{what: "an administrator, filtered", before: func(s *Store) error { return s.AddMember("Administrators", "alice") },
			check: func(t *security.Token) bool { return t.Filtered && !t.Has(security.SIDAdministrators) }},
		{what: "an administrator by now", after: func(s *Store) error { return s.AddMember("Administrators", "alice") },
			check: func(t *security.Token) bool {
				return !t.Has(security.SIDAdministrators) && t.HasForDeny(security.SIDAdministrators) && !t.HasPrivilege(security.SeSecurity)
			}},
		{what: "in a group more", after: func(s *Store) error { return s.AddMember("Visitors", "alice") },
			check: func(t *security.Token) bool { return len(t.Groups) == 8 }},
		{what: "a Unix user", who: func(s *Store) (security.Token, error) { return s.UnixToken(4711, "unix", security.LogonInteractive) }},
		{what: "a Unix user in a group that is no more", before: func(s *Store) error { return s.AddMember("Visitors", "S-1-22-1-4711") },
			after: func(s *Store) error { return s.DeleteGroup("Visitors") }, want: ErrGroupLost,
			who: func(s *Store) (security.Token, error) { return s.UnixToken(4711, "unix", security.LogonInteractive) }},
		{what: "of a domain", who: func(s *Store) (security.Token, error) {
			return s.ForeignToken(Foreign{User: domain, Groups: []security.SID{domain.Domain().WithRID(1200)}}, security.LogonNetwork)
		}, check: func(t *security.Token) bool { return t.Has(domain.Domain().WithRID(1200)) }},
		{what: "of a domain, taken out of a group", before: func(s *Store) error { return s.AddMember("Administrators", domain.String()) },
			after: func(s *Store) error { return s.RemoveMember("Administrators", domain.String()) }, want: ErrGroupLost,
			who: func(s *Store) (security.Token, error) {
				return s.ForeignToken(Foreign{User: domain}, security.LogonNetwork)
			}},
		{what: "the service", who: func(*Store) (security.Token, error) {
			return security.Token{User: security.SIDLocalSystem, Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}, nil
		}, check: func(t *security.Token) bool { return t.Has(security.SIDAdministrators) }},
	} {
		s := newTestStore(t)
		addUser(t, s, "alice", "secret")
		visitors(s, t)
		if tt.before != nil {
			if err := tt.before(s); err != nil {
				t.Fatalf("%s: %v", tt.what, err)
			}
		}
		if tt.who == nil {
			tt.who = func(s *Store) (security.Token, error) { return s.Token("alice", TokenOptions{}) }
		}
		old, err := tt.who(s)
		if err == nil && tt.after != nil {
			err = tt.after(s)
		}
		if err != nil {
			t.Fatalf("%s: %v", tt.what, err)
		}
		fresh, err := s.Refresh(&old)
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
		if err == nil && (fresh.User != old.User || fresh.Filtered != old.Filtered && tt.what != "an administrator by now" || tt.check != nil && !tt.check(&fresh)) {
			t.Errorf("%s: %+v", tt.what, fresh)
		}
	}
}
