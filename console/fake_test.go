package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool"
)

// memoryPool is a pool without a store, for tests of pages and rules.
type memoryPool struct {
	mu       sync.Mutex
	entries  map[string]*pool.Entry
	watchers []func(*pool.Entry, bool)
	works    []pool.Work
	results  map[string][]pool.Result
	creds    map[string]pool.Credential
	secrets  map[string]string
}

func newMemoryPool(list ...Entry) *memoryPool {
	p := &memoryPool{entries: map[string]*pool.Entry{}, results: map[string][]pool.Result{}, creds: map[string]pool.Credential{}, secrets: map[string]string{}}
	for _, e := range list {
		p.entries[strings.ToLower(e.Name)] = &e.Entry
	}
	return p
}

var errNoSuch = &cim.Error{Status: cim.ErrNotFound, Detail: "there is no such thing"}

func (p *memoryPool) tell(e *pool.Entry, gone bool) {
	for _, w := range p.watchers {
		w(e, gone)
	}
}

func (p *memoryPool) Watch(ctx context.Context, f func(*pool.Entry, bool)) error {
	p.mu.Lock()
	for _, e := range p.entries {
		f(e, false)
	}
	f(nil, false)
	p.watchers = append(p.watchers, f)
	p.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (p *memoryPool) Add(_ context.Context, servers []pool.Server) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range servers {
		if p.entries[strings.ToLower(s.Name)] != nil {
			return fmt.Errorf("%w: %s", errNoSuch, s.Name)
		}
	}
	for _, s := range servers {
		e := &pool.Entry{Server: s}
		p.entries[strings.ToLower(s.Name)] = e
		p.tell(e, false)
	}
	return nil
}

func (p *memoryPool) Update(_ context.Context, name string, change func(*pool.Server) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[strings.ToLower(name)]
	if e == nil {
		return errNoSuch
	}
	n := *e
	n.Tags = slices.Clone(e.Tags)
	if err := change(&n.Server); err != nil {
		return err
	}
	p.entries[strings.ToLower(name)] = &n
	p.tell(&n, false)
	return nil
}

func (p *memoryPool) Remove(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[strings.ToLower(name)]
	if e == nil {
		return errNoSuch
	}
	delete(p.entries, strings.ToLower(name))
	p.tell(e, true)
	return nil
}

// set changes what is known of a server.
func (p *memoryPool) set(name string, s pool.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := *p.entries[strings.ToLower(name)]
	n.Snapshot = &s
	p.entries[strings.ToLower(name)] = &n
	p.tell(&n, false)
}

func (p *memoryPool) Start(_ context.Context, a pool.Action, targets []string, by string) (pool.Work, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := pool.Work{ID: fmt.Sprintf("w%d", len(p.works)+1), Action: a, Targets: targets, By: by, Created: time.Now(), Tally: pool.Tally{Waiting: len(targets)}}
	p.works = append([]pool.Work{w}, p.works...)
	return w, nil
}

func (p *memoryPool) Works(context.Context) ([]pool.Work, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.works), nil
}

func (p *memoryPool) Work(_ context.Context, id string) (pool.Work, []pool.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.works {
		if w.ID == id {
			return w, slices.Clone(p.results[id]), nil
		}
	}
	return pool.Work{}, nil, errNoSuch
}

func (p *memoryPool) Cancel(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := range p.works {
		if p.works[n].ID == id {
			p.works[n].Cancelled = time.Now()
			return nil
		}
	}
	return errNoSuch
}

func (p *memoryPool) Output(_ context.Context, id, server string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.results[id] {
		if r.Server == server && r.Output != "" {
			return r.Output, nil
		}
	}
	return "", errNoSuch
}

func (p *memoryPool) WatchWork(ctx context.Context, _ func(string)) error {
	<-ctx.Done()
	return nil
}

func (p *memoryPool) Credentials(context.Context) (list []pool.Credential, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys(p.creds) {
		list = append(list, p.creds[k])
	}
	return list, nil
}

func (p *memoryPool) SetCredential(_ context.Context, c pool.Credential, password []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.creds[c.Name], p.secrets[c.Name] = c, string(password)
	return nil
}

