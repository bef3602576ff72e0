package cimom_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

// record is one line of the audit.
type record struct {
	Msg, Namespace, User, SID, Address string
	Event, Access, Times               int
	Granted                            bool
}

// records takes the audit out of a log.
func records(t *testing.T, log *bytes.Buffer) (list []record) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Msg == "audit" {
			list = append(list, r)
		}
	}
	log.Reset()
	return list
}

// The SACL of a namespace has accesses recorded, granted and refused, each one
// once in a second: spec/wmi.md 5.7. The rights are those of the page
// "Namespace Access Rights Constants".
func TestAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		repo := repository.Memory()
		defer repo.Close()
		m := cimom.New(cimom.Options{Repository: repo, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		defer m.Close()
		privileged := administrator()
		privileged.Token.Privileges = []security.Privilege{security.SeSecurity}
		user := caller(true, security.SIDAuthenticatedUsers)
		user.Token.User, user.Token.UserName, user.Token.Domain, user.Address = security.SIDLocalService, "ann", "HOST", "192.0.2.1:5"
		s := open(t, m, `root\cimv2`).With(privileged)
		const list = "D:(A;CI;0x6003f;;;BA)(A;CI;0x21;;;AU)"
		const rule = "S:(AU;CISAFA;0x6003f;;;AU)"

		if err := setSD(t, s, sdBytes(t, "O:BAG:BA"+list)); err != nil {
			t.Fatal(err)
		}
		if got := records(t, &log); len(got) != 0 {
			t.Errorf("without a SACL: %v", got)
		}
		if err := setSD(t, s.With(administrator()), sdBytes(t, "O:BAG:BA"+list+rule)); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("a SACL without SeSecurityPrivilege: %v", err)
		}
		if err := setSD(t, s, sdBytes(t, "O:BAG:BA"+list+"S:(A;;0x1;;;BA)")); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("an entry that grants in a SACL: %v", err)
		}
		if err := setSD(t, s, sdBytes(t, "O:BAG:BA"+list+rule)); err != nil {
			t.Fatal(err)
		}
		if got := sddlOf(t, s); got != sddl(t, "O:BAG:BA"+list+rule) {
			t.Errorf("with the privilege GetSD gives %s", got)
		}
		if got := sddlOf(t, s.With(administrator())); got != sddl(t, "O:BAG:BA"+list) {
			t.Errorf("without the privilege GetSD gives %s", got)
		}
		if err := setSD(t, s.With(administrator()), sdBytes(t, "O:BAG:BA"+list)); err != nil {
			t.Fatal(err)
		}
		if got := sddlOf(t, s); !strings.Contains(got, "S:") {
			t.Error("who may not audit has ended the auditing")
		}
		time.Sleep(time.Minute)
		log.Reset()

		his, err := m.Open(t.Context(), user, `root\cimv2`, cim.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := record{Msg: "audit", Namespace: `root\cimv2`, User: `HOST\ann`, SID: "S-1-5-19", Address: "192.0.2.1:5", Event: 4662, Access: 1, Times: 1, Granted: true}
		if got := records(t, &log); len(got) != 1 || got[0] != want {
			t.Errorf("to connect: %v, want %v", got, want)
		}
		for range 1000 {
			if _, err := his.GetClass(t.Context(), "__NAMESPACE", cim.GetOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if got := records(t, &log); len(got) != 0 {
			t.Errorf("a thousand reads within the second: %d records", len(got))
		}
		time.Sleep(time.Second)
		if _, err := his.GetClass(t.Context(), "__NAMESPACE", cim.GetOptions{}); err != nil {
			t.Fatal(err)
		}
		want.Times = 1001
		if got := records(t, &log); len(got) != 1 || got[0] != want {
			t.Errorf("the next one: %v, want %v", got, want)
		}
		for right, do := range map[int]func() error{
			0x2 | 0x1: func() error { return setSD(t, his, sdBytes(t, "O:BAG:BA"+list)) },
			0x4 | 0x1: func() error {
				return his.(cim.ClassWriter).PutClass(t.Context(), &cim.Class{Name: "His"}, cim.PutClassOptions{})
			},
			0x8: func() error {
				_, err := his.Create(t.Context(), make1(t, his, "__EventFilter", nil), cim.OperationOptions{})
				return err
			},
		} {
			time.Sleep(time.Second)
			log.Reset()
			if err := do(); !errors.Is(err, cim.ErrAccessDenied) {
				t.Errorf("right 0x%x: %v", right, err)
			}
			refused := 0
			for _, r := range records(t, &log) {
				if !r.Granted {
					refused++
					if r.Access != right || r.SID != "S-1-5-19" {
						t.Errorf("right 0x%x: %v", right, r)
					}
				}
			}
			if refused != 1 {
				t.Errorf("right 0x%x: %d refusals are recorded", right, refused)
			}
		}

		// Remote Enable is not audited, a child inherits, and a start keeps it.
		if err := setSD(t, s, sdBytes(t, "O:BAG:BA"+list+"S:(AU;CISAFA;0x20;;;AU)")); err != nil {
			t.Fatal(err)
		}
		log.Reset()
		if _, err := m.Open(t.Context(), user, `root\cimv2`, cim.OpenOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := records(t, &log); len(got) != 0 {
			t.Errorf("Remote Enable: %v", got)
		}
		create(t, s, "__NAMESPACE", map[string]cim.Value{"Name": cim.Str("below")})
		again := cimom.New(cimom.Options{Repository: repo})
		defer again.Close()
		below := open(t, again, `root\cimv2\below`).With(privileged)
		if got := sddlOf(t, below); !strings.Contains(got, "S:(AU;CIIDSAFA;WP;;;AU)") {
			t.Errorf("the child has %s", got)
		}
		// a descriptor without a SACL ends the auditing, of what is not inherited
		if err := setSD(t, s, sdBytes(t, "O:BAG:BA"+list)); err != nil {
			t.Fatal(err)
		}
		if got := sddlOf(t, s); strings.Contains(got, "S:") {
			t.Errorf("the auditing goes on: %s", got)
		}
	})
}
