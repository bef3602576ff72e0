package accounts

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/security"
)

// testHash stands in for the NT hash, which this package never computes.
func testHash(password string) (h [16]byte) {
	sum := sha256.Sum256([]byte("test" + password))
	copy(h[:], sum[:])
	return h
}

func newTestStore(t testing.TB) *Store {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "state"), "Srv01", Options{Hash: testHash})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func addUser(t testing.TB, s *Store, name, password string) User {
	t.Helper()
	u, err := s.AddUser(NewUser{Name: name, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCreateMakesAWindowsMachine(t *testing.T) {
	s := newTestStore(t)
	groups, err := s.Groups()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, g := range groups {
		got[g.Domain+`\`+g.Name] = g.SID.String()
	}
	d, err := s.Domains()
	if err != nil {
		t.Fatal(err)
	}
	for name, sid := range map[string]string{
		`BUILTIN\Administrators`: "S-1-5-32-544", `BUILTIN\Users`: "S-1-5-32-545", `BUILTIN\Guests`: "S-1-5-32-546",
		`BUILTIN\Remote Management Users`: "S-1-5-32-580", `BUILTIN\Event Log Readers`: "S-1-5-32-573",
		`BUILTIN\Distributed COM Users`: "S-1-5-32-562", `BUILTIN\Performance Monitor Users`: "S-1-5-32-558",
		`Srv01\WinRMRemoteWMIUsers__`: d.Machine.String() + "-1000",
	} {
		if got[name] != sid {
			t.Errorf("%s is %q, want %s", name, got[name], sid)
		}
	}
	sub := d.Machine.SubAuthorities()
	if len(sub) != 4 || sub[0] != 21 || d.Machine.Authority() != 5 {
		t.Errorf("machine SID %s", d.Machine)
	}
	admin, err := s.LookupUser("administrator")
	if err != nil || admin.RID != 500 || !admin.PasswordSet.IsZero() {
		t.Errorf("Administrator %+v, %v", admin, err)
	}
	if _, err := Create(s.dir, "Srv01", Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second Create gave %v", err)
	}
	if other := newTestStore(t); other.state.MachineSID == d.Machine {
		t.Error("two machines have one SID")
	}
	if _, err := Open(t.TempDir(), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of an empty folder gave %v", err)
	}
}

func TestUserNames(t *testing.T) {
	s := newTestStore(t)
	u := addUser(t, s, "Alice", "secret")
	if u.RID != 1001 || u.SID != s.state.MachineSID.WithRID(1001) {
		t.Errorf("added %+v", u)
	}
	for _, name := range []string{"alice", `.\ALICE`, `SRV01\alice`, "alice@srv01", `\alice`} {
		if got, err := s.LookupUser(name); err != nil || got.SID != u.SID {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "bob", `OTHER\alice`, "alice@other", "alice@srv01.example.com", `BUILTIN\alice`, "Administrators"} {
		if got, err := s.LookupUser(name); !errors.Is(err, ErrNoSuchUser) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "a/b", `a\b`, "a@b", "a b ", "...", "a\x00", "S-1-5-18", strings.Repeat("x", 21), "a\xff"} {
		if _, err := s.AddUser(NewUser{Name: name}); !errors.Is(err, ErrBadName) {
			t.Errorf("AddUser(%q) gave %v", name, err)
		}
	}
	for _, name := range []string{"ALICE", "administrators", "srv01"} {
		if _, err := s.AddUser(NewUser{Name: name}); !errors.Is(err, ErrExists) {
			t.Errorf("AddUser(%q) gave %v", name, err)
		}
	}
}

func TestRIDsAreNotUsedAgain(t *testing.T) {
	s := newTestStore(t)
	first := addUser(t, s, "alice", "x")
	if err := s.AddMember("Administrators", "alice"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUser("alice"); err != nil {
		t.Fatal(err)
	}
	if again := addUser(t, s, "alice", "x"); again.RID != first.RID+1 {
		t.Errorf("RID %d after %d", again.RID, first.RID)
	}
	tok, err := s.Token("alice", TokenOptions{})
	if err != nil || tok.HasForDeny(security.SIDAdministrators) {
		t.Errorf("the new alice has the old one's group: %+v, %v", tok, err)
	}
	if err := s.DeleteUser("Administrator"); !errors.Is(err, ErrBuiltIn) {
		t.Errorf("deleting Administrator gave %v", err)
	}
	if err := s.DeleteGroup("Users"); !errors.Is(err, ErrBuiltIn) {
		t.Errorf("deleting Users gave %v", err)
	}
}

func TestRootMappingNeedsPermission(t *testing.T) {
	s := newTestStore(t)
	for _, name := range []string{"root", "0", "00"} {
		if _, err := s.AddUser(NewUser{Name: "x", UnixUser: name}); !errors.Is(err, ErrRootMapping) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.SetUnixUser("Administrator", "root", false); !errors.Is(err, ErrRootMapping) {
		t.Errorf("SetUnixUser: %v", err)
	}
	if err := s.SetUnixUser("Administrator", "root", true); err != nil {
		t.Fatal(err)
	}
	if u, _ := s.LookupUser("Administrator"); u.UnixUser != "root" || !u.AllowRoot {
		t.Errorf("%+v", u)
	}
	if _, err := s.AddUser(NewUser{Name: "x", UnixUser: "-x"}); !errors.Is(err, ErrBadName) {
		t.Errorf("-x: %v", err)
	}
}

func TestMembers(t *testing.T) {
	s := newTestStore(t)
	u := addUser(t, s, "alice", "x")
	for _, m := range []string{`SRV01\Alice`, "S-1-5-21-9-9-9-512", "Everyone"} {
		if err := s.AddMember(`BUILTIN\remote management users`, m); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
	g, err := s.LookupGroup("S-1-5-32-580")
	if err != nil || len(g.Members) != 3 || g.Members[0] != u.SID || g.Members[1].String() != "S-1-5-21-9-9-9-512" || g.Members[2] != security.SIDEveryone {
		t.Errorf("%+v, %v", g, err)
	}
	if err := s.AddMember("Users", "alice"); !errors.Is(err, ErrExists) {
		t.Errorf("second membership gave %v", err)
	}
	if err := s.AddMember("Users", "Administrators"); err == nil {
		t.Error("a local group became a member of a local group")
	}
	if err := s.AddMember("Nobody", "alice"); !errors.Is(err, ErrNoSuchGroup) {
		t.Errorf("unknown group gave %v", err)
	}
	if err := s.AddMember("Users", "bob"); !errors.Is(err, ErrNoSuchUser) {
		t.Errorf("unknown member gave %v", err)
	}
	if err := s.RemoveMember("Users", "alice"); err != nil {
		t.Error(err)
	}
	if err := s.RemoveMember("Users", "alice"); !errors.Is(err, ErrNoSuchMember) {
		t.Errorf("second removal gave %v", err)
	}
	own, err := s.AddGroup("Operators", "")
	if err != nil || own.SID.RID() != 1002 {
		t.Errorf("%+v, %v", own, err)
	}
	if err := s.DeleteGroup("Operators"); err != nil {
		t.Error(err)
	}
	if name := s.AccountName(u.SID); name != `Srv01\alice` {
		t.Errorf("name %s", name)
	}
	if name := s.AccountName(security.SIDEventLogReaders); name != `BUILTIN\Event Log Readers` {
		t.Errorf("name %s", name)
	}
}

// Another process adds and deletes users; this one sees it at its next lookup.
func TestLiveReload(t *testing.T) {
	a := newTestStore(t)
	b, err := Open(a.dir, Options{Hash: testHash})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		addUser(t, a, "alice", "x")
		if _, err := b.LookupUser("alice"); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteUser("alice"); err != nil {
			t.Fatal(err)
		}
		if _, err := a.LookupUser("alice"); !errors.Is(err, ErrNoSuchUser) {
			t.Fatal(err)
		}
	}
}

func TestConcurrentProcessesLoseNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the folder is not locked on this system")
	}
	a := newTestStore(t)
	const each = 15
	done := make(chan error)
	for _, prefix := range []string{"a", "b", "c"} {
		go func() {
			s, err := Open(a.dir, Options{})
			for i := 0; err == nil && i < each; i++ {
				_, err = s.AddUser(NewUser{Name: prefix + strings.Repeat("x", i)})
			}
			done <- err
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	users, err := a.Users()
	if err != nil || len(users) != 3*each+1 {
		t.Fatalf("%d users, %v", len(users), err)
	}
	if !slices.IsSortedFunc(users, func(x, y User) int { return int(x.RID) - int(y.RID) }) {
		t.Error("users are not in the order of their RIDs")
	}
}

func TestDamagedFileFailsClosed(t *testing.T) {
	s := newTestStore(t)
	addUser(t, s, "alice", "secret")
	good, err := os.ReadFile(s.path())
	if err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string]string{
		"cut":       string(good[:len(good)/2]),
		"two users": strings.Replace(string(good), `"alice"`, `"Administrator"`, 1),
		"version":   strings.Replace(string(good), `"version": 1`, `"version": 2`, 1),
		"RID":       strings.Replace(string(good), `"nextRID": 1002`, `"nextRID": 7`, 1),
		"hash":      strings.Replace(string(good), `"ntHash": "`, `"ntHash": "zz`, 1),
	} {
		if content == string(good) {
			t.Fatalf("%s: nothing was changed", what)
		}
		if err := os.WriteFile(s.path(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Reload(); err == nil {
			t.Errorf("%s: it was read", what)
		}
		if _, err := s.NTHash("", "alice"); what != "hash" && !errors.Is(err, ErrLogonFailure) {
			t.Errorf("%s: a logon gave %v", what, err)
		}
	}
	if err := os.WriteFile(s.path(), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.NTHash("", "alice"); err != nil {
		t.Errorf("the good file came back, but: %v", err)
	}
	if err := os.Remove(s.path()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LookupUser("alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without its file: %v", err)
	}
}

func TestFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits on this system")
	}
	s := newTestStore(t)
	fi, err := os.Stat(s.path())
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if err := os.Chmod(s.path(), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.dir, Options{}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a readable file gave %v", err)
	}
}

// A crash between any two steps of saving leaves the old accounts whole, and the next change works.
func TestCrashWhileSaving(t *testing.T) {
	crash := errors.New("crash")
	for what, broken := range map[string]func(*fileOps){
		"create": func(o *fileOps) { o.create = func(string) (*os.File, error) { return nil, crash } },
		"half write": func(o *fileOps) {
			o.write = func(f *os.File, b []byte) error { _, _ = f.Write(b[:len(b)/2]); return crash }
		},
		"sync":   func(o *fileOps) { o.sync = func(*os.File) error { return crash } },
		"rename": func(o *fileOps) { o.rename = func(string, string) error { return crash } },
	} {
		s := newTestStore(t)
		before := addUser(t, s, "alice", "secret")
		old, _ := os.ReadFile(s.path())
		whole := s.ops
		broken(&s.ops)
		if err := s.SetPassword("alice", "other"); !errors.Is(err, crash) {
			t.Fatalf("%s: %v", what, err)
		}
		now, _ := os.ReadFile(s.path())
		if string(now) != string(old) {
			t.Errorf("%s: the file changed", what)
		}
		if h, err := s.NTHash("", "alice"); err != nil || h != testHash("secret") {
			t.Errorf("%s: the store in memory changed: %v", what, err)
		}
		next, err := Open(s.dir, Options{Hash: testHash})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if u, err := next.LookupUser("alice"); err != nil || u.SID != before.SID {
			t.Errorf("%s: %+v, %v", what, u, err)
		}
		if err := next.SetPassword("alice", "third"); err != nil {
			t.Errorf("%s: the next change: %v", what, err)
		}
		s.ops = whole
		if h, err := s.NTHash("", "alice"); err != nil || h != testHash("third") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPasswordTimeComesFromTheClock(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	s, err := Create(t.TempDir(), "m", Options{Hash: testHash, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	if u := addUser(t, s, "alice", "x"); !u.PasswordSet.Equal(at.Truncate(time.Second)) {
		t.Errorf("%v", u.PasswordSet)
	}
}
