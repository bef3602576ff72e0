package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
)

// key makes a token for somebody by the page, as a person does.
func (d *desk) key(name, role string) string {
	d.t.Helper()
	_, body := d.post(d.as(name), "/settings/keys", url.Values{"label": {"test"}, "role": {role}, "days": {"1"}}, "Accept", "application/json")
	var r result
	if err := json.Unmarshal([]byte(body), &r); err != nil || !strings.HasPrefix(r.Secret, "casement_") {
		d.t.Fatalf("a key of %s: %s", name, body)
	}
	return r.Secret
}

// call is a program with a token: no cookie, no Origin.
func (d *desk) call(token, method, path, body string) (int, string) {
	d.t.Helper()
	h := []string{"Content-Type", "application/json"}
	if token != "" {
		h = append(h, "Authorization", "Bearer "+token)
	}
	a, text := d.send(d.browser(), method, path, strings.NewReader(body), h...)
	return a.StatusCode, text
}

func (d *desk) log() []auditlog.Entry {
	d.t.Helper()
	list, err := d.c.audit.Newest(100000, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// Each role may what spec/console.md 4 gives it, by the API as by the forms, and what
// it may not is an audit line.
func TestRoles(t *testing.T) {
	d := newDesk(t, entry("srv01", "web"), entry("srv02")).ready()
	const any, op, admin = Reader, Operator, Administrator
	calls := []struct {
		method, path, body string
		need               Role
		want               int // for who may
	}{
		{"GET", "/api/v1/me", "", any, 200},
		{"GET", "/api/v1/servers?q=tag:web", "", any, 200},
		{"GET", "/api/v1/servers/SRV01", "", any, 200},
		{"GET", "/api/v1/servers/srv00", "", any, 404},
		{"GET", "/api/v1/work", "", any, 200},
		{"GET", "/api/v1/credentials", "", any, 200},
		{"GET", "/api/v1/settings", "", any, 200},
		{"GET", "/api/v1/openapi.json", "", any, 200},
		{"POST", "/api/v1/work", `{"kind":"doctor","servers":["srv01"]}`, any, 200},
		{"POST", "/api/v1/work", `{"kind":"query","servers":["srv01"],"parameters":{"wql":"SELECT Name FROM Win32_Service"}}`, any, 200},
		{"POST", "/api/v1/work", `{"kind":"refresh","servers":["srv01"]}`, op, 200},
		{"POST", "/api/v1/work", `{"kind":"run","servers":["srv01"],"parameters":{"command":"hostname"}}`, op, 200},
		{"POST", "/api/v1/work", `{"kind":"service","servers":["srv01"],"parameters":{"service":"Spooler","do":"stop"}}`, op, 200},
		{"POST", "/api/v1/work", `{"kind":"invoke","servers":["srv01"]}`, op, 200},
		{"POST", "/api/v1/work", `{"kind":"remote-management","servers":["srv01"],"parameters":{"on":false}}`, op, 200},
		{"POST", "/api/v1/work/w1/cancel", "", op, 204},
		{"PATCH", "/api/v1/servers", `{"servers":["srv01"],"tag":["tokyo"]}`, op, 204},
		{"PATCH", "/api/v1/servers", `{"servers":["srv01"],"paused":true}`, op, 204},
		{"PUT", "/api/v1/credentials/main", `{"user":"CORP\\x","password":"s3cret-w0rd","for":["*"]}`, admin, 204},
		{"PATCH", "/api/v1/servers", `{"servers":["srv01"],"credential":""}`, op, 204},
		{"DELETE", "/api/v1/credentials/main", "", admin, 204},
		{"PUT", "/api/v1/settings", `{"roles":{"Casement Operators":"Operator","Casement Readers":"Reader"},"shell":"operators","hash_commands":false,"administrators_add":false}`, admin, 204},
		{"GET", "/api/v1/audit", "", admin, 200},
		{"GET", "/audit/log.jsonl", "", admin, 200},
	}
	names := map[Role]string{Reader: "read", Operator: "oper", Administrator: "admin"}
	for _, role := range []Role{Reader, Operator, Administrator} {
		token := d.key(names[role], role.String())
		for _, k := range calls {
			if strings.HasPrefix(k.path, "/audit") {
				continue
			}
			want := k.want
			if role < k.need {
				want = http.StatusForbidden
			}
			denied := len(slices.DeleteFunc(d.log(), func(e auditlog.Entry) bool { return e.Action != "denied" }))
			got, body := d.call(token, k.method, k.path, k.body)
			if got != want {
				t.Errorf("%s %s %s as %s: %d, want %d: %s", k.method, k.path, k.body, role, got, want, body)
			}
			now := len(slices.DeleteFunc(d.log(), func(e auditlog.Entry) bool { return e.Action != "denied" }))
			if (now == denied+1) != (want == http.StatusForbidden) {
				t.Errorf("%s %s as %s: %d lines about what was denied", k.method, k.path, role, now-denied)
			}
		}
	}
	for _, k := range calls { // nobody
		if got, _ := d.call("", k.method, k.path, k.body); got != http.StatusUnauthorized && got != http.StatusSeeOther {
			t.Errorf("%s %s as nobody: %d", k.method, k.path, got)
		}
		if got, _ := d.call("casement_"+newSecret(), k.method, k.path, k.body); got != http.StatusUnauthorized {
			t.Errorf("%s %s with a made up token: %d", k.method, k.path, got)
		}
	}
	// The log knows who did what, and no secret.
	file, err := os.ReadFile(filepath.Join(d.c.o.Dir, AuditName))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s3cret-w0rd", "oper!", "admin!", "casement_"} {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("the audit log has %q", secret)
		}
	}
	if n, err := auditlog.Verify(bytes.NewReader(file)); err != nil || n < 30 {
		t.Errorf("the log: %d lines, %v", n, err)
	}
	stops := 0
	for _, e := range d.log() {
		if e.Action == "service" && e.Result == auditlog.Done && e.User == `HOST\oper` && e.Role == "Operator" && slices.Equal(e.Targets, []string{"srv01"}) && e.Work != "" {
			stops++
		}
	}
	if stops != 1 {
		t.Errorf("%d entries tell that oper changed a service", stops)
	}
}

