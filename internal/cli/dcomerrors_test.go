package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

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
