package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// dcomTarget is the service of a test, over DCOM alone.
func dcomTarget(t *testing.T, s *casementtest.Server) Target {
	t.Helper()
	at, err := netip.ParseAddrPort(s.DCOM)
	if err != nil {
		t.Fatal(err)
	}
	return Target{Name: at.Addr().String(), ResolverPort: at.Port(), Transports: []string{"dcom"}}
}

func as(user, password string) Options {
	return Options{Credentials: auth.Credentials{Username: user, Password: password}}
}

// sinks are ports of this machine, without port 135.
func sinks(o wmiclient.SinkOptions) *wmiclient.Sinks {
	o.Address, o.ResolverPort = "127.0.0.1", 1
	o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		if strings.HasSuffix(address, ":1") {
			return nil, errors.New("not for tests")
		}
		return new(net.ListenConfig).Listen(ctx, network, address)
	}
	return wmiclient.NewSinks(o)
}

func TestDCOMWorks(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	o := as(s.User, s.Password)
	o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: func() error { return nil }})
	r := Examine(t.Context(), dcomTarget(t, s), o)
	for _, c := range r.Checks {
		t.Logf("%s %s %s %s %s took %d", c.Outcome, c.ID, c.Code, c.Name, c.Detail, c.TookMS)
		for _, e := range c.Seen {
			t.Logf("      %s", e.Saw)
		}
	}
	t.Log(r.Verdict, r.Transports, r.Cause)
}
