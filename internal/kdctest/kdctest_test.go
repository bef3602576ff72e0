package kdctest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// kinit and klist of MIT speak with what Start started.
func TestStart(t *testing.T) {
	k := Start(t, "KDC.TEST")
	k.AddPrincipal("alice", `pass wörd "`)
	k.AddPrincipal("HTTP/host.kdc.test", "")
	cache := k.CCache("alice", `pass wörd "`)
	cmd := exec.Command("klist", "-c", "FILE:"+cache)
	cmd.Env = k.Env()
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "krbtgt/KDC.TEST@KDC.TEST") {
		t.Errorf("%v: %s", err, out)
	}
	cmd = exec.Command("klist", "-k", k.Keytab("HTTP/host.kdc.test", "alice"))
	cmd.Env = k.Env()
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "HTTP/host.kdc.test@KDC.TEST") != 4 || strings.Count(string(out), "alice@") != 4 {
		t.Errorf("%v: %s", err, out)
	}
	if info, err := os.Stat(cache); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}
