package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// torture are the suites of smbtorture about DCOM, with their cases. The cases with a reason are not expected to pass.
var torture = []struct{ suite, name, reason string }{
	{"rpc.oxidresolve", "oxidresolver.ServerAlive", ""},
	{"rpc.oxidresolve", "oxidresolver.ServerAlive2", ""},
	{"rpc.oxidresolve", "oxidresolver.ComplexPing", noImaging},
	{"rpc.oxidresolve", "oxidresolver.SimplePing", noImaging},
	{"rpc.oxidresolve", "oxidresolver.ResolveOxid", noImaging},
	{"rpc.oxidresolve", "oxidresolver.ResolveOxid2", noImaging},
	{"rpc.remact", "remact.RemoteActivation", noImaging},
	{"rpc.mgmt", "mgmt", ""},
	{"rpc.epmapper", "epmapper.Map_simple", ""},
	{"rpc.epmapper", "epmapper.Map_full", remoteInsert},
	{"rpc.epmapper", "epmapper.Lookup_simple", "it wants EPMAPPER_STATUS_NO_MORE_ENTRIES with the last page, against [MS-RPCE] 2.2.1.2.4"},
	{"rpc.epmapper", "epmapper.Lookup_terminate_search", ""},
	{"rpc.epmapper", "epmapper.Insert_noreplace", remoteInsert},
}

const (
	// With such a class smbtorture 4.17 aborts in its own talloc at the bindings of any activation that succeeds.
	noImaging    = "it activates Imaging for Windows (02b01c80-e03d-101a-b294-00dd010f2bf9), which no Windows has had since XP"
	remoteInsert = "it registers an endpoint from afar, which is refused"
)

// Samba's smbtorture (samba-testsuite 4.17) against the service: the OXID resolver, activation, management and the endpoint mapper, plain, signed,
// sealed and in either byte order. See [MS-DCOM] 3.1.2.5.
func TestSmbtortureAgainstTheService(t *testing.T) {
	if _, err := exec.LookPath("smbtorture"); err != nil {
		absent(t, "smbtorture of samba-testsuite")
	}
	s := dcomService(t)
	conf := sambaFolder(t)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	account := filepath.Join(filepath.Dir(conf), "account")
	if err := os.WriteFile(account, fmt.Appendf(nil, "username = %s\npassword = %s\ndomain = %s\n", s.user, s.password, host), 0o600); err != nil {
		t.Fatal(err)
	}
	outcome := regexp.MustCompile(`(?m)^(success|failure|error|skip): (\S+)`)
	for _, options := range []string{"connect", "sign", "seal", "sign,bigendian", "seal,bigendian", "spnego,sign", "spnego,seal"} {
		for _, suite := range []string{"rpc.oxidresolve", "rpc.remact", "rpc.mgmt", "rpc.epmapper"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			out, _ := s.command(ctx, "smbtorture", "-s", conf, "-A", account, "ncacn_ip_tcp:127.0.0.1[135,"+options+"]", suite).CombinedOutput()
			cancel()
			got := map[string]string{}
			for _, m := range outcome.FindAllStringSubmatch(string(out), -1) {
				got[m[2]] = m[1]
			}
			t.Run(suite+" "+options, func(t *testing.T) {
				for _, c := range torture {
					if c.suite != suite {
						continue
					}
					switch was := got[c.name]; {
					case c.reason == "" && was != "success", c.reason != "" && was != "failure":
						t.Errorf("%s: %q\n%.2000s", c.name, was, out)
					}
					delete(got, c.name)
				}
				for name := range got {
					t.Errorf("%s is not in the table", name)
				}
				if strings.Contains(string(out), "PANIC") {
					t.Errorf("smbtorture aborts\n%.2000s", out)
				}
			})
		}
	}
}
