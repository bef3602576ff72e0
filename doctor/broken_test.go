package doctor

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// One thing of a real service is broken at a time, and named.
func TestBrokenServices(t *testing.T) {
	s, target, o := service(t, casementtest.Options{Users: map[string]string{"ops": "Pass-4711"}})
	s.AddUser("joe", "Pass-4711")
	as := func(user, password string) Options {
		c := o
		c.Credentials = auth.Credentials{Username: user, Password: password}
		return c
	}
	ask := func(t *testing.T, o Options) *Report {
		r := Examine(t.Context(), target, o)
		show(t, r)
		validReport(t, r)
		return r
	}
	t.Run("wrong password", func(t *testing.T) {
		r := ask(t, as(s.User, "wrong"))
		wantCause(t, r, "auth.ntlm", "0x8007052E", "not an account there, its password is another")
		if r.Cause.Confidence != Likely || r.Cause.Test == "" || r.Verdict != Blocked {
			t.Errorf("%+v", r.Cause)
		}
	})
	t.Run("UAC", func(t *testing.T) {
		r := ask(t, as("ops", "Pass-4711"))
		wantCause(t, r, "winrm.authorize", "0x80070005", "UAC filters")
		if r.Cause.Check != "uac.filter" || r.Cause.Confidence != Likely || !strings.Contains(r.Cause.Test, `Administrator`) {
			t.Errorf("%+v", r.Cause)
		}
		if first, last := r.Remedies[0], r.Remedies[len(r.Remedies)-1]; first.ID != "manage-as" || last.ID != "token-filter" ||
			!strings.Contains(last.Commands[0], "LocalAccountTokenFilterPolicy /t REG_DWORD /d 1") || !strings.Contains(last.Undo[0], "/d 0") {
			t.Errorf("first %+v, last %+v", first, last)
		}
		for _, n := range r.Not {
			if n.Code == "0x80070005" {
				t.Error("what was seen is ruled out")
			}
		}
	})
	t.Run("no rights", func(t *testing.T) {
		s.Apply(settings.Change{Key: `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`, Name: "LocalAccountTokenFilterPolicy", Value: registry.DWORD(1)})
		if r := ask(t, as("ops", "Pass-4711")); r.Transports["winrm"] != ReachWorks {
			t.Errorf("without the filter: %+v", r.Transports)
		}
	})
	t.Run("quota", func(t *testing.T) {
		s.Set("Winrs/MaxShellsPerUser", "2")
		c, err := casement.Dial(t.Context(), s.HTTP, casement.Options{User: s.User, Password: s.Password, HostsFile: "-"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 2 {
			shell, err := c.Shell(t.Context(), wsmanclient.ShellOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer shell.Close(t.Context())
		}
		r := ask(t, o)
		wantCause(t, r, "winrm.quota", "0x803381A5", "MaxShellsPerUser")
		if r.Transports["winrm"] != ReachDegraded || r.Verdict != Degraded {
			t.Errorf("%+v, %s", r.Transports, r.Verdict)
		}
		// The plan raises it without a shell, and the check passes then.
		plan, err := r.Plan("")
		if err != nil {
			t.Fatal(err)
		}
		if plan.Remedy.Commands[0] != `casement winrm set winrm/config/winrs '@{MaxShellsPerUser="4"}'` || plan.Remedy.Undo[0] != `casement winrm set winrm/config/winrs '@{MaxShellsPerUser="2"}'` || plan.Cuts != "" {
			t.Errorf("%+v", plan)
		}
		if done, err := plan.Apply(t.Context(), Over(c)); err != nil || len(done) != 1 {
			t.Fatal(done, err)
		}
		if r = ask(t, o); result(t, r, "winrm.quota").Outcome != Pass {
			t.Errorf("after it: %+v", result(t, r, "winrm.quota"))
		}
	})
	t.Run("in the clear", func(t *testing.T) {
		s.Set("Service/AllowUnencrypted", "true")
		r := ask(t, o)
		if c := result(t, r, "encryption"); c.Outcome != Warn || r.Cause == nil || !strings.Contains(r.Cause.Title, "AllowUnencrypted") || r.Verdict != Degraded {
			t.Errorf("%+v, cause %+v", c, r.Cause)
		}
		s.Set("Service/AllowUnencrypted", "false")
		if r = ask(t, o); r.Cause != nil {
			t.Errorf("the warning stays: %+v", r.Cause)
		}
	})
	t.Run("Basic alone", func(t *testing.T) {
		s.Set("Service/Auth/Negotiate", "false")
		s.Set("Service/Auth/Kerberos", "false")
		s.Set("Service/Auth/Basic", "true")
		s.Set("Service/AllowUnencrypted", "true")
		r := ask(t, o)
		wantCause(t, r, "auth.offer", "", "Negotiate is switched off")
		s.Set("Service/Auth/Negotiate", "true")
		s.Set("Service/Auth/Basic", "false")
		s.Set("Service/AllowUnencrypted", "false")
	})
	t.Run("switched off", func(t *testing.T) {
		s.Apply(settings.SetAllowRemoteAccess(false))
		both := target
		both.Transports = nil
		_, port, _ := net.SplitHostPort(s.DCOM)
		n, _ := strconv.Atoi(port)
		both.ResolverPort = uint16(n)
		r := Examine(t.Context(), both, o)
		show(t, r)
		validReport(t, r)
		if r.Transports["winrm"] != ReachBlocked || r.Transports["dcom"] != ReachWorks || r.Verdict != Degraded {
			t.Errorf("%+v, %s", r.Transports, r.Verdict)
		}
		// DCOM is not touched by it, and mends it.
		plan, err := r.Plan("")
		if err != nil || plan.Channel != "dcom" || plan.Remedy.ID != "allow-remote-access" {
			t.Fatalf("%+v, %v", plan, err)
		}
		c, err := casement.Dial(t.Context(), "dcom://"+s.DCOM, casement.Options{User: s.User, Password: s.Password, HostsFile: "-"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := plan.Apply(t.Context(), Over(c)); err != nil {
			t.Fatal(err)
		}
		if r := ask(t, o); r.Transports["winrm"] != ReachWorks {
			t.Errorf("after it: %+v", r.Transports)
		}
		s.Apply(settings.SetAllowRemoteAccess(false))
		r = ask(t, o)
		wantCause(t, r, "winrm.identify", "0x803381DD", "switched off there")
		if len(r.Remedies) < 2 || r.Remedies[1].Commands[0] != "casement Configure-SMRemoting.exe -enable" {
			t.Errorf("%+v", r.Remedies)
		}
		if _, err := r.Plan(""); err == nil {
			t.Error("there is a plan without a way")
		}
	})
}

// What a plan carries out stops at the first command that fails.
type lines struct {
	ran  []string
	fail string
}

func (l *lines) Run(_ context.Context, line string) error {
	if line == l.fail {
		return errors.New("exit code 1")
	}
	l.ran = append(l.ran, line)
	return nil
}

func TestPlan(t *testing.T) {
	r := &Report{Target: ReportTarget{Input: "srv04"}, Checks: []Result{{ID: "winrm.authorize", Outcome: Pass}},
		Remedies: []Remedy{{ID: "a", Rank: 1, Commands: []string{"echo a"}}, {ID: "b", Rank: 2, Fix: true, Commands: []string{"net stop WinRM", "net start WinRM"}}}}
	p, err := r.Plan("")
	if err != nil || p.Remedy.ID != "b" || p.Channel != "winrm" || p.Cuts == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	l := &lines{fail: "net start WinRM"}
	if done, err := p.Apply(t.Context(), l); err == nil || len(done) != 1 || len(l.ran) != 1 {
		t.Errorf("%v, %v, %v", done, err, l.ran)
	}
	if _, err := r.Plan("1"); err == nil {
		t.Error("what cannot be carried out is planned")
	}
	r.Checks[0].Outcome = Fail
	if _, err := r.Plan(""); err == nil {
		t.Error("there is a plan without a way")
	}
}

func TestLinesThatNeedNoProgram(t *testing.T) {
	const neither, winrm, both = 0, 1, 2
	for line, want := range map[string]int{
		`winrm set winrm/config/service/auth @{Negotiate="true"}`:                                             winrm,
		`casement winrm set winrm/config/winrs '@{MaxShellsPerUser="4"}'`:                                     both,
		`winrm set winrm/config/client @{TrustedHosts="a"}; rm -rf /`:                                         neither,
		`reg add HKLM\SOFTWARE\Microsoft\Ole /v EnableDCOM /t REG_SZ /d Y /f`:                                 both,
		`reg add "HKLM\SOFTWARE\A B" /v X /t REG_DWORD /d 1 /f`:                                               both,
		`casement reg add 'HKLM\SOFTWARE\A' /v X /t REG_DWORD /d 1 /f`:                                        both,
		`reg add HKLM\SOFTWARE\A /v X /t REG_BINARY /d 00 /f`:                                                 neither,
		`reg delete "HKLM\SOFTWARE\Policies\A" /v X /f`:                                                       both,
		`reg delete HKLM\SOFTWARE\A /f`:                                                                       neither,
		`net localgroup "Distributed COM Users" joe /add`:                                                     neither,
		`casement firewall enable 'Windows Management Instrumentation (WMI)'`:                                 both,
		`casement firewall enable 'a' OR ''='b'`:                                                              neither,
		`firewall enable 'Windows Management Instrumentation (WMI)'`:                                          neither,
		`casement gpedit clear 'WinRM Service\Allow remote server management through WinRM'`:                  both,
		`casement gpedit clear 'There is no such policy'`:                                                     neither,
		`netsh advfirewall firewall set rule group="windows management instrumentation (wmi)" new enable=yes`: neither,
	} {
		if got := native(line, true) != nil; got != (want != neither) {
			t.Errorf("over WinRM: %s: %t", line, got)
		}
		if got := native(line, false) != nil; got != (want == both) {
			t.Errorf("over DCOM: %s: %t", line, got)
		}
	}
}

// A report that is shown to others names nobody.
func TestRedacted(t *testing.T) {
	host := "srv04.corp.example"
	r := &Report{Schema: Schema, Target: ReportTarget{Input: host, Addresses: []string{"10.0.4.14", "fd00::17"}}, From: "mgmt1", Account: `CORP\anna`, Command: "casement doctor " + host,
		Started: time.Now(), Transports: map[string]Reach{"winrm": ReachBlocked}, Summary: map[string]string{"winrm": "at tcp.5985 of SRV04"}, Verdict: Blocked,
		Cause:    &Cause{Check: "tcp.5985", Confidence: Certain, Title: "port 5985 of srv04 is closed to anna", For: []string{"10.0.4.14:135 answers"}, Against: []string{}},
		Checks:   []Result{{ID: "tcp.5985", Layer: LayerPort, Outcome: Fail, Detail: "10.0.4.14:5985 silent, fd00::17 too; 10.0.17763 is a version? no", Seen: []Evidence{{Saw: "S-1-5-21-1-2-3-500 on mgmt1"}}}},
		Remedies: []Remedy{{ID: "a", Rank: 1, Where: OnTarget, Commands: []string{"casement doctor " + host + " --as 'CORP\\anna'"}, Undo: []string{}, Prompt: "sh"}}, Not: []NotCause{}}
	c := r.Redacted()
	validReport(t, c)
	text := show(t, c)
	for _, name := range []string{"srv04", "corp", "anna", "mgmt1", "10.0.4.14", "fd00", "S-1-5"} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(name)) {
			t.Errorf("it names %s", name)
		}
	}
	if !strings.Contains(text, "tcp.5985") || r.Target.Input != host {
		t.Error("too much is gone, or the report itself changed")
	}
}

func TestExplainTopics(t *testing.T) {
	for _, topic := range Topics() {
		text, ok := Explain(topic)
		if !ok || len(text) < 100 {
			t.Errorf("%s: %q", topic, text)
		}
	}
	if text, ok := Explain("UAC"); !ok || !strings.Contains(text, "LocalAccountTokenFilterPolicy = 1") {
		t.Error(text)
	}
	for _, topic := range []string{"uac", "firewall", "dcom", "callback", "access-denied", "trustedhosts"} {
		if _, ok := Explain(topic); !ok {
			t.Errorf("nothing explains %s", topic)
		}
	}
	if _, ok := Explain("nonsense"); ok {
		t.Error("nonsense is explained")
	}
}
