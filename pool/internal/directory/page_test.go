package directory_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/console"
	"github.com/casementhq/casement/internal/adtest"
	"github.com/casementhq/casement/pool"
)

// The page that adds servers asks a real directory: with a password that is typed, with a
// named credential, over TLS, under a base. What it finds can be added.
func TestDirectoryFromThePage(t *testing.T) {
	t.Setenv("GODEBUG", "x509negativeserial=1") // Samba draws the numbers of its own certificates, and some are below 0
	d := adtest.Shared(t)
	secure, err := tls.Dial("tcp", net.JoinHostPort(d.Address, "636"), &tls.Config{InsecureSkipVerify: true}) // only what it shows
	if err != nil {
		t.Fatal(err)
	}
	pin := fmt.Sprintf("%X", sha256.Sum256(secure.ConnectionState().PeerCertificates[0].Raw))
	secure.Close()

	p, err := pool.Open(t.Context(), pool.Options{Dir: filepath.Join(t.TempDir(), "pool")})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.SetCredential(t.Context(), pool.Credential{Name: "corp", User: adtest.NetBIOS + `\` + adtest.Alice}, []byte(adtest.Password)); err != nil {
		t.Fatal(err)
	}
	account := func(user string) (console.Account, error) {
		group := map[string]string{"admin": `BUILTIN\Administrators`, "oper": `HOST\Casement Operators`}[user]
		return console.Account{User: user, SID: "S-1-5-21-1-" + user, Groups: []console.Group{{Name: group, SID: map[string]string{"admin": "S-1-5-32-544"}[user]}}}, nil
	}
	c, err := console.New(console.Options{Pool: p, Dir: t.TempDir(), Machine: "mgmt1",
		SignIn:  func(_ context.Context, user, _ string) (console.Account, error) { return account(user) },
		Current: func(_ context.Context, user string) (console.Account, error) { return account(user) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server := httptest.NewTLSServer(c)
	defer server.Close()
	as := func(user string) func(form url.Values) (int, string) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: server.Client().Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		post := func(path string, form url.Values) (int, string) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			a, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Body.Close()
			text, err := io.ReadAll(a.Body)
			if err != nil {
				t.Fatal(err)
			}
			return a.StatusCode, string(text)
		}
		if status, text := post("/signin", url.Values{"user": {user}, "password": {"x"}}); status != http.StatusSeeOther {
			t.Fatalf("sign-in of %s: %d %s", user, status, text)
		}
		return func(form url.Values) (int, string) {
			t.Helper()
			form.Set("tab", "directory")
			if !form.Has("do") {
				form.Set("do", "find")
			}
			form.Set("controller", d.Address)
			return post("/servers/add", form)
		}
	}
	admin, oper := as("admin"), as("oper")
	alice, named := url.Values{"user": {adtest.NetBIOS + `\` + adtest.Alice}, "password": {adtest.Password}}, url.Values{"signin": {"corp"}}
	with := func(base url.Values, pairs ...string) url.Values {
		v := url.Values{}
		for k, list := range base {
			v[k] = list
		}
		for n := 0; n < len(pairs); n += 2 {
			v.Set(pairs[n], pairs[n+1])
		}
		return v
	}
	for name, c := range map[string]struct {
		ask    func(url.Values) (int, string)
		form   url.Values
		status int
		want   string
	}{
		"a password":                                {oper, alice, 200, `aria-label="Add dc1.corp.test"`},
		"a named credential":                        {oper, named, 200, `aria-label="Add dc1.corp.test"`},
		"LDAPS, a pin, a name":                      {admin, with(named, "security", "ldaps", "thumbprint", pin, "like", "dc*"), 200, `aria-label="Add dc1.corp.test"`},
		"StartTLS, a typed password":                {oper, with(alice, "security", "starttls", "thumbprint", pin), 200, `aria-label="Add dc1.corp.test"`},
		"a base without computers":                  {oper, with(alice, "base", "CN=Users,DC=corp,DC=test"), 422, "The directory has no such computer under CN=Users,DC=corp,DC=test."},
		"another certificate":                       {oper, with(alice, "security", "ldaps", "thumbprint", strings.Repeat("0", 64)), 502, "the certificate is another one"},
		"a wrong password":                          {oper, with(alice, "password", "wrong"), 502, "could not be asked"},
		"an operator sends a password that is kept": {oper, with(named, "security", "ldaps", "thumbprint", pin), 422, "only an Administrator may send it over TLS"},
		"no such credential":                        {oper, url.Values{"signin": {"none"}}, 404, "no credential has this name"},
		"nobody":                                    {oper, url.Values{}, 422, "Who asks is not named."},
		"another protection":                        {oper, with(alice, "security", "none"), 422, "sealed, StartTLS or LDAPS"},
	} {
		status, page := c.ask(c.form)
		if status != c.status || !strings.Contains(page, c.want) || strings.Contains(page, adtest.Password) {
			t.Errorf("%s: %d, %q is not in it: %s", name, status, c.want, page)
		}
	}
	// What was found and is ticked is added, with why it is not tested kept in its row.
	list := `[{"name":"dc1.corp.test"},{"name":"server.corp.test"}]`
	if status, page := oper(url.Values{"do": {"add"}, "list": {list}, "pick": {"server.corp.test"}, "tested": {"1"}, "credential": {"corp"}, "tags": {"web"}}); status != http.StatusSeeOther {
		t.Fatalf("adding it: %d %s", status, page)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if e, err := p.Get("server.corp.test"); err == nil {
			if e.Credential != "corp" || strings.Join(e.Tags, " ") != "web" || e.AddedBy != "oper" {
				t.Errorf("it is %+v", e.Server)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it is not in the pool")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := p.Get("dc1.corp.test"); err == nil {
		t.Error("what was not ticked was added")
	}
}
