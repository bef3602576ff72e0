package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
	"github.com/casementhq/casement/settings"
)

// hostPool connects to a service of the test, whatever the name.
type hostPool struct {
	*memoryPool

	host *casementtest.Server
}

func (p hostPool) Connect(ctx context.Context, _ string) (*casement.Connection, error) {
	return casement.Dial(ctx, p.host.HTTP, casement.Options{User: p.host.User, Password: p.host.Password, HostsFile: "-"})
}

func (p hostPool) ConnectOver(ctx context.Context, name string, over pool.Transport) (*casement.Connection, error) {
	if over != pool.DCOM {
		return p.Connect(ctx, name)
	}
	return casement.Dial(ctx, "dcom://"+p.host.DCOM, casement.Options{User: p.host.User, Password: p.host.Password, HostsFile: "-"})
}

// newHostDesk is a console with one server, srv01, which is this machine.
func newHostDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, pool: newMemoryPool(with(entry("srv01", "web"), pool.Online, ""))}
	d.c = newConsole(t, hostPool{d.pool, casementtest.New(t, casementtest.Options{})}, t.TempDir())
	d.srv = httptest.NewUnstartedServer(d.c)
	d.srv.EnableHTTP2 = true
	d.srv.StartTLS()
	t.Cleanup(func() {
		d.c.streams.endAll()
		d.srv.Close()
	})
	return d.ready()
}

// Every tab shows what the server itself says.
func TestServerPages(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("read")
	for path, want := range map[string][]string{
		"":                                   {"srv01", "Properties"},
		"/events":                            {"Level"},
		"/services":                          {"Status"},
		"/performance":                       {"Processor now", "Memory in use"},
		"/disks":                             {"srv01"},
		"/roles":                             {"srv01"},
		"/users":                             {"Administrators", "WinRMRemoteWMIUsers__", "root"},
		"/firewall":                          {"Windows Management Instrumentation (WMI)", "Windows Remote Management"},
		"/firewall?view=rules":               {"Windows Management Instrumentation (WMI-In)", "Network Access (DCOM-In)"},
		"/query":                             {"Namespace"},
		"/query?find=logicaldisk":            {"Win32_LogicalDisk"},
		"/query?class=Win32_OperatingSystem": {"LastBootUpTime", "datetime", "Win32Shutdown"},
		"/doctor":                            {"has not looked at srv01 yet"},
	} {
		a, body := d.get(b, "/servers/srv01"+path)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, a.Status)
			continue
		}
		if strings.Contains(body, `class="problem"`) {
			t.Errorf("%s has a problem: %s", path, body[strings.Index(body, `class="problem"`):][:300])
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s does not show %q", path, w)
			}
		}
	}
}

