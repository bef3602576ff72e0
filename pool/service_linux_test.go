package pool

import (
	"strings"
	"testing"

	"github.com/casementhq/casement/internal/fleetsim"
)

// A service that another one needs is stopped with it where that was asked for, and is
// refused, as Windows does, where not. A restart brings both back.
func TestServiceWithDependents(t *testing.T) {
	hosts, err := fleetsim.Start(t.Context(), fleetsim.Options{Hosts: 1})
	must(t, err)
	defer func() { must(t, hosts.Close()) }()
	p := openTest(t, testFolder(t))
	must(t, p.SetCredential(t.Context(), Credential{Name: "all", User: hosts.User, For: []string{ForAll}}, []byte(hosts.Password)))
	must(t, p.Add(t.Context(), []Server{{Name: "one", Endpoint: hosts.Hosts[0].URL}}))
	serveTest(t, p, ServeOptions{})
	do := func(s ServiceParameters) Result {
		t.Helper()
		w := startTest(t, p, KindService, s, "one")
		_, results := endedWork(t, p, w.ID)
		return results[0]
	}
	state := func(service string) string {
		t.Helper()
		w := startTest(t, p, KindQuery, QueryParameters{WQL: "SELECT State FROM Win32_Service WHERE Name='" + service + "'"}, "one")
		endedWork(t, p, w.ID)
		text, err := p.Output(t.Context(), w.ID, "one")
		must(t, err)
		return strings.TrimSpace(text)
	}
	const running, stopped = `{"State":"Running"}`, `{"State":"Stopped"}`
	if r := do(ServiceParameters{Service: "Spooler", Do: "stop"}); r.State != Failed || r.Code != "3" || r.Words != "Dependent Services Running" || r.NotRun {
		t.Errorf("stop what is needed: %+v", r)
	}
	if r := do(ServiceParameters{Service: "spooler", Do: "restart", Dependents: true}); r.State != Done || r.Words != "Success; Fax too" {
		t.Errorf("restart: %+v", r)
	}
	if got := state("Fax"); got != running {
		t.Errorf("after a restart: %s", got)
	}
	if r := do(ServiceParameters{Service: "Spooler", Do: "stop", Dependents: true}); r.State != Done || r.Code != "0" || r.Words != "Success; Fax stopped before" {
		t.Errorf("stop: %+v", r)
	}
	if fax, spooler := state("Fax"), state("Spooler"); fax != stopped || spooler != stopped {
		t.Errorf("after a stop: %s, %s", fax, spooler)
	}
	if (Action{Kind: KindService, Parameters: []byte(`{"service":"a","do":"start","dependents":true}`)}).Check() == nil {
		t.Error("a start with dependents is taken")
	}
	// Nothing was sent to who does not listen; what was sent to who died is not known.
	must(t, hosts.Kill("HOST00001"))
	if r := do(ServiceParameters{Service: "Spooler", Do: "start"}); r.State != Failed || !r.NotRun {
		t.Errorf("a dead host: %+v", r)
	}
}

// A server that is renamed keeps the names that it had.
func TestRenameKeepsFormerNames(t *testing.T) {
	p := openTest(t, testFolder(t))
	must(t, p.Add(t.Context(), []Server{{Name: "one", Tags: []string{"web"}}}))
	must(t, p.Rename(t.Context(), "one", "two"))
	must(t, p.Rename(t.Context(), "two", "three"))
	e, err := p.Get("three")
	must(t, err)
	if strings.Join(e.Former, " ") != "one two" || e.Tags[0] != "web" {
		t.Errorf("%+v", e.Server)
	}
	must(t, p.Rename(t.Context(), "three", "one"))
	if e, err = p.Get("one"); err != nil || strings.Join(e.Former, " ") != "two three" {
		t.Errorf("back at its first name: %v %+v", err, e.Server)
	}
}
