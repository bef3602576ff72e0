package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/pool"
)

// hostPool connects to a service of the test, whatever the name.
type hostPool struct {
	*memoryPool

	host *casementtest.Server
}

func (p hostPool) Connect(ctx context.Context, _ string) (*casement.Connection, error) {
	return casement.Dial(ctx, p.host.HTTP, casement.Options{User: p.host.User, Password: p.host.Password, HostsFile: "-"})
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
		if got := defused(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// What changes a server is work of the pool; what stops something is asked before.
func TestServiceActionsAreWork(t *testing.T) {
	d := newHostDesk(t)
	if a, _ := d.post(d.as("read"), "/servers/srv01/services/x", url.Values{"do": {"start"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("a reader starts a service: %s", a.Status)
	}
	b := d.as("oper")
	if a, _ := d.post(b, "/servers/srv01/services/x", url.Values{"do": {"stop"}}); a.StatusCode != http.StatusSeeOther || !strings.Contains(a.Header.Get("Location"), "do=stop") {
		t.Errorf("to stop is not asked before: %s %s", a.Status, a.Header.Get("Location"))
	}
	if len(d.pool.works) != 0 {
		t.Fatal("it was done before it was confirmed")
	}
	if a, _ := d.post(b, "/servers/srv01/services/x", url.Values{"do": {"stop"}, "sure": {"yes"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("to stop: %s", a.Status)
	}
	if a, _ := d.post(b, "/servers/srv01/services/x", url.Values{"do": {"explode"}, "sure": {"yes"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown deed: %s", a.Status)
	}
	if len(d.pool.works) != 1 || d.pool.works[0].Action.Kind != pool.KindService || d.pool.works[0].Targets[0] != "srv01" {
		t.Errorf("works: %+v", d.pool.works)
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
	c := chart{Title: `<x>`, Points: []point{{at, 0}, {at.Add(time.Minute), 100}, {at.Add(2 * time.Minute), 50}}, Threshold: 85}
	svg := string(c.SVG())
	if !strings.Contains(svg, `points="0.0,116.0 320.0,4.0 640.0,60.0"`) {
		t.Errorf("the line: %s", svg)
	}
	if strings.Contains(svg, "<x>") || strings.Contains(svg, "style=") {
		t.Errorf("markup: %s", svg)
	}
	if want := "now 50"; !strings.Contains(c.Summary(), want) {
		t.Errorf("summary: %s", c.Summary())
	}
}
