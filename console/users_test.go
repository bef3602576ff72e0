package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
)

// The lines that change users and groups, as the documentation of net.exe has them.
func TestAccountCommands(t *testing.T) {
	for _, k := range []struct {
		change  accountChange
		windows bool
		want    string
	}{
		{accountChange{Do: memberAdd, User: `CORP\anna`, Group: "WinRMRemoteWMIUsers__"}, true, `net.exe localgroup "WinRMRemoteWMIUsers__" "CORP\anna" /add`},
		{accountChange{Do: memberAdd, User: `CORP\anna`, Group: "WinRMRemoteWMIUsers__"}, false, `net.exe localgroup "WinRMRemoteWMIUsers__" "CORP\anna" /add`},
		{accountChange{Do: memberRemove, User: "anna", Group: "Remote Management Users"}, true, `net.exe localgroup "Remote Management Users" "anna" /delete`},
		{accountChange{Do: userDisable, User: "anna"}, true, `net.exe user "anna" /active:no`},
		{accountChange{Do: userEnable, User: "anna"}, false, `net.exe user "anna" /active:yes`},
		{accountChange{Do: userDelete, User: "anna"}, false, `net.exe user "anna" /delete`},
		{accountChange{Do: userAdd, User: "anna", FullName: "Anna Z", Password: "x"}, false, `net.exe user "anna" "*" /add "/fullname:Anna Z"`},
		{accountChange{Do: userPassword, User: "anna", Password: "x"}, false, `net.exe user "anna" "*"`},
		{accountChange{Do: userPassword, User: "o’neil", Password: "x"}, true,
			`powershell.exe -NoProfile -NonInteractive -Command "$ErrorActionPreference='Stop';$p=[Console]::In.ReadLine();([ADSI]('WinNT://./o’’neil,user')).SetPassword($p)"`},
	} {
		if err := k.change.check(); err != nil {
			t.Errorf("%+v: %v", k.change, err)
		}
		if got := k.change.command(k.windows); got != k.want {
			t.Errorf("%+v: %s", k.change, got)
		}
	}
	for _, bad := range []accountChange{
		{Do: userDelete, User: `anna" /add & calc "`}, {Do: userDelete, User: "$(reboot)"}, {Do: userDelete, User: "a`b`"}, {Do: userDelete, User: "%PATH%"}, {Do: userDelete, User: ""},
		{Do: userDelete, User: "/delete"}, {Do: userDelete, User: "*"}, {Do: userDelete, User: `CORP\anna`}, {Do: userDelete, User: "a\nb"}, {Do: userDelete, User: " "},
		{Do: memberAdd, User: `CORP\`, Group: "G"}, {Do: memberAdd, User: `\anna`, Group: "G"}, {Do: memberAdd, User: `A\B\C`, Group: "G"}, {Do: memberAdd, User: "anna", Group: `A\B`},
		{Do: memberAdd, User: "anna", Group: ""}, {Do: userAdd, User: "anna"}, {Do: userAdd, User: "anna", Password: "two\nlines"}, {Do: userAdd, User: strings.Repeat("a", 21), Password: "x"},
		{Do: userAdd, User: "anna", Password: "x", FullName: `"; calc`}, {Do: userAdd, User: "anna", Password: "x", Comment: "$HOME"}, {Do: "explode", User: "anna"},
	} {
		if bad.check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// A member is added after it was asked, by a work whose end is told where it was asked
// for; a failure has what the server printed; what is deleted is typed.
func TestUserChanges(t *testing.T) {
	d := newDesk(t, with(entry("srv01"), pool.Online, "")).ready()
	b := d.as("oper")
	post := func(form url.Values) (int, result, confirmation, string) {
		t.Helper()
		a, body := d.post(b, "/servers/srv01/users", form, "Accept", "application/json")
		var r struct {
			result

			Confirm confirmation
			Detail  string
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(body)
		}
		return a.StatusCode, r.result, r.Confirm, r.Detail
	}
	ends := func(id string, r pool.Result) {
		r.Work, r.Server, r.Ended = id, "srv01", time.Now()
		d.pool.mu.Lock()
		defer d.pool.mu.Unlock()
		d.pool.results[id] = []pool.Result{r}
	}
	add := url.Values{"do": {"member-add"}, "user": {`CORP\anna`}, "group": {"WinRMRemoteWMIUsers__"}}
	code, _, k, _ := post(add)
	if code != http.StatusConflict || k.Level != 1 || k.Type != "" || len(d.pool.works) != 0 {
		t.Fatalf("it is not asked: %d %+v", code, k)
	}
	ends("w1", pool.Result{State: pool.Done, Code: "0", Words: "exit code"})
	code, r, _, detail := post(k.Values)
	if code != http.StatusOK || !r.Reload || r.Message != `Added CORP\anna to WinRMRemoteWMIUsers__ on srv01.` || r.Location != "/servers/srv01/users?view=groups" {
		t.Errorf("%d %+v %s", code, r, detail)
	}
	if w := d.pool.works[0]; w.Action.Kind != pool.KindRun || !strings.Contains(string(w.Action.Parameters), `net.exe localgroup \"WinRMRemoteWMIUsers__\" \"CORP\\anna\" /add`) {
		t.Errorf("the work: %s", w.Action.Parameters)
	}
	ends("w2", pool.Result{State: pool.Failed, Code: "2", Words: "exit code", Output: "System error 1376 has occurred.\r\n\r\nThe specified local group does not exist.\r\n"})
	code, _, _, detail = post(k.Values)
	if code != http.StatusConflict || !strings.HasPrefix(detail, `Adding CORP\anna to WinRMRemoteWMIUsers__ on srv01 failed: System error 1376 has occurred. The specified local group does not exist (exit code 2).`) {
		t.Errorf("%d %s", code, detail)
	}
	ends("w3", pool.Result{State: pool.OutcomeUnknown, Words: "the connection was lost after it was sent"})
	if code, _, _, detail = post(k.Values); code != http.StatusBadGateway || !strings.Contains(detail, "the outcome is unknown, and it is not repeated") {
		t.Errorf("%d %s", code, detail)
	}
	d.c.workLimit = 0
	if code, r, _, _ = post(k.Values); code != http.StatusOK || r.Location != workPath+"/w4" {
		t.Errorf("one that takes long: %d %+v", code, r)
	}
	code, _, k, _ = post(url.Values{"do": {"delete"}, "user": {"anna"}})
	if code != http.StatusConflict || k.Level != 2 || k.Type != "srv01" {
		t.Errorf("to delete: %d %+v", code, k)
	}
	s := *d.pool.entries["srv01"].Snapshot
	s.Account = `SRV01\svc-pool`
	d.pool.set("srv01", s)
	if _, _, k, _ = post(url.Values{"do": {"disable"}, "user": {"svc-pool"}}); k.Level != 2 || !strings.Contains(k.Effect, "Casement itself will lose this server") {
		t.Errorf("our own account: %+v", k)
	}
	if code, _, _, _ = post(url.Values{"do": {"add"}, "user": {"anna"}, "password": {"Secret-Word-7"}, "again": {"another"}}); code != http.StatusUnprocessableEntity {
		t.Errorf("two passwords: %d", code)
	}
	form := url.Values{"do": {"add"}, "user": {"anna"}, "password": {"Secret-Word-7"}, "again": {"Secret-Word-7"}}
	if code, _, _, detail = post(form); code < 400 || strings.Contains(detail, "Secret-Word-7") {
		t.Errorf("a server that is not reached: %d %s", code, detail)
	}
	file, err := os.ReadFile(filepath.Join(d.c.o.Dir, AuditName))
	if err != nil || strings.Contains(string(file), "Secret-Word-7") {
		t.Errorf("the audit log: %v", err)
	}
	for _, w := range d.pool.works {
		if strings.Contains(string(w.Action.Parameters), "Secret-Word-7") {
			t.Errorf("the work %s has the password", w.ID)
		}
	}
	failed := slices.ContainsFunc(d.log(), func(e auditlog.Entry) bool {
		return e.Action == "user-member-add" && e.Result == "failed" && e.Parameters["user"] == `CORP\anna` && e.Work == "w2"
	})
	if !failed {
		t.Error("the audit log does not tell that it failed")
	}
}

// The overview starts a service that stands where it is told, and only a service.
func TestOverviewStartsAService(t *testing.T) {
	e := with(entry("srv01"), pool.Online, "")
	s := *e.Snapshot
	s.Alerts = []pool.Alert{{Resource: "Service Spooler", Value: "Stopped", Threshold: "Running"}, {Resource: "Disk C:", Value: "4 % free", Threshold: "10 %"}}
	e.Snapshot = &s
	d := newDesk(t, e).ready()
	_, body := d.get(d.as("oper"), "/servers/srv01")
	if !strings.Contains(body, `<input type="hidden" name="service" value="Spooler"><button name="do" value="start" aria-label="Start Spooler on srv01">Start</button>`) || strings.Count(body, `value="start"`) != 1 {
		t.Errorf("the overview: %s", body)
	}
	if _, body = d.get(d.as("read"), "/servers/srv01"); !strings.Contains(body, `aria-label="Start Spooler on srv01" disabled title="Needs the role Operator`) {
		t.Error("a Reader may start it")
	}
}
