package service

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/doctor"
	"github.com/casementhq/casement/internal/adtest"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// The doctor warns where a host may call back without authentication though it
// calls with it, and no longer when the value is reset. A host whose identity the
// machine of the sink cannot verify is told from one that has none. Checklist 0.32.
func TestDoctorOfAuthenticatedCallbacks(t *testing.T) {
	d := adtest.Shared(t)
	t.Setenv("KRB5_CONFIG", d.Krb5Conf)
	svc := dcomService(t)
	if _, err := svc.State.AddKeytab(d.Keytab(adtest.Server)); err != nil {
		t.Fatal(err)
	}
	client, err := OpenState(t.TempDir(), StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.AddKeytab(d.Keytab(adtest.Client)); err != nil {
		t.Fatal(err)
	}
	svc.account.names = func(context.Context, string) ([]string, error) { return []string{"client." + adtest.DNSName}, nil }
	at := netip.MustParseAddrPort(svc.DCOM().Resolver)
	target := doctor.Target{Name: at.Addr().String(), ResolverPort: at.Port(), Transports: []string{"dcom"}}
	allow := func(n uint32) {
		err := svc.State.Hive.Update(func(tx *registry.Tx) error {
			return settings.Apply(tx, []settings.Change{{Key: settings.KeyCIMOM, Name: "AllowAnonymousCallback", Value: registry.DWORD(n)}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	examine := func(keys string) *doctor.Report {
		o := doctor.Options{Credentials: auth.Credentials{Username: "Administrator", Password: "Secret-1-word"},
			Sinks: wmiclient.NewSinks(wmiclient.SinkOptions{Address: "127.0.0.1", Listen: new(net.ListenConfig).Listen, ResolverPort: 49136, Acceptor: SinkAcceptor(keys)})}
		r := doctor.Examine(t.Context(), target, o)
		t.Logf("%d ms: %+v", r.TookMS, r.Cause)
		return r
	}
	find := func(r *doctor.Report, id string) doctor.Result {
		for _, c := range r.Checks {
			if c.ID == id {
				return c
			}
		}
		t.Fatalf("no check %s", id)
		return doctor.Result{}
	}
	allow(1)
	r := examine(client.Dir)
	level := find(r, "callback.level")
	if level.Outcome != doctor.Pass || !strings.Contains(level.Detail, "level 6") {
		t.Errorf("%+v", level)
	}
	if c := find(r, "callback.allow"); c.Outcome != doctor.Warn || r.Cause == nil || r.Cause.Check != "callback.allow" || !strings.Contains(r.Remedies[0].Commands[0], "AllowAnonymousCallback /t REG_DWORD /d 0") {
		t.Errorf("AllowAnonymousCallback is 1 without need: %+v, %+v, %+v", c, r.Cause, r.Remedies)
	}
	allow(0) // what the remedy types
	if r = examine(client.Dir); find(r, "callback.allow").Outcome != doctor.Pass || r.Verdict != doctor.OK {
		t.Errorf("after reset: %s, %+v", r.Verdict, r.Cause)
	}
	// A machine without keys cannot verify the host.
	empty, err := OpenState(t.TempDir(), StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = empty.Close() })
	r = examine(empty.Dir)
	if r.Cause == nil || r.Cause.Check != "callback.allow" || r.Cause.Row != 38 || !strings.Contains(strings.Join(r.Cause.For, " "), "cannot verify") {
		t.Errorf("a host that cannot be verified: %+v", r.Cause)
	}
}
