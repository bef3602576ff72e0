package pool

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
)

// newTestGatherer makes a gatherer that ends with the test.
func newTestGatherer(t testing.TB, o gatherOptions) *gatherer {
	g := newGatherer(o)
	t.Cleanup(func() { g.Close() })
	return g
}

// entryOf is the entry of a simulated host, and who we are there.
func entryOf(t testing.TB, s *casementtest.Server) (Server, signIn) {
	t.Helper()
	return Server{Name: "sim", Address: "127.0.0.1", Endpoint: s.HTTP, ResolverPort: portOf(t, s.DCOM)},
		signIn{Credentials: auth.Credentials{Username: s.User, Password: s.Password}}
}

// This machine, served by a Casement service: its facts come from the machine and every
// tile is filled, the roles from Casement's own classes (row 3.07).
func TestRefreshOfThisMachine(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	entry, as := entryOf(t, s)
	g := newTestGatherer(t, gatherOptions{})
	got := g.refresh(t.Context(), entry, as, Snapshot{}, asking{})
	for _, f := range got.Failures {
		t.Errorf("%s: %s %s", f.Tile, f.Reason, f.Code)
	}
	if got.State != Online || got.Transport != WinRM || got.Contact.IsZero() || got.Full.IsZero() || got.Account != s.User {
		t.Errorf("%+v", got)
	}
	name := output(t, "uname", "-n")
	if got.Facts == nil || !strings.EqualFold(got.Facts.ComputerName, name) || got.Facts.Windows || got.Facts.ClockOffset == nil || *got.Facts.ClockOffset > 1 || *got.Facts.ClockOffset < -1 {
		t.Errorf("facts are %+v of %s", got.Facts, name)
	}
	if got.Services == nil || got.Events == nil || got.Roles == nil || got.Disks == nil || got.Counters == nil || got.Counters.CPU == nil {
		t.Errorf("a tile is empty: %+v", got)
	}
}

// A server that gives one number to thousands of roles has one of them: the lists of all
// pages are not its own to fill.
func TestRolesCountOnce(t *testing.T) {
	rows := []featureRow{{2, 0, "Web Server"}, {140, 2, "Common HTTP"}, {36, 0, "Telnet Client"}}
	for n := range 2000 {
		rows = append(rows, featureRow{2, 0, fmt.Sprint("Call 555-", n)})
	}
	want := []Role{{"Web Server", "Web Server", "Role"}, {"Common HTTP", "Common HTTP", "Role Service"}, {"Telnet Client", "Telnet Client", "Feature"}}
	if got := rolesOf(rows); !slices.Equal(got, want) {
		t.Errorf("%d roles: %+v", len(got), got[:min(len(got), 5)])
	}
}

// A server whose counters are switched off is not asked for them, and says so.
func TestCountersSwitchedOff(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	entry, as := entryOf(t, s)
	entry.NoCounters = true
	g := newTestGatherer(t, gatherOptions{})
	got := g.refresh(t.Context(), entry, as, Snapshot{}, asking{})
	if got.State != CountersNotStarted || got.Counters == nil || got.Counters.CPU != nil || got.Reason != "switched off for this server" {
		t.Errorf("%s (%s): %+v", got.State, got.Reason, got.Counters)
	}
	entry.NoCounters = false
	if got = g.refresh(t.Context(), entry, as, got, asking{full: true}); got.State != Online || got.Counters.CPU == nil {
		t.Errorf("after they were started: %s (%s), %+v", got.State, got.Reason, got.Counters)
	}
}
