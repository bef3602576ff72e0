package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/internal/hosts"
)

// A command line that cannot do what it says is refused before anything is sent or
// written: one line, exit code 2.
func TestTransportMismatch(t *testing.T) {
	state(t)
	file := filepath.Join(t.TempDir(), "hosts.json")
	t.Setenv("CASEMENT_HOSTS", file)
	if err := hosts.Put(file, hosts.Entry{Name: "old", URL: "dcom://192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	soap := filepath.Join(t.TempDir(), "soap")
	const moniker = `winmgmts:{impersonationLevel=impersonate}!\\h\root\cimv2`
	for _, row := range []struct {
		host string
		flag []string
		want []string
	}{
		{"dcom://h", []string{"--pin", strings.Repeat("00", 32)}, []string{"--pin belongs to WinRM", "dcom://h", "over DCOM"}},
		{moniker, []string{"--ca", "/no/such/file"}, []string{"--ca belongs to WinRM", "over DCOM"}},
		{"old", []string{"--insecure-skip-verify"}, []string{"--insecure-skip-verify belongs to WinRM", "over DCOM"}},
		{"dcom://h", []string{"--trace-soap", soap}, []string{"--trace-soap belongs to WinRM", "over DCOM"}},
		{"dcom://h", []string{"--unencrypted"}, []string{"--unencrypted belongs to WinRM"}},
		{"dcom://h", []string{"--auth", "Basic"}, []string{"--auth Basic belongs to WinRM"}},
		{"http://h", []string{"--auth-level", "pkt"}, []string{"--auth-level belongs to DCOM", "over WinRM"}},
		{"h", []string{"--authority", "NTLMDomain:D"}, []string{"--authority belongs to DCOM", "over WinRM"}},
		{"winrm://h", []string{"--impersonation", "impersonate"}, []string{"--impersonation belongs to DCOM", "over WinRM"}},
		{"old,h", []string{"--auth-level", "pkt"}, []string{"and h is reached over WinRM"}},
		{"dcom://h", []string{"--auth-level", "none"}, []string{"want connect, call, pkt, pktIntegrity or pktPrivacy, or 2 to 6"}},
		{"dcom://h", []string{"--auth-level", "1"}, []string{"--auth-level 1: want connect"}},
		{"dcom://h", []string{"--auth-level", "frob"}, []string{"--auth-level frob: want connect"}},
		{"dcom://h", []string{"--impersonation", "identify"}, []string{"--impersonation identify: want impersonate"}},
		{"dcom://h", []string{"--impersonation", "anonymous"}, []string{"want impersonate"}},
		{"dcom://h", []string{"--impersonation", "delegate"}, []string{"--authority Kerberos:HOST"}},
		{"dcom://", nil, []string{"want dcom://host"}},
		{"dcom://h:0", nil, []string{`the port "0"`}},
	} {
		args := append([]string{"casement", "query", row.host, "SELECT * FROM Win32_Process"}, row.flag...)
		r := cli(t, "", args...).want(t, 2, row.want...)
		if strings.Count(r.err, "\n") != 1 || strings.Count(r.err, "casement: ") != 1 || r.out != "" {
			t.Errorf("%s %q prints %q", row.host, row.flag, r.err)
		}
	}
	if _, err := os.Stat(soap); err == nil {
		t.Error("a refused command made the file of --trace-soap")
	}
	for _, args := range [][]string{{"f", "dcom://h:/tmp/"}, {"dcom://h/:/tmp/f", "."}, {"f", moniker + ":/tmp"}} {
		cli(t, "", append([]string{"casement", "cp"}, args...)...).want(t, 2, "copying belongs to WinRM")
	}
}
