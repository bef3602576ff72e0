package service

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// A permanent subscription that an account of a domain stored, who is no administrator here, acts as the Unix user that the account is mapped to, after a
// restart, too, when nobody has signed in; and with the groups that the domain gave at the last sign-in.
func TestSubscriptionOfADomainAccount(t *testing.T) {
	m := newMachine(t)
	if err := m.state.Accounts.SetUnixUser(`CORP\carol`, "bin", false); err != nil {
		t.Fatal(err)
	}
	sid := func(rid uint32) security.SID {
		domain, err := security.ParseSID("S-1-5-21-1000-2000-3000")
		if err != nil {
			t.Fatal(err)
		}
		return domain.WithRID(rid)
	}
	const carol, watchers = 1105, 1200
	signIn := func(groups ...security.SID) *security.Token {
		t.Helper()
		p := &people{store: m.state.Accounts, state: m.state}
		token, err := p.token(t.Context(), auth.Identity{User: "carol", Mechanism: auth.Kerberos,
			Account: &auth.DomainAccount{Realm: "CORP.TEST", Domain: "CORP", Name: "carol", SID: sid(carol), Groups: groups}})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	token := signIn(sid(513), sid(watchers))
	b := descriptor(t, "O:BAG:BAD:(A;CI;0x6003f;;;BA)(A;CI;0x6003f;;;"+sid(watchers).String()+")")
	_, err := m.session(t, "Administrator", `root\subscription`).Invoke(t.Context(), cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "SetSD",
		cim.Arguments{{Name: "SD", Value: cim.Bytes(b)}}, cim.OperationOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m.put(t, "logs/", "bin", 0o700)
	file := m.dir + "/logs/filters.log"
	s := m.sessionOf(t, token, `root\subscription`)
	creates(t, s, "__FilterToConsumerBinding", map[string]string{
		"Filter": creates(t, s, "__EventFilter", map[string]string{"Name": "watch", "QueryLanguage": "WQL", "EventNamespace": `root\subscription`,
			"Query": "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA '__EventFilter'"}),
		"Consumer": creates(t, s, "LogFileEventConsumer", map[string]string{"Name": "log", "Filename": file, "Text": "made %TargetInstance.Name%"}),
	})
	logged := func(prefix string, wait time.Duration) bool {
		t.Helper()
		s := m.session(t, "Administrator", `root\subscription`)
		for n, end := 0, time.Now().Add(wait); time.Now().Before(end); n++ {
			creates(t, s, "__EventFilter", map[string]string{"Name": fmt.Sprintf("%s%03d", prefix, n), "QueryLanguage": "WQL", "Query": "SELECT * FROM __TimerEvent"})
			time.Sleep(50 * time.Millisecond)
			if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), "made "+prefix) {
				return true
			}
		}
		return false
	}
	begin := func() {
		t.Helper()
		if err := m.svc.objects.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	if !logged("new", 20*time.Second) {
		t.Fatal("no event is in the log file")
	}
	if got := stat(t, file); !strings.HasPrefix(got, "bin 600 ") {
		t.Errorf("the log is %q", got)
	}
	m.close(t)
	m.open(t, m.start)
	begin()
	if !logged("again", 20*time.Second) {
		t.Error("after a restart no event is in the log file")
	}
	// The domain takes the group away that gave the right.
	signIn(sid(513))
	caller, err := (&people{store: m.state.Accounts, state: m.state}).creatorCaller(sid(carol))
	if err != nil || caller.Token.Has(sid(watchers)) || !caller.Token.Has(sid(513)) || caller.Token.UserName != "carol" || caller.Token.Has(security.SIDAdministrators) {
		t.Errorf("%+v, %v", caller.Token, err)
	}
	if _, err := (&people{store: m.state.Accounts, state: m.state}).creatorCaller(sid(1106)); cim.StatusOf(err) != cim.ErrAccessDenied {
		t.Errorf("who stored nothing: %v", err)
	}
}

// descriptor is that of SDDL, as SetSD takes it.
func descriptor(t *testing.T, sddl string) []byte {
	t.Helper()
	sd, err := security.ParseSDDL(sddl)
	if err != nil {
		t.Fatal(err)
	}
	b, err := sd.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
