package pool

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/doctor"
)

// The texts of the states and their levels, as spec/console.md 3.3 prints them.
func TestStateTexts(t *testing.T) {
	want := map[Level][]string{
		"ok":        {"Online"},
		"info":      {"Online - Performance counters not started", "Online - Restart pending"},
		"attention": {"Online - Data retrieval failures occurred", "Online - Cannot get role and feature data"},
		"blocked": {"Online - Access denied", "Credentials not valid", "Kerberos target resolution error", "Kerberos authentication error",
			"WinRM Negotiate authentication error", "Target computer not accessible",
			"Online - Verify WinRM 3.0 service is installed, running, and required firewall ports are open", "Not accessible",
			"Not accessible - Verify earlier versions run Windows Management Framework 3.0", "Offline",
			"Online - Cannot manage an operating system newer than this computer's",
			"Remote management disabled", "Remote management disabled by policy", "Not manageable - client operating system", "Unknown"},
		"none": {"Checking", "Not yet checked", "Paused"},
	}
	n := 0
	for level, texts := range want {
		for _, text := range texts {
			n++
			s, ok := ParseState(text)
			if !ok || string(s) != text || s.Level() != level {
				t.Errorf("%q: %v, level %s, want %s", text, ok, s.Level(), level)
			}
		}
	}
	if n != len(States) {
		t.Errorf("there are %d states, and %d texts in the specification", len(States), n)
	}
	// One document prints an en dash (row 3.09).
	if s, ok := ParseState("Not accessible \u2013 Verify earlier versions run Windows Management Framework 3.0"); !ok || s != NotAccessibleWMF3 {
		t.Errorf("with a dash: %q %v", s, ok)
	}
}

// A failed check of the doctor gives its state, by its code before its place.
func TestStateOfReport(t *testing.T) {
	for _, c := range []struct {
		id, code string
		t        Transport
		want     State
	}{
		// The twelve faults of spec/console.md 3.3 that block WinRM.
		{"tcp.5985", "0x80338112", WinRM, NotComputerAccessible},
		{"tcp.5985", "0x80338012", WinRM, NotComputerAccessible},
		{"http", "0x80338012", WinRM, NotComputerAccessible}, // taken and reset, by the firewall of the host
		{"tcp.5986", "", WinRM, NotComputerAccessible},
		{"tls", "0x803381BA", WinRM, NotComputerAccessible},
		{"clock", "", WinRM, KerberosAuthentication},
		{"auth.kerberos", "0x80090324", WinRM, KerberosAuthentication},
		{"winrm.authorize", "0x80070005", WinRM, AccessDenied},
		{"winrm.authorize", "0x80041003", WinRM, AccessDenied},
		{"uac.filter", "0x80070005", WinRM, AccessDenied},
		{"winrm.identify", "0x803381DD", WinRM, ManagementByPolicy},
		{"winrm.quota", "0x803381A7", WinRM, DataRetrievalFailures},
		// Where DCOM is the only way.
		{"dcom.activate", "0x80070005", DCOM, AccessDenied},
		{"wmi.namespace", "0x80041003", DCOM, AccessDenied},
		{"tcp.dynamic", "0x800706BA", DCOM, NotComputerAccessible},
		{"dcom.bindings", "0x800706BA", DCOM, NotComputerAccessible},
		{"tcp.135", "0x800706BA", DCOM, NotComputerAccessible},
		{"rpc.auth", "0x80070005", DCOM, CredentialsNotValid},
		// Others.
		{"resolve", "0x800706BA", WinRM, KerberosResolution},
		{"auth.kerberos", "0x80090303", WinRM, KerberosResolution},
		{"auth.kerberos", "0x80090322", WinRM, KerberosAuthentication},
		{"auth.kerberos", "0x8009030C", WinRM, CredentialsNotValid},
		{"auth.ntlm", "0x8007052E", WinRM, CredentialsNotValid},
		{"auth.ntlm", "0xC0000418", WinRM, NegotiateError},
		{"auth.offer", "0x80070005", WinRM, NegotiateError}, // it refuses whatever is not offered
		{"http", "0x80338173", WinRM, VerifyWinRM},
	} {
		r := &doctor.Report{Checks: []doctor.Result{{ID: "other", Outcome: doctor.Pass}, {ID: c.id, Outcome: doctor.Fail, Code: c.code, Detail: "it is so"}}}
		v := verdictOfReport(r, verdict{state: NotComputerAccessible, reason: "?"}, c.t)
		if v.state != c.want || v.reason != "it is so" || v.check != c.id {
			t.Errorf("%s %s: %+v, want %s", c.id, c.code, v, c.want)
		}
	}
	// A check of the other transport is not why.
	r := &doctor.Report{Checks: []doctor.Result{{ID: "dcom.activate", Outcome: doctor.Fail, Detail: "no"}}}
	if v := verdictOfReport(r, verdict{state: AccessDenied, reason: "mine"}, WinRM); v.reason != "mine" || v.check != "" {
		t.Errorf("%+v", v)
	}
	// The cause is told before the check that shows it.
	r = &doctor.Report{Cause: &doctor.Cause{Check: "uac.filter", Confidence: doctor.Likely, Title: "UAC filters this local account"},
		Checks: []doctor.Result{{ID: "winrm.authorize", Outcome: doctor.Fail, Code: "0x80070005", Name: "E_ACCESSDENIED"}}}
	if v := verdictOfReport(r, verdict{state: AccessDenied}, WinRM); v.check != "uac.filter" || v.reason != "UAC filters this local account (likely) (0x80070005 E_ACCESSDENIED)" {
		t.Errorf("%+v", v)
	}
}

