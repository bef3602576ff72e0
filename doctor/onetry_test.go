package doctor

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/internal/testlog"
)

// A wrong password is tried once over each way: more would lock people out.
func TestWrongPasswordIsTriedOnceOverEachWay(t *testing.T) {
	var log testlog.Text
	s := casementtest.New(t, casementtest.Options{Log: &log})
	r := Examine(t.Context(), Target{Name: "127.0.0.1", Endpoint: s.HTTP, ResolverPort: netip.MustParseAddrPort(s.DCOM).Port()},
		Options{Credentials: auth.Credentials{Username: s.User, Password: "not it"}})
	if r.Cause == nil || r.Verdict != Blocked {
		t.Errorf("%s, %+v", r.Verdict, r.Cause)
	}
	text := log.String()
	if tries := strings.Count(text, "authentication refused") + strings.Count(text, "authentication failed"); tries != 2 {
		t.Errorf("%d tries:\n%s", tries, text)
	}
}
