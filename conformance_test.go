package casement_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// manager is an object manager with the suite's classes.
func manager(t testing.TB) *cimom.Manager {
	t.Helper()
	m := cimom.New(cimom.Options{})
	p := static.New(cimtest.Classes()...)
	err := errors.Join(m.AddNamespace(cimom.Namespace{Name: cimtest.Namespace}), p.Add(cimtest.Instances()...))
	for _, f := range cimtest.Methods() {
		p.Handle(cimtest.Namespace, f.Class, f.Name, f.Run)
	}
	if err = errors.Join(err, m.Register(p)); err != nil {
		t.Fatal(err)
	}
	return m
}

// system opens sessions of a manager as one who may do everything.
type system struct{ cim.Opener }

func (s system) Open(ctx context.Context, _ cim.Caller, namespace string, o cim.OpenOptions) (cim.Session, error) {
	groups := []security.GroupEntry{{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone}}
	return s.Opener.Open(ctx, cim.Caller{Token: &security.Token{User: security.SIDLocalSystem, Groups: groups}}, namespace, o)
}

// gateway opens sessions on another machine, with the credentials that its connection was given and never those of the caller.
type gateway struct{ *casement.Connection }

func (g gateway) Open(ctx context.Context, _ cim.Caller, namespace string, _ cim.OpenOptions) (cim.Session, error) {
	return g.Session(ctx, namespace)
}

func session(t *testing.T, c *casement.Connection) cim.Session {
	t.Helper()
	s, err := c.Session(t.Context(), cimtest.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConformance runs the suite of cim.Session over every path that there is
// from our clients to our service, and compares each path's answers with those
// of the object manager itself: they are equal but for what cimtest.LostByWSMan
// and LostByDCOM list. See DESIGN 1.
func TestConformance(t *testing.T) {
	m := manager(t)
	s := casementtest.New(t, casementtest.Options{Opener: m, Settings: map[string]string{"Service/Auth/Basic": "true"}})
	direct := session(t, dial(t, ".", casement.Options{Opener: system{m}}))
	want := cimtest.Transcript(t.Context(), direct)
	signed := casement.Options{User: s.User, Password: s.Password, DCOM: casement.DCOMOptions{AuthenticationLevel: wmi.AuthenticationPkt}}
	for name, c := range map[string]*casement.Connection{
		"dcom":   dial(t, "dcom://"+s.DCOM, casement.Options{User: s.User, Password: s.Password}),
		"packet": dial(t, "dcom://"+s.DCOM, signed),
		"sealed": dial(t, s.HTTP, casement.Options{User: s.User, Password: s.Password}),
		"https":  dial(t, s.HTTPS, casement.Options{User: s.User, Password: s.Password, TLS: wsmanclient.TLSOptions{SHA256: s.Thumbprint}}),
		"basic": dial(t, s.HTTPS, casement.Options{User: s.User, Password: s.Password, Scheme: wsmanclient.Basic,
			TLS: wsmanclient.TLSOptions{SHA256: s.Thumbprint}}),
		"local": dial(t, ".", casement.Options{StateDir: s.Service.State.Dir}),
	} {
		t.Run(name, func(t *testing.T) {
			lost := cimtest.LostByWSMan
			if name == "dcom" || name == "packet" {
				lost = cimtest.LostByDCOM
			}
			cimtest.Run(t, cimtest.Harness{Lost: lost, Open: func(t *testing.T) cim.Session { return session(t, c) }})
			got := cimtest.Transcript(t.Context(), session(t, c))
			for _, diff := range cimtest.Compare(want, got, lost) {
				t.Error(diff)
			}
		})
	}
}

// TestConformanceThroughGateways runs the suite where a service stands in front of another one and speaks the other transport to it: WinRM in
// front of DCOM, and DCOM in front of WinRM. The answers are those of the object manager behind both, but for what either transport loses.
func TestConformanceThroughGateways(t *testing.T) {
	m := manager(t)
	want := cimtest.Transcript(t.Context(), session(t, dial(t, ".", casement.Options{Opener: system{m}})))
	behind := casementtest.New(t, casementtest.Options{Opener: m})
	there := casement.Options{User: behind.User, Password: behind.Password}
	for name, c := range map[string]struct {
		to    string
		front func(s *casementtest.Server) string
	}{
		"winrm in front of dcom": {"dcom://" + behind.DCOM, func(s *casementtest.Server) string { return s.HTTP }},
		"dcom in front of winrm": {behind.HTTP, func(s *casementtest.Server) string { return "dcom://" + s.DCOM }},
	} {
		t.Run(name, func(t *testing.T) {
			front := casementtest.New(t, casementtest.Options{Opener: gateway{dial(t, c.to, there)}})
			conn := dial(t, c.front(front), casement.Options{User: front.User, Password: front.Password})
			lost := slices.Concat(cimtest.LostByWSMan, cimtest.LostByDCOM)
			cimtest.Run(t, cimtest.Harness{Lost: lost, Open: func(t *testing.T) cim.Session { return session(t, conn) }})
			for _, diff := range cimtest.Compare(want, cimtest.Transcript(t.Context(), session(t, conn)), lost) {
				t.Error(diff)
			}
		})
	}
}