// Every form of the pages that needs more than a Reader refuses one, whoever made the
// request, and shows no control that works.
func TestReaderCanPostNothing(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	b := d.as("read")
	for _, p := range d.c.routes {
		path, post := strings.CutPrefix(p.Pattern, "POST ")
		if !post || p.Role <= Reader {
			continue
		}
		path = strings.NewReplacer("{name}", "srv01", "{id}", "w1").Replace(path)
		path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x")
		if a, body := d.post(b, path, url.Values{"server": {"srv01"}, "on": {"srv01"}, "do": {"remove"}}); a.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s: %s %s", path, a.Status, body)
		}
	}
	button := regexp.MustCompile(`<button[^>]*name="do"[^>]*>`)
	_, body := d.get(b, "/servers")
	for _, k := range button.FindAllString(body, -1) {
		if !strings.Contains(k, "disabled") || !strings.Contains(k, "Needs the role Operator") {
			t.Errorf("a Reader has %s", k)
		}
	}
	if len(button.FindAllString(body, -1)) < 5 {
		t.Error("the page shows no controls")
	}
}

// A role that is taken away counts at the next request, and so does an account that is
// gone; a key may no more than its account.
func TestRoleIsAskedEachTime(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	b, token := d.as("oper"), d.key("oper", "Operator")
	if got, _ := d.call(token, "POST", "/api/v1/work", `{"kind":"refresh","servers":["srv01"]}`); got != http.StatusOK {
		t.Fatalf("at first: %d", got)
	}
	a, _ := d.post(d.as("admin"), "/settings/roles", url.Values{"group": {OperatorsGroup}, "role": {"Reader"}})
	if a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.Status)
	}
	if got, _ := d.call(token, "POST", "/api/v1/work", `{"kind":"refresh","servers":["srv01"]}`); got != http.StatusForbidden {
		t.Errorf("the key after the change: %d", got)
	}
	if a, _ := d.post(b, "/servers/do", url.Values{"server": {"srv01"}, "do": {"refresh"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("the session after the change: %s", a.Status)
	}
	if a, _ := d.post(d.as("admin"), "/settings/roles", url.Values{"group": {OperatorsGroup}, "role": {""}}); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.Status)
	}
	if a, _ := d.get(b, "/servers"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the session of who has no role: %s", a.Status)
	}
	// nobody makes a key that may more than they do, nor ends others' keys
	reader := d.as("read")
	if a, _ := d.post(reader, "/settings/keys", url.Values{"label": {"x"}, "role": {"Administrator"}, "days": {"1"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("a Reader's key for an Administrator: %s", a.Status)
	}
	tokens, err := listJSON[Token](t.Context(), d.c.store, tokenPrefix)
	if err != nil || len(tokens) != 1 {
		t.Fatal(tokens, err)
	}
	if a, _ := d.post(reader, "/settings/keys/"+tokens[0].ID+"/revoke", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("a Reader revokes another's key: %s", a.Status)
	}
	if a, _ := d.post(d.as("admin"), "/settings/keys/"+tokens[0].ID+"/revoke", nil); a.StatusCode != http.StatusSeeOther {
		t.Errorf("an Administrator: %s", a.Status)
	}
	if got, _ := d.call(token, "GET", "/api/v1/me", ""); got != http.StatusUnauthorized {
		t.Errorf("a key that was revoked: %d", got)
	}
}

// A display link shows the dashboard and nothing else, until it is revoked.
func TestDisplayLink(t *testing.T) {
	d := newDesk(t, with(entry("srv01"), pool.AccessDenied, "x")).ready()
	_, body := d.post(d.as("oper"), "/settings/keys", url.Values{"label": {"wall"}, "kind": {"display"}, "role": {"Operator"}, "days": {"2"}}, "Accept", "application/json")
	var r result
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatal(body)
	}
	wall := d.browser()
	a, page := d.get(wall, r.Secret)
	if a.StatusCode != http.StatusOK || !strings.Contains(page, "1 needs you of 1") || strings.Contains(page, "<form") || strings.Contains(page, `href="/servers`) {
		t.Errorf("the wall: %s %s", a.Status, page)
	}
	secret := strings.TrimPrefix(r.Secret, "/display/")
	if got, _ := d.call(secret, "GET", "/api/v1/servers", ""); got != http.StatusUnauthorized {
		t.Errorf("the link as a key: %d", got)
	}
	if a, _ := d.get(wall, "/servers"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("another page: %s", a.Status)
	}
	if a, _ := d.get(wall, "/display/"+d.key("oper", "Reader")); a.StatusCode != http.StatusNotFound {
		t.Errorf("a key as a link: %s", a.Status)
	}
}

