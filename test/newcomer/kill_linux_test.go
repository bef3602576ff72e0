package newcomer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/testlog"
)

var maxTimeout = regexp.MustCompile(`MaxTimeoutms = (\d+)`)

// A kill at any moment of `winrm set`, of the tool or of the service behind
// it, leaves settings that load: the old value or the new one.
func TestKilledDuringSet(t *testing.T) {
	binary(t)
	p := self(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	value := func(what string) int {
		t.Helper()
		out := p.must(t, "winrm", "--state", state, "get", "winrm/config")
		m := maxTimeout.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("%s: %s", what, out)
		}
		var n int
		fmt.Sscan(m[1], &n) //nolint:errcheck // digits
		return n
	}
	set := func(ctx context.Context, n int) (*testlog.Text, func() error) {
		cmd := p.command(ctx, "winrm", "--state", state, "set", "winrm/config", fmt.Sprintf(`@{MaxTimeoutms="%d"}`, n))
		out := &testlog.Text{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return out, cmd.Wait
	}
	p.start(t, up(state)...).end(syscall.SIGTERM)
	before, changed := value("at first"), 0
	for n, end := 60001, time.Now().Add(killTime()); time.Now().Before(end); n++ {
		ctx, cancel := context.WithCancel(t.Context())
		var m *machine
		if n%2 == 0 {
			m = p.start(t, "up", "--state", state)
		}
		out, wait := set(ctx, n)
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		if m != nil {
			if err := m.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-m.done
		} else {
			cancel()
		}
		err := wait()
		cancel()
		now := value("after a kill")
		if now != before && now != n || err == nil && now != n {
			t.Fatalf("MaxTimeoutms was %d, %d was set (%v: %s), and it is %d", before, n, err, out, now)
		}
		if now != before {
			changed++
		}
		before = now
	}
	t.Logf("%d settings took effect", changed)
	m := p.start(t, "up", "--state", state)
	if n := value("at last"); n != before {
		t.Errorf("the service has MaxTimeoutms %d, want %d", n, before)
	}
	m.end(syscall.SIGTERM)
}

func killTime() time.Duration {
	if os.Getenv("CASEMENT_SOAK") != "" {
		return time.Minute
	}
	return 5 * time.Second
}

// Every command that changes something refuses who is neither root nor the owner of the state, whether a service runs or
// not: access denied with code 5, an exit code that is not 0, nothing changed, and what to do about it. Document 000, item
// 25; document 002, item 23.
func TestPlainUserIsDenied(t *testing.T) {
	needRoot(t)
	p, stranger := self(t), ordinary(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	mof := filepath.Join(stranger.home, "things.mof")
	if err := os.WriteFile(mof, []byte(`class Acme_Thing { [key] string Name; };`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, running := range []bool{false, true} {
		if running {
			m := p.start(t, "up", "--state", state)
			defer m.end(syscall.SIGTERM)
		} else {
			p.start(t, up(state)...).end(syscall.SIGTERM)
		}
		before := snapshot(t, state)
		for _, args := range [][]string{
			{"winrm", "quickconfig", "-quiet"},
			{"winrm", "set", "winrm/config", `@{MaxTimeoutms="61234"}`},
			{"winrm", "create", "winrm/config/Listener?Address=*+Transport=HTTP", `@{Port="5999"}`},
			{"winrm", "delete", "winrm/config/Listener?Address=*+Transport=HTTP"},
			{"winrm", "invoke", "Restore", "winrm/config", "@{}"},
			{"winrm", "configSDDL", "-sddl:D:(A;;GA;;;WD)"},
			{"reg", "add", `HKLM\SOFTWARE\x`, "/v", "y", "/d", "z", "/f"},
			{"reg", "delete", `HKLM\SOFTWARE\Microsoft`, "/f"},
			{"winmgmt", "/resetrepository"},
			{"winmgmt", "/standalonehost"},
			{"winmgmt", "/verifyrepository"},
			{"mofcomp", mof},
			{"net", "user", "mallory", "/add"},
			{"net", "localgroup", "Administrators", "mallory", "/add"},
			{"net", "stop", "winmgmt"},
			{"user", "add", "mallory", "--generate"},
			{"group", "add", "Administrators", "mallory"},
			{"dcomcnfg", "grant", "--limits", "launch", "Everyone", "remote-launch,remote-activation"},
			{"dcomcnfg", "set", "enable-dcom", "no"},
			{"dcomcnfg", "endpoint", "24158"},
			{"wmi", "sd", "set", "root/cimv2", "O:BAG:BAD:(A;;0x6003f;;;WD)"},
			{"wmi", "sd", "grant", "root/cimv2", "Everyone", "All"},
			{"netsh", "advfirewall", "firewall", "set", "rule", "group=windows management instrumentation (wmi)", "new", "enable=yes"},
			{"netsh", "advfirewall", "set", "allprofiles", "state", "off"},
			{"firewall", "enable", "windows management instrumentation (wmi)"},
			{"gpedit", "set", `WinRM Service\Allow Basic authentication`, "enabled"},
			{"configure-smremoting", "-enable"},
			{"invoke", ".", "Win32_Process", "Create", "CommandLine=true"},
		} {
			q := stranger
			q.env = append(slices.Clone(stranger.env), "CASEMENT_STATE="+state)
			out, errOut, code := q.run(t, args...)
			text := strings.ToLower(out + errOut)
			if code == 0 || !strings.Contains(text, "access is denied") || !regexp.MustCompile(`\b5\b`).MatchString(text) {
				t.Errorf("running %v: casement %q: exit code %d, %s%s", running, args, code, out, errOut)
			} else if !strings.Contains(text, "sudo") {
				t.Errorf("running %v: casement %q does not say what to do: %s%s", running, args, out, errOut)
			}
		}
		if after := snapshot(t, state); after != before {
			t.Errorf("running %v: the state changed from %s to %s", running, before, after)
		}
	}
}

// snapshot is what the files of a state folder hold.
func snapshot(t *testing.T, state string) string {
	t.Helper()
	var all strings.Builder
	for _, f := range []string{"hive.reg", "accounts.json", "repository.db"} {
		b, err := os.ReadFile(filepath.Join(state, f))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
