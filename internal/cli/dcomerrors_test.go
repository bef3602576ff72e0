package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A host that says nothing is told apart by what was awaited from it.
func TestSilentDCOMHost(t *testing.T) {
	state(t)
	t.Setenv("CASEMENT_USER", "u")
	t.Setenv("CASEMENT_PASSWORD", "p")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts for it
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	host := "dcom://" + silent.Addr().String()
	for _, row := range []struct {
		host, flag string
		want       []string
	}{
		{host, "--timeout", []string{"no result within 150ms (--timeout)", "waiting for the answer to the bind from " + silent.Addr().String(), "says nothing"}},
		{host, "--operation-timeout", []string{"did not answer within 150ms", "waiting for the answer to the bind"}},
	} {
		r := cli(t, "", "casement", "query", row.host, aQuery, row.flag, "150ms").want(t, 1, row.want...)
		if strings.Contains(r.err, "context deadline") || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s %s: %s", row.host, row.flag, r.err)
		}
	}
}

const aQuery = "SELECT Version FROM Win32_OperatingSystem"

// What goes wrong on the way to WMI over DCOM is told with the user, the names of
// the protocol and a next step.
func TestDCOMErrors(t *testing.T) {
	srv := server(t)
	t.Setenv("CASEMENT_USER", srv.User)
	t.Setenv("CASEMENT_PASSWORD", "wrong")
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for _, row := range []struct {
		args []string
		want []string
	}{
		{[]string{"dcom://" + srv.DCOM}, []string{"refused Negotiate for user " + srv.User, "IWbemLevel1Login", "user name or password are wrong"}},
		{[]string{"dcom://" + srv.DCOM, "--authority", "NTLMDomain:D"}, []string{"refused NTLM for user " + srv.User}},
		{[]string{"dcom://" + strings.TrimPrefix(web.URL, "http://")}, []string{"this port does not speak DCE/RPC", "an HTTP server answered", "135", "http://HOST:PORT"}},
	} {
		args := append([]string{"casement", "query", row.args[0], aQuery}, row.args[1:]...)
		r := cli(t, "", args...).want(t, 1, row.want...)
		for _, not := range []string{"8bc3f05e", ".: ", ".; ", "version 72"} {
			if strings.Contains(r.err, not) {
				t.Errorf("%q: %q in %s", row.args, not, r.err)
			}
		}
	}
}
