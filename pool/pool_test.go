package pool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/fleetsim"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	fleetsim.Main()
	if play := parts[os.Getenv("CASEMENT_POOL_PART")]; play != nil {
		if err := play(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// parts are what this binary does as another process.
var parts = map[string]func() error{}

func openTest(t testing.TB, dir string) *Pool {
	t.Helper()
	p, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func testFolder(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "pool")
}

func names(entries []Entry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, e.Name)
	}
	return list
}

func TestServersAreKept(t *testing.T) {
	ctx, dir := t.Context(), testFolder(t)
	p, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	pin := strings.Repeat("AB:", 31) + "AB"
	if err := p.Add(ctx, []Server{{Name: "SRV2", Tags: []string{"Web", "web", "tokyo"}, Thumbprint: pin}, {Name: "fe80::1"}, {Name: "a.example"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := names(p.Servers()), []string{"a.example", "fe80::1", "SRV2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := p.Add(ctx, []Server{{Name: "new"}, {Name: "srv2"}}); !errors.Is(err, cim.ErrAlreadyExists) {
		t.Errorf("added twice: %v", err)
	}
	if err := p.Add(ctx, []Server{{Name: "new"}, {Name: "not a name"}}); !errors.Is(err, cim.ErrInvalidParameter) || !strings.Contains(err.Error(), "not a name") {
		t.Errorf("a bad name: %v", err)
	}
	if _, err := p.Get("new"); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("all or none: %v", err)
	}
	if err := p.Update(ctx, "srv2", func(s *Server) error { s.Tags = append(s.Tags, "db"); s.Name = "other"; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(ctx, "FE80::1"); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(ctx, "fe80::1"); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openTest(t, dir)
	if got, want := names(p.Servers()), []string{"a.example", "SRV2"}; !slices.Equal(got, want) {
		t.Errorf("after opening again: %q, want %q", got, want)
	}
	e, err := p.Get("Srv2")
	if err != nil || e.Name != "SRV2" || !slices.Equal(e.Tags, []string{"db", "tokyo", "web"}) || e.Thumbprint != strings.Repeat("ab", 32) || e.Added.IsZero() || e.Snapshot != nil {
		t.Errorf("%+v, %v", e, err)
	}
	if err := p.Add(ctx, []Server{{Name: "fe80::1"}}); err != nil {
		t.Errorf("added again: %v", err)
	}
}

func TestCleanRefuses(t *testing.T) {
	for _, s := range []Server{
		{}, {Name: "srv 09"}, {Name: "-x"}, {Name: "a..b"}, {Name: "a."}, {Name: "ä"}, {Name: "<script>"}, {Name: strings.Repeat("a", 254)},
		{Name: "a", Address: "b c"}, {Name: "a", Endpoint: "ftp://a"}, {Name: "a", Endpoint: "http://u:p@a/wsman"}, {Name: "a", Transport: "ssh"},
		{Name: "a", Thumbprint: "abcd"}, {Name: "a", Tags: []string{"two words"}}, {Name: "a", Tags: []string{""}}, {Name: "a", Note: strings.Repeat("n", 4097)},
	} {
		if err := s.Clean(); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// Two processes see what each does, and the second goes on when the first ends.
func TestWatchSeesOthers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := testFolder(t)
	first, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	second := openTest(t, dir)
	if err := first.Add(ctx, []Server{{Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := second.fleet.await(ctx, func() bool { _, err := second.Get("a"); return err == nil }); err != nil {
		t.Fatal(err)
	}
	saw := make(chan string, 10)
	watching := make(chan error)
	go func() {
		watching <- second.Watch(ctx, func(e *Entry, gone bool) {
			if e == nil {
				saw <- "all"
				return
			}
			saw <- fmt.Sprint(e.Name, " ", gone)
		})
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-saw:
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s never came", want)
		}
	}
	expect("a false")
	expect("all")
	if err := first.Add(ctx, []Server{{Name: "b"}}); err != nil {
		t.Fatal(err)
	}
	expect("b false")
	if err := first.Remove(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	expect("a true")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Add(ctx, []Server{{Name: "c"}}); err != nil {
		t.Fatal(err)
	}
	expect("c false")
	cancel()
	if err := <-watching; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	ctx, p := t.Context(), openTest(t, testFolder(t))
	for _, c := range []Credential{{Name: "all", User: `CORP\all`, For: []string{"*"}}, {Name: "web", User: `CORP\web`, For: []string{"tag:web"}}, {Name: "one", User: `CORP\one`, Scheme: "Kerberos"}} {
		password := []byte("secret of " + c.Name)
		if err := p.SetCredential(ctx, c, password); err != nil {
			t.Fatal(err)
		}
		if strings.Trim(string(password), "\x00") != "" {
			t.Errorf("the password was not wiped: %q", password)
		}
	}
	if err := p.Add(ctx, []Server{{Name: "a", Tags: []string{"web"}, Credential: "ONE"}, {Name: "b", Tags: []string{"web"}}, {Name: "c"}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "one", "b": "web", "c": "all"} {
		e, err := p.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		as, _, err := p.secret(ctx, e.Server)
		if err != nil || as.Username != `CORP\`+want || as.Password != "secret of "+want {
			t.Errorf("%s is reached as %s, %v", name, as.Username, err)
		}
	}
	if err := p.SetCredential(ctx, Credential{Name: "web", User: `CORP\web2`, For: []string{"web"}}, nil); err != nil {
		t.Fatal(err)
	}
	if as, _, err := p.secret(ctx, Server{Name: "x", Tags: []string{"web"}}); err != nil || as.Username != `CORP\web2` || as.Password != "secret of web" {
		t.Errorf("%s, %v", as.Username, err)
	}
	if err := p.SetCredential(ctx, Credential{Name: "none", User: "u"}, nil); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a new one without a password: %v", err)
	}
	if err := p.RemoveCredential(ctx, "one"); !errors.Is(err, cim.ErrInvalidOperation) {
		t.Errorf("one that is in use: %v", err)
	}
	if err := p.RemoveCredential(ctx, "all"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := p.CredentialOf(ctx, Server{Name: "c"}); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if err := p.Add(ctx, []Server{{Name: "d", Credential: "all"}}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("a credential that is not: %v", err)
	}
	list, err := p.Credentials(ctx)
	if text := fmt.Sprintf("%+v", list); err != nil || len(list) != 2 || strings.Contains(text, "secret") {
		t.Errorf("%s, %v", text, err)
	}
}

// A worker opens what is sealed for its key, from its admission to its dismissal.
func TestWorkersAreAdmitted(t *testing.T) {
	ctx, dir := t.Context(), testFolder(t)
	admin := openTest(t, dir)
	if err := admin.SetCredential(ctx, Credential{Name: "all", User: "u", For: []string{"*"}}, []byte("first")); err != nil {
		t.Fatal(err)
	}
	worker, err := Open(ctx, Options{Dir: dir, Identity: filepath.Join(t.TempDir(), "identity")})
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close() //nolint:errcheck // nothing is lost
	key, err := worker.Key()
	if err != nil {
		t.Fatal(err)
	}
	may := func() bool {
		as, _, err := worker.secret(ctx, Server{Name: "a"})
		if err != nil && !errors.Is(err, cim.ErrAccessDenied) {
			t.Error(err)
		}
		return err == nil && as.Password != ""
	}
	if may() {
		t.Error("a worker that was not admitted opened a credential")
	}
	if err := admin.AdmitWorker(ctx, key, "", "root"); err != nil {
		t.Fatal(err)
	}
	if list, err := admin.Workers(ctx); err != nil || len(list) != 1 || list[0].Key != key || list[0].By != "root" {
		t.Errorf("%+v, %v", list, err)
	}
	if !may() {
		t.Error("an admitted worker cannot open a credential that was there before")
	}
	if err := admin.SetCredential(ctx, Credential{Name: "all", User: "u", For: []string{"*"}}, []byte("second")); err != nil {
		t.Fatal(err)
	}
	if !may() {
		t.Error("an admitted worker cannot open a credential that came later")
	}
	if err := admin.DismissWorker(ctx, key); err != nil {
		t.Fatal(err)
	}
	if may() {
		t.Error("a dismissed worker opened a credential")
	}
	if as, _, err := admin.secret(ctx, Server{Name: "a"}); err != nil || as.Password != "second" {
		t.Errorf("%v", err)
	}
	if err := admin.AdmitWorker(ctx, "age1wrong", "", ""); !errors.Is(err, cim.ErrInvalidParameter) {
		t.Error(err)
	}
}