// A query runs by POST alone, is in the audit log, and its file has no formulas.
func TestQueryOfAServer(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("read")
	if _, body := d.get(b, "/servers/srv01/query?wql=SELECT+Caption+FROM+Win32_OperatingSystem"); strings.Contains(body, "ms, complete") {
		t.Error("a link ran a query")
	}
	form := url.Values{"ns": {`root\cimv2`}, "wql": {"SELECT Name, LastBootUpTime FROM Win32_OperatingSystem"}}
	if a, body := d.post(b, "/servers/srv01/query", form); a.StatusCode != http.StatusOK || !strings.Contains(body, "1 row") || !strings.Contains(body, "LastBootUpTime") {
		t.Errorf("%s: %s", a.Status, body)
	}
	form.Set("wql", "SELECT Name FROM Win32_Nothing")
	if _, body := d.post(b, "/servers/srv01/query", form); !strings.Contains(body, "0x80041010") {
		t.Errorf("a class that is not there: %s", body)
	}
	form.Set("wql", "SELECT Name FROM Win32_OperatingSystem")
	form.Set("format", "json")
	var table struct{ Columns []string }
	if _, body := d.post(b, "/servers/srv01/query", form); json.Unmarshal([]byte(body), &table) != nil || len(table.Columns) == 0 {
		t.Errorf("JSON: %s", body)
	}
	for text, want := range map[string]string{"=1+1": "'=1+1", "+x": "'+x", "-1": "'-1", "@a": "'@a", "\tx": "'\tx", "plain": "plain", "": ""} {
		if got := lists.Defused(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// What changes a server is work of the pool; what stops something is asked before.
func TestServiceActionsAreWork(t *testing.T) {
	d := newHostDesk(t)
	d.c.workLimit = 0
	start := url.Values{"do": {"start"}, "service": {"x"}}
	if a, _ := d.post(d.as("read"), "/servers/srv01/services", start); a.StatusCode != http.StatusForbidden {
		t.Errorf("a reader starts a service: %s", a.Status)
	}
	b := d.as("oper")
	stop := url.Values{"do": {"stop"}, "service": {"x"}}
	if _, body := d.post(b, "/servers/srv01/services", stop); !strings.Contains(body, "Stop x on srv01") || !strings.Contains(body, "Which services need it could not be read") || len(d.pool.works) != 0 {
		t.Errorf("to stop is not asked before: %s", body)
	}
	stop.Set("confirmed", "srv01")
	if a, _ := d.post(b, "/servers/srv01/services", stop); a.StatusCode != http.StatusSeeOther {
		t.Errorf("to stop: %s", a.Status)
	}
	if a, _ := d.post(b, "/servers/srv01/services", url.Values{"do": {"explode"}, "service": {"x"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown deed: %s", a.Status)
	}
	// What Casement itself comes in by needs the server's name.
	cut := url.Values{"do": {"stop"}, "service": {"WinRM"}, "confirmed": {"srv01"}, "typed": {"srv02"}}
	if _, body := d.post(b, "/servers/srv01/services", cut); !strings.Contains(body, "Casement itself will lose srv01") || !strings.Contains(body, "DCOM answers there and remains") {
		t.Errorf("to stop WinRM: %s", body)
	}
	if len(d.pool.works) != 1 || d.pool.works[0].Action.Kind != pool.KindService || d.pool.works[0].Targets[0] != "srv01" {
		t.Errorf("works: %+v", d.pool.works)
	}
}

// A tick box for each group of rules; to clear it is asked before, and for the group
// that Casement comes in by the server's name is typed.
func TestFirewallTicks(t *testing.T) {
	d := newHostDesk(t)
	d.c.workLimit = 0
	b := d.as("oper")
	if _, body := d.get(b, "/servers/srv01/firewall"); !strings.Contains(body, `aria-label="Allow Windows Management Instrumentation (WMI)"`) {
		t.Errorf("the page: %s", body)
	}
	post := func(form ...string) string {
		t.Helper()
		v := url.Values{}
		for n := 0; n < len(form); n += 2 {
			v.Set(form[n], form[n+1])
		}
		_, body := d.post(b, "/servers/srv01/firewall", v)
		return body
	}
	const wmi, winrm = "Windows Management Instrumentation (WMI)", "Windows Remote Management"
	post("group", wmi, "on", "1")
	if len(d.pool.works) != 1 || !strings.Contains(string(d.pool.works[0].Action.Parameters), `"method":"Enable"`) {
		t.Fatalf("works: %+v", d.pool.works)
	}
	if body := post("group", wmi); !strings.Contains(body, "Disable the group "+wmi) || strings.Contains(body, "will lose") || len(d.pool.works) != 1 {
		t.Errorf("to clear is not asked before: %s", body)
	}
	if body := post("group", winrm, "confirmed", "srv01"); !strings.Contains(body, "Casement itself will lose srv01") || len(d.pool.works) != 1 {
		t.Errorf("to shut WinRM is not asked before: %s", body)
	}
	post("group", winrm, "confirmed", "srv01", "typed", "srv01")
	post("rule", "r1", "on", "0", "confirmed", "srv01")
	if len(d.pool.works) != 3 || !strings.Contains(string(d.pool.works[0].Action.Parameters), "InstanceID") {
		t.Errorf("works: %+v", d.pool.works)
	}
	if a, _ := d.post(b, "/servers/srv01/firewall", url.Values{"on": {"1"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("neither rule nor group: %s", a.Status)
	}
}

// The tab shows the newest report of the doctor.
func TestDoctorPage(t *testing.T) {
	d := newHostDesk(t)
	b := d.as("read")
	if a, _ := d.post(b, "/servers/srv01/doctor", nil); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.Status)
	}
	if _, body := d.get(b, "/servers/srv01/doctor"); !strings.Contains(body, "The doctor is asking srv01") {
		t.Error("that it runs is not shown")
	}
	report, err := json.Marshal(doctor.Report{Schema: doctor.Schema, Verdict: doctor.Blocked, Started: time.Now(), Transports: map[string]doctor.Reach{"winrm": doctor.ReachBlocked},
		Cause:    &doctor.Cause{Check: "tcp.5985", Confidence: doctor.Certain, Title: "<b>the port is shut</b>", For: []string{"silent"}},
		Checks:   []doctor.Result{{ID: "tcp.5985", Title: "The port answers", Outcome: doctor.Fail, Code: "0x80338012", Detail: "silent for 5 s"}},
		Remedies: []doctor.Remedy{{ID: "open", Where: doctor.OnTarget, Commands: []string{"netsh advfirewall …"}}}})
	if err != nil {
		t.Fatal(err)
	}
	id := d.pool.works[0].ID
	d.pool.results[id] = []pool.Result{{Work: id, Server: "srv01", State: pool.Failed, Output: string(report)}}
	_, body := d.get(b, "/servers/srv01/doctor")
	for _, want := range []string{"&lt;b&gt;the port is shut&lt;/b&gt;", "certain", "silent for 5 s", "0x80338012", "netsh advfirewall"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if _, body := d.get(b, "/servers/srv01/doctor.json"); !strings.Contains(body, doctor.Schema) {
		t.Errorf("JSON: %s", body)
	}
}

func TestChart(t *testing.T) {
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	c := chart{Title: `<x>`, From: at, To: at.Add(40 * time.Minute), Points: []point{{at, 0}, {at.Add(10 * time.Minute), 100}, {at.Add(40 * time.Minute), 50}}, Threshold: 85}
	svg := string(c.SVG())
	if !strings.Contains(svg, `points="0.0,116.0 160.0,4.0"`) || !strings.Contains(svg, `points="640.0,60.0 634.0,60.0"`) { // half an hour is a gap
		t.Errorf("the line: %s", svg)
	}
	if strings.Contains(svg, "<x>") || strings.Contains(svg, "style=") {
		t.Errorf("markup: %s", svg)
	}
	if want := "last 50"; !strings.Contains(c.Summary(), want) {
		t.Errorf("summary: %s", c.Summary())
	}
}

// A shell belongs to who opened it, outlives the request, and ends with the session.
func TestShellPage(t *testing.T) {
	d := newHostDesk(t)
	if a, _ := d.post(d.as("read"), "/servers/srv01/shell", url.Values{"program": {"sh"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("a reader opens a shell: %s", a.Status)
	}
	b := d.as("oper")
	a, body := d.post(b, "/servers/srv01/shell", url.Values{"program": {"sh"}})
	page := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s: %s", a.Status, body)
	}
	_, id, _ := strings.Cut(page, "?id=")
	send := func(form url.Values) {
		t.Helper()
		if a, body := d.post(b, "/servers/srv01/shell/"+id, form); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %s", a.Status, body)
		}
	}
	send(url.Values{"line": {"printf '\\033[31mred\\033[0m <b>%s</b>\\n' $((40+2))"}})
	waitFor(t, "the output", func() bool {
		_, body := d.get(b, page)
		return strings.Contains(body, "red &lt;b&gt;42&lt;/b&gt;")
	})
	if _, body := d.get(d.as("admin"), page); strings.Contains(body, "red") {
		t.Error("somebody else sees the output")
	}
	if a, _ := d.post(d.as("admin"), "/servers/srv01/shell/"+id, url.Values{"line": {"id"}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else writes: %s", a.Status)
	}
	if a, _ := d.get(d.as("admin"), "/live/poll?t=shell%3A"+id); a.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else follows: %s", a.Status)
	}
	dir := t.TempDir()                                                                            // where root runs the test, commands run as somebody else
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o777)); err != nil { // #nosec G302 -- as above
		t.Fatal(err)
	}
	marker := filepath.Join(dir, "alive")
	send(url.Values{"line": {"while :; do date > '" + marker + "'; sleep 0.05; done"}})
	waitFor(t, "the loop", func() bool { _, err := os.Stat(marker); return err == nil })
	if a, _ := d.post(b, "/signout", nil); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.Status)
	}
	waitFor(t, "the end of the process", func() bool {
		_ = os.Remove(marker)
		time.Sleep(200 * time.Millisecond)
		_, err := os.Stat(marker)
		return err != nil
	})
}

// The text of a program is kept to 32 KiB, whole runes, without escape sequences.
func TestShellOutputIsText(t *testing.T) {
	s := &openShell{changed: func() {}}
	for _, part := range []string{"a\x1b[1;31mb\x1b[0m", "\x1b]0;title\x07c", "\x1b", "[2", "Jd\r\n\x00\x07", "é"[:1], "é"[1:], "\xff"} {
		if _, err := s.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.state().Output; got != "abcd\né" {
		t.Errorf("%q", got)
	}
	if _, err := s.Write([]byte(strings.Repeat("ü", 40000))); err != nil {
		t.Fatal(err)
	}
	if got := s.state(); !got.Cut || len(got.Output) > shellKept || strings.Trim(got.Output, "ü") != "" {
		t.Errorf("%d octets, cut %t", len(got.Output), got.Cut)
	}
}

func FuzzShellOutput(f *testing.F) {
	f.Add([]byte("a\x1b[31mb"), []byte("\x1b]0;x\x07é"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s := &openShell{changed: func() {}}
		for _, part := range [][]byte{a, b, a} {
			if _, err := s.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if out := s.state().Output; !utf8.ValidString(out) || len(out) > shellKept || strings.ContainsAny(out, "\x1b\x07\x00\r") {
			t.Errorf("%q", out)
		}
	})
}

// Remote management is a tick box whose removal is confirmed by the server's name.
func TestManagementPage(t *testing.T) {
	d := newHostDesk(t)
	d.c.workLimit = 0
	b := d.as("oper")
	if _, body := d.get(b, "/servers/srv01/management"); !strings.Contains(body, "Enable remote management of this server from other computers") ||
		!strings.Contains(body, "checked") || !strings.Contains(body, "WinRM answers.") {
		t.Errorf("the page: %s", body)
	}
	_, body := d.post(b, "/servers/srv01/management", url.Values{})
	if !strings.Contains(body, "Casement itself will lose srv01") || !strings.Contains(body, "DCOM answers there and remains") || len(d.pool.works) > 0 {
		t.Errorf("it is not confirmed: %s", body)
	}
	d.post(b, "/servers/srv01/management", url.Values{"confirmed": {"srv01"}, "typed": {"srv01"}})
	if len(d.pool.works) != 1 || string(d.pool.works[0].Action.Parameters) != `{"on":false}` {
		t.Errorf("works: %+v", d.pool.works)
	}
}

// The page follows the switch of the host, which nobody told it of, and what the pool
// found out is told: checklist 3.13.
func TestManagementFollows(t *testing.T) {
	e := with(entry("srv01", "web"), pool.Online, "")
	e.Snapshot.Facts = &pool.Facts{OS: "Debian GNU/Linux"}
	d := &desk{t: t, pool: newMemoryPool(e)}
	host := casementtest.New(t, casementtest.Options{})
	d.c = newConsole(t, hostPool{d.pool, host}, t.TempDir())
	look := func() string {
		e, _ := d.c.fleet.get("srv01")
		return d.c.management(t.Context(), e).Word()
	}
	follows := func(want string) { // the host takes its settings a moment later
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); look() != want && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		}
		if got := look(); got != want {
			t.Errorf("it is %s, not %s", got, want)
		}
	}
	follows("Enabled")
	host.Apply(settings.SetAllowRemoteAccess(false))
	follows("Disabled")
	host.Apply(settings.SetAllowRemoteAccess(true))
	follows("Enabled")
	host.Close()
	if got := look(); got != "Not known" {
		t.Errorf("gone: %s", got)
	}
}

// The limit of one write does not end a stream that has nothing to say.
func TestStreamAtRest(t *testing.T) {
	d := newDesk(t, entry("srv01")).ready()
	d.c.writeLimit = 100 * time.Millisecond
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.srv.URL+"/live?t=row:srv01", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.as("read").Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	time.AfterFunc(500*time.Millisecond, func() { d.pool.set("srv01", pool.Snapshot{State: pool.Online, Reason: "the change"}) })
	b := bufio.NewScanner(a.Body)
	for b.Scan() {
		if strings.Contains(b.Text(), "the change") {
			return
		}
	}
	t.Errorf("the stream ended before the change: %v", b.Err())
}