// Confirmation: a change is asked about first, with the names; from eleven servers on
// their number is typed; a list that changed is asked about again.
func TestConfirmation(t *testing.T) {
	var list []Entry
	var names []string
	for _, c := range "abcdefghijkl" {
		names = append(names, "srv-"+string(c))
		list = append(list, entry("srv-"+string(c)))
	}
	d := newDesk(t, list...).ready()
	b := d.as("oper")
	count := func() int { all, _ := d.c.fleet.all(); return len(all) }
	ask := func(form url.Values) (int, confirmation) {
		a, body := d.post(b, "/servers/do", form, "Accept", "application/json")
		var k struct{ Confirm confirmation }
		if err := json.Unmarshal([]byte(body), &k); err != nil {
			t.Fatal(body)
		}
		return a.StatusCode, k.Confirm
	}
	code, k := ask(url.Values{"do": {"remove"}, "server": {"srv-a"}})
	if code != http.StatusConflict || k.Level != 1 || k.Type != "" || !slices.Equal(k.List, []string{"srv-a"}) {
		t.Fatalf("%d %+v", code, k)
	}
	if code, _ = ask(k.Values); code != http.StatusOK {
		t.Errorf("confirmed: %d", code)
	}
	waitFor(t, "the removal", func() bool { return count() == 11 })
	code, k = ask(url.Values{"do": {"remove"}, "server": names[1:]})
	if code != http.StatusConflict || k.Level != 2 || k.Type != "11" {
		t.Fatalf("%d %+v", code, k)
	}
	form := k.Values
	form.Set("typed", "10")
	if code, k = ask(form); code != http.StatusConflict || k.Again == "" {
		t.Errorf("with a wrong number: %d %+v", code, k)
	}
	form.Set("typed", "11")
	form["server"] = names[2:]
	if code, k = ask(form); code != http.StatusConflict || !strings.Contains(k.Again, "changed") {
		t.Errorf("with another list: %d %+v", code, k)
	}
	if count() != 11 {
		t.Errorf("%d are left", count())
	}
	// without a script the question is a page
	a, page := d.post(b, "/servers/do", url.Values{"do": {"remove"}, "server": {"srv-b"}})
	if a.StatusCode != http.StatusOK || !strings.Contains(page, "Remove 1 server from the pool") || !strings.Contains(page, "srv-b") {
		t.Errorf("the page: %s", a.Status)
	}
}

