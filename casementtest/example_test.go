package casementtest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
)

// fixtures are a machine with one service, which a test makes up.
func fixtures(t testing.TB) cim.Opener {
	class := cim.NewClass("Win32_Service", nil).Dynamic().Key("Name", cim.String).Property("State", cim.String).Build(`root\cimv2`)
	spooler := cim.NewInstance(class)
	for name, value := range map[string]string{"Name": "Spooler", "State": "Stopped"} {
		if err := spooler.Set(name, cim.Str(value)); err != nil {
			t.Fatal(err)
		}
	}
	p := static.New(class)
	if err := p.Add(spooler); err != nil {
		t.Fatal(err)
	}
	m := cimom.New(cimom.Options{})
	t.Cleanup(func() { m.Close() })
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	return m
}

// A program that looks for stopped services is tested against a whole service:
// real sockets, authentication and encryption, made-up data.
func TestExample(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{Opener: fixtures(t)})
	conn, err := casement.Dial(t.Context(), s.HTTP, casement.Options{User: s.User, Password: s.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stopped := 0
	rows, err := conn.Query(t.Context(), `root\cimv2`, "SELECT Name FROM Win32_Service WHERE State = 'Stopped'")
	if err != nil {
		t.Fatal(err)
	}
	err = cim.Each(t.Context(), rows, func(i *cim.Instance) error {
		stopped++
		if name, _ := i.Get("Name").Str(); name != "Spooler" {
			t.Errorf("a service is called %q", name)
		}
		return nil
	})
	if err != nil || stopped != 1 {
		t.Errorf("%d services are stopped, %v", stopped, err)
	}
}

// More users, settings that change while the service runs, and the service's
// end.
func TestServerOptions(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{
		Opener: fixtures(t), Settings: map[string]string{"Service/Auth/Basic": "true", "Service/AllowUnencrypted": "true"},
		Users: map[string]string{"second": "Secret-1-word"},
	})
	status := func(user, password string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTP, strings.NewReader("<x/>"))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(user, password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	s.AddUser("third", "Secret-2-word", "Remote Management Users")
	for user, password := range map[string]string{s.User: s.Password, "second": "Secret-1-word", "third": "Secret-2-word"} {
		if got := status(user, password); got != http.StatusInternalServerError { // known, but this is no message
			t.Errorf("%s: %d", user, got)
		}
	}
	s.Set("Service/AllowUnencrypted", "false")
	if got := status(s.User, s.Password); got != http.StatusUnauthorized {
		t.Errorf("a setting that changed: %d", got)
	}
	s.Close()
	if got := status(s.User, s.Password); got != 0 {
		t.Errorf("a closed service answers %d", got)
	}
}

// In a test of a program that manages machines, t is the test's own.
func ExampleNew() {
	var t *testing.T
	s := casementtest.New(t, casementtest.Options{Settings: map[string]string{"Winrs/MaxShellsPerUser": "2"}})
	conn, err := casement.Dial(context.Background(), s.HTTP, casement.Options{User: s.User, Password: s.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
}
