package pool

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

// noDoctor finds nothing.
func noDoctor(_ context.Context, t doctor.Target, _ doctor.Options) *doctor.Report {
	return &doctor.Report{Schema: doctor.Schema, Target: doctor.ReportTarget{Input: t.Name}}
}

// Each fault at a running service gives its state, with the doctor and without him. Rows
// 3.12, 3.15, 3.41 and 3.47 to 3.52; spec/console.md 3.3, the twelve faults.
func TestFaults(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html>a web server</html>")
	}))
	t.Cleanup(page.Close)
	type host struct {
		*casementtest.Server
		entry *Server
		as    *signIn
	}
	account := func(h host, user, password string) {
		h.as.Credentials = auth.Credentials{Username: user, Password: password}
	}
	for name, c := range map[string]struct {
		options casementtest.Options
		cause   func(t *testing.T, h host)
		state   State
		reason  string // a part of it, in any case
	}{
		"healthy":         {cause: func(*testing.T, host) {}, state: "Online"},
		"wrong password":  {cause: func(_ *testing.T, h host) { account(h, h.User, "not it") }, state: "Credentials not valid"},
		"unknown account": {cause: func(_ *testing.T, h host) { account(h, "nobody", "x") }, state: "Credentials not valid"},
		"switched off": {cause: func(_ *testing.T, h host) { h.Apply(settings.SetAllowRemoteAccess(false)) },
			state: "Remote management disabled", reason: "Configure-SMRemoting"},
		"disabled by policy": {cause: func(t *testing.T, h host) {
			must(t, h.Service.State.Hive.UpdatePolicy(func(p *registry.Policy) error {
				p.Set(settings.KeyPolicy+`\Service`, "AllowAutoConfig", registry.DWORD(0))
				return nil
			}))
		}, state: "Remote management disabled by policy", reason: "Group Policy"},
		"schemes off": {options: casementtest.Options{Settings: map[string]string{"Service/Auth/Negotiate": "false", "Service/Auth/Kerberos": "false", "Service/Auth/Basic": "true"}},
			cause: func(*testing.T, host) {}, state: "WinRM Negotiate authentication error"},
		"refused port": {cause: func(t *testing.T, h host) {
			h.entry.Endpoint, h.entry.ResolverPort = "http://"+closedPort(t)+"/wsman", portOf(t, closedPort(t))
		}, state: "Target computer not accessible"},
		"listener moved": {cause: func(t *testing.T, h host) { h.entry.Endpoint = "http://" + closedPort(t) + "/wsman" },
			state: "Target computer not accessible", reason: "it answers over DCOM"},
		"wrong TLS name": {cause: func(_ *testing.T, h host) { h.entry.Endpoint = h.HTTPS }, state: "Target computer not accessible"},
		"a web server":   {cause: func(_ *testing.T, h host) { h.entry.Endpoint, h.entry.ResolverPort = page.URL+"/wsman", 1 }, state: "Online - Verify WinRM 3.0 service is installed, running, and required firewall ports are open"},
		"no such name": {cause: func(_ *testing.T, h host) {
			h.entry.Name, h.entry.Address, h.entry.Endpoint = "host.invalid", "", ""
		}, state: "Kerberos target resolution error", reason: "host.invalid"},
		"filtered by UAC": {cause: func(_ *testing.T, h host) {
			h.AddUser("manager", "Manage-1", "Administrators")
			account(h, "manager", "Manage-1")
		}, state: "Online - Access denied"},
		"no administrator": {cause: func(_ *testing.T, h host) {
			h.AddUser("reader", "Read-1")
			account(h, "reader", "Read-1")
		}, state: "Online - Access denied"},
		"namespace": {cause: func(t *testing.T, h host) {
			h.AddUser("reader", "Read-1", "Remote Management Users")
			account(h, "reader", "Read-1")
			protectNamespace(t, h.Server, "")
		}, state: "Online - Access denied"},
		"quota":     {options: casementtest.Options{Opener: busy{}}, cause: func(*testing.T, host) {}, state: "Online - Data retrieval failures occurred"},
		"over DCOM": {cause: func(_ *testing.T, h host) { h.entry.Transport = DCOM }, state: "Online"},
		"over DCOM, wrong password": {cause: func(_ *testing.T, h host) {
			h.entry.Transport = DCOM
			account(h, h.User, "not it")
		}, state: "Credentials not valid"},
		"over DCOM, no launch right": {cause: func(_ *testing.T, h host) {
			h.entry.Transport = DCOM
			h.AddUser("reader", "Read-1")
			account(h, "reader", "Read-1")
		}, state: "Online - Access denied"},
		"over DCOM, refused port": {cause: func(t *testing.T, h host) {
			h.entry.Transport, h.entry.ResolverPort = DCOM, portOf(t, closedPort(t))
		}, state: "Target computer not accessible"},
	} {
		t.Run(name, func(t *testing.T) {
			s := casementtest.New(t, c.options)
			entry, as := entryOf(t, s)
			c.cause(t, host{s, &entry, &as})
			for _, with := range []bool{false, true} {
				o := gatherOptions{Examine: noDoctor}
				if with {
					o.Examine = nil
				}
				g := newTestGatherer(t, o)
				got := g.refresh(t.Context(), entry, as, Snapshot{}, asking{full: true, byHand: true})
				if got.State != c.state || !strings.Contains(got.Reason, c.reason) || (got.Reason == "") != (c.state == Online && len(got.Alerts) == 0) {
					t.Errorf("with the doctor: %v: %q because %q, code %s, check %q", with, got.State, got.Reason, got.Code, got.Check)
				}
				if blocked := got.State.Level() == LevelBlocked; with && blocked != (got.Check != "") {
					t.Errorf("%s: the check is %q", got.State, got.Check)
				}
			}
		})
	}
}

// protectNamespace leaves root\cimv2 to the service itself, and to whom another entry says.
func protectNamespace(t *testing.T, s *casementtest.Server, entry string) {
	t.Helper()
	sd, err := security.ParseSDDL("O:BAG:BAD:(A;;0x6003f;;;SY)" + entry)
	must(t, err)
	b, err := sd.Bytes()
	must(t, err)
	session, err := s.Service.CIM.Open(t.Context(), cim.Caller{Token: &security.Token{User: security.SIDLocalSystem, Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}}, `root\cimv2`, cim.OpenOptions{})
	must(t, err)
	defer session.Close()
	_, err = session.Invoke(t.Context(), cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "SetSD", cim.Arguments{{Name: "SD", Value: cim.Bytes(b)}}, cim.OperationOptions{})
	must(t, err)
}

// busy opens sessions whose every query finds a quota used up.
type busy struct{}

func (busy) Open(ctx context.Context, c cim.Caller, namespace string, o cim.OpenOptions) (cim.Session, error) {
	m := cimom.New(cimom.Options{})
	s, err := m.Open(ctx, c, namespace, o)
	return busySession{s}, err
}

type busySession struct{ cim.Session }

func (s busySession) With(c cim.Caller) cim.Session { return busySession{s.Session.With(c)} }

func (busySession) Query(context.Context, string, cim.QueryOptions) (cim.Enumerator, error) {
	return nil, &cim.Error{Status: cim.ErrQuotaViolation, Detail: "too many operations"}
}