// Nothing is done where the audit log cannot be written.
func TestNoActionWithoutAudit(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	b, token := d.as("oper"), d.key("oper", "Operator")
	if err := d.c.audit.Close(); err != nil {
		t.Fatal(err)
	}
	if a, _ := d.post(b, "/servers/do", url.Values{"server": {"srv01"}, "do": {"resume"}}); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a form: %s", a.Status)
	}
	if got, _ := d.call(token, "POST", "/api/v1/work", `{"kind":"refresh","servers":["srv01"]}`); got != http.StatusServiceUnavailable {
		t.Errorf("the API: %d", got)
	}
	if len(d.pool.works) != 0 {
		t.Error("a work was begun")
	}
	if a, _ := d.post(d.browser(), "/signin", url.Values{"user": {"oper"}, "password": {"oper!"}}); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("sign-in: %s", a.Status)
	}
	log, err := auditlog.Open(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	d.c.audit = log // which Close closes
}

// The stream tells of a change, with a line of its own each 15 s, and ends with the
// session.
func TestStream(t *testing.T) {
	d := newDesk(t, with(entry("srv01"), pool.AccessDenied, "rights filtered")).ready()
	b := d.as("read")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.srv.URL+"/live?t=row:srv01&t=counts", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.ProtoMajor != 2 || a.Header.Get("Content-Type") != "text/event-stream" || a.Header.Get("Content-Security-Policy") == "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the stream is %s %v", a.Proto, a.Header)
	}
	seen := make(chan string, 100)
	go func() {
		defer close(seen)
		buf := make([]byte, 64<<10)
		for {
			n, err := a.Body.Read(buf)
			if n > 0 {
				seen <- string(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	var got string
	next := func(want string) {
		t.Helper()
		for !strings.Contains(got, want) {
			select {
			case s, ok := <-seen:
				if !ok {
					t.Fatalf("the stream ended before %q: %s", want, got)
				}
				got += s
			case <-time.After(10 * time.Second):
				t.Fatalf("no %q in %s", want, got)
			}
		}
	}
	next(`"t":"Online - Access denied"`)
	next("id: ")
	got = ""
	s := pool.Snapshot{Server: "srv01", State: pool.Online, Level: pool.LevelOK, Contact: time.Now(), Tried: time.Now()}
	d.pool.set("srv01", s)
	next(`"level":"ok"`)
	if _, err := d.pool.Works(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, _ := d.post(b, "/signout", nil); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.Status)
	}
	next("event: end")
	for range seen { //nolint:revive // until it is closed
	}
}

// What a work printed on a server is had by the names of both.
func TestAPIOutput(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	w, err := d.pool.Start(t.Context(), pool.Action{Kind: pool.KindRun}, []string{"srv01"}, "x")
	if err != nil {
		t.Fatal(err)
	}
	d.pool.results[w.ID] = []pool.Result{{Work: w.ID, Server: "srv01", State: pool.Done, Ended: time.Now(), Output: "up 3 days"}}
	token := d.key("read", "Reader")
	if got, text := d.call(token, "GET", "/api/v1/work/"+w.ID+"/output/srv01", ""); got != http.StatusOK || !strings.Contains(text, "up 3 days") {
		t.Errorf("%d: %s", got, text)
	}
	if got, text := d.call(token, "GET", "/api/v1/work/"+w.ID+"/output/srv02", ""); got != http.StatusNotFound {
		t.Errorf("another server: %d: %s", got, text)
	}
}