// A state gets worse when two probes agree, better at once, and by hand at once.
func TestSettle(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s := Snapshot{}
	step := func(state State, answered, byHand bool) {
		now = now.Add(time.Minute)
		next := s
		if next.Tried = now; answered {
			next.Contact, next.Missed = now, 0
		}
		s = settle(s, next, verdict{state: state, reason: string(state)}, byHand)
	}
	check := func(what string, state, pending State, missed int) {
		t.Helper()
		if s.State != state || s.Pending != pending || s.Missed != missed {
			t.Errorf("%s: %q, pending %q, missed %d", what, s.State, s.Pending, s.Missed)
		}
	}
	step(Online, true, false)
	check("at first", Online, "", 0)
	step(NotComputerAccessible, false, false)
	check("one failure", Online, NotComputerAccessible, 1)
	step(Online, true, false)
	check("it was nothing", Online, "", 0)
	step(NotComputerAccessible, false, false)
	step(AccessDenied, false, false)
	check("two that agree that it is worse", AccessDenied, "", 2)
	step(NotComputerAccessible, false, false)
	check("no worse than before", NotComputerAccessible, "", 3)
	step(Online, true, false)
	check("better", Online, "", 0)
	step(DataRetrievalFailures, true, true)
	check("by hand", DataRetrievalFailures, "", 0)
	s = paused(s)
	step(NotComputerAccessible, false, false)
	check("out of a pause", NotComputerAccessible, "", 1)
}

func TestStale(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		s    Snapshot
		want bool
	}{
		{Snapshot{}, false},
		{Snapshot{Contact: now.Add(-time.Minute), Missed: 1}, false},
		{Snapshot{Contact: now.Add(-3 * time.Minute), Missed: 3}, true},
		{Snapshot{Contact: now.Add(-20 * time.Minute)}, false},
		{Snapshot{Contact: now.Add(-21 * time.Minute)}, true},
		{Snapshot{Contact: now.Add(-time.Hour), State: Paused}, false},
	} {
		if got := c.s.Stale(now, 10*time.Minute); got != c.want {
			t.Errorf("%+v: %v", c.s, got)
		}
	}
}

