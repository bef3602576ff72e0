package accounts

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/casementhq/casement/security"
)

func parseSID(t *testing.T, text string) security.SID {
	t.Helper()
	sid, err := security.ParseSID(text)
	if err != nil {
		t.Fatal(err)
	}
	return sid
}

// corp is a domain whose SIDs are known by name.
func corp(t *testing.T) (alice Foreign, operators, admins security.SID, resolve func(string) (security.SID, string, error)) {
	domain := "S-1-5-21-1001-1002-1003-"
	operators, admins = parseSID(t, domain+"1110"), parseSID(t, domain+"512")
	alice = Foreign{User: parseSID(t, domain+"1104"), UserName: "alice", Domain: "CORP", Realm: "CORP.TEST", Groups: []security.SID{parseSID(t, domain+"513"), operators, admins}}
	return alice, operators, admins, func(name string) (security.SID, string, error) {
		switch foldName(name) {
		case `corp\operators`:
			return operators, `CORP\Operators`, nil
		case `corp\domain admins`:
			return admins, `CORP\Domain Admins`, nil
		case `corp\srv`:
			return security.SIDAdministrators, `CORP\srv`, nil
		}
		return security.SID{}, "", errors.New("who?")
	}
}

// Rows 0.24 and 0.26: members of Administrators get their whole token over the network when a domain vouches for them, and a
// filtered one when they are local, unless they are the built-in Administrator.
func TestDomainAdministratorsAreNotFiltered(t *testing.T) {
	s := newTestStore(t)
	alice, _, admins, _ := corp(t)
	addUser(t, s, "carol", "secret")
	local := func(name string) func() (security.Token, error) {
		return func() (security.Token, error) { return s.Token(name, TokenOptions{}) }
	}
	foreign := func() (security.Token, error) { return s.ForeignToken(alice, security.LogonNetwork) }
	for _, tt := range []struct {
		who             string
		members         []string
		token           func() (security.Token, error)
		admin, filtered bool
	}{
		{"of the domain, no member", nil, foreign, false, false}, // Domain Admins are nobody here until they are let in
		{"of the domain, a member", []string{alice.User.String()}, foreign, true, false},
		{"of the domain, in a group that is a member", []string{admins.String()}, foreign, true, false},
		{"local, no member", nil, local("carol"), false, false},
		{"local, a member", []string{"carol"}, local("carol"), false, true},
		{"Administrator", nil, local("Administrator"), true, false},
	} {
		for _, m := range tt.members {
			if err := s.AddMember("Administrators", m); err != nil {
				t.Fatal(err)
			}
		}
		tok, err := tt.token()
		if err != nil || tok.Has(security.SIDAdministrators) != tt.admin || tok.Filtered != tt.filtered || tok.HasPrivilege(security.SeSecurity) != tt.admin {
			t.Errorf("%s: %+v, %v", tt.who, tok, err)
		}
		for _, m := range tt.members {
			if err := s.RemoveMember("Administrators", m); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A domain speaks for itself alone: SIDs of this machine, of BUILTIN and the well-known ones are dropped, and an account with the name of a local
// one is somebody else.
func TestDomainCannotSpeakForThisMachine(t *testing.T) {
	s := newTestStore(t)
	alice, _, _, _ := corp(t)
	addUser(t, s, "alice", "secret")
	local, err := s.Token("alice", TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddMember(RemoteWMIUsers, "alice"); err != nil {
		t.Fatal(err)
	}
	remote, err := s.LookupGroup(RemoteWMIUsers)
	if err != nil {
		t.Fatal(err)
	}
	alice.Groups = append(alice.Groups, security.SIDAdministrators, security.SIDLocalSystem, remote.SID, local.User, security.SIDInteractive, security.SIDLocalAccountAdmin)
	tok, err := s.ForeignToken(alice, security.LogonNetwork)
	if err != nil || tok.User == local.User || tok.Domain != "CORP" || tok.Realm != "CORP.TEST" {
		t.Fatalf("%+v, %v", tok, err)
	}
	for _, sid := range []security.SID{security.SIDAdministrators, security.SIDLocalSystem, remote.SID, local.User, security.SIDInteractive, security.SIDLocalAccountAdmin, security.SIDLocalAccount} {
		if tok.HasForDeny(sid) {
			t.Errorf("a domain gave %s", sid)
		}
	}
	for _, name := range []string{`CORP\alice`, "alice@CORP.TEST", `corp.test\alice`} {
		if u, err := s.LookupUser(name); !errors.Is(err, ErrNoSuchUser) {
			t.Errorf("%s is the local %s: %v", name, u.SID, err)
		}
		if hash, err := s.NTHash("", name); err == nil || hash != s.decoyFor("alice") {
			t.Errorf("%s has a hash: %v", name, err)
		}
	}
}

// Members of a domain are named by SID, by a name that somebody knows, or, users, by their principal.
func TestDomainMembers(t *testing.T) {
	alice, operators, admins, resolve := corp(t)
	s := newTestStore(t)
	s.resolve = resolve
	for _, tt := range []struct {
		name, shown string
		sid         security.SID
	}{
		{`CORP\Operators`, `CORP\Operators`, operators},
		{`corp\domain ADMINS`, `CORP\Domain Admins`, admins},
		{"S-1-5-21-1001-1002-1003-1104", "S-1-5-21-1001-1002-1003-1104", alice.User},
		{"bob@REALM.TEST", "bob@REALM.TEST", PrincipalSID("bob", "REALM.TEST")},
	} {
		if err := s.AddMember("Users", tt.name); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if err := s.AddMember("Users", tt.name); !errors.Is(err, ErrExists) {
			t.Errorf("%s a second time: %v", tt.name, err)
		}
		// The name is kept with the group, whatever becomes of who knew it.
		again, err := Open(s.dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if shown := again.AccountName(tt.sid); shown != tt.shown {
			t.Errorf("%s is shown as %s", tt.name, shown)
		}
		if err := again.RemoveMember("Users", tt.shown); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := again.RemoveMember("Users", tt.shown); !errors.Is(err, ErrNoSuchMember) && !errors.Is(err, ErrNoDomainName) {
			t.Errorf("%s a second time: %v", tt.name, err)
		}
	}
	for _, name := range []string{`CORP\nobody`, `OTHER\bob`, `CORP\srv`} {
		if err := s.AddMember("Users", name); !errors.Is(err, ErrNoDomainName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Those who are local stay local.
	addUser(t, s, "bob", "secret")
	for _, name := range []string{"bob", `SRV01\bob`, "bob@srv01", `.\bob`} {
		if err := s.AddMember("Guests", name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.RemoveMember("Guests", "bob"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A realm without SIDs has its users known by name, exactly; for a domain with SIDs a principal is one more way to name a user.
func TestPrincipals(t *testing.T) {
	s := newTestStore(t)
	sum := sha256.Sum256([]byte("bob@REALM.TEST"))
	want := "S-1-88"
	for i := range 5 {
		want += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(sum[4*i:]))
	}
	if err := s.AddMember("Administrators", "bob@REALM.TEST"); err != nil {
		t.Fatal(err)
	}
	tok, err := s.ForeignToken(Foreign{UserName: "bob", Realm: "REALM.TEST"}, security.LogonNetwork)
	if err != nil || tok.User.String() != want || !tok.Has(security.SIDAdministrators) || tok.Filtered || tok.Domain != "REALM.TEST" {
		t.Errorf("%+v, %v, want the user %s", tok, err, want)
	}
	// Who is a member by another spelling is somebody else to such a realm, also for who adds and removes by name.
	if err := s.AddMember(RemoteWMIUsers, "Bob@REALM.TEST"); err != nil {
		t.Fatal(err)
	}
	if tok, err := s.ForeignToken(Foreign{UserName: "bob", Realm: "REALM.TEST"}, security.LogonNetwork); err != nil || tok.Has(groupSID(t, s, RemoteWMIUsers)) {
		t.Errorf("bob is a member in Bob's place: %+v, %v", tok, err)
	}
	if tok, err := s.ForeignToken(Foreign{UserName: "Bob", Realm: "REALM.TEST"}, security.LogonNetwork); err != nil || !tok.Has(groupSID(t, s, RemoteWMIUsers)) {
		t.Errorf("Bob was added and is no member: %+v, %v", tok, err)
	}
	if fresh, err := s.Refresh(&tok); err != nil || !fresh.Has(security.SIDAdministrators) || fresh.Realm != "REALM.TEST" {
		t.Errorf("a moment later: %+v, %v", fresh, err)
	}
	for _, f := range []Foreign{{UserName: "Bob", Realm: "REALM.TEST"}, {UserName: "bob", Realm: "OTHER.TEST"}, {UserName: "bob", Realm: "realm.test"}} {
		if tok, err := s.ForeignToken(f, security.LogonNetwork); err != nil || tok.Has(security.SIDAdministrators) {
			t.Errorf("%+v: %+v, %v", f, tok, err)
		}
	}
	withSID := Foreign{User: parseSID(t, "S-1-5-21-1-2-3-1100"), UserName: "bob", Realm: "REALM.TEST"}
	if tok, err = s.ForeignToken(withSID, security.LogonNetwork); err != nil || !tok.Has(security.SIDAdministrators) || tok.User != withSID.User {
		t.Errorf("with a SID: %+v, %v", tok, err)
	}
	if err := s.RemoveMember("Administrators", "bob@REALM.TEST"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Refresh(&tok); !errors.Is(err, ErrGroupLost) {
		t.Errorf("taken out of the group: %v", err)
	}
	for _, f := range []Foreign{{}, {UserName: "bob"}, {Realm: "REALM.TEST"}} {
		if _, err := s.ForeignToken(f, security.LogonNetwork); !errors.Is(err, ErrLogonFailure) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func groupSID(t *testing.T, s *Store, name string) security.SID {
	t.Helper()
	g, err := s.LookupGroup(name)
	if err != nil {
		t.Fatal(err)
	}
	return g.SID
}

// Names of a domain have no case: who takes a mapping back by another spelling has taken it back.
func TestDomainUserMappingEnds(t *testing.T) {
	s := newTestStore(t)
	alice, _, _, _ := corp(t)
	tok, err := s.ForeignToken(alice, security.LogonNetwork)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range [][2]string{{`CORP\alice`, "al"}, {`corp\Alice`, "other"}} {
		if err := s.SetUnixUser(m[0], m[1], false); err != nil {
			t.Fatal(err)
		}
		if u, _, err := s.DomainUserOf(&tok); err != nil || u.UnixUser != m[1] {
			t.Errorf("mapped to %s: %+v, %v", m[1], u, err)
		}
	}
	if err := s.SetUnixUser(`Corp\ALICE`, "", false); err != nil {
		t.Fatal(err)
	}
	if u, found, err := s.DomainUserOf(&tok); err != nil || found {
		t.Errorf("the mapping was taken back and stays: %+v, %v", u, err)
	}
}

// An account of a domain is mapped to a Unix user by either form of its name.
func TestDomainUserMapping(t *testing.T) {
	s := newTestStore(t)
	alice, _, _, _ := corp(t)
	addUser(t, s, "alice", "secret")
	token := func(f Foreign) *security.Token {
		tok, err := s.ForeignToken(f, security.LogonNetwork)
		if err != nil {
			t.Fatal(err)
		}
		return &tok
	}
	mapped := func(tok *security.Token) string {
		u, found, err := s.DomainUserOf(tok)
		if err != nil || found != (u.UnixUser != "") {
			t.Fatal(u, found, err)
		}
		return u.UnixUser
	}
	for _, m := range [][2]string{{`corp\Alice`, "al"}, {"bob@REALM.TEST", "bo"}} {
		if err := s.SetUnixUser(m[0], m[1], false); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := s.LookupUser("alice"); err != nil || u.UnixUser != "" {
		t.Errorf("the local alice has the mapping of the domain's: %+v, %v", u, err)
	}
	local, err := s.Token("alice", TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		tok  *security.Token
		want string
	}{
		{token(alice), "al"}, {&local, ""},
		{token(Foreign{UserName: "bob", Realm: "REALM.TEST"}), "bo"},
		{token(Foreign{UserName: "BOB", Realm: "REALM.TEST"}), ""},
		{token(Foreign{User: parseSID(t, "S-1-5-21-1-2-3-1100"), UserName: "BOB", Realm: "realm.test"}), "bo"},
		{token(Foreign{User: parseSID(t, "S-1-5-21-1-2-3-1101"), UserName: "alice", Domain: "OTHER"}), ""},
	} {
		if got := mapped(tt.tok); got != tt.want {
			t.Errorf("%s\\%s is %q, want %q", tt.tok.Domain, tt.tok.UserName, got, tt.want)
		}
	}
	if err := s.SetUnixUser(`corp\Alice`, "root", false); !errors.Is(err, ErrRootMapping) {
		t.Errorf("root: %v", err)
	}
	if err := s.SetUnixUser(`corp\Alice`, "", false); err != nil || mapped(token(alice)) != "" {
		t.Errorf("the mapping stays: %v", err)
	}
	if users, err := s.DomainUsers(); err != nil || len(users) != 1 || users[0] != (DomainUser{Name: "bob@REALM.TEST", UnixUser: "bo"}) {
		t.Errorf("%v, %v", users, err)
	}
}

// A name of a domain has the SID that this machine learns of it, one of a realm that of the name, and names of this
// machine or of nobody have none.
func TestDomainSID(t *testing.T) {
	domain, err := security.ParseSID("S-1-5-21-9-9-9-1105")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Create(t.TempDir(), "Srv01", Options{Resolve: func(name string) (security.SID, string, error) {
		if name == `CORP\ann` {
			return domain, name, nil
		}
		return security.SID{}, "", ErrNoDomainName
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]security.SID{
		`CORP\ann`: domain, "bob@EXAMPLE.ORG": PrincipalSID("bob", "EXAMPLE.ORG"), `CORP\eve`: {}, `Srv01\Administrator`: {}, "Everyone": {},
		`BUILTIN\Users`: {}, "ann": {}, "": {},
	} {
		if got, found := s.DomainSID(name); got != want || found == want.IsZero() {
			t.Errorf("%q: %v, %v, want %v", name, got, found, want)
		}
	}
}
