package service

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// connect opens a session with WMI of a service over DCOM.
func connect(t *testing.T, svc *Service, user string) error {
	t.Helper()
	at := netip.MustParseAddrPort(svc.DCOM().Resolver)
	client, err := wmiclient.New(at.Addr().String(), wmiclient.Options{Port: at.Port(), Credentials: auth.Credentials{Username: user, Password: "Secret-1-word"}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := client.Open(ctx, cim.Caller{}, "root", cim.OpenOptions{})
	if err == nil {
		err = s.Close()
	}
	return err
}

// The SACLs of the descriptors of DCOM have what they decide written down, granted and
// refused, and without them only refusals are. A line comes once a second.
func TestDCOMAudit(t *testing.T) {
	var log safeBuffer
	svc := loggedDCOMService(t, &log)
	if _, err := svc.State.Accounts.AddUser(accounts.NewUser{Name: "alice", Password: "Secret-1-word"}); err != nil {
		t.Fatal(err)
	}
	count := func(parts ...string) (n int) {
		for line := range strings.Lines(log.String()) {
			found := true
			for _, p := range parts {
				found = found && strings.Contains(line, p)
			}
			if found {
				n++
			}
		}
		return n
	}
	if err := connect(t, svc, "Administrator"); err != nil {
		t.Fatal(err)
	}
	if connect(t, svc, "alice") == nil {
		t.Fatal("alice connects")
	}
	if n := count("msg=audit", "protocol=DCOM"); n != 0 {
		t.Errorf("without a SACL: %d lines", n)
	}
	if n := count(`msg="an activation over DCOM is refused"`, `\alice`, "granted=false"); n != 1 {
		t.Errorf("the refusal: %d lines\n%s", n, &log)
	}
	hiveApply(t, svc.State,
		settings.Change{Key: settings.KeyOle, Name: "MachineLaunchRestriction", Value: comDescriptor(t, "O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)S:(AU;SAFA;CCLCRP;;;WD)")},
		settings.Change{Key: settings.KeyWMIApplication, Name: "AccessPermission", Value: comDescriptor(t, "O:BAG:BAD:(A;;CCDCLC;;;BA)S:(AU;SA;CC;;;BA)")})
	for end := time.Now().Add(5 * time.Second); count("msg=audit", "granted=true", "class=") == 0 && time.Now().Before(end); {
		if err := connect(t, svc, "Administrator"); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if connect(t, svc, "alice") == nil {
			t.Fatal("alice connects")
		}
	}
	for _, want := range [][]string{
		{"msg=audit", "Administrator", "class=", "granted=true"},
		{"msg=audit", `\alice`, "class=", "granted=false"},
		{"msg=audit", "Administrator", "protocol=DCOM granted=true"}, // of a call
	} {
		if n := count(want...); n == 0 || n > 10 {
			t.Errorf("%q: %d lines\n%s", want, n, &log)
		}
	}
	if strings.Contains(log.String(), "Secret-1-word") {
		t.Error("a password is in the log")
	}
}