func (p *memoryPool) RemoveCredential(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.creds, name)
	return nil
}

func (p *memoryPool) Opened(_ context.Context, name string) (auth.Credentials, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.creds[name]
	if !ok {
		return auth.Credentials{}, errNoSuch
	}
	return auth.Credentials{Username: c.User, Password: p.secrets[name]}, nil
}

func (p *memoryPool) Connect(context.Context, string) (*casement.Connection, error) {
	return nil, errors.New("the pool of a test connects to nothing")
}

func (p *memoryPool) ConnectOver(ctx context.Context, name string, _ pool.Transport) (*casement.Connection, error) {
	return p.Connect(ctx, name)
}

// people are the accounts of a test: by name, the group that gives the role. The
// password of each is the name with "!" behind.
var people = map[string]Group{
	`HOST\admin`:  {SID: "S-1-5-32-544", Name: `BUILTIN\Administrators`},
	`HOST\oper`:   {SID: "S-1-5-21-1-2-3-1001", Name: `HOST\Casement Operators`},
	`HOST\read`:   {SID: "S-1-5-21-1-2-3-1002", Name: `HOST\Casement Readers`},
	`HOST\nobody`: {SID: "S-1-5-32-545", Name: `BUILTIN\Users`},
}

func accountOf(user string) (Account, error) {
	name := `HOST\` + strings.TrimPrefix(user, `HOST\`)
	g, ok := people[name]
	if !ok {
		return Account{}, ErrWrongPassword
	}
	return Account{User: name, SID: "S-1-5-21-9-9-9-" + name, Groups: []Group{g}}, nil
}

// desk is a console under test, behind TLS.
type desk struct {
	t    testing.TB
	c    *Console
	pool *memoryPool
	srv  *httptest.Server
}

func newDesk(t testing.TB, list ...Entry) *desk {
	t.Helper()
	d := &desk{t: t, pool: newMemoryPool(list...)}
	d.c = newConsole(t, d.pool, t.TempDir())
	d.srv = httptest.NewUnstartedServer(d.c)
	d.srv.EnableHTTP2 = true
	d.srv.StartTLS()
	t.Cleanup(func() {
		d.c.streams.endAll()
		d.srv.Close()
	})
	return d
}

func newConsole(t testing.TB, p Pool, dir string) *Console {
	t.Helper()
	c, err := New(Options{Pool: p, Dir: dir, Machine: "mgmt1", Version: "test",
		SignIn: func(_ context.Context, user, password string) (Account, error) {
			a, err := accountOf(user)
			if err == nil && password != strings.TrimPrefix(a.User, `HOST\`)+"!" {
				return Account{}, ErrWrongPassword
			}
			return a, err
		},
		Current: func(_ context.Context, user string) (Account, error) { return accountOf(user) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// browser is a client that keeps cookies and follows nothing.
func (d *desk) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	c := d.srv.Client()
	return &http.Client{Transport: c.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// as is a browser of somebody who signed in.
func (d *desk) as(name string) *http.Client {
	d.t.Helper()
	b := d.browser()
	r, _ := d.post(b, "/signin", url.Values{"user": {name}, "password": {name + "!"}})
	if r.StatusCode != http.StatusSeeOther {
		d.t.Fatalf("sign-in of %s: %s", name, r.Status)
	}
	return b
}

func (d *desk) get(b *http.Client, path string, headers ...string) (*http.Response, string) {
	d.t.Helper()
	return d.send(b, http.MethodGet, path, nil, headers...)
}

// post sends a form as a page of the console does.
func (d *desk) post(b *http.Client, path string, form url.Values, headers ...string) (*http.Response, string) {
	d.t.Helper()
	return d.send(b, http.MethodPost, path, strings.NewReader(form.Encode()),
		append([]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"}, headers...)...)
}

func (d *desk) send(b *http.Client, method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.srv.URL+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	for n := 0; n+1 < len(headers); n += 2 {
		if headers[n] == "Host" {
			r.Host = headers[n+1]
		}
		r.Header.Set(headers[n], headers[n+1])
	}
	a, err := b.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return a, string(text)
}
