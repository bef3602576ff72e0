package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/internal/kdctest"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// A realm that does not know the host's name, one that refuses the password, and
// none that answers: the domain alone is asked.
func TestKerberosCauses(t *testing.T) {
	kdc := kdctest.Start(t, "LAB.EXAMPLE")
	kdc.AddPrincipal("alice", "Pass-4711")
	kdc.AddPrincipal("HTTP/other.lab.example", "")
	ask := func(password string, config string) *Report {
		source := tickets.New(tickets.Options{Config: config})
		defer source.Close()
		return examine(t, "", 30*time.Second, func(target *Target, o *Options) {
			target.Name, target.Endpoint, target.Scheme = "srv04.lab.example", "", wsmanclient.Kerberos
			o.Tickets = source
			o.Credentials = auth.Credentials{Username: "alice@LAB.EXAMPLE", Password: password}
			o.DialContext = dialTable(nil, listen(t, offering("Negotiate", "Kerberos")))
		})
	}
	r := ask("Pass-4711", kdc.Config)
	wantCause(t, r, "auth.kerberos", "0x80090303", "the domain knows no service principal name HTTP/srv04.lab.example")
	line := ""
	for _, m := range r.Remedies {
		if m.ID == "setspn" {
			line = strings.Join(m.Commands, "\n")
		}
	}
	if line != "setspn -Q HTTP/srv04.lab.example\nsetspn -S HTTP/srv04.lab.example srv04" {
		t.Errorf("the lines are %q", line)
	}
	r = ask("wrong-4712", kdc.Config)
	wantCause(t, r, "auth.kerberos", "0x8009030C", "the domain refuses alice@LAB.EXAMPLE")
}

// The clock of the answer is a warning; where Kerberos says so, too, it is the
// cause.
func TestClock(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration
		want  Outcome
	}{"the same": {0, Pass}, "four minutes": {4 * time.Minute, Pass}, "six minutes": {6 * time.Minute, Warn}, "an hour behind": {-time.Hour, Warn}} {
		now := time.Now()
		x := newExamination(Target{Name: "srv04"}, Options{})
		x.winrm.http = httpFacts{date: now.Add(c.ahead).Truncate(time.Second), at: now}
		if got := clock(t.Context(), x); !(got.outcome == c.want || got.outcome == "" && c.want == Pass) {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
	x := newExamination(Target{Name: "srv04"}, Options{})
	list := []check{{id: "clock", layer: LayerClock, transport: "winrm"}, {id: wayKerberos, layer: LayerAuth, transport: "winrm"}}
	r := &Report{Checks: []Result{{ID: "clock", Layer: LayerClock, Outcome: Warn, Code: "0x80090324", Detail: "the host's clock is 6m0s ahead"},
		{ID: wayKerberos, Layer: LayerAuth, Outcome: Fail, Code: "0x80090324", Detail: "the clock of the service is 6m0s ahead of ours"}}}
	conclude(x, list, r)
	if r.Cause == nil || r.Cause.Check != "clock" || r.Cause.Confidence != Certain || r.Cause.Row != 7 || r.Remedies[0].Where != OnTarget {
		t.Errorf("%+v, %+v", r.Cause, r.Remedies)
	}
	r.Checks[0].Outcome, r.Checks[0].Code = Pass, ""
	conclude(x, list, r)
	if !strings.Contains(r.Cause.Title, "the domain's") || r.Remedies[0].Where != OnConsole {
		t.Errorf("with the host's clock right: %+v, %+v", r.Cause, r.Remedies)
	}
}