// Thresholds pass at their value; one that stays passed keeps when it began.
func TestThresholds(t *testing.T) {
	f := func(n float64) *float64 { return &n }
	u := func(n uint64) *uint64 { return &n }
	critical := 1
	facts := &Facts{Memory: 100 << 20}
	for name, c := range map[string]struct {
		s    Snapshot
		want []string
	}{
		"nothing is known":  {Snapshot{}, nil},
		"below":             {Snapshot{Facts: facts, Counters: &CounterTile{CPU: f(84.9), Available: u(5 << 20)}, Disks: []Disk{{Name: "C:", Size: 100, Free: 10}}, Events: &EventTile{Errors: 9}}, nil},
		"CPU":               {Snapshot{Counters: &CounterTile{CPU: f(85)}}, []string{"CPU 85 %/85 %"}},
		"memory in percent": {Snapshot{Facts: facts, Counters: &CounterTile{Available: u(5<<20 - 1)}}, []string{"Memory 4 % free/5 % free"}},
		"memory":            {Snapshot{Facts: &Facts{Memory: 8 << 20}, Counters: &CounterTile{Available: u(2<<20 - 1)}}, []string{"Memory 2.0 MiB free/2.0 MiB free"}},
		"disk":              {Snapshot{Disks: []Disk{{Name: "C:", Size: 1000, Free: 99}, {Name: "X:"}}}, []string{"Disk C: 9 % free/10 % free"}},
		"service":           {Snapshot{Services: &ServiceTile{Stopped: []string{"Spooler"}}}, []string{"Service Spooler stopped/start type Automatic"}},
		"critical events":   {Snapshot{Events: &EventTile{Critical: &critical}}, []string{"Events 1 critical/1 critical"}},
	} {
		var got []string
		for _, a := range DefaultThresholds().alerts(&c.s, nil, time.Now()) {
			got = append(got, a.Resource+" "+a.Value+"/"+a.Threshold)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if got := (Thresholds{}).alerts(&c.s, nil, time.Now()); len(got) > 0 {
			t.Errorf("%s: all off, and %v", name, got)
		}
	}
	s := Snapshot{Counters: &CounterTile{CPU: f(90)}}
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var list []Alert
	for n := range 3 {
		list = DefaultThresholds().alerts(&s, list, began.Add(time.Duration(n)*time.Minute))
	}
	if len(list) != 1 || !list[0].First.Equal(began) || list[0].Count != 3 {
		t.Errorf("%+v", list)
	}
	if s.Counters.CPU = f(1); len(DefaultThresholds().alerts(&s, list, began)) > 0 {
		t.Error("it is over, and stays")
	}
}

// Windows Server 2003 that does not answer is Offline, whatever the way.
func TestOffline(t *testing.T) {
	s := Snapshot{Facts: &Facts{Windows: true, Version: "5.2.3790"}}
	lost := &cim.Error{Status: cim.ErrTransportFailure, Err: errors.New("connection refused")}
	if v := decide(&s, reached{err: lost}); v.state != Offline {
		t.Errorf("%+v", v)
	}
	if v := decide(&Snapshot{}, reached{err: lost}); v.state != NotComputerAccessible {
		t.Errorf("%+v", v)
	}
}

// An error that nothing explains is not taken for one that is known.
func TestUnknownError(t *testing.T) {
	if v := verdictOfError(&cim.Error{Status: cim.ErrProviderFailure, Remote: true}); v.state != DataRetrievalFailures || v.code != "0x80041004" {
		t.Errorf("%+v", v)
	}
	if v := verdictOfError(context.DeadlineExceeded); v.state != NotComputerAccessible {
		t.Errorf("%+v", v)
	}
}

// What a server says is bounded, one line, and without what a terminal obeys.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                     "plain",
		"a\nb\tc":                   "a b c",
		"\x1b[31mred\x07":           "[31mred",
		"right\u202eleft\u2066":     "rightleft",
		"<script>alert(1)</script>": "<script>alert(1…",
	} {
		if got := clean(in, 15); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
