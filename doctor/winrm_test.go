package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
)

// service starts a service and gives the target and the options that reach it.
func service(t *testing.T, o casementtest.Options) (*casementtest.Server, Target, Options) {
	t.Helper()
	s := casementtest.New(t, o)
	return s, Target{Name: "127.0.0.1", Endpoint: s.HTTP, Transports: []string{"winrm"}},
		Options{Credentials: auth.Credentials{Username: s.User, Password: s.Password}, Limit: time.Minute}
}

// result is that of a check.
func result(t *testing.T, r *Report, id string) Result {
	t.Helper()
	for _, c := range r.Checks {
		if c.ID == id || id == winrmPort && c.Layer == LayerPort {
			return c
		}
	}
	t.Fatalf("there is no check %s in %+v", id, r.Checks)
	return Result{}
}

func show(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b, TextOptions{}); err != nil {
		t.Error(err)
	}
	t.Log("\n" + b.String())
	return b.String()
}

func TestHealthyWinRM(t *testing.T) {
	s, target, o := service(t, casementtest.Options{})
	r := Examine(t.Context(), target, o)
	show(t, r)
	if r.Transports["winrm"] != ReachWorks || r.Verdict != OK || r.Cause != nil || len(r.Remedies) != 0 {
		t.Errorf("%+v, verdict %s, cause %+v", r.Transports, r.Verdict, r.Cause)
	}
	if r.Target.OS == nil {
		t.Error("the system is not told")
	}
	target.Endpoint, target.Thumbprint = s.HTTPS, s.Thumbprint
	if r = Examine(t.Context(), target, o); r.Transports["winrm"] != ReachWorks {
		t.Errorf("over https: %+v", r.Transports)
	}
	show(t, r)
}
